"""The client, which returns a valid token, reads the secret as rarely as possible, and renews a rejected token."""

from __future__ import annotations

import copy
import os
import random
import time
from collections import deque
from types import SimpleNamespace

from talend_token._single_flight import SingleFlight
from talend_token._sources import source_from_environment
from talend_token._token import HeldToken
from talend_token.errors import RenewalFailed, TokenUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from talend_token._sources import Published, TokenSource
    from talend_token._token import Token

# The pause between two reads for a STALE token's successor. The rotator publishes the successor within seconds unless
# there is an outage, which more reads would not shorten.
_READ_PAUSE_SECONDS = 5
_LONGEST_READ_PAUSE_SECONDS = 60
# A renewal takes a second or two, and soon afterwards every read returns the new version.
_FIRST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 2
# A longer pause would delay a consumer's renewal after an operator has fixed the cause.
_LONGEST_REFUSAL_SECONDS = 60
# More versions than are published while one token is valid.
_REMEMBERED_REJECTIONS = 16


class _State:
    """The state of a client in one process, apart from its token."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.flights = SingleFlight()
        self.reads = 0
        self.read_pause_seconds: float = _READ_PAUSE_SECONDS
        self.next_read_at = float("-inf")
        self.rejected: deque[str] = deque(maxlen=_REMEMBERED_REJECTIONS)
        self.refusals: dict[str, tuple[RenewalFailed, float]] = {}


class TokenClient:
    """Returns Talend Cloud tokens to any number of threads; for asyncio, see `talend_token.aio.AsyncTokenClient`.

    A token is FRESH until five minutes before it expires, or until the last sixth if it is valid for less than 30
    minutes. A FRESH token is returned without any input or output. Then the token is STALE: one caller reads the secret
    for its successor, at most every few seconds, and all others get the STALE token. Once the token is INVALID, callers
    wait for one read of the secret.

    Share one client per process, because each client holds its own token. It may be created before the process forks.
    """

    def __init__(
        self,
        source: TokenSource | None = None,
        *,
        renewal_timeout_seconds: float = 30,
        clock: Callable[[], float] | None = None,
        monotonic: Callable[[], float] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        """Create a client. It reads nothing before the first token is needed.

        Args:
            source: where tokens come from, such as a `talend_token.secrets_manager.SecretsManagerSource`. By default,
                the environment decides: `TALEND_ACCESS_TOKEN` and `TALEND_API_URL` hold a token for work without AWS,
                or else `TALEND_ACCESS_TOKEN_FILE` names a file that `talend-token write` keeps current, or else
                `TALEND_TOKEN_SECRET` and `TALEND_RENEW_FUNCTION` hold names or ARNs.
            renewal_timeout_seconds: how long `renew` waits for the new token to appear after the renew function has
                answered, which may take another 30 seconds.
            clock, monotonic, sleep: replacements of the functions of the module `time`, for tests.

        Raises:
            NotConfigured: `source` is not given, and the environment does not name one.
        """
        self._source = source or source_from_environment()
        self._renewal_timeout_seconds = renewal_timeout_seconds
        # The module itself, so that its functions are looked up at each call, because tests replace them there.
        self._time: Any = time
        if clock or monotonic or sleep:
            self._time = SimpleNamespace(
                time=clock or time.time, monotonic=monotonic or time.monotonic, sleep=sleep or time.sleep
            )
        self._held = HeldToken.none()
        self._state = _State()

    def get_token(self, min_remaining: float = 0) -> Token:
        """Return a token that is valid for more than `min_remaining` more seconds.

        Raises:
            TokenUnavailable: there is no such token, or the secret cannot be read.
            ValueError: `min_remaining` is negative.
        """
        held = self._held
        if self._time.time() < held.fresh_until and not min_remaining:
            return held.token
        return self._refresh(min_remaining)

    def renew(self, rejected: Token) -> Token:
        """Return a token with which to repeat a request once, after the API answered 401 to `rejected`.

        The secret is read first, and a newer token there is returned. Otherwise, `renew` is invoked once for all
        threads that report the same rejected token, and the secret is read until the new token appears.

        Raises:
            RenewalFailed, TokenUnavailable: there is no other token, so the caller must handle the API's 401.
        """
        self._notice_fork()
        if not self._has_replacement(rejected.version_id):
            self._state.flights.do(("renew", rejected.version_id), lambda: self._replace(rejected.version_id))
        return self.get_token()

    def __repr__(self) -> str:
        # A traceback that shows variables may show a client whose constructor failed.
        return f"TokenClient({getattr(self, '_source', 'not configured')})"

    def __getstate__(self) -> dict[str, Any]:
        """Return only the configuration: a pickle or a copy does not hold a token, and reads the secret itself."""
        # A module cannot be pickled.
        left_out = ("_held", "_state", "_time") if self._time is time else ("_held", "_state")
        return {name: value for name, value in vars(self).items() if name not in left_out}

    def __setstate__(self, configuration: dict[str, Any]) -> None:
        vars(self).update({"_time": time} | configuration)
        self._held = HeldToken.none()
        self._state = _State()

    # --- a token that is not FRESH ---

    def _refresh(self, min_remaining: float) -> Token:
        """Return the client's token if it is valid for long enough; otherwise read the secret once."""
        if not min_remaining >= 0:
            raise ValueError(f"min_remaining must be 0 or more seconds, not {min_remaining}")
        self._notice_fork()
        reads = self._state.reads
        if self._remaining(self._held) > min_remaining:
            if self._remaining(self._held) <= self._held.advisory_seconds:
                self._state.flights.do_unless_under_way("successor", self._read_successor)
            held = self._held
            # The read may have taken longer than the token was valid for.
            if self._remaining(held) > min_remaining:
                return held.token
        self._read(since=reads)
        held = self._held
        remaining = self._remaining(held)
        if remaining <= min_remaining:
            raise TokenUnavailable(f"{self._source}: {held.why_unusable(remaining, min_remaining)}")
        return held.token

    def _without_read(self, min_remaining: float, *, others_read: bool) -> Token | None:
        """Return the token that `get_token` would return without input or output; None if it would read the secret.

        `others_read` is True if another caller is reading a STALE token's successor right now.
        """
        held = self._held
        # This is also true for a negative number or a NaN, which `get_token` then refuses.
        if not min_remaining >= 0 or self._remaining(held) <= min_remaining:
            return None
        fresh = self._remaining(held) > held.advisory_seconds
        if fresh or others_read or self._time.monotonic() < self._state.next_read_at:
            return held.token
        return None

    def _read_successor(self) -> None:
        """Read the secret, unless it has just been read. A failure is only logged, because the STALE token is valid."""
        if self._time.monotonic() < self._state.next_read_at:
            return
        try:
            self._read(since=self._state.reads)
        except TokenUnavailable as error:
            _warn("the token expires within minutes, and its successor cannot be read: %s", error)
            self._pause_reads(min(2 * self._state.read_pause_seconds, _LONGEST_READ_PAUSE_SECONDS))

    def _pause_reads(self, seconds: float) -> None:
        self._state.read_pause_seconds = seconds
        self._state.next_read_at = self._time.monotonic() + seconds * random.uniform(0.75, 1.25)  # noqa: S311

    def _read(self, since: int) -> None:
        """Return when more than `since` reads have been completed. Threads share one read at a time."""

        def read() -> None:
            if self._state.reads == since:
                wall, monotonic = self._time.time(), self._time.monotonic()
                self._keep_better(self._source.read(), wall, monotonic)
                self._pause_reads(_READ_PAUSE_SECONDS)
                self._state.reads += 1

        while self._state.reads == since:
            self._state.flights.do("read", read)

    def _keep_better(self, published: Published, wall: float, monotonic: float) -> None:
        """Keep the token that was read, unless the client's is better: a read may briefly return an older version."""
        found = HeldToken(
            published.token,
            issued_at=published.issued_at,
            answered_at=published.answered_at,
            wall=wall,
            monotonic=monotonic,
            before=self._held,
        )
        if found.token.version_id == self._held.token.version_id or self._rank(found) >= self._rank(self._held):
            self._held = found

    def _rank(self, held: HeldToken) -> tuple[bool, bool, int]:
        is_valid = self._remaining(held) > 0
        # The token of `HeldToken.none()` was never issued.
        is_good = held.issued_at > 0 and held.token.version_id not in self._state.rejected
        return is_valid, is_good, held.token.expires_at

    def _remaining(self, held: HeldToken) -> float:
        return held.remaining_seconds(self._time.time(), self._time.monotonic())

    # --- a token that was rejected ---

    def _replace(self, rejected: str) -> None:
        """Get a valid token of another version than the rejected one, or raise `RenewalFailed`."""
        if rejected not in self._state.rejected:
            self._state.rejected.append(rejected)
        # Another thread's renewal may have just ended.
        if self._has_replacement(rejected) or self._read_replacement(rejected):
            return
        if rejected in self._state.refusals:
            refusal, until = self._state.refusals[rejected]
            if self._time.monotonic() < until:
                raise copy.copy(refusal)
        try:
            self._invoke_renew(rejected)
        except RenewalFailed as refusal:
            if refusal.may_show and self._read_replacement(rejected):
                return
            until = self._time.monotonic() + min(refusal.retry_after_seconds, _LONGEST_REFUSAL_SECONDS)
            # A copy does not have the traceback, which holds the callers' variables.
            self._state.refusals = {rejected: (copy.copy(refusal), until)}
            raise
        self._await_replacement(rejected)

    def _invoke_renew(self, rejected: str) -> None:
        """Invoke the renew function; return if a new token is published or will be soon."""
        try:
            renewal = self._source.renew(rejected)
        except RenewalFailed as refusal:
            # Throttled: other consumers are invoking `renew`, so one of them will get through.
            if refusal.outcome == "throttled":
                return
            raise
        if renewal.outcome not in ("rotated", "superseded", "in_progress"):
            raise RenewalFailed(
                f"{self._source}: version {rejected} was rejected but will not be replaced for the next "
                f"{renewal.retry_after_seconds:g} seconds ({renewal.outcome}). If this continues, the token is not the "
                "cause. Check the account's permissions, and that the API belongs to the right Region.",
                outcome=renewal.outcome,
                retry_after_seconds=renewal.retry_after_seconds,
            )

    def _await_replacement(self, rejected: str) -> None:
        """Read the secret until the new token appears."""
        start, slept, pause = self._time.monotonic(), 0.0, _FIRST_POLL_SECONDS
        while not self._read_replacement(rejected):
            # A test may have stopped the clock, so the pauses count too.
            if max(self._time.monotonic() - start, slept) + pause > self._renewal_timeout_seconds:
                raise RenewalFailed(
                    f"{self._source}: version {rejected} was rejected, and no other version appeared within "
                    f"{self._renewal_timeout_seconds:g} seconds. The renew function's log says why.",
                    outcome="in_progress",
                )
            jittered = pause * random.uniform(0.5, 1)  # noqa: S311
            self._time.sleep(jittered)
            slept += jittered
            pause = min(2 * pause, _LONGEST_POLL_SECONDS)

    def _read_replacement(self, rejected: str) -> bool:
        """Read the secret; return True if the client then holds a valid token of another version."""
        try:
            self._read(since=self._state.reads)
        except TokenUnavailable as error:
            _warn("a token was rejected, and the published one cannot be read: %s", error)
        return self._has_replacement(rejected)

    def _has_replacement(self, rejected: str) -> bool:
        held = self._held
        return held.token.version_id != rejected and self._remaining(held) > 0

    def _notice_fork(self) -> None:
        """Reset the state after a fork, because the threads that hold its locks do not exist in the new process."""
        if self._state.process != os.getpid():
            self._state = _State()


def _warn(message: str, error: TokenUnavailable) -> None:
    # Imported here because most programs never need it, and logging would double this package's import time.
    import logging

    logging.getLogger("talend_token").warning(message, error)
