"""`rotate`: forces a rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from talend_token._command_line.failure import OK
from talend_token._command_line.invocation import await_other_version, invoke_rotate, say_published

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen


def run(options: Namespace, place: Place, screen: Screen, clocks: Any) -> int:
    """Invoke the function, and print the version that is published afterwards."""
    event = {"reason": options.reason} if options.reason else {}
    with screen.progress(f"rotating the token of account {place.account!r}"):
        answer = invoke_rotate(place, event)
        if answer["outcome"] == "in_progress":
            await_other_version(place, answer.get("version_id"), clocks)
        elif answer["outcome"] == "superseded":
            place.read()
    if answer["outcome"] in ("in_progress", "superseded"):
        token = place.published.token
        say_published(place, screen, "rotated by another run", token.version_id, token.expires_at, clocks)
    else:
        say_published(place, screen, answer["outcome"], answer["version_id"], answer["expires_at"], clocks)
    return OK
