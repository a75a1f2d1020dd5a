"""`doctor`: runs the dry run, and prints a line for each link."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from talend_token._command_line.failure import FAILED, OK
from talend_token._command_line.invocation import invoke_rotate

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen


def run(options: Namespace, place: Place, screen: Screen, _: Any) -> int:
    """Print the findings of the dry run; return FAILED if a link is broken."""
    answer = dry_run(place, screen)
    if options.json:
        screen.print(json.dumps(answer))
        return OK if _is_whole(answer) else FAILED
    return show(answer, screen)


def dry_run(place: Place, screen: Screen) -> dict[str, Any]:
    """Return the rotate function's answer to a dry run."""
    with screen.progress(f"checking account {place.account!r}"):
        return invoke_rotate(place, {"dry_run": True})


def show(answer: dict[str, Any], screen: Screen) -> int:
    """Print a line for each link, and the fix below a broken one; return FAILED if there are any."""
    for check in answer["checks"]:
        # The detail of a broken link has the fix in its second sentence.
        detail, _, fix = check["detail"].partition(". ") if not check["ok"] else (check["detail"], "", "")
        screen.print(f"{screen.mark(check['ok'])} {check['link']}: {detail}")
        if fix:
            screen.print(f"    {fix}")
    return OK if _is_whole(answer) else FAILED


def _is_whole(answer: dict[str, Any]) -> bool:
    return all(check["ok"] for check in answer["checks"])
