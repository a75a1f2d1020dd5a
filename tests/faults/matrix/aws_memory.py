"""As much of Secrets Manager and DynamoDB as the functions use, in memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from botocore import xform_name

from local_aws.secret_versions import Record, Refusal, add_version, already_stored, holder_of, move, no_value

type Members = dict[str, Any]

_CONDITION = re.compile(r"attribute_(not_)?exists\((#\w+)\)|(#\w+) (=|<=|<) (:\w+)")


class AwsMemory:
    """One account in one Region. `clock` dates versions."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.secrets: dict[str, Record] = {}
        """The secrets by name, as `secret_versions` describes them."""
        self.items: dict[str, Members] = {}
        """The items of the lock table by key."""

    def answer(self, operation: str, members: Members) -> Members:
        """Return the members of the answer, or of an error."""
        try:
            answer: Members = getattr(self, f"_{xform_name(operation)}")(members)
        except Refusal as refusal:
            return {"__type": refusal.code, "message": str(refusal)}
        return answer

    # --- Secrets Manager ---

    def create(self, name: str) -> None:
        """Make a secret without a value."""
        self.secrets[name] = {"ARN": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}", "Versions": {}}

    def _secret(self, members: Members) -> Record:
        if members["SecretId"] not in self.secrets:
            raise Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return self.secrets[members["SecretId"]]

    def _get_secret_value(self, members: Members) -> Members:
        secret, label = self._secret(members), members["VersionStage"]
        found = holder_of(secret, label)
        if not found:
            raise no_value(f"staging label: {label}")
        version = secret["Versions"][found]
        value = {name: version[name] for name in ("CreatedDate", "SecretString", "SecretBinary") if name in version}
        return {"ARN": secret["ARN"], "VersionId": found, "VersionStages": version["Stages"]} | value

    def _describe_secret(self, members: Members) -> Members:
        secret = self._secret(members)
        labels = {version_id: version["Stages"] for version_id, version in secret["Versions"].items()}
        return {"ARN": secret["ARN"], "VersionIdsToStages": labels}

    def _list_secret_version_ids(self, members: Members) -> Members:
        secret = self._secret(members)
        versions = secret["Versions"].items()
        found = [{"VersionId": version_id, "CreatedDate": version["CreatedDate"]} for version_id, version in versions]
        return {"ARN": secret["ARN"], "Versions": found}

    def _put_secret_value(self, members: Members) -> Members:
        secret, version_id, text = self._secret(members), members["ClientRequestToken"], members["SecretString"]
        if not already_stored(secret, version_id, text):
            # The first version becomes the current one by itself.
            asked = [*members["VersionStages"], *([] if secret["Versions"] else ["AWSCURRENT"])]
            add_version(secret, version_id, text, asked, self._clock())
        return {
            "ARN": secret["ARN"],
            "VersionId": version_id,
            "VersionStages": secret["Versions"][version_id]["Stages"],
        }

    def _update_secret_version_stage(self, members: Members) -> Members:
        secret = self._secret(members)
        source, target = members.get("RemoveFromVersionId"), members["MoveToVersionId"]
        move(secret, members["VersionStage"], source=source, target=target)
        return {"ARN": secret["ARN"]}

    # --- DynamoDB ---

    def _get_item(self, members: Members) -> Members:
        item = self.items.get(members["Key"]["id"]["S"])
        return {"Item": item} if item else {}

    def _put_item(self, members: Members) -> Members:
        key = members["Item"]["id"]["S"]
        if not _holds(members, self.items.get(key, {})):
            answer = {"__type": "ConditionalCheckFailedException", "message": "The conditional request failed"}
            return answer | self._get_item({"Key": members["Item"]})
        self.items[key] = members["Item"]
        return {}

    def _update_item(self, members: Members) -> Members:
        names, values = members["ExpressionAttributeNames"], members["ExpressionAttributeValues"]
        item = self.items.setdefault(members["Key"]["id"]["S"], dict(members["Key"]))
        setting, _, removing = members["UpdateExpression"].partition(" REMOVE ")
        item |= {names[name]: values[value] for name, value in re.findall(r"(#\w+) = (:\w+)", setting)}
        for name in re.findall(r"#\w+", removing):
            item.pop(names[name], None)
        return {}

    def _delete_item(self, members: Members) -> Members:
        self.items.pop(members["Key"]["id"]["S"], None)
        return {}


def _holds(members: Members, item: Members) -> bool:
    """Return whether a condition holds, which is alternatives of conditions that are joined by AND."""
    names, values = members.get("ExpressionAttributeNames", {}), members.get("ExpressionAttributeValues", {})

    def is_true(found: re.Match[str]) -> bool:
        negated, asked_for, name, operator, value = found.groups()
        if asked_for:
            return (names[asked_for] in item) is not bool(negated)
        if names[name] not in item:
            return False
        held, other = _plain(item[names[name]]), _plain(values[value])
        return bool({"=": held == other, "<": held < other, "<=": held <= other}[operator])

    alternatives = members.get("ConditionExpression", "").split(" OR ")
    return any(all(map(is_true, _CONDITION.finditer(alternative))) for alternative in alternatives)


def _plain(value: Members) -> Any:
    return Decimal(value["N"]) if "N" in value else value["S"]
