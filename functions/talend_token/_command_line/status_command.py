"""`status`: shows one row for every account of the stack, without its token."""

from __future__ import annotations

import json
import math
import re
import time
from typing import TYPE_CHECKING

from talend_token._command_line.aws import AWSError
from talend_token._command_line.failure import DENIED, FAILED, NO_TOKEN, OK, STALE, UNREACHABLE
from talend_token._command_line.inventory import Inventory
from talend_token._command_line.invocation import minutes
from talend_token._token import HeldToken
from talend_token.errors import TokenUnavailable
from talend_token.secrets_manager import SecretsManagerSource

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from typing import Any

    from talend_token._command_line.inventory import Account
    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen

_CODES = {"fresh": OK, "stale": STALE, "unreachable": UNREACHABLE, "denied": DENIED, "unreadable": NO_TOKEN}
_CODES |= {"expired": NO_TOKEN, "missing": NO_TOKEN, "failed": FAILED}
_COLORS = {"fresh": "green", "stale": "yellow"}
_VERSIONS_QUOTA = 100
_DAY_SECONDS = 86_400
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": _DAY_SECONDS}
_HEADINGS = ("account", "state", "left", "published", "version", "next tick", "today", "alarms")


def run(options: Namespace, place: Place, screen: Screen, clocks: Any) -> int:
    """Print the table or the document; with --check, return the highest code of all accounts."""
    warnings: dict[str, None] = {}
    inventory = Inventory(place, lambda warning: warnings.setdefault(warning))
    with screen.progress(f"reading stack {place.stack_name!r}"):
        accounts = inventory.accounts(options.account)
        rows = [_row(account, inventory, place, clocks) for account in accounts]
        alarms = _alarms_on(inventory.alarms_of_the_stack(), inventory, place)
    if options.json:
        screen.print(json.dumps({"stack": place.stack_name, "accounts": rows, "alarms": alarms}))
    else:
        _print_table(rows, screen, clocks)
        if alarms:
            screen.print(f"alarms of the stack: {', '.join(alarms)}")
    for warning in warnings:
        screen.say(f"talend-token: {warning}")
    return max(_CODES[row["state"]] for row in rows) if options.check else OK


# --- the row of an account; None stands for a value that may not be read ---


def _row(account: Account, inventory: Inventory, place: Place, clocks: Any) -> dict[str, Any]:
    return {
        "account": account.name,
        **_token(account, place, clocks),
        **(inventory.allowed(lambda: _schedule(account, place, clocks)) or {"schedule": None, "next_tick_at": None}),
        "versions_today": inventory.allowed(lambda: _versions_today(account, place, clocks)),
        "alarms": _alarms_on(account.alarms, inventory, place),
    }


def _token(account: Account, place: Place, clocks: Any) -> dict[str, Any]:
    """Return the state, and the published token's times and version if it can be read."""
    wall, monotonic = clocks.time(), clocks.monotonic()
    names = ("remaining_seconds", "issued_at", "expires_at", "version_id")
    try:
        published = SecretsManagerSource(account.token_secret, session=place.aws.session).read()
    except TokenUnavailable as error:
        return {"state": _state_of(error.code), **dict.fromkeys(names)}
    held = HeldToken(
        published.token,
        issued_at=published.issued_at,
        answered_at=published.answered_at,
        wall=wall,
        monotonic=monotonic,
    )
    remaining = held.remaining_seconds(wall, monotonic)
    state = "expired" if remaining <= 0 else "stale" if remaining <= held.advisory_seconds else "fresh"
    token = published.token
    values = (max(0, math.floor(remaining)), published.issued_at, token.expires_at, token.version_id)
    return {"state": state, **dict(zip(names, values, strict=True))}


def _state_of(code: str | None) -> str:
    if code is None:
        return "unreadable"
    exit_code = AWSError("", code).exit_code
    return {NO_TOKEN: "missing", DENIED: "denied", UNREACHABLE: "unreachable"}.get(exit_code, "failed")


def _schedule(account: Account, place: Place, clocks: Any) -> dict[str, Any]:
    """Return the schedule's expression, or `off`, and if it is a rate, its next time."""
    unknown = {"schedule": None, "next_tick_at": None}
    if account.schedule is None:
        return unknown
    schedule = place.aws.call(
        "scheduler",
        f"account {account.name!r}: schedule {account.schedule!r}",
        lambda client: client.get_schedule(Name=account.schedule),
    )
    if schedule["State"] != "ENABLED":
        return unknown | {"schedule": "off"}
    expression = schedule["ScheduleExpression"]
    rate = _RATE.fullmatch(expression)
    if not rate:
        return unknown | {"schedule": expression}
    # A rate starts at the schedule's creation.
    start, interval = schedule["CreationDate"].timestamp(), int(rate[1]) * _UNIT_SECONDS[rate[2]]
    ticks = math.ceil((clocks.time() - start) / interval)
    return {"schedule": expression, "next_tick_at": math.ceil(start + interval * ticks)}


def _versions_today(account: Account, place: Place, clocks: Any) -> int:
    """Return how many versions of the secret were written within 24 hours, which is 100 at most."""

    def created(client: Any) -> list[float]:
        request = {"SecretId": account.token_secret, "IncludeDeprecated": True}
        times: list[float] = []
        while True:
            answer = client.list_secret_version_ids(**request)
            times += [version["CreatedDate"].timestamp() for version in answer["Versions"]]
            if not answer.get("NextToken"):
                return times
            request["NextToken"] = answer["NextToken"]

    times = place.aws.call("secretsmanager", f"account {account.name!r}: secret {account.token_secret!r}", created)
    return sum(moment > clocks.time() - _DAY_SECONDS for moment in times)


def _alarms_on(alarms: Mapping[str, str] | None, inventory: Inventory, place: Place) -> list[str] | None:
    """Return the logical ids of those alarms that are on."""
    if not alarms:
        return None if alarms is None else []

    def on(client: Any) -> list[str]:
        found = client.describe_alarms(AlarmNames=list(alarms), StateValue="ALARM")["MetricAlarms"]
        return sorted(alarms[alarm["AlarmName"]] for alarm in found)

    found: list[str] | None = inventory.allowed(lambda: place.aws.call("cloudwatch", "alarms", on))
    return found


# --- the table ---


def _print_table(rows: list[dict[str, Any]], screen: Screen, clocks: Any) -> None:
    table = [_HEADINGS, *(_cells(row, screen, clocks) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEADINGS))]
    for number, line in enumerate(table):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        if number:
            cells[1] = screen.color(cells[1], _COLORS.get(rows[number - 1]["state"], "red"))
            if rows[number - 1]["alarms"]:
                cells[-1] = screen.color(cells[-1], "red")
        screen.print("  ".join(cells).rstrip() if number else screen.color("  ".join(cells).rstrip(), "faint"))


def _cells(row: dict[str, Any], screen: Screen, clocks: Any) -> tuple[str, ...]:
    left = published = version = "-"
    if row["version_id"] is not None:
        remaining, life = row["remaining_seconds"], row["expires_at"] - row["issued_at"]
        left = f"{screen.bar(remaining / life)} {minutes(remaining)}"
        published = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(row["issued_at"]))
        version = row["version_id"][:8]
    tick = row["schedule"] or "?"
    if row["next_tick_at"] is not None:
        tick = f"in {minutes(row['next_tick_at'] - clocks.time())}"
    today = "?" if row["versions_today"] is None else f"{row['versions_today']}/{_VERSIONS_QUOTA}"
    alarms = "?" if row["alarms"] is None else ", ".join(row["alarms"]) or "none"
    return row["account"], row["state"], left, published, version, tick, today, alarms
