"""A consumer: the real client, on a machine whose clocks may be wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from doubles.system import TOKEN
from faults.histories.incidents import Plan
from faults.histories.outside import Died, Frame, Outside
from faults.histories.ports import Store
from faults.histories.talend import Talend
from faults.invariants import InvariantBroken, document_in
from rotator.domain.errors import RotatorError
from rotator.domain.result import Outcome, Result
from talend_token import RenewalFailed, Token, TokenClient, TokenUnavailable
from talend_token._sources import Published, Renewal
from talend_token.document import advisory_seconds

SUCCEEDED = ("accepted", "accepted after a renewal")


@dataclass
class Consumer:
    """Calls the API with the tokens that its client returns, and checks what the client promises.

    It is the source of its client's tokens as well.
    """

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
        self._client = TokenClient(self, clock=self._wall, monotonic=self._monotonic, sleep=self.sleep)
        self._renewals = 0
        """How many of its invocations have asked for a version that did not exist yet."""
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
            finally:
                self._at_work = False
        self.ends[end] += 1
        return end

    def read(self) -> Published:
        """Return the token that its client sees, with the date of the answer in whole seconds."""
        clocks = self.wall_ahead, self.napped

        def read() -> Published:
            version = self.store.seen(TOKEN, "AWSCURRENT", stale=self.outside.reads_stale())
            self._reads += 1
            document = document_in(version.text) if version else None
            if version is None or document is None:
                raise TokenUnavailable("nothing that is published can be read")
            self._clocks_at_read[version.version_id] = clocks
            self._read[version.version_id] = self._reads, document.expires_at
            token = Token(
                document.access_token,
                expires_at=document.expires_at,
                version_id=version.version_id,
                api_url=document.api_url,
            )
            return Published(token, document.issued_at, math.floor(self.talend.clock()))

        return self.outside.call("get", read, [lambda: TokenUnavailable("the secret cannot be read")])

    def renew(self, rejected_version_id: str) -> Renewal:
        """Invoke the renew function for its client."""

        def renew() -> Renewal:
            self._renewals += 1
            try:
                result = self.renew_function(rejected_version_id)
            except (RotatorError, Died) as error:
                raise RenewalFailed(f"renew failed: {type(error).__name__}", may_show=True) from None
            self._renewals -= result.outcome is Outcome.SUPERSEDED
            return Renewal(str(result.outcome), result.retry_after_seconds)

        throttled = RenewalFailed("too many requests", outcome="throttled", may_show=True)
        return self.outside.call("invoke", renew, [lambda: throttled, lambda: RenewalFailed("timeout", may_show=True)])

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
        before, reads = self._renewals, self._reads
        try:
            other = self._client.renew(token)
        except (RenewalFailed, TokenUnavailable) as error:
            return f"not renewed: {getattr(error, 'outcome', 'unavailable')}"
        finally:
            if self._renewals > before + 1:
                raise InvariantBroken(f"a 401 cost {self._renewals - before} renewals")
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

    def _wall(self) -> float:
        return self.talend.clock() + self.wall_ahead

    def _monotonic(self) -> float:
        return self.talend.clock() - self.napped - 1_000_000
