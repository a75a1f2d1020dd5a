"""Defines how a command fails: with one line for the operator, and an exit code for scripts."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
STALE = 3
UNREACHABLE = 4
DENIED = 5
NO_TOKEN = 6
NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130
PIPE_CLOSED = 141

# Ordered by severity, because `status --check` exits with the highest code of all accounts.
EXIT_CODES = {
    OK: "done; `status --check`: every token is fresh",
    FAILED: "the function failed, a check of `doctor` failed, or anything without a code of its own",
    USAGE: "wrong usage: an option, an argument, a profile, a Region or a file",
    STALE: "`status --check`: a token expires within minutes and is not replaced yet",
    UNREACHABLE: "AWS does not answer",
    DENIED: "AWS credentials are missing or expired, or lack a right",
    NO_TOKEN: "no valid token: expired, too short, never published, or no such stack or account",
    NOT_EXECUTABLE: "`exec`: the command cannot be executed",
    NOT_FOUND: "`exec`: the command is not found",
    INTERRUPTED: "interrupted by Ctrl-C",
    PIPE_CLOSED: "the reader of a pipe has closed it",
}


class CommandError(Exception):
    """Ends the command with one line that names the problem, the resource and the fix."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code
