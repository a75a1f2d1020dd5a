"""The command's options, arguments and help."""

from __future__ import annotations

import argparse
import math
import re
from typing import TYPE_CHECKING

from talend_token._command_line.failure import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def parser() -> argparse.ArgumentParser:
    """Return the parser; `options.command` is the name of the module that has the command."""
    root = _Parser(
        prog="talend-token",
        description="Valid Talend Cloud tokens at a terminal, and for programs in any language.",
        epilog="""\
examples:
  talend-token status
  curl -H "$(talend-token token --header)" https://api.eu.cloud.talend.com/orchestration/workspaces
  talend-token exec -- ./job.sh

Each command has a help of its own: talend-token token --help""",
    )
    root.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    _add_place(root, default=None)
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for add in (_token, _status, _doctor, _rotate, _renew, _credentials, _exec, _write):
        add(commands)
    return root


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        # An option that is cut short would change its meaning with the next release.
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        # Imported here because it takes longer than the rest of this module.
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("talend-token")
        except PackageNotFoundError:
            number = "(not installed: running from a folder)"
        print(f"talend-token {number}")
        parser.exit()


def _add_place(to: argparse.ArgumentParser, default: str | None) -> None:
    """Add the options that every command has, before the command's name and after it."""
    group = to.add_argument_group("where")
    group.add_argument("--stack", default=default, help="name of the stack (talend-token)")
    group.add_argument("--account", default=default, type=_account, help="name of the Talend account (default)")
    group.add_argument("--region", default=default, help="AWS Region, as of the aws command")
    group.add_argument("--profile", default=default, help="profile of the AWS configuration, as of the aws command")
    group.add_argument("--debug", default=default, action="store_true", help="show the traceback of an error")


def _add(commands: Any, name: str, summary: str, description: str, examples: Sequence[str], more: str = "") -> Any:
    epilog = "\n".join(["examples:", *(f"  {example}" for example in examples), *([f"\n{more}"] if more else [])])
    command = commands.add_parser(name, help=summary, description=description, epilog=epilog)
    # Left out unless it is given, so that it does not hide what was said before the command's name.
    _add_place(command, default=argparse.SUPPRESS)
    return command


def _token(commands: Any) -> None:
    command = _add(
        commands,
        "token",
        "print a valid token",
        "Prints the token and a newline on standard output, and nothing else there.",
        [
            'curl -H "Authorization: Bearer $(talend-token token)" https://api.eu.cloud.talend.com/...',
            "talend-token token --header | curl -H @- https://api.eu.cloud.talend.com/...",
            "talend-token token --json | jq -r .expires_at",
        ],
    )
    _add_min_remaining(command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--header", dest="form", action="store_const", const="header", help="print the HTTP header")
    form.add_argument("--json", dest="form", action="store_const", const="json", help="print the token document")
    form.add_argument(
        "--exec-credential",
        dest="form",
        action="store_const",
        const="exec_credential",
        help="print an ExecCredential of Kubernetes, which other tools read too",
    )


def _status(commands: Any) -> None:
    codes = "\n".join(f"  {code:<4} {meaning.replace('`', '')}" for code, meaning in EXIT_CODES.items())
    command = _add(
        commands,
        "status",
        "show every account's token, never the token itself",
        "Shows every account of the stack, or the one that --account names, a row each.",
        ["talend-token status", "talend-token status --check || alert", "talend-token status --json | jq .accounts"],
        f"exit codes of every command:\n{codes}\nwith --check the highest code of all accounts",
    )
    command.add_argument("--json", action="store_true", help="print one JSON document")
    command.add_argument("--check", action="store_true", help="exit with a code for the worst account's state")


def _doctor(commands: Any) -> None:
    command = _add(
        commands,
        "doctor",
        "check every link from the credentials to the published token",
        "Runs the rotate function's dry run, which requests a token and publishes nothing.",
        ["talend-token doctor", "talend-token doctor --account sales", "talend-token doctor --json | jq .checks"],
    )
    command.add_argument("--json", action="store_true", help="print what the function answered")


def _rotate(commands: Any) -> None:
    command = _add(
        commands,
        "rotate",
        "replace the published token now",
        "Forces a rotation, and waits for the new token.",
        ["talend-token rotate", 'talend-token rotate --reason "the permissions have changed"'],
    )
    command.add_argument("--reason", metavar="TEXT", help="what the function's log says about it")


def _renew(commands: Any) -> None:
    _add(
        commands,
        "renew",
        "replace the published token because an API rejected it",
        "Reports the published token as rejected (401), as a consumer does, and waits for the new token. It is refused "
        "for a token that was just issued, and when the day's renewals are used up; `rotate` is not.",
        ["talend-token renew", "talend-token renew --account sales"],
    )


def _credentials(commands: Any) -> None:
    command = _add(
        commands,
        "credentials",
        "store the service account's ID and secret",
        "Asks for ID and secret without showing them, or reads them from a file. Checks them as the rotator does, "
        "stores them, shows the dry run, and waits for the first token.",
        [
            "talend-token credentials",
            "talend-token credentials pair.txt",
            "pass show talend | talend-token credentials -",
        ],
        'A file holds ID:secret, or JSON: {"id": "...", "secret": "...", "api_url": "https://..."}.',
    )
    command.add_argument("file", metavar="FILE", nargs="?", help="where to read the pair; - is standard input")


def _exec(commands: Any) -> None:
    command = _add(
        commands,
        "exec",
        "run a command with a token in its environment",
        "Runs CMD in place of this command, with TALEND_ACCESS_TOKEN and TALEND_API_URL in its environment. The exit "
        "code and the signals are those of CMD.",
        ["talend-token exec -- ./job.sh", "talend-token exec --min-remaining 600 -- talend_task run"],
        "CMD gets one token, which expires within 30 minutes, and a CMD that runs for longer outlives it. For such a\n"
        "CMD run `talend-token write FILE` beside it, and have it read the file again; the Python client does that by\n"
        "itself if TALEND_ACCESS_TOKEN_FILE names the file.",
    )
    _add_min_remaining(command)
    command.add_argument("cmd", metavar="-- CMD", nargs=argparse.REMAINDER, help="the command and its arguments")


def _write(commands: Any) -> None:
    command = _add(
        commands,
        "write",
        "keep a token file current",
        "Writes the token document, one line of JSON, and replaces the file as soon as another token is published. The "
        "file has mode 0600 and is replaced by a rename, so a reader never sees half of it.",
        [
            "talend-token write /run/talend/token.json",
            "talend-token write --on-change 'systemctl reload job' /run/talend/token.json",
            "jq -r .access_token /run/talend/token.json",
        ],
        "It runs until it is ended. If AWS does not answer, the file stays until just before its token expires. It is\n"
        "removed then, and the command ends with the exit code of the cause: have a supervisor start it again.\n"
        "SIGTERM ends it with exit code 0 and leaves the file, so that a restart leaves no gap.",
    )
    command.add_argument("file", metavar="FILE", help="the token file")
    command.add_argument("--once", action="store_true", help="write the file once and exit")
    command.add_argument("--on-change", metavar="CMD", help="run CMD after each replacement, without a shell")


def _add_min_remaining(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--min-remaining",
        metavar="SECONDS",
        type=_seconds,
        default=0,
        help="fail unless the token is valid for more than these seconds (0)",
    )


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} must match {_ACCOUNT.pattern}")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0 or more")
    return seconds
