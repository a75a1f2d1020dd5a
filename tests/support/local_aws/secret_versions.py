"""The versions of one secret and their staging labels: AWS's rules, without any server around them.

A secret is a record of ministack's: `Versions` maps a VersionId to `SecretString`, `CreatedDate` and `Stages`, its
labels. The rules are those of the API reference (botocore's service model "secretsmanager" carries its text) and of the
user guide's quotas. Where both leave something open, "recorded" marks an answer of AWS.
"""

from typing import Any

DAY_SECONDS = 24 * 60 * 60
# How long a version is kept at least; shorter where schedules are sped up, as 58 of their ticks are a day there too.
kept_seconds: float = DAY_SECONDS
# The user guide's quota of versions of one secret.
VERSIONS_QUOTA = 100
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"

Record = dict[str, Any]


class Refusal(Exception):
    """An operation is refused; `code` is AWS's name of the error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def holder_of(secret: Record, label: str) -> str | None:
    """Return the version that a label is attached to; a label has one at the most."""
    return next((version_id for version_id, version in secret["Versions"].items() if label in version["Stages"]), None)


def no_value(what: str) -> Refusal:
    """Return the refusal of a version that does not exist."""
    message = f"Secrets Manager can't find the specified secret value for {what}"
    return Refusal("ResourceNotFoundException", message)


def already_stored(secret: Record, version_id: str, text: str) -> bool:
    """Return whether a request is a repetition, which does nothing; refuse another value for a version."""
    version = secret["Versions"].get(version_id)
    if version is None:
        return False
    if version["SecretString"] != text:
        message = f"You can't use ClientRequestToken {version_id} because that value is already in use for a version."
        raise Refusal("ResourceExistsException", message)
    return True


def add_version(secret: Record, version_id: str, text: str, labels: list[str], now: float) -> list[tuple[str, str]]:
    """Add a version; the result is that of `attach`. A quota that refuses it leaves everything as it was."""
    versions = secret["Versions"]
    # "It does not remove versions created less than 24 hours ago", nor any version with a label.
    removable = [
        other for other, old in versions.items() if not old["Stages"] and now - old["CreatedDate"] >= kept_seconds
    ]
    surplus = len(versions) + 1 - VERSIONS_QUOTA
    if surplus > len(removable):
        message = f"The secret has {len(versions)} versions, and none that can be removed."
        raise Refusal("LimitExceededException", message)
    for other in removable[: max(surplus, 0)]:
        del versions[other]
    replaced = holder_of(secret, CURRENT)
    versions[version_id] = {"SecretString": text, "Stages": [], "CreatedDate": now}
    moved = attach(secret, version_id, labels)
    if CURRENT in labels and replaced:
        # Recorded: a version that a new one replaces loses AWSPENDING together with AWSCURRENT.
        detach(secret, PENDING, replaced)
    return moved


def attach(secret: Record, version_id: str, labels: list[str]) -> list[tuple[str, str]]:
    """Move labels to a version, and AWSPREVIOUS to the version that lost AWSCURRENT; the result is what moved where."""
    before = {label: holder_of(secret, label) for label in labels}
    moved = [(label, version_id) for label, holder in before.items() if holder != version_id]
    lost_current = before.get(CURRENT)
    if lost_current not in (None, version_id):
        moved.append((PREVIOUS, lost_current))
    for label, target in moved:
        detach(secret, label, holder_of(secret, label))
        # Recorded: labels are answered in alphabetical order.
        secret["Versions"][target]["Stages"] = sorted([*secret["Versions"][target]["Stages"], label])
    return moved


def detach(secret: Record, label: str, version_id: str | None) -> None:
    """Take a label off a version; without its last one the version is deprecated, and still there."""
    if version_id is not None:
        version = secret["Versions"][version_id]
        version["Stages"] = [other for other in version["Stages"] if other != label]


def move(secret: Record, label: str, *, source: str | None, target: str | None) -> list[tuple[str, str]]:
    """Attach, move or remove a label by compare and swap: `source` has to be the version that holds it."""
    holder = holder_of(secret, label)
    if target and target not in secret["Versions"]:
        raise no_value(f"VersionId: {target}")
    if not source and holder not in (None, target):
        raise Refusal(
            "InvalidParameterException",
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version "
            f"{holder}, so you must explicitly reference that version in RemoveFromVersionId.",
        )
    if source and source != holder:
        raise Refusal(
            "InvalidParameterException",
            f"Staging label {label} is attached to {holder or 'no version'}, not to the RemoveFromVersionId {source}.",
        )
    if target:
        return attach(secret, target, [label])
    if label == CURRENT:
        raise Refusal(
            "InvalidParameterException",
            f"You can only move staging label {CURRENT} to a different secret version. It can't be completely removed.",
        )
    detach(secret, label, source)
    return []
