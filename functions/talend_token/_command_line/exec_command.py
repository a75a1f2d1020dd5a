"""`exec`: replaces itself with a command that has a token in its environment."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from talend_token._command_line.failure import NOT_EXECUTABLE, NOT_FOUND, USAGE, CommandError
from talend_token._command_line.token_command import valid_token

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any, NoReturn

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen


def run(options: Namespace, place: Place, _: Screen, __: Any) -> NoReturn:
    """Replace this process with the command, so that its signals and its exit code are those of the command.

    Raises:
        CommandError: there is no token, or the command cannot be executed.
    """
    command = options.cmd[1:] if options.cmd[:1] == ["--"] else options.cmd
    if not command:
        raise CommandError("exec needs a command: talend-token exec -- CMD.", USAGE)
    token = valid_token(place, options.min_remaining).token
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores SIGPIPE, and the command would inherit that.
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvpe(  # noqa: S606 (the user's command)
            command[0],
            command,
            {**os.environ, "TALEND_ACCESS_TOKEN": token.access_token, "TALEND_API_URL": token.api_url},
        )
    except FileNotFoundError:
        problem, exit_code = "is not found", NOT_FOUND
    except (OSError, ValueError) as error:
        problem, exit_code = f"cannot be executed: {getattr(error, 'strerror', 'not an argument')}", NOT_EXECUTABLE
    signal.signal(signal.SIGPIPE, before)
    raise CommandError(f"exec: {command[0]!r} {problem}.", exit_code)
