"""A consumer: the real client over the real source, on a machine whose clocks may be wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from doubles.system import TOKEN
from faults.histories.incidents import Plan
from faults.histories.outside import Died, Frame, Outside
from faults.histories.ports import Store
from faults.histories.talend import Talend
from faults.invariants import InvariantBroken, Sight
from rotator.domain.errors import RotatorError
from rotator.domain.result import Outcome, Result
from rotator.ports import SecretVersion
from talend_token import RenewalFailed, Token, TokenClient, TokenUnavailable
from talend_token.document import advisory_seconds
from talend_token.secrets_manager import SecretsManagerSource

SUCCEEDED = ("accepted", "accepted after a renewal")


class _Broken(BaseException):
    """A rule was broken while a consumer waited: an `Exception` would be one of AWS's to its client."""


@dataclass
class AWS:
    """AWS as a consumer's process sees it, in place of a boto3 session and its clients."""

    store: Store
    outside: Outside
    true_time: Callable[[], float]
    renew: Callable[[str], Result]
    reading: Callable[[SecretVersion | None], None]
    """Called before a read with None, and after it with the version that was read."""
    invocations: int = 0
    superseded: int = 0
    """How many of the invocations have found another version published."""

    @property
    def renewals(self) -> int:
        """How many of the invocations have asked for a version that did not exist yet."""
        return self.invocations - self.superseded

    def client(self, service: str, **_: Any) -> AWS:
        assert service in ("secretsmanager", "lambda")
        return self

    def close(self) -> None:
        """Do nothing, because there are no connections."""

    def get_secret_value(self, SecretId: str) -> Mapping[str, Any]:  # noqa: N803 (boto3's name)
        def get() -> Mapping[str, Any]:
            version = self.store.seen(SecretId, "AWSCURRENT", stale=self.outside.reads_stale())
            if version is None:
                raise _client_error("ResourceNotFoundException")
            self.reading(version)
            return {
                "Name": TOKEN,
                "VersionId": version.version_id,
                "SecretString": version.text.reveal() if version.text else "",
                "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(self.true_time(), usegmt=True)}},
            }

        self.reading(None)
        codes = ("ThrottlingException", "AccessDeniedException", "InternalServiceError")
        return self._call("get", get, [lambda code=code: _client_error(code) for code in codes])  # type: ignore[misc]

    def invoke(self, FunctionName: str, Payload: bytes) -> Mapping[str, Any]:  # noqa: ARG002, N803
        def invoke() -> Mapping[str, Any]:
            self.invocations += 1
            try:
                result = self.renew(json.loads(Payload)["rejected_version_id"])
                self.superseded += result.outcome is Outcome.SUPERSEDED
            except (RotatorError, Died) as error:
                answer = json.dumps({"errorMessage": f"{type(error).__name__}: {error}"})
                return {"FunctionError": "Unhandled", "Payload": BytesIO(answer.encode())}
            return {"Payload": BytesIO(json.dumps(result.as_renewal()).encode())}

        return self._call(
            "invoke",
            invoke,
            [
                lambda: _client_error("TooManyRequestsException"),
                lambda: ReadTimeoutError(endpoint_url="https://lambda.test"),
                lambda: _client_error("ServiceException"),
            ],
        )

    def _call(
        self, name: str, work: Callable[[], Mapping[str, Any]], errors: list[Callable[[], Exception]]
    ) -> Mapping[str, Any]:
        try:
            return self.outside.call(name, work, errors)
        except InvariantBroken as error:
            raise _Broken(error) from None


def _client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "operation")


@dataclass
class Consumer:
    """Calls the API with the tokens that its client returns, and checks what the client promises."""

    number: int
    store: Store
    outside: Outside
    talend: Talend
    sleep: Callable[[float], None]
    renew_function: Callable[[str], Result]
    ends: Counter[str] = field(default_factory=Counter)
    """How its calls ended."""
    wall_ahead: float = 0
    napped: float = 0
    """How long its machine has slept."""

    def __post_init__(self) -> None:
        self._at_work = False
        self.restart()

    def restart(self) -> None:
        """Start a new process, which remembers nothing."""
        self._aws = AWS(self.store, self.outside, self.talend.clock, self._invoked, self._reading)
        source = SecretsManagerSource(TOKEN, "renew", session=self._aws)  # type: ignore[arg-type]
        self._client = TokenClient(source, clock=self._wall, monotonic=self._monotonic, sleep=self.sleep)
        self._given_up: dict[str, int] = {}
        """How many reads it had made when the API rejected a version, by the versions that were renewed for it."""
        self._reads = 0
        self._read: dict[str, tuple[int, int]] = {}
        """The number of the last read that showed a version, and when the version expires, by version."""
        self.rejected: set[str] = set()
        """The versions whose tokens it has seen rejected."""
        self._clocks_at_read: dict[str, tuple[float, float]] = {}

    def call(self, plan: Plan) -> str:
        """Make one request to the API, repeated once with another token after a 401. Return how it ended."""
        if self._at_work:
            # Another thread of this process would wait for the first one.
            return "waits"
        self._at_work = True
        with self.outside.at_work(Frame(plan)):
            try:
                end = self._call()
            except Died:
                self.restart()
                end = "died"
            except _Broken as broken:
                raise broken.args[0] from None
            finally:
                self._at_work = False
        self.ends[end] += 1
        return end

    def rolled_back_to(self, version_id: str | None) -> None:
        """Note that an operator has published that version once more, so that it counts as a new one."""
        self._given_up.pop(version_id or "", None)

    def _call(self) -> str:
        try:
            token = self._client.get_token()
        except TokenUnavailable:
            return "no token"
        self._check(token)
        if self.talend.works(token.access_token):
            return "accepted"
        self.rejected.add(token.version_id)
        before, reads = self._aws.renewals, self._reads
        try:
            other = self._client.renew(token)
        except (RenewalFailed, TokenUnavailable) as error:
            return f"not renewed: {getattr(error, 'outcome', 'unavailable')}"
        finally:
            if self._aws.renewals > before + 1:
                raise InvariantBroken(f"a 401 cost {self._aws.renewals - before} renewals")
        self._given_up[token.version_id] = reads
        self._check(other)
        return "accepted after a renewal" if self.talend.works(other.access_token) else "rejected twice"

    def _check(self, token: Token) -> None:
        version, now = token.version_id, self.talend.clock()
        # A FRESH token is used without a read, so what has been published since the last read is not known.
        later = [
            read
            for read, (number, expires_at) in self._read.items()
            if now < expires_at and number > self._given_up.get(version, self._reads)
        ]
        if any(read not in self._given_up for read in later):
            raise InvariantBroken(f"consumer {self.number} has version {version}, which it saw rejected")
        if now >= token.expires_at + self._wrong_by(version):
            raise InvariantBroken(f"consumer {self.number} has version {version}, which expired at {token.expires_at}")

    def _wrong_by(self, version_id: str) -> float:
        """Return for how long an expired token may be taken for a valid one, because of the machine's clocks.

        A client cannot notice that the wall clock is set back while the monotonic clock stands still, and does not look
        while a token seems FRESH.
        """
        ahead, napped = self._clocks_at_read[version_id]
        set_back, slept = max(0.0, ahead - self.wall_ahead), self.napped - napped
        held = self._client._held
        assert held.advisory_seconds <= advisory_seconds(1800)
        return max(min(set_back, slept), set_back - held.advisory_seconds, 0)

    def _reading(self, version: SecretVersion | None) -> None:
        if version is None:
            self._clocks = (self.wall_ahead, self.napped)
            return
        self._reads += 1
        self._clocks_at_read[version.version_id] = self._clocks
        document = Sight(0, version.version_id, version.text).document
        if document:
            self._read[version.version_id] = self._reads, document.expires_at

    def _invoked(self, version_id: str) -> Result:
        return self.renew_function(version_id)

    def _wall(self) -> float:
        return self.talend.clock() + self.wall_ahead

    def _monotonic(self) -> float:
        return self.talend.clock() - self.napped - 1_000_000
