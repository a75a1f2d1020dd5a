"""The client: gives out a token that works, asks as seldom as it can, and has a rejected token renewed."""

from __future__ import annotations

import copy
import os
import random
import time
from collections import deque

from talend_token._environment import source_from_environment
from talend_token._held import Held, nothing
from talend_token._single_flight import SingleFlight
from talend_token.errors import RenewalFailed, TokenUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from talend_token._ports import Published, TokenSource
    from talend_token._token import Token

# How often a STALE token's successor is looked for: the rotator publishes it within seconds, and if it does not, an
# outage is under way that asking more often does not end.
_ASK_SECONDS = 5
_ASK_LIMIT_SECONDS = 60
# A renewal takes a second or two, and Secrets Manager shows it everywhere soon after.
_FIRST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 2
# A longer pause would keep a consumer from a renewal after somebody has mended what was wrong.
_LONGEST_HOLD_OFF_SECONDS = 60
# More versions than are published in the life of one token.
_REMEMBERED_REJECTIONS = 16


class _State:
    """What a client remembers besides the token, in one process."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.flights = SingleFlight()
        self.reads = 0
        self.last_read_version = ""
        self.rejected: deque[str] = deque(maxlen=_REMEMBERED_REJECTIONS)
        self.refusals: dict[str, tuple[RenewalFailed, float]] = {}
        self.pause_seconds: float = _ASK_SECONDS
        self.ask_again_at = float("-inf")


class TokenClient:
    """Talend Cloud tokens for any number of threads, and for asyncio by `talend_token.aio.AsyncTokenClient`.

    A token is FRESH until the last five minutes of its life (a sixth of a life shorter than 30 minutes): it is given
    out without any input or output. Then it is STALE: one caller looks for its successor, at most every few seconds,
    and everyone else keeps the token. Once it is INVALID, callers wait for one read of the secret.

    Share one client in a process: each has a token of its own. It may be made before a process forks.
    """

    def __init__(
        self,
        source: TokenSource | None = None,
        *,
        renewal_timeout_seconds: float = 30,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Nothing is asked before the first token is.

        Args:
            source: where tokens come from, such as a `talend_token.secrets_manager.SecretsManagerSource`. By default
                what the environment names: `TALEND_ACCESS_TOKEN` (with `TALEND_API_URL`), a token to work with where
                there is no AWS; or else `TALEND_TOKEN_SECRET` and `TALEND_RENEW_FUNCTION`, names or ARNs.
            renewal_timeout_seconds: how long a caller of `renew` waits for the new token to show, once the renew
                function has answered; that may take 30 more.
            clock, monotonic, sleep: the machine's, for tests to replace.

        Raises:
            NotConfigured: no source is given, and the environment names none.
        """
        self._source = source or source_from_environment()
        self._renewal_timeout_seconds = renewal_timeout_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._held = nothing()
        self._state = _State()

    def get_token(self, min_remaining: float = 0) -> Token:
        """A token that works for at least `min_remaining` more seconds.

        Raises:
            TokenUnavailable: no such token is published, or the secret cannot be read.
            ValueError: `min_remaining` is negative.
        """
        held = self._held
        if self._clock() < held.fresh_until and not min_remaining:
            return held.token
        return self._due(min_remaining)

    def _at_hand(self, min_remaining: float, *, others_ask: bool) -> Token | None:
        """What `get_token` would return without input or output; None if it has to ask.

        `others_ask` says that somebody is asking for a STALE token's successor at this moment.
        """
        held = self._held
        # Also for what is no number of seconds, which `get_token` then refuses.
        if not min_remaining >= 0 or self._remaining(held) <= min_remaining:
            return None
        fresh = self._remaining(held) > held.advisory_seconds
        if fresh or others_ask or self._monotonic() < self._state.ask_again_at:
            return held.token
        return None

    def renew(self, rejected: Token) -> Token:
        """A token to repeat a request with, after the API answered 401 to `rejected`. Repeat it once.

        The secret is read first: a newer token there is the answer. Otherwise `renew` is invoked, once for all threads
        that saw the same token rejected, and the secret is read until the new token shows.

        Raises:
            RenewalFailed, TokenUnavailable: there is no other token. The API's rejection stands: hand it on.
        """
        self._notice_fork()
        if self._other_than(rejected.version_id) is None:
            self._state.flights.do(("renew", rejected.version_id), lambda: self._renew(rejected.version_id))
        return self.get_token()

    def __repr__(self) -> str:
        return f"TokenClient({self._source})"

    # --- a token that is not FRESH ---

    def _due(self, min_remaining: float) -> Token:
        if not min_remaining >= 0:
            raise ValueError(f"min_remaining must be 0 or more seconds, not {min_remaining}")
        self._notice_fork()
        reads = self._state.reads
        if self._remaining(self._held) > min_remaining:
            if self._remaining(self._held) <= self._held.advisory_seconds:
                self._state.flights.do_unless_under_way("ask", self._ask)
            held = self._held
            # Asking may have taken longer than the token had to live.
            if self._remaining(held) > min_remaining:
                return held.token
        self._read(since=reads)
        held = self._held
        if self._remaining(held) <= min_remaining:
            raise TokenUnavailable(self._why_not(held, min_remaining))
        return held.token

    def _ask(self) -> None:
        """Look for a STALE token's successor, unless somebody just did; if that fails, the token still works."""
        if self._monotonic() < self._state.ask_again_at:
            return
        try:
            self._read(since=self._state.reads)
        except TokenUnavailable as error:
            _warn("the token is in its last minutes, and its successor cannot be read: %s", error)
            self._ask_later(min(2 * self._state.pause_seconds, _ASK_LIMIT_SECONDS))

    def _ask_later(self, pause_seconds: float) -> None:
        self._state.pause_seconds = pause_seconds
        self._state.ask_again_at = self._monotonic() + pause_seconds * random.uniform(0.75, 1.25)  # noqa: S311

    def _read(self, since: int) -> None:
        """Return when a read has ended since `since` were counted: one at a time, for all threads."""

        def read() -> None:
            if self._state.reads == since:
                wall, monotonic = self._clock(), self._monotonic()
                self._hold(self._source.read(), wall, monotonic)
                self._ask_later(_ASK_SECONDS)
                self._state.reads += 1

        while self._state.reads == since:
            self._state.flights.do("read", read)

    def _hold(self, published: Published, wall: float, monotonic: float) -> None:
        """Keep what was read, unless the token at hand is better: for a moment, readers may see an older version."""
        found = Held(
            published.token,
            issued_at=published.issued_at,
            answered_at=published.answered_at,
            wall=wall,
            monotonic=monotonic,
            before=self._held,
        )
        self._state.last_read_version = found.token.version_id
        if found.token.version_id == self._held.token.version_id or self._worth(found) >= self._worth(self._held):
            self._held = found

    def _worth(self, held: Held) -> tuple[bool, bool, int]:
        works = self._remaining(held) > 0
        # What is held before the first read was issued by nobody.
        is_good = held.issued_at > 0 and held.token.version_id not in self._state.rejected
        return works, is_good, held.token.expires_at

    def _remaining(self, held: Held) -> float:
        return held.remaining_seconds(self._clock(), self._monotonic())

    def _why_not(self, held: Held, min_remaining: float) -> str:
        remaining = self._remaining(held)
        what = f"{self._source}: version {held.token.version_id}, published since {_utc(held.issued_at)},"
        if remaining > 0:
            return (
                f"{what} has {remaining:.0f} seconds to live, and {min_remaining:g} were asked for. Ask for fewer, or "
                "force a rotation."
            )
        return (
            f"{what} expired at {_utc(held.token.expires_at)}, and no newer token is published. The rotate function's "
            "log says why."
        )

    # --- a token that was rejected ---

    def _renew(self, rejected: str) -> None:
        """Hold another token than the rejected version, or raise `RenewalFailed`."""
        if rejected not in self._state.rejected:
            self._state.rejected.append(rejected)
        # Another thread's renewal may have ended just now.
        if self._other_than(rejected) or self._find_other_than(rejected):
            return
        if rejected in self._state.refusals:
            refusal, until = self._state.refusals[rejected]
            if self._monotonic() < until:
                raise copy.copy(refusal)
        try:
            if self._ask_to_renew(rejected) == "already_renewed":
                if self._find_other_than(rejected):
                    return
                # Somebody may have rolled back to a version that was rejected before: nobody else asks for that.
                found = self._state.last_read_version
                if found != rejected and found in self._state.rejected:
                    self._ask_to_renew(found)
        except RenewalFailed as refusal:
            if refusal.may_show and self._find_other_than(rejected):
                return
            until = self._monotonic() + min(refusal.retry_after_seconds, _LONGEST_HOLD_OFF_SECONDS)
            # A copy, without the traceback: that holds the variables of whoever called.
            self._state.refusals = {rejected: (copy.copy(refusal), until)}
            raise
        deadline, pause = self._monotonic() + self._renewal_timeout_seconds, _FIRST_POLL_SECONDS
        while not self._find_other_than(rejected):
            if self._monotonic() + pause > deadline:
                raise RenewalFailed(
                    f"{self._source}: no other version than {rejected} has shown within "
                    f"{self._renewal_timeout_seconds:g} seconds.",
                    outcome="in_progress",
                )
            self._sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(2 * pause, _LONGEST_POLL_SECONDS)

    def _ask_to_renew(self, rejected: str) -> str:
        """Return, with the outcome, if a new token is published, or is about to be."""
        try:
            renewal = self._source.renew(rejected)
        except RenewalFailed as refusal:
            # So many ask at this moment that one of them is heard.
            if refusal.outcome == "throttled":
                return refusal.outcome
            raise
        if renewal.outcome in ("renewed", "already_renewed", "in_progress"):
            return renewal.outcome
        raise RenewalFailed(
            f"{self._source}: version {rejected} was rejected and is not replaced: {renewal.outcome}, for "
            f"{renewal.retry_after_seconds:g} seconds. If this goes on, the token is not what is wrong: look for a "
            "missing right, or another Region's API.",
            outcome=renewal.outcome,
            retry_after_seconds=renewal.retry_after_seconds,
        )

    def _find_other_than(self, rejected: str) -> bool:
        """Read the secret; True if the client then holds a token that works, of another version."""
        try:
            self._read(since=self._state.reads)
        except TokenUnavailable as error:
            _warn("a token was rejected, and the published one cannot be read: %s", error)
        return self._other_than(rejected) is not None

    def _other_than(self, rejected: str) -> Token | None:
        held = self._held
        if held.token.version_id == rejected or self._remaining(held) <= 0:
            return None
        return held.token

    def _notice_fork(self) -> None:
        """In a forked process, locks may be held by threads that do not exist there."""
        if self._state.process != os.getpid():
            self._state = _State()


def _warn(message: str, error: TokenUnavailable) -> None:
    # Most programs are never warned, and half the time of importing this package would be logging's.
    import logging

    logging.getLogger("talend_token").warning(message, error)


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
