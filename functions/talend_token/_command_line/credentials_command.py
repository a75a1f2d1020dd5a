"""`credentials`: stores the service account's ID and secret."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from talend_token._command_line import doctor_command
from talend_token._command_line.failure import OK, USAGE, CommandError
from talend_token._command_line.invocation import await_other_version, published_version, say_published
from talend_token.credentials import CredentialsPair, InvalidCredentials, is_encoded
from talend_token.document import Sensitive

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen

_LARGEST_BYTES = 65_536


def run(options: Namespace, place: Place, screen: Screen, clocks: Any) -> int:
    """Check the credentials, store them, show the dry run, and wait for their first token."""
    # Checked first, so that the operator does not type a secret that cannot be stored.
    secret = place.credentials_secret
    before = published_version(place)
    try:
        pair = CredentialsPair.from_text(_asked_for() if options.file is None else _read(options.file))
    except InvalidCredentials as error:
        raise CommandError(f"account {place.account!r}: nothing is stored: the pair {error}", USAGE) from None
    place.aws.call(
        "secretsmanager",
        f"account {place.account!r}: credentials secret {secret!r}",
        lambda client: client.put_secret_value(SecretId=secret, SecretString=pair.to_text().reveal()),
    )
    screen.print(f"stored: account {place.account!r} has new credentials")
    exit_code = doctor_command.show(doctor_command.dry_run(place, screen), screen)
    if exit_code != OK:
        return exit_code
    with screen.progress("waiting for the first token"):
        await_other_version(place, before, clocks)
    token = place.published.token
    say_published(place, screen, "published", token.version_id, token.expires_at, clocks)
    return OK


def _asked_for() -> Sensitive[str]:
    """Ask at the terminal for the ID and the secret, or for both at once."""
    if not sys.stdin.isatty():
        raise CommandError("standard input is not a terminal. Name a file, or - for standard input.", USAGE)
    first = _ask("ID, or ID:secret (not shown): ")
    if ":" in first.reveal() or is_encoded(first) or not first.reveal().strip():
        return first
    second = _ask("secret (not shown): ")
    # The parser only recognizes encoded credentials if no other text precedes them.
    return second if is_encoded(second) else Sensitive(f"{first.reveal()}:{second.reveal()}")


def _ask(prompt: str) -> Sensitive[str]:
    try:
        return Sensitive(getpass(prompt))
    except EOFError:
        raise CommandError("nothing is stored: the input has ended.", USAGE) from None


def _read(file: str) -> Sensitive[str]:
    name = "standard input" if file == "-" else f"file {file!r}"
    try:
        if file == "-":
            content = Sensitive(sys.stdin.buffer.read(_LARGEST_BYTES))
        else:
            with Path(file).open("rb") as opened:
                content = Sensitive(opened.read(_LARGEST_BYTES))
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", USAGE) from None
    try:
        return Sensitive(content.reveal().decode())
    except UnicodeDecodeError:
        # The error has the whole text, so it must not become the context of another one.
        pass
    raise CommandError(f"{name} is not UTF-8 text. Save it as plain text in UTF-8.", USAGE)
