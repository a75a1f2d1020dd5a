"""The local AWS behaves as the documentation of Secrets Manager says, as far as other tests rest on it.

Each docstring quotes its source: "API" is the API reference, whose text is also in botocore's service model
`secretsmanager/2017-10-17`, and "Guide" is the user guide.
"""

import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws import LocalAWS

pytest_plugins = ["local_aws.fixtures"]

Client = Any
Create = Callable[..., str]


@pytest.fixture(scope="module")
def client(local_aws: LocalAWS) -> Iterator[Client]:
    """The local AWS, as its administrator. The client leaves all checks of parameters to the service."""
    variables = local_aws.environment()
    config = Config(parameter_validation=False, retries={"mode": "standard", "total_max_attempts": 1})
    made = boto3.client(
        "secretsmanager",
        config=config,
        endpoint_url=local_aws.endpoint_url,
        region_name=local_aws.region,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    with contextlib.closing(made) as client:
        yield client


@pytest.fixture
def create(client: Client) -> Create:
    """Make a secret with one version for each value; the result is its name."""

    def made(*values: str) -> str:
        name = f"probe/{uuid.uuid4()}"
        client.create_secret(Name=name)
        for value in values:
            client.put_secret_value(SecretId=name, SecretString=value)
        return name

    return made


@contextlib.contextmanager
def refused(client: Client, code: str, message: str | None = None) -> Iterator[None]:
    """The block fails with this error of the service, which boto3 knows by its class."""
    with pytest.raises(ClientError, match=message) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
    assert isinstance(caught.value, getattr(client.exceptions, code))


def token() -> str:
    """A ClientRequestToken, a name, or a VersionId that nothing has."""
    return str(uuid.uuid4())


def put(client: Client, name: str, value: str, *labels: str) -> str:
    """Put a value under labels; the result is its version."""
    stages = {"VersionStages": list(labels)} if labels else {}
    version_id: str = client.put_secret_value(SecretId=name, SecretString=value, **stages)["VersionId"]
    return version_id


def move(client: Client, name: str, label: str, *, source: str | None = None, target: str | None = None) -> None:
    """UpdateSecretVersionStage with the versions that are given."""
    versions = {"RemoveFromVersionId": source, "MoveToVersionId": target}
    given = {member: version_id for member, version_id in versions.items() if version_id}
    client.update_secret_version_stage(SecretId=name, VersionStage=label, **given)


def labels_of(client: Client, name: str) -> list[list[str]]:
    """The labels of every version, of the deprecated too, oldest version first."""
    versions = client.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    return [sorted(version.get("VersionStages", [])) for version in versions]


def value_of(client: Client, name: str, **which: str) -> str:
    """The SecretString that GetSecretValue finds."""
    value: str = client.get_secret_value(SecretId=name, **which)["SecretString"]
    return value


# CreateSecret


def test_a_secret_created_with_a_value_has_one_current_version(client: Client) -> None:
    """API, CreateSecret: the "initial secret version" has the staging label AWSCURRENT."""
    name = token()
    client.create_secret(Name=name, SecretString="one")
    assert labels_of(client, name) == [["AWSCURRENT"]]


def test_a_name_that_is_taken_cannot_be_created(client: Client, create: Create) -> None:
    """API, ResourceExistsException: "A resource with the ID you requested already exists"."""
    with refused(client, "ResourceExistsException"):
        client.create_secret(Name=create("one"), SecretString="one")


def test_a_secret_created_without_a_value_has_no_version(client: Client) -> None:
    """API, CreateSecret: there is an initial version "if you include SecretString or SecretBinary"."""
    name = token()
    assert "VersionId" not in client.create_secret(Name=name)
    assert labels_of(client, name) == []


def test_a_name_waits_for_its_deleted_secret(client: Client, create: Create) -> None:
    """API, InvalidRequestException: "The secret is scheduled for deletion"."""
    name = create("one")
    client.delete_secret(SecretId=name)
    with refused(client, "InvalidRequestException", "already scheduled for deletion"):
        client.create_secret(Name=name, SecretString="two")


# PutSecretValue


def test_the_token_of_a_put_is_its_version_id(client: Client, create: Create) -> None:
    """API, PutSecretValue.ClientRequestToken: "This value becomes the VersionId of the new version"."""
    name, second = create("one"), token()
    answer = client.put_secret_value(SecretId=name, SecretString="two", ClientRequestToken=second)
    assert (answer["VersionId"], answer["VersionStages"]) == (second, ["AWSCURRENT"])
    assert value_of(client, name, VersionId=second) == "two"


def test_a_put_moves_current_and_previous_along(client: Client, create: Create) -> None:
    """API, PutSecretValue: "automatically moves the staging label AWSPREVIOUS to the version that AWSCURRENT was
    removed from"."""
    name = create("one", "two", "three")
    assert labels_of(client, name) == [[], ["AWSPREVIOUS"], ["AWSCURRENT"]]
    assert (value_of(client, name), value_of(client, name, VersionStage="AWSPREVIOUS")) == ("three", "two")


def test_a_put_repeated_with_its_token_and_value_does_nothing(client: Client, create: Create) -> None:
    """API, PutSecretValue: "the operation succeeds but does nothing"."""
    name = create("one")
    request = {"SecretId": name, "SecretString": "two", "ClientRequestToken": token()}
    first, again = client.put_secret_value(**request), client.put_secret_value(**request)
    assert again["VersionId"] == first["VersionId"]
    assert again["VersionStages"] == first["VersionStages"]
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT"]]


def test_a_late_repetition_of_a_put_does_not_bring_an_old_value_back(client: Client, create: Create) -> None:
    """API, PutSecretValue: "the operation succeeds but does nothing"."""
    name, second = create("one"), token()
    client.put_secret_value(SecretId=name, SecretString="two", ClientRequestToken=second)
    put(client, name, "three")
    answer = client.put_secret_value(SecretId=name, SecretString="two", ClientRequestToken=second)
    assert answer["VersionStages"] == ["AWSPREVIOUS"]
    assert value_of(client, name) == "three"


def test_a_repeated_put_does_not_attach_other_labels(client: Client, create: Create) -> None:
    """API, PutSecretValue.ClientRequestToken: with the same values "the request is ignored"."""
    name, second = create("one"), token()
    request = {"SecretId": name, "SecretString": "two", "ClientRequestToken": second}
    client.put_secret_value(**request, VersionStages=["AWSPENDING"])
    client.put_secret_value(**request)
    assert labels_of(client, name) == [["AWSCURRENT"], ["AWSPENDING"]]


def test_a_put_repeated_with_another_value_fails_and_changes_nothing(client: Client, create: Create) -> None:
    """API, PutSecretValue: "the operation fails because you can't modify an existing version"."""
    name, second = create("one"), token()
    client.put_secret_value(SecretId=name, SecretString="two", ClientRequestToken=second)
    with refused(client, "ResourceExistsException"):
        client.put_secret_value(SecretId=name, SecretString="other", ClientRequestToken=second)
    assert value_of(client, name) == "two"
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT"]]


def test_a_put_needs_a_value(client: Client, create: Create) -> None:
    """API, PutSecretValue: "You must include SecretBinary or SecretString"; the error is recorded from AWS."""
    with refused(client, "InvalidRequestException", "You must provide either SecretString or SecretBinary"):
        client.put_secret_value(SecretId=create("one"))


def test_a_value_has_up_to_65536_bytes(client: Client, create: Create) -> None:
    """API, SecretStringType and SecretBinaryType: max 65536."""
    name = create("one")
    put(client, name, "s" * 65_536)
    assert value_of(client, name) == "s" * 65_536
    client.put_secret_value(SecretId=name, SecretBinary=b"b" * 65_536)
    assert client.get_secret_value(SecretId=name)["SecretBinary"] == b"b" * 65_536


@pytest.mark.parametrize(
    "value",
    [{"SecretString": "s" * 65_537}, {"SecretString": "\u00e9" * 32_769}, {"SecretBinary": b"b" * 65_537}],
    ids=["characters", "bytes of characters", "binary"],
)
def test_a_larger_value_is_refused(client: Client, create: Create, value: dict[str, Any]) -> None:
    """Guide, quotas: "Secret value size: 65,536 bytes"."""
    name = create("one")
    with refused(client, "InvalidParameterException"):
        client.put_secret_value(SecretId=name, **value)
    assert labels_of(client, name) == [["AWSCURRENT"]]


def test_all_labels_of_a_put_are_attached(client: Client, create: Create) -> None:
    """API, PutSecretValue.VersionStages: "A list of staging labels to attach to this version of the secret"."""
    name = create("one")
    put(client, name, "two", "AWSCURRENT", "blue")
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT", "blue"]]


def test_a_put_with_other_labels_leaves_current_where_it_is(client: Client, create: Create) -> None:
    """API, PutSecretValue: AWSCURRENT moves by itself "if you don't include VersionStages"."""
    name = create("one")
    put(client, name, "two", "AWSPENDING")
    assert value_of(client, name) == "one"
    assert value_of(client, name, VersionStage="AWSPENDING") == "two"


@pytest.mark.parametrize("label", ["AWSPENDING", "blue"])
def test_a_put_takes_a_label_from_the_version_that_had_it(client: Client, create: Create, label: str) -> None:
    """API, PutSecretValue.VersionStages: "removes the label from the other version and attaches it to this version"."""
    name = create("one")
    put(client, name, "two", label)
    put(client, name, "three", label)
    assert labels_of(client, name) == [["AWSCURRENT"], [], [label]]
    assert value_of(client, name, VersionStage=label) == "three"


def test_the_first_value_of_a_secret_is_current_whatever_its_labels(client: Client, create: Create) -> None:
    """API, PutSecretValue: for the first version it "automatically attaches the staging label AWSCURRENT to it"."""
    name = create()
    put(client, name, "one", "AWSPENDING")
    assert labels_of(client, name) == [["AWSCURRENT", "AWSPENDING"]]
    assert value_of(client, name) == "one"


def test_a_put_keeps_the_other_labels_of_the_version_it_replaces(client: Client, create: Create) -> None:
    """API, PutSecretValue: only AWSCURRENT and AWSPREVIOUS move by themselves."""
    name = create("one")
    put(client, name, "two", "AWSCURRENT", "blue")
    put(client, name, "three")
    assert labels_of(client, name) == [[], ["AWSPREVIOUS", "blue"], ["AWSCURRENT"]]


def test_the_version_that_a_put_replaces_is_no_longer_pending(client: Client, create: Create) -> None:
    """Recorded from AWS: a version with AWSCURRENT and AWSPENDING is left with AWSPREVIOUS alone."""
    name = create("one")
    put(client, name, "two", "AWSCURRENT", "AWSPENDING")
    put(client, name, "three")
    assert labels_of(client, name) == [[], ["AWSPREVIOUS"], ["AWSCURRENT"]]


def test_a_put_to_an_unknown_secret_is_refused(client: Client) -> None:
    """API, PutSecretValue.SecretId: "If the secret doesn't already exist, use CreateSecret instead"."""
    with refused(client, "ResourceNotFoundException"):
        client.put_secret_value(SecretId=token(), SecretString="one")


def test_a_secret_has_up_to_100_versions_in_24_hours(client: Client, create: Create) -> None:
    """API, PutSecretValue: "it keeps all secret versions created in the last 24 hours"; Guide, quotas: 100 versions."""
    name, last = create(*(f"value {number}" for number in range(99))), token()
    client.put_secret_value(SecretId=name, SecretString="the last", ClientRequestToken=last)
    with refused(client, "LimitExceededException"):
        put(client, name, "one too many")
    with refused(client, "LimitExceededException"):
        client.update_secret(SecretId=name, SecretString="one too many")
    # A repetition makes no version.
    client.put_secret_value(SecretId=name, SecretString="the last", ClientRequestToken=last)
    assert len(labels_of(client, name)) == 100
    assert value_of(client, name) == "the last"


# UpdateSecret


def test_an_update_with_a_value_is_a_new_current_version(client: Client, create: Create) -> None:
    """API, UpdateSecret: "automatically moves the staging label AWSCURRENT to the new version"."""
    name, second = create("one"), token()
    assert client.update_secret(SecretId=name, SecretString="two", ClientRequestToken=second)["VersionId"] == second
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT"]]
    assert value_of(client, name, VersionId=second) == "two"


# UpdateSecretVersionStage


def test_current_moves_with_the_version_it_is_removed_from(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage: "Whenever you move AWSCURRENT, Secrets Manager automatically moves the label
    AWSPREVIOUS to the version that AWSCURRENT was removed from"."""
    name = create("one")
    current, pending = client.get_secret_value(SecretId=name)["VersionId"], put(client, name, "two", "AWSPENDING")
    move(client, name, "AWSCURRENT", source=current, target=pending)
    # "The staging labels that you specify ... are added to the existing list of staging labels for the version."
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT", "AWSPENDING"]]
    assert value_of(client, name) == "two"


def test_a_roll_back_swaps_current_and_previous(client: Client, create: Create) -> None:
    """API, GetSecretValue: "To revert to the previous version of a secret, call UpdateSecretVersionStage"."""
    name = create("one", "two")
    previous = client.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["VersionId"]
    current = client.get_secret_value(SecretId=name)["VersionId"]
    move(client, name, "AWSCURRENT", source=current, target=previous)
    assert labels_of(client, name) == [["AWSCURRENT"], ["AWSPREVIOUS"]]


@pytest.mark.parametrize("label", ["AWSCURRENT", "blue"])
def test_a_label_does_not_move_without_the_version_it_is_on(client: Client, create: Create, label: str) -> None:
    """API, UpdateSecretVersionStage.RemoveFromVersionId: attached, and "you either do not specify this parameter, ...
    then the operation fails"."""
    name = create("one")
    put(client, name, "two", "AWSCURRENT", "blue")
    pending = put(client, name, "three", "AWSPENDING")
    with refused(client, "InvalidParameterException"):
        move(client, name, label, target=pending)
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT", "blue"], ["AWSPENDING"]]


@pytest.mark.parametrize("label", ["AWSCURRENT", "blue"])
def test_a_label_does_not_move_from_a_version_it_is_not_on(client: Client, create: Create, label: str) -> None:
    """API, UpdateSecretVersionStage.RemoveFromVersionId: "the version ID does not match, then the operation fails"."""
    name = create("one")
    put(client, name, "two", "AWSCURRENT", "blue")
    pending = put(client, name, "three", "AWSPENDING")
    previous = client.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["VersionId"]
    for stale in (previous, pending, token()):
        with refused(client, "InvalidParameterException"):
            move(client, name, label, source=stale, target=pending)
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT", "blue"], ["AWSPENDING"]]


def test_a_label_does_not_move_to_an_unknown_version(client: Client, create: Create) -> None:
    """API, ResourceNotFoundException: "Secrets Manager can't find the resource that you asked for"."""
    name = create("one")
    current = client.get_secret_value(SecretId=name)["VersionId"]
    with refused(client, "ResourceNotFoundException"):
        move(client, name, "AWSCURRENT", source=current, target=token())
    assert labels_of(client, name) == [["AWSCURRENT"]]


def test_current_can_be_moved_and_not_removed(client: Client, create: Create) -> None:
    """Recorded from AWS: "You can only move staging label AWSCURRENT to a different secret version"."""
    name = create("one")
    with refused(client, "InvalidParameterException"):
        move(client, name, "AWSCURRENT", source=client.get_secret_value(SecretId=name)["VersionId"])
    assert value_of(client, name) == "one"


def test_a_new_label_is_attached_beside_the_others(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage: labels "are added to the existing list of staging labels for the version"."""
    name = create("one")
    move(client, name, "blue", target=client.get_secret_value(SecretId=name)["VersionId"])
    assert labels_of(client, name) == [["AWSCURRENT", "blue"]]


def test_a_label_moves_to_another_version_alone(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage: it "first removes it from the other version first and then attaches it"."""
    name = create("one", "two")
    third = put(client, name, "three", "blue")
    current = client.get_secret_value(SecretId=name)["VersionId"]
    move(client, name, "blue", source=third, target=current)
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT", "blue"], []]


def test_a_label_is_removed_from_the_version_it_is_on(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage.MoveToVersionId: "To remove a label from a version, then do not specify this"."""
    name = create("one")
    pending = put(client, name, "two", "AWSPENDING", "blue")
    move(client, name, "AWSPENDING", source=pending)
    assert labels_of(client, name) == [["AWSCURRENT"], ["blue"]]


def test_a_label_is_not_removed_from_a_version_it_is_not_on(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage.RemoveFromVersionId: "the version ID does not match, then the operation fails"."""
    name = create("one")
    put(client, name, "two", "AWSPENDING")
    with refused(client, "InvalidParameterException"):
        move(client, name, "AWSPENDING", source=client.get_secret_value(SecretId=name)["VersionId"])
    assert labels_of(client, name) == [["AWSCURRENT"], ["AWSPENDING"]]


@pytest.mark.parametrize("label", ["AWSCURRENT", "AWSPENDING"])
def test_a_label_that_is_there_already_stays_there_once(client: Client, create: Create, label: str) -> None:
    """API, UpdateSecretVersionStage.RemoveFromVersionId: needed if the label is "attached to a different version"."""
    name = create("one")
    pending = put(client, name, "two", "AWSPENDING")
    current = client.get_secret_value(SecretId=name)["VersionId"]
    move(client, name, label, target={"AWSCURRENT": current, "AWSPENDING": pending}[label])
    assert labels_of(client, name) == [["AWSCURRENT"], ["AWSPENDING"]]


def test_moving_a_label_to_where_it_is_does_not_touch_previous(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage: AWSPREVIOUS moves "whenever you move AWSCURRENT"."""
    name = create("one", "two")
    current = client.get_secret_value(SecretId=name)["VersionId"]
    move(client, name, "AWSCURRENT", source=current, target=current)
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT"]]


def test_a_change_of_a_label_names_a_version(client: Client, create: Create) -> None:
    """API, InvalidParameterException: "The parameter name or value is invalid"."""
    with refused(client, "InvalidParameterException"):
        move(client, create("one"), "blue")


# GetSecretValue


def test_an_empty_secret_has_no_value_to_read(client: Client, create: Create) -> None:
    """API, GetSecretValue: ResourceNotFoundException; its message is recorded from AWS."""
    message = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"
    with refused(client, "ResourceNotFoundException", message):
        client.get_secret_value(SecretId=create())


def test_an_unknown_secret_is_not_found(client: Client) -> None:
    """API, GetSecretValue: ResourceNotFoundException; its message is recorded from AWS."""
    with refused(client, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."):
        client.get_secret_value(SecretId=token())


def test_a_secret_is_found_by_name_arn_and_arn_without_suffix(client: Client, create: Create) -> None:
    """Guide, "Finding a secret from a partial ARN": the hyphen and the six characters may be left out."""
    name = create("one")
    arn = client.describe_secret(SecretId=name)["ARN"]
    assert [value_of(client, which) for which in (name, arn, arn[:-7])] == ["one"] * 3


def test_a_beginning_of_a_name_is_no_partial_arn(client: Client, create: Create) -> None:
    """Guide, "Finding a secret from a partial ARN": the whole name belongs to it."""
    arn = client.describe_secret(SecretId=create("one"))["ARN"]
    with refused(client, "ResourceNotFoundException"):
        client.get_secret_value(SecretId=arn[:-10])


def test_a_version_and_a_label_that_agree_are_both_accepted(client: Client, create: Create) -> None:
    """API, GetSecretValue.VersionId: "the two parameters must refer to the same secret version"."""
    name = create("one")
    pending = put(client, name, "two", "AWSPENDING")
    answer = client.get_secret_value(SecretId=name, VersionId=pending, VersionStage="AWSPENDING")
    assert (answer["SecretString"], answer["VersionStages"]) == ("two", ["AWSPENDING"])


def test_a_version_and_a_label_that_disagree_are_refused(client: Client, create: Create) -> None:
    """API, GetSecretValue.VersionId: "the two parameters must refer to the same secret version"."""
    name = create("one")
    pending = put(client, name, "two", "AWSPENDING")
    with refused(client, "InvalidRequestException"):
        client.get_secret_value(SecretId=name, VersionId=pending, VersionStage="AWSCURRENT")


@pytest.mark.parametrize("which", [{"VersionId": "0" * 32}, {"VersionStage": "blue"}], ids=["version", "label"])
def test_an_unknown_version_or_label_is_not_found(client: Client, create: Create, which: dict[str, str]) -> None:
    """API, ResourceNotFoundException: "Secrets Manager can't find the resource that you asked for"."""
    with refused(client, "ResourceNotFoundException", "|".join(which.values())):
        client.get_secret_value(SecretId=create("one"), **which)


def test_a_version_without_labels_is_still_read_by_its_id(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage: without its last label a version "is considered to be 'deprecated' and can be
    deleted"; PutSecretValue: "keeps all secret versions created in the last 24 hours"."""
    name, first = create(), token()
    client.put_secret_value(SecretId=name, SecretString="one", ClientRequestToken=first)
    put(client, name, "two")
    put(client, name, "three")
    assert value_of(client, name, VersionId=first) == "one"


def test_a_version_that_loses_its_only_label_is_still_read_by_its_id(client: Client, create: Create) -> None:
    """API, UpdateSecretVersionStage: such a version "can be deleted"; no version younger than 24 hours is."""
    name = create("one")
    pending = put(client, name, "two", "AWSPENDING")
    move(client, name, "AWSPENDING", source=pending)
    assert value_of(client, name, VersionId=pending) == "two"


def test_a_binary_value_is_read_as_it_was_put(client: Client, create: Create) -> None:
    """API, GetSecretValue.SecretString: present "if the secret value was originally provided as a string"."""
    name = create("one")
    client.put_secret_value(SecretId=name, SecretBinary=b"\x00\xff")
    answer = client.get_secret_value(SecretId=name)
    assert answer["SecretBinary"] == b"\x00\xff"
    assert "SecretString" not in answer


# ListSecretVersionIds


def test_versions_without_labels_are_listed_only_when_asked_for(client: Client, create: Create) -> None:
    """API, ListSecretVersionIds.IncludeDeprecated: "By default, versions without staging labels aren't included"."""
    name = create("one", "two", "three")
    listed = client.list_secret_version_ids(SecretId=name)["Versions"]
    assert [version["VersionStages"] for version in listed] == [["AWSPREVIOUS"], ["AWSCURRENT"]]
    assert len(client.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]) == 3


def test_versions_are_listed_page_by_page(client: Client, create: Create) -> None:
    """API, ListSecretVersionIds: MaxResults is the number in the response, NextToken continues after it."""
    name = create("one", "two", "three", "four", "five")
    request, pages = {"SecretId": name, "IncludeDeprecated": True, "MaxResults": 2}, []
    for _ in range(3):
        pages.append(client.list_secret_version_ids(**request))
        request["NextToken"] = pages[-1].get("NextToken")
    assert [len(page["Versions"]) for page in pages] == [2, 2, 1]
    assert "NextToken" not in pages[-1]
    assert len({version["VersionId"] for page in pages for version in page["Versions"]}) == 5


def test_the_versions_of_an_unknown_secret_are_not_found(client: Client) -> None:
    """API, ListSecretVersionIds: ResourceNotFoundException."""
    with refused(client, "ResourceNotFoundException"):
        client.list_secret_version_ids(SecretId=token())


# DescribeSecret


def test_a_description_has_the_versions_with_labels(client: Client, create: Create) -> None:
    """API, DescribeSecret.VersionIdsToStages: "the versions of the secret that have staging labels attached"."""
    name = create("one", "two", "three")
    found = client.describe_secret(SecretId=name)["VersionIdsToStages"]
    assert sorted(found.values()) == [["AWSCURRENT"], ["AWSPREVIOUS"]]


def test_a_description_has_only_members_with_a_value(client: Client, create: Create) -> None:
    """API, DescribeSecret: "Secrets Manager only returns fields that have a value in the response"."""
    found = client.describe_secret(SecretId=create())
    assert set(found) - {"ResponseMetadata"} == {"ARN", "Name", "CreatedDate", "LastChangedDate"}


# DeleteSecret and RestoreSecret


@pytest.mark.parametrize(("window", "days"), [({}, 30), ({"RecoveryWindowInDays": 7}, 7)], ids=["default", "7 days"])
def test_a_deleted_secret_is_kept_for_a_window(
    client: Client, create: Create, window: dict[str, int], days: int
) -> None:
    """API, DeleteSecret: "The minimum recovery window is 7 days. The default recovery window is 30 days"."""
    name = create("one")
    answer = client.delete_secret(SecretId=name, **window)
    assert round(
        (answer["DeletionDate"] - client.describe_secret(SecretId=name)["CreatedDate"]).total_seconds(), -2
    ) == (days * 24 * 60 * 60)
    assert "DeletedDate" in client.describe_secret(SecretId=name)


@pytest.mark.parametrize(
    "operation",
    [
        lambda client, name: client.get_secret_value(SecretId=name),
        lambda client, name: client.put_secret_value(SecretId=name, SecretString="two"),
        lambda client, name: client.update_secret(SecretId=name, SecretString="two"),
        lambda client, name: move(client, name, "blue", target=token()),
    ],
    ids=["GetSecretValue", "PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage"],
)
def test_a_deleted_secret_is_neither_read_nor_changed(
    client: Client, create: Create, operation: Callable[[Client, str], Any]
) -> None:
    """API, InvalidRequestException: "The secret is scheduled for deletion"."""
    name = create("one")
    client.delete_secret(SecretId=name)
    with refused(client, "InvalidRequestException"):
        operation(client, name)


def test_a_restored_secret_has_its_versions_and_labels(client: Client, create: Create) -> None:
    """API, RestoreSecret: "You can access a secret again after it has been restored"."""
    name = create("one", "two")
    client.delete_secret(SecretId=name)
    client.restore_secret(SecretId=name)
    assert labels_of(client, name) == [["AWSPREVIOUS"], ["AWSCURRENT"]]
    assert "DeletedDate" not in client.describe_secret(SecretId=name)


# RotateSecret
