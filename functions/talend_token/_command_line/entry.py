"""The entry point: parses the command line, runs the command, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING

from talend_token._command_line.failure import FAILED, INTERRUPTED, OK, PIPE_CLOSED, CommandError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from typing import Any


def main(arguments: Sequence[str] | None = None, *, clocks: Any = time) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: the command line, by default that of the process.
        clocks: an object with the functions `time`, `monotonic` and `sleep`, by default the module `time`.
    """
    debug = False
    try:
        from talend_token._command_line.parser import parser

        options = parser().parse_args(arguments)
        debug = bool(options.debug)
        exit_code = _run(options, clocks)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit as ended:
        # argparse has printed the help (0) or the problem (2), or a signal has ended `write` (0).
        return ended.code if isinstance(ended.code, int) else OK
    except CommandError as error:
        return _fail(str(error), error.exit_code, error if debug else None)
    except Exception as error:  # noqa: BLE001 (a bug in this program should be one line, too)
        text = f"unexpected {type(error).__name__}. Please report it, with the output of --debug."
        return _fail(text, FAILED, error if debug else None)
    return exit_code


def _run(options: Namespace, clocks: Any) -> int:
    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen

    # Imported by name, because each command needs other modules, and `token` should start fast.
    command = import_module(f"talend_token._command_line.{options.command}_command")
    exit_code: int = command.run(options, Place(options, os.environ), Screen(os.environ), clocks)
    return exit_code


def _fail(message: str, exit_code: int, error: Exception | None) -> int:
    try:
        if error is not None:
            _show_traceback(error)
        print(f"talend-token: {message}", file=sys.stderr)
    except BrokenPipeError:
        return _pipe_closed()
    return exit_code


def _show_traceback(error: BaseException) -> None:
    """Print files and lines, but not the errors' messages, because some of them repeat their input."""
    import traceback

    if error.__cause__ is not None:
        _show_traceback(error.__cause__)
    print("Traceback (most recent call last):", file=sys.stderr)
    print("".join(traceback.format_tb(error.__traceback__)), end="", file=sys.stderr)
    print(type(error).__name__, file=sys.stderr)


def _pipe_closed() -> int:
    """Redirect the output to the null device, so that the interpreter's final flush does not fail."""
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):
            continue
    return PIPE_CLOSED
