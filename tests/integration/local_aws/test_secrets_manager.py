"""The local AWS behaves as the documentation of Secrets Manager says, as far as other tests rest on it.

The quotes are from the API reference (whose text is also in botocore's service model `secretsmanager/2017-10-17`) and,
marked "Guide", from the user guide. "Recorded" is an answer of AWS where both leave something open.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws import secret_versions
from local_aws.listener import Listener

pytest_plugins = ["local_aws.fixtures"]

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


@pytest.fixture
def client(local_aws):
    return local_aws.client("secretsmanager")


class Secret:
    """A secret with a version for each value and its labels. A version is named by its value here."""

    def __init__(self, client, *puts):
        self.client = client
        self.name = f"probe/{uuid4()}"
        self.versions = {"unknown": str(uuid4())}
        client.create_secret(Name=self.name)
        for put in puts:
            self.put(*put.split())

    def call(self, operation, **members):
        return getattr(self.client, operation)(**{"SecretId": self.name} | members)

    def put(self, value, *labels, **members):
        stages = {"VersionStages": list(labels)} if labels else {}
        answer = self.call("put_secret_value", **({"SecretString": value} | stages | members))
        self.versions.setdefault(value, answer["VersionId"])
        return answer

    def repeat(self, version, value, *labels):
        """Put a value with the token of an earlier version."""
        return self.put(value, *labels, ClientRequestToken=self.versions[version])

    def move(self, label, source=None, target=None):
        """Move a label by UpdateSecretVersionStage, with the parameters that are given."""
        versions = {"RemoveFromVersionId": source, "MoveToVersionId": target}
        given = {member: self.versions[version] for member, version in versions.items() if version}
        self.call("update_secret_version_stage", VersionStage=label, **given)

    def value(self, **which):
        return self.call("get_secret_value", **which)["SecretString"]

    def labels(self):
        """Return the labels of every version, of the deprecated too, oldest version first."""
        versions = self.call("list_secret_version_ids", IncludeDeprecated=True)["Versions"]
        return [version.get("VersionStages", []) for version in versions]


# What is put first, what is then done, and the labels of each version after it.
LABELS = {
    # CreateSecret: there is an initial version "if you include SecretString or SecretBinary".
    "nothing": ([], Secret.labels, []),
    # PutSecretValue: "moves the staging label AWSPREVIOUS to the version that AWSCURRENT was removed from".
    "put": ("12", lambda s: s.put("3"), [[], [PREVIOUS], [CURRENT]]),
    # "the operation succeeds but does nothing"
    "put repeated": ("12", lambda s: s.repeat("2", "2"), [[PREVIOUS], [CURRENT]]),
    "put repeated late": ("123", lambda s: s.repeat("2", "2"), [[], [PREVIOUS], [CURRENT]]),
    "put repeated under another label": ("12", lambda s: s.repeat("1", "1", "blue"), [[PREVIOUS], [CURRENT]]),
    # AWSCURRENT moves by itself "if you don't include VersionStages".
    "put under a label": ("1", lambda s: s.put("2", PENDING), [[CURRENT], [PENDING]]),
    "put under two labels": ("1", lambda s: s.put("2", CURRENT, "blue"), [[PREVIOUS], [CURRENT, "blue"]]),
    # "removes the label from the other version and attaches it to this version"
    "put takes a label": (["1", "2 AWSPENDING"], lambda s: s.put("3", PENDING), [[CURRENT], [], [PENDING]]),
    # For the first version it "automatically attaches the staging label AWSCURRENT to it".
    "first put under a label": ([], lambda s: s.put("1", PENDING), [[CURRENT, PENDING]]),
    "put leaves other labels": (["1 blue"], lambda s: s.put("2"), [[PREVIOUS, "blue"], [CURRENT]]),
    # Recorded: a version with AWSCURRENT and AWSPENDING is left with AWSPREVIOUS alone.
    "put ends what is pending": (["1 AWSPENDING"], lambda s: s.put("2"), [[PREVIOUS], [CURRENT]]),
    # UpdateSecretVersionStage: AWSPREVIOUS moves "to the version that AWSCURRENT was removed from", and labels "are
    # added to the existing list of staging labels for the version".
    "promotion": (["1", "2 AWSPENDING"], lambda s: s.move(CURRENT, "1", "2"), [[PREVIOUS], [CURRENT, PENDING]]),
    # GetSecretValue: "To revert to the previous version of a secret, call UpdateSecretVersionStage".
    "roll-back": ("12", lambda s: s.move(CURRENT, "2", "1"), [[CURRENT], [PREVIOUS]]),
    # RemoveFromVersionId is needed if the label is "attached to a different version".
    "move to where it is": ("12", lambda s: s.move(CURRENT, "2", "2"), [[PREVIOUS], [CURRENT]]),
    "move to where it is from nowhere": ("12", lambda s: s.move(CURRENT, None, "2"), [[PREVIOUS], [CURRENT]]),
    "new label": ("1", lambda s: s.move("blue", None, "1"), [[CURRENT, "blue"]]),
    "other label moves alone": (["1 blue", "2"], lambda s: s.move("blue", "1", "2"), [[PREVIOUS], [CURRENT, "blue"]]),
    # MoveToVersionId: "To remove a label from a version, then do not specify this"
    "label removed": (["1", "2 AWSPENDING blue"], lambda s: s.move(PENDING, "2"), [[CURRENT], ["blue"]]),
    "last label removed": (["1", "2 blue"], lambda s: s.move("blue", "2"), [[CURRENT], []]),
}


@pytest.mark.parametrize(("puts", "act", "labels"), LABELS.values(), ids=LABELS)
def test_labels_are_where_the_documentation_says(client, puts, act, labels):
    secret = Secret(client, *puts)
    act(secret)
    assert secret.labels() == labels
    described = secret.call("describe_secret")
    assert sorted(described.get("VersionIdsToStages", {}).values()) == sorted(filter(None, labels))
    assert "DeletedDate" not in described


MISSING, PARAMETER = "ResourceNotFoundException", "InvalidParameterException"
REQUEST, EXISTS = "InvalidRequestException", "ResourceExistsException"
# What is done to versions 1 (AWSPREVIOUS), 2 (AWSCURRENT, blue) and 3 (AWSPENDING), the error's code, and its message.
REFUSALS = {
    "create a name that is taken": (lambda s: s.client.create_secret(Name=s.name), EXISTS, "already exists"),
    # "the operation fails because you can't modify an existing version"
    "put another value with a token": (lambda s: s.repeat("2", "other"), EXISTS, "already in use"),
    # RemoveFromVersionId: attached, and "you either do not specify this parameter, or the version ID does not match,
    # then the operation fails".
    "move current from nowhere": (lambda s: s.move(CURRENT, None, "3"), PARAMETER, "RemoveFromVersionId"),
    "move blue from nowhere": (lambda s: s.move("blue", None, "3"), PARAMETER, "RemoveFromVersionId"),
    "move current from previous": (lambda s: s.move(CURRENT, "1", "3"), PARAMETER, "RemoveFromVersionId"),
    "move current from its target": (lambda s: s.move(CURRENT, "3", "3"), PARAMETER, "RemoveFromVersionId"),
    "move current from an unknown version": (lambda s: s.move(CURRENT, "unknown", "3"), PARAMETER, "RemoveFrom"),
    "move blue from another version": (lambda s: s.move("blue", "1", "3"), PARAMETER, "RemoveFromVersionId"),
    "move to an unknown version": (lambda s: s.move(CURRENT, "2", "unknown"), MISSING, "VersionId"),
    # Recorded: "You can only move staging label AWSCURRENT to a different secret version".
    "remove current": (lambda s: s.move(CURRENT, "2"), PARAMETER, "You can only move staging label AWSCURRENT"),
    "remove a label from another version": (lambda s: s.move(PENDING, "2"), PARAMETER, "RemoveFromVersionId"),
    # GetSecretValue.VersionId: "the two parameters must refer to the same secret version".
    "get a version by another's label": (
        lambda s: s.value(VersionId=s.versions["3"], VersionStage=CURRENT),
        REQUEST,
        "not associated",
    ),
    "get an unknown version": (lambda s: s.value(VersionId="0" * 32), MISSING, "0" * 32),
    "get an unknown label": (lambda s: s.value(VersionStage="green"), MISSING, "green"),
    # Both messages are recorded.
    "get a secret without a value": (
        lambda s: Secret(s.client).value(),
        MISSING,
        "can't find the specified secret value for staging label: AWSCURRENT",
    ),
    "get an unknown secret": (lambda s: s.value(SecretId="x"), MISSING, "can't find the specified secret."),
}


@pytest.mark.parametrize(("act", "code", "message"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_its_code_and_changes_nothing(client, act, code, message):
    secret = Secret(client, "1", "2 AWSCURRENT blue", "3 AWSPENDING")
    with pytest.raises(ClientError, match=message) as caught:
        act(secret)
    assert caught.value.response["Error"]["Code"] == code
    assert secret.labels() == [[PREVIOUS], [CURRENT, "blue"], [PENDING]]


def test_a_value_is_read_by_label_by_version_and_by_both(client):
    secret = Secret(client, "1", "2", "3")
    pending = secret.put("4", PENDING)["VersionId"]
    assert (secret.value(), secret.value(VersionStage=PREVIOUS)) == ("3", "2")
    assert secret.value(VersionId=secret.versions["1"]) == "1"
    answer = secret.call("get_secret_value", VersionId=pending, VersionStage=PENDING)
    assert (answer["SecretString"], answer["VersionStages"]) == ("4", [PENDING])


def test_the_token_of_a_put_is_its_version_id(client):
    """PutSecretValue.ClientRequestToken: "This value becomes the VersionId of the new version"."""
    secret, version_id = Secret(client, "1"), str(uuid4())
    answer = secret.put("2", ClientRequestToken=version_id)
    assert (answer["VersionId"], answer["VersionStages"]) == (version_id, [CURRENT])
    late = (secret.put("3"), secret.repeat("2", "2"))[1]
    assert (late["VersionId"], late["VersionStages"]) == (version_id, [PREVIOUS])


def test_a_secret_has_up_to_100_versions_in_24_hours(client):
    """PutSecretValue: "it keeps all secret versions created in the last 24 hours"; Guide, quotas: 100 versions."""
    secret = Secret(client, *map(str, range(100)))
    with pytest.raises(client.exceptions.LimitExceededException):
        secret.put("one too many")
    # A repetition makes no version.
    secret.repeat("99", "99")
    assert len(secret.labels()) == 100
    assert secret.value() == "99"


def test_after_a_day_the_oldest_versions_without_labels_make_room():
    """PutSecretValue: "it does not remove versions created less than 24 hours ago"."""
    secret = {"Versions": {}}

    def put(version_id, *labels, hours):
        secret_versions.add_version(secret, version_id, "x", list(labels or [CURRENT]), hours * 3600)

    put("kept", "blue", hours=0)
    for number in range(99):
        put(str(number), hours=number / 100)
    with pytest.raises(secret_versions.Refusal):
        put("early", hours=23.9)
    put("in time", hours=24)
    with pytest.raises(secret_versions.Refusal):
        put("again", hours=24)
    assert list(secret["Versions"]) == ["kept", *map(str, range(1, 99)), "in time"]


def test_of_parallel_moves_of_a_label_one_wins(client):
    """UpdateSecretVersionStage: the operation fails if "the version ID does not match"."""
    secret, rivals = Secret(client, "current"), "abcdefgh"
    for rival in rivals:
        secret.put(rival, rival)

    def take(rival):
        try:
            secret.move(CURRENT, "current", rival)
        except client.exceptions.InvalidParameterException:
            return "refused"
        return "moved"

    with ThreadPoolExecutor(len(rivals)) as pool:
        assert sorted(pool.map(take, rivals)) == ["moved"] + ["refused"] * 7
    assert secret.labels()[0] == [PREVIOUS]


def test_every_move_of_a_label_is_an_event_unless_pending_or_previous(local_aws, client):
    """Guide, "Secret event notifications": "Secret Label Updated" for every label but these two; all members."""
    listener, events, secret = Listener(local_aws), local_aws.client("events"), Secret(client)
    events.put_rule(Name=listener.name, EventPattern=json.dumps({"detail": {"name": [secret.name]}}))
    events.put_targets(Rule=listener.name, Targets=[{"Id": "queue", "Arn": listener.arn}])
    secret.put("1")
    secret.put("2", PENDING, "blue")
    secret.move(CURRENT, "1", "2")
    # Nothing moves here.
    secret.repeat("2", "2")
    secret.put("3")
    heard = listener.heard(4)
    moved = [(CURRENT, "1"), ("blue", "2"), (CURRENT, "2"), (CURRENT, "3")]
    details = [{"name": secret.name, "labelUpdated": label, "versionId": secret.versions[put]} for label, put in moved]
    assert sorted(json.dumps(event["detail"]) for event in heard) == sorted(map(json.dumps, details))
    arn = secret.call("describe_secret")["ARN"]
    assert {(event["source"], event["detail-type"], *event["resources"]) for event in heard} == {
        ("aws.secretsmanager", "Secret Label Updated", arn)
    }
