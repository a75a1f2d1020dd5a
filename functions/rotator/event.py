"""What `rotate` is invoked with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rotator.errors import InvalidEvent
from rotator.settings import DEFAULT_ACCOUNT

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SCHEDULERS = ("aws.events", "aws.scheduler")
_MEMBERS = {"trigger": str, "account": str, "dry_run": bool, "reason": str}
_REASON_LENGTH = 256


class Trigger(StrEnum):
    """Why a replacement of the published token was asked for."""

    SCHEDULE = "schedule"
    WATCHDOG = "watchdog"
    MANUAL = "manual"


@dataclass(frozen=True)
class RotateRequest:
    """One invocation of `rotate`."""

    trigger: Trigger = Trigger.MANUAL
    account: str = DEFAULT_ACCOUNT
    dry_run: bool = False
    reason: str | None = None


def parse_rotate_event(event: Any) -> RotateRequest:
    """Read `{"trigger": "schedule" | "watchdog" | "manual", "account": "...", "dry_run": false, "reason": "..."}`.

    All members are optional and `{}` is a forced rotation of the default account. The event that EventBridge sends of
    its own, when a schedule has no input, means `schedule`.

    Raises:
        InvalidEvent: another shape; names the member, and repeats no value that was not expected.
    """
    if not isinstance(event, dict):
        raise InvalidEvent(
            f"the event must be a JSON object, not {type(event).__name__}. Use {{}} to force a rotation."
        )
    if event.get("source") in _SCHEDULERS:
        return RotateRequest(trigger=Trigger.SCHEDULE)
    unknown = [name for name in event if name not in _MEMBERS]
    if unknown:
        raise InvalidEvent(f"unknown members {sorted(unknown)}. Known are {list(_MEMBERS)}.")
    for name, wanted in _MEMBERS.items():
        if name in event and not isinstance(event[name], wanted):
            kind = "true or false" if wanted is bool else "a string"
            raise InvalidEvent(f"member {name!r} must be {kind}, not {type(event[name]).__name__}.")
    if "trigger" in event and event["trigger"] not in list(Trigger):
        raise InvalidEvent(f"member 'trigger' must be one of {[str(trigger) for trigger in Trigger]}.")
    if "account" in event and not _ACCOUNT.fullmatch(event["account"]):
        raise InvalidEvent(f"member 'account' must match {_ACCOUNT.pattern}: lower case, digits and hyphens.")
    if len(event.get("reason", "")) > _REASON_LENGTH:
        raise InvalidEvent(f"member 'reason' is longer than {_REASON_LENGTH} characters.")
    return RotateRequest(**{**event, "trigger": Trigger(event.get("trigger", Trigger.MANUAL))})
