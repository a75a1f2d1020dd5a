"""`renew`: renews the published token, as a consumer does after a 401."""

from __future__ import annotations

from typing import TYPE_CHECKING

from talend_token._command_line.failure import DENIED, FAILED, OK, CommandError
from talend_token._command_line.invocation import await_other_version, say_published
from talend_token.errors import RenewalFailed

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen

_REFUSALS = {
    "too_soon": "the published token was just issued, so a new one would be rejected too. Check the account's "
    "permissions, and whether the API is another Region's; or wait for {seconds:.0f} seconds",
    "budget_exhausted": "the day's renewals are used up. Find the consumer whose token is rejected again and again, or "
    "use `talend-token rotate`",
}


def run(_: Namespace, place: Place, screen: Screen, clocks: Any) -> int:
    """Invoke the function, wait for the new token, and print its version."""
    with screen.progress("renewing the token"):
        rejected = place.read().token.version_id
        try:
            renewal = place.renew(rejected)
        except RenewalFailed as error:
            raise CommandError(str(error), DENIED if error.outcome == "denied" else FAILED) from None
        if renewal.outcome in _REFUSALS:
            reason = _REFUSALS[renewal.outcome].format(seconds=renewal.retry_after_seconds)
            raise CommandError(f"{place}: {renewal.outcome}: {reason}.")
        await_other_version(place, rejected, clocks)
    token = place.published.token
    say_published(place, screen, renewal.outcome, token.version_id, token.expires_at, clocks)
    return OK
