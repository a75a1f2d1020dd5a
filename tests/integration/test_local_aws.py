"""The local AWS refuses and limits what AWS does, where a test that rests on it would not miss it.

The quotes are from the API reference (whose text is also in botocore's service model `secretsmanager/2017-10-17`) and,
marked "Guide", from the user guide. "Recorded" is an answer of AWS where both leave something open.
"""

import io
import json
import zipfile
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAWS
from local_aws.roles import create_role

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"


@pytest.fixture(scope="module")
def aws():
    with LocalAWS() as aws:
        yield aws


@pytest.fixture
def client(aws):
    return aws.client("secretsmanager")


class Secret:
    """A secret with a version for each value and its labels. A version is named by its value here."""

    def __init__(self, client, *puts):
        self.client = client
        self.name = f"probe/{uuid4()}"
        self.versions = {}
        client.create_secret(Name=self.name)
        for put in puts:
            self.put(*put.split())

    def call(self, operation, **members):
        return getattr(self.client, operation)(**{"SecretId": self.name} | members)

    def put(self, value, *labels, **members):
        stages = {"VersionStages": list(labels)} if labels else {}
        answer = self.call("put_secret_value", **({"SecretString": value} | stages | members))
        self.versions.setdefault(value, answer["VersionId"])

    def repeat(self, version, value, *labels):
        """Put a value with the token of an earlier version."""
        self.put(value, *labels, ClientRequestToken=self.versions[version])

    def move(self, label, source=None, target=None):
        """Move a label by UpdateSecretVersionStage, with the parameters that are given."""
        versions = {"RemoveFromVersionId": source, "MoveToVersionId": target}
        given = {member: self.versions.get(version, version) for member, version in versions.items() if version}
        self.call("update_secret_version_stage", VersionStage=label, **given)

    def value(self, **which):
        return self.call("get_secret_value", **which)["SecretString"]

    def labels(self):
        """Return the labels of every version, of the deprecated too, oldest version first."""
        versions = self.call("list_secret_version_ids", IncludeDeprecated=True)["Versions"]
        return [sorted(version.get("VersionStages", [])) for version in versions]


# What is put first, what is then done, and the labels of each version after it.
LABELS = {
    # PutSecretValue: "moves the staging label AWSPREVIOUS to the version that AWSCURRENT was removed from".
    "put": ("12", lambda s: s.put("3"), [[], [PREVIOUS], [CURRENT]]),
    # "the operation succeeds but does nothing"
    "put repeated late": ("123", lambda s: s.repeat("2", "2"), [[], [PREVIOUS], [CURRENT]]),
    "put repeated under another label": ("12", lambda s: s.repeat("1", "1", "blue"), [[PREVIOUS], [CURRENT]]),
    # AWSCURRENT moves by itself "if you don't include VersionStages".
    "put under a label": ("1", lambda s: s.put("2", PENDING), [[CURRENT], [PENDING]]),
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
    "move to where it is": ("12", lambda s: s.move(CURRENT, None, "2"), [[PREVIOUS], [CURRENT]]),
    # MoveToVersionId: "To remove a label from a version, then do not specify this"
    "label removed": (["1", "2 AWSPENDING blue"], lambda s: s.move(PENDING, "2"), [[CURRENT], ["blue"]]),
}


@pytest.mark.parametrize(("puts", "act", "labels"), LABELS.values(), ids=LABELS)
def test_labels_are_where_the_documentation_says(client, puts, act, labels):
    secret = Secret(client, *puts)
    act(secret)
    assert secret.labels() == labels


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
    "move current from previous": (lambda s: s.move(CURRENT, "1", "3"), PARAMETER, "attached"),
    "move current from its target": (lambda s: s.move(CURRENT, "3", "3"), PARAMETER, "attached"),
    "move blue from another version": (lambda s: s.move("blue", "1", "3"), PARAMETER, "attached"),
    "move to an unknown version": (lambda s: s.move(CURRENT, "2", "0" * 32), MISSING, "0" * 32),
    "remove a label from another version": (lambda s: s.move(PENDING, "2"), PARAMETER, "attached"),
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


def test_a_secret_has_up_to_100_versions_in_24_hours(client):
    """PutSecretValue: "it keeps all secret versions created in the last 24 hours"; Guide, quotas: 100 versions."""
    secret = Secret(client, *map(str, range(100)))
    with pytest.raises(client.exceptions.LimitExceededException):
        secret.put("one too many")
    # A repetition makes no version.
    secret.repeat("99", "99")
    assert len(secret.labels()) == 100
    assert secret.value() == "99"


def test_a_function_that_takes_too_long_is_killed_and_says_so(aws):
    functions, code = aws.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "import time\ndef handler(event, context): time.sleep(event)")
    logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    functions.create_function(
        FunctionName="sleeping",
        Role=create_role(aws, "lambda.amazonaws.com", [logs], "sleeping"),
        Runtime="python3.13",
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Timeout=1,
    )

    def sleep(seconds):
        return json.load(functions.invoke(FunctionName="sleeping", Payload=json.dumps(seconds))["Payload"])

    error = sleep(5)
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert aws.workers() == []
    assert sleep(0) is None
