"""Parses the events that invoke the functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rotator.domain.errors import InvalidEvent
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.settings import Settings

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SCHEDULERS = ("aws.events", "aws.scheduler")
_SECRETS_MANAGER = "aws.secretsmanager"
_ROTATE_MEMBERS = {"trigger": str, "account": str, "dry_run": bool, "reason": str}
_ROTATE_TRIGGERS = (Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL)
_RENEW_MEMBERS = {"account": str, "rejected_version_id": str}
# The lengths of a version id that Secrets Manager accepts [PutSecretValue, ClientRequestToken].
_VERSION_ID_LENGTHS = range(32, 65)
_REASON_LENGTH = 256


def parse_rotate_event(event: Any, settings: Settings, ends_at: float) -> Invocation:
    """Parse `{"trigger": "schedule" | "watchdog" | "manual", "account": "...", "dry_run": false, "reason": "..."}`.

    All members are optional, and `{}` forces a rotation of the default account. A scheduled event that EventBridge
    sends without input means `schedule`. Secrets Manager's `Secret Label Updated` forces a rotation of the account
    whose credentials secret it names. Unknown members of an EventBridge envelope are ignored because AWS may add
    members at any time [EventBridge user guide, event structure].

    Raises:
        InvalidEvent: the event has another shape. The message names the member but never repeats a value.
    """
    if not isinstance(event, dict):
        raise InvalidEvent(
            f"the event must be a JSON object, not {type(event).__name__}. Use {{}} to force a rotation."
        )
    if event.get("source") in _SCHEDULERS:
        return Invocation(Trigger.SCHEDULE, ends_at)
    if event.get("source") == _SECRETS_MANAGER:
        return _credentials_changed(event, settings, ends_at)
    _check_members(event, _ROTATE_MEMBERS)
    if "trigger" in event and event["trigger"] not in _ROTATE_TRIGGERS:
        raise InvalidEvent(f"member 'trigger' must be one of {[str(trigger) for trigger in _ROTATE_TRIGGERS]}.")
    if len(event.get("reason", "")) > _REASON_LENGTH:
        raise InvalidEvent(f"member 'reason' is longer than {_REASON_LENGTH} characters.")
    return Invocation(**{**event, "trigger": Trigger(event.get("trigger", Trigger.MANUAL)), "ends_at": ends_at})


def parse_renew_event(event: Any, ends_at: float) -> Invocation:
    """Parse `{"account": "...", "rejected_version_id": "..."}`, or an EventBridge event with that object as `detail`.

    Raises:
        InvalidEvent: the event has another shape. The message names the member but never repeats a value.
    """
    if isinstance(event, dict) and "detail-type" in event:
        event = event.get("detail")
    if not isinstance(event, dict):
        raise InvalidEvent(f"the event must be a JSON object, not {type(event).__name__}.")
    _check_members(event, _RENEW_MEMBERS)
    if len(event.get("rejected_version_id", "")) not in _VERSION_ID_LENGTHS:
        raise InvalidEvent(
            "member 'rejected_version_id' must be the version id of the rejected token, which has 32 to 64 characters."
        )
    return Invocation(Trigger.REJECTED, ends_at, **event)


def _credentials_changed(event: dict[str, Any], settings: Settings, ends_at: float) -> Invocation:
    """Parse `Secret Label Updated` [Secrets Manager user guide, events]: `detail` has `name` and `labelUpdated`.

    EventBridge may deliver an event twice, so a token that was issued after the event's time is not replaced again.
    """
    detail, resources = event.get("detail"), event.get("resources")
    if event.get("detail-type") != "Secret Label Updated" or not isinstance(detail, dict):
        raise InvalidEvent("'Secret Label Updated' is the only Secrets Manager event that rotate accepts.")
    if detail.get("labelUpdated") != "AWSCURRENT":
        raise InvalidEvent("'labelUpdated' must be AWSCURRENT. Other labels do not change the credentials.")
    try:
        changed_at = datetime.strptime(event.get("time"), "%Y-%m-%dT%H:%M:%S%z")  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidEvent("member 'time' must be like '2026-11-24T02:03:01Z'.") from None
    secret_ids = [detail.get("name"), *(resources if isinstance(resources, list) else [])]
    accounts = [settings.account_of(secret_id) for secret_id in secret_ids if isinstance(secret_id, str)]
    return Invocation(
        Trigger.MANUAL,
        ends_at,
        # The rule's wildcard also matches slashes, so events about secrets of other owners arrive too.
        account=next((account for account in accounts if account and _ACCOUNT.fullmatch(account)), ""),
        reason="credentials changed",
        issued_after=changed_at.timestamp(),
    )


def _check_members(event: dict[str, Any], members: Mapping[str, type]) -> None:
    unknown = [name for name in event if name not in members]
    if unknown:
        raise InvalidEvent(f"unknown members {sorted(unknown)}. The known members are {list(members)}.")
    for name, wanted in members.items():
        if name in event and not isinstance(event[name], wanted):
            kind = "true or false" if wanted is bool else "a string"
            raise InvalidEvent(f"member {name!r} must be {kind}, not {type(event[name]).__name__}.")
    if "account" in event and not _ACCOUNT.fullmatch(event["account"]):
        raise InvalidEvent(f"member 'account' must match {_ACCOUNT.pattern}: lower-case letters, digits and hyphens.")
