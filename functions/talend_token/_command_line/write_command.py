"""`write`: keeps a token file current."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from talend_token._command_line.failure import NO_TOKEN, OK, USAGE, CommandError
from talend_token._command_line.token_command import document
from talend_token._command_line.token_file import TokenFile
from talend_token._token import HeldToken, Token

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator
    from typing import Any

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen
    from talend_token._sources import Published

# A read each minute of a token's 30, so the file is at most a minute behind when a rejected token was replaced.
_READS_PER_LIFE = 30
_LONGEST_PAUSE_SECONDS = 60
# The file is removed before its token expires, so that a reader at the last moment still gets a valid token.
_REMOVED_BEFORE_SECONDS = 1
_ON_CHANGE_SECONDS = 60


def run(options: Namespace, place: Place, screen: Screen, clocks: Any) -> int:
    """Write the file, and keep it current until a signal arrives or there is no valid token.

    Raises:
        CommandError: there is no valid token, so the file is removed, or the file cannot be written.
    """
    try:
        on_change = shlex.split(options.on_change or "")
    except ValueError as error:
        raise CommandError(f"--on-change cannot be parsed: {error}.", USAGE) from None
    file = TokenFile(options.file)
    with _signals(file):
        writer = _Writer(file, place, on_change, screen, clocks)
        pause = writer.update()
        while not options.once:
            clocks.sleep(pause)
            pause = writer.update()
    if writer.failure:
        raise writer.failure
    return OK


class _Writer:
    """Keeps the file current."""

    def __init__(self, file: TokenFile, place: Place, on_change: list[str], screen: Screen, clocks: Any) -> None:
        self._file = file
        self._place = place
        self._on_change = on_change
        self._screen = screen
        self._clocks = clocks
        self._held = HeldToken.none()
        self.failure: CommandError | None = None
        """The error of the last read, while the file still has a valid token."""
        if left := file.left:
            # The token that another run has left is used if the secret cannot be read.
            token = Token(
                left.access_token, expires_at=left.expires_at, version_id=left.version_id, api_url=left.api_url
            )
            self._hold(token, left.issued_at, None, clocks.time(), clocks.monotonic())
        self._has_read = False

    def update(self) -> float:
        """Read the secret, and write the file if it is outdated; return the number of seconds until the next update.

        Raises:
            CommandError: the file's token has expired, and no other token can be read. The file is removed.
        """
        # The file may have to be removed during the read.
        self._remove_at_expiry()
        wall, monotonic = self._clocks.time(), self._clocks.monotonic()
        try:
            published = self._place.read()
        except CommandError as error:
            self._fail(error)
        else:
            self.failure = None
            written = self._held.token.version_id
            # A read may briefly return an older version than the read before.
            if not self._has_read or published.issued_at >= self._held.issued_at:
                self._hold(published.token, published.issued_at, published.answered_at, wall, monotonic)
                self._has_read = True
            if self._remaining() <= 0:
                self._fail(self._expired())
            elif written != self._held.token.version_id or self._file.is_missing:
                self._write(published)
        self._remove_at_expiry()
        longest = min(_LONGEST_PAUSE_SECONDS, self._life_seconds() / _READS_PER_LIFE)
        return max(0, min(longest, self._remaining()))

    def _write(self, published: Published) -> None:
        if published.token.version_id == self._held.token.version_id:
            # Otherwise the new file might be removed.
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._file.write(document(published))
            self._remove_at_expiry()
            if self._on_change:
                self._run_on_change()

    def _remove_at_expiry(self) -> None:
        """Let a timer remove the file when its token expires, even while this process waits."""
        if self._remaining() <= 0:
            self._file.remove()
        else:
            signal.setitimer(signal.ITIMER_REAL, self._remaining())

    def _fail(self, error: CommandError) -> None:
        if self._remaining() <= 0:
            self._file.remove()
            raise error
        if str(error) != str(self.failure):
            self._screen.say(f"talend-token: {error} The file stays for {self._remaining():.0f} more seconds.")
        self.failure = error

    def _expired(self) -> CommandError:
        version = self._held.token.version_id
        return CommandError(
            f"{self._place}: version {version} has expired, and no newer token is published. `talend-token doctor` "
            "says why.",
            NO_TOKEN,
        )

    def _hold(self, token: Token, issued_at: int, answered_at: float | None, wall: float, monotonic: float) -> None:
        self._held = HeldToken(
            token, issued_at=issued_at, answered_at=answered_at, wall=wall, monotonic=monotonic, before=self._held
        )

    def _remaining(self) -> float:
        """Return for how many more seconds the file may stay."""
        wall, monotonic = self._clocks.time(), self._clocks.monotonic()
        return self._held.remaining_seconds(wall, monotonic) - _REMOVED_BEFORE_SECONDS

    def _life_seconds(self) -> int:
        return self._held.token.expires_at - self._held.issued_at

    def _run_on_change(self) -> None:
        """Run the user's command. It may fail, but must not prevent the timer from removing the file."""
        try:
            exit_code = subprocess.run(self._on_change, timeout=_ON_CHANGE_SECONDS, check=False).returncode  # noqa: S603
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            self._screen.say(f"talend-token: --on-change {self._on_change[0]!r} failed: {type(error).__name__}.")
        else:
            if exit_code:
                self._screen.say(f"talend-token: --on-change {self._on_change[0]!r} failed with exit code {exit_code}.")


@contextmanager
def _signals(file: TokenFile) -> Iterator[None]:
    """Let SIGTERM end the block with exit code 0, and let the timer remove the file."""
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: sys.exit(OK)),
        signal.SIGALRM: signal.signal(signal.SIGALRM, lambda *_: file.remove()),
    }
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
