"""What the functions are invoked with."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from rotator.domain.errors import InvalidEvent
from rotator.domain.settings import DEFAULT_ACCOUNT
from talend_token.document import TokenDocument


class Trigger(StrEnum):
    """Why a replacement of the published token was asked for."""

    SCHEDULE = "schedule"
    WATCHDOG = "watchdog"
    MANUAL = "manual"
    REJECTED = "rejected"


_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SCHEDULERS = ("aws.events", "aws.scheduler")
_SECRETS_MANAGER = "aws.secretsmanager"
# What EventBridge wraps around a detail [EventBridge user guide, event structure].
_ENVELOPE = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
_ROTATE_MEMBERS = {"trigger": str, "account": str, "dry_run": bool, "reason": str}
_ROTATE_TRIGGERS = (Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL)
_RENEW_MEMBERS = {"account": str, "rejected_version_id": str, "rejected_token_sha256": str}
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What Secrets Manager accepts as a version's id [PutSecretValue, ClientRequestToken].
_VERSION_ID_LENGTHS = range(32, 65)
_REASON_LENGTH = 256


@dataclass(frozen=True)
class RotateRequest:
    """One invocation of `rotate`."""

    trigger: Trigger = Trigger.MANUAL
    account: str = DEFAULT_ACCOUNT
    dry_run: bool = False
    reason: str | None = None
    issued_after: float | None = None
    """A published token that was issued after this moment (seconds since the epoch) is new enough, whoever asked."""


def parse_rotate_event(event: Any, account_of: Callable[[str], str | None]) -> RotateRequest:
    """Read `{"trigger": "schedule" | "watchdog" | "manual", "account": "...", "dry_run": false, "reason": "..."}`.

    All members are optional and `{}` is a forced rotation of the default account. The event that EventBridge sends of
    its own, when a schedule has no input, means `schedule`. The one that Secrets Manager sends when the label
    AWSCURRENT has moved is a forced rotation of the account whose credentials secret that is; `account_of` names it
    for a secret's name or ARN.

    Raises:
        InvalidEvent: another shape; names the member, and repeats no value that was not expected.
    """
    if not isinstance(event, dict):
        raise InvalidEvent(
            f"the event must be a JSON object, not {type(event).__name__}. Use {{}} to force a rotation."
        )
    if event.get("source") in _SCHEDULERS:
        _check_names(event, _ENVELOPE)
        return RotateRequest(trigger=Trigger.SCHEDULE)
    if event.get("source") == _SECRETS_MANAGER:
        _check_names(event, _ENVELOPE)
        return _credentials_changed(event, account_of)
    _check_members(event, _ROTATE_MEMBERS)
    if "trigger" in event and event["trigger"] not in _ROTATE_TRIGGERS:
        raise InvalidEvent(f"member 'trigger' must be one of {[str(trigger) for trigger in _ROTATE_TRIGGERS]}.")
    if len(event.get("reason", "")) > _REASON_LENGTH:
        raise InvalidEvent(f"member 'reason' is longer than {_REASON_LENGTH} characters.")
    return RotateRequest(**{**event, "trigger": Trigger(event.get("trigger", Trigger.MANUAL))})


def _credentials_changed(event: dict[str, Any], account_of: Callable[[str], str | None]) -> RotateRequest:
    """Read `Secret Label Updated` [Secrets Manager user guide, events]: `detail` has `name` and `labelUpdated`.

    EventBridge delivers at least once: a token that was issued after the event's time is not replaced once more.
    """
    detail, resources = event.get("detail"), event.get("resources")
    if event.get("detail-type") != "Secret Label Updated" or not isinstance(detail, dict):
        raise InvalidEvent("of Secrets Manager's events only 'Secret Label Updated' is understood.")
    if detail.get("labelUpdated") != "AWSCURRENT":
        raise InvalidEvent("'labelUpdated' must be AWSCURRENT: no other label of a secret matters here.")
    secret_ids = [detail.get("name"), *(resources if isinstance(resources, list) else [])]
    accounts = [account_of(secret_id) for secret_id in secret_ids if isinstance(secret_id, str)]
    account = next((account for account in accounts if account and _ACCOUNT.fullmatch(account)), None)
    if account is None:
        raise InvalidEvent(
            "the secret is no account's credentials: '<prefix>/<account>/credentials', or the stack's existing one."
        )
    try:
        changed_at = datetime.strptime(event.get("time"), "%Y-%m-%dT%H:%M:%S%z")  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidEvent("member 'time' must be like '2026-11-24T02:03:01Z'.") from None
    return RotateRequest(account=account, reason="credentials changed", issued_after=changed_at.timestamp())


@dataclass(frozen=True)
class RenewRequest:
    """One invocation of `renew`: the API answered 401 to a token, named by its version or by its SHA-256."""

    account: str = DEFAULT_ACCOUNT
    rejected_version_id: str | None = None
    rejected_token_sha256: str | None = None

    def rejects(self, version_id: str, document: TokenDocument) -> bool:
        """True if it is this token that was rejected."""
        if self.rejected_version_id is not None:
            return self.rejected_version_id == version_id
        return self.rejected_token_sha256 == document.fingerprint


def parse_renew_event(event: Any) -> RenewRequest:
    """Read `{"account": "...", "rejected_version_id": "..."}`, or `"rejected_token_sha256": "<hex>"` in its place.

    An EventBridge event holds the same object in `detail`.

    Raises:
        InvalidEvent: another shape; names the member, and repeats no value that was not expected.
    """
    if isinstance(event, dict) and "detail-type" in event:
        _check_names(event, _ENVELOPE)
        event = event.get("detail")
    if not isinstance(event, dict):
        raise InvalidEvent(f"the event must be a JSON object, not {type(event).__name__}.")
    _check_members(event, _RENEW_MEMBERS)
    if ("rejected_version_id" in event) == ("rejected_token_sha256" in event):
        raise InvalidEvent("give either 'rejected_version_id' or 'rejected_token_sha256': what was rejected.")
    if "rejected_version_id" in event and len(event["rejected_version_id"]) not in _VERSION_ID_LENGTHS:
        raise InvalidEvent("member 'rejected_version_id' must be a version's id, of 32 to 64 characters.")
    if "rejected_token_sha256" in event and not _SHA256.fullmatch(event["rejected_token_sha256"]):
        raise InvalidEvent("member 'rejected_token_sha256' must be the token's SHA-256: 64 lower-case hex digits.")
    return RenewRequest(**event)


def _check_members(event: dict[str, Any], members: Mapping[str, type]) -> None:
    _check_names(event, members)
    for name, wanted in members.items():
        if name in event and not isinstance(event[name], wanted):
            kind = "true or false" if wanted is bool else "a string"
            raise InvalidEvent(f"member {name!r} must be {kind}, not {type(event[name]).__name__}.")
    if "account" in event and not _ACCOUNT.fullmatch(event["account"]):
        raise InvalidEvent(f"member 'account' must match {_ACCOUNT.pattern}: lower case, digits and hyphens.")


def _check_names(event: dict[str, Any], known: Collection[str]) -> None:
    unknown = [name for name in event if name not in known]
    if unknown:
        raise InvalidEvent(f"unknown members {sorted(unknown)}. Known are {list(known)}.")
