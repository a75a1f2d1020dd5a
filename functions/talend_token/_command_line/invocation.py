"""Invokes the functions, and prints their answers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from talend_token._command_line.failure import NO_TOKEN, CommandError

if TYPE_CHECKING:
    from typing import Any

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen

# Another run takes a second or two, and up to a minute if the token endpoint is slow.
_AWAIT_SECONDS = 60
_POLL_SECONDS = 1


def invoke_rotate(place: Place, event: dict[str, Any]) -> dict[str, Any]:
    """Return the rotate function's answer to an event for the place's account.

    Raises:
        CommandError: the function failed, which adds its message, or could not be invoked.
    """
    function = place.output("RotateFunctionName")
    subject = f"account {place.account!r}: function {function!r}"
    event = {"account": place.account, **event}

    def invoke(client: Any) -> tuple[bool, bytes]:
        answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return "FunctionError" in answer, answer["Payload"].read()

    failed, payload = place.aws.call("lambda", subject, invoke)
    try:
        answer = json.loads(payload)
        if failed:
            raise CommandError(f"account {place.account!r}: rotate failed: {answer['errorMessage']}")
        str(answer["outcome"])
    except (ValueError, KeyError, TypeError):
        raise CommandError(f"{subject} did not answer as a rotate function does. Check --stack.") from None
    return dict(answer)


def await_other_version(place: Place, version_id: str | None, clocks: Any) -> None:
    """Wait until another version than `version_id` is published, and keep it as `place.published`.

    Raises:
        CommandError: no other version is published within a minute.
    """
    deadline = clocks.monotonic() + _AWAIT_SECONDS
    while published_version(place) in (None, version_id):
        if clocks.monotonic() > deadline:
            raise CommandError(
                f"account {place.account!r}: no new token is published after {_AWAIT_SECONDS} seconds. "
                "`talend-token doctor` says why, and `talend-token rotate` tries again."
            )
        clocks.sleep(_POLL_SECONDS)


def published_version(place: Place) -> str | None:
    """Return the published token's version; None if no readable token is published."""
    try:
        return place.read().token.version_id
    except CommandError as error:
        if error.exit_code != NO_TOKEN:
            raise
        return None


def say_published(place: Place, screen: Screen, outcome: str, version_id: str, expires_at: int, clocks: Any) -> None:
    """Print the published version and its expiry."""
    screen.print(
        f"{outcome}: account {place.account!r} has version {version_id}, valid for "
        f"{minutes(expires_at - clocks.time())}, until {time.strftime('%H:%M:%SZ', time.gmtime(expires_at))}"
    )


def minutes(seconds: float) -> str:
    """Format a duration: `29 min`, or `45 s` below two minutes."""
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(0, seconds):.0f} s"
