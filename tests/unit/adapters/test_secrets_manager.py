"""The adapter for Secrets Manager reads, stages and promotes versions (against moto in process)."""

import datetime
import time
import uuid

import pytest
from botocore import xform_name
from botocore.stub import Stubber

from rotator.adapters.secrets_manager import SecretsManagerStore, secrets_manager_client
from rotator.domain.errors import SecretStoreError
from rotator.ports import SecretDescription
from talend_token.document import Sensitive
from unit.conftest import unreachable

NAME = "talend-token/default/token"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:talend-token/default/token-a1b2c3"


@pytest.fixture
def client(aws, sdk):  # noqa: ARG001
    return secrets_manager_client(sdk)


@pytest.fixture
def store(client):
    client.create_secret(Name=NAME)
    return SecretsManagerStore(client)


def version():
    return str(uuid.uuid4())


def publish(client):
    version_id = version()
    client.put_secret_value(SecretId=NAME, SecretString="one", ClientRequestToken=version_id)
    return version_id


def test_the_client_sets_its_own_retries_and_time_limits(client):
    config = client.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert (config.connect_timeout, config.read_timeout) == (2, 5)


def test_a_missing_secret_is_an_error_that_names_it(store):
    with pytest.raises(SecretStoreError, match=r"talend-token/missing/token.*ResourceNotFoundException.*Create it"):
        store.read("talend-token/missing/token", "AWSCURRENT")


def test_a_version_is_read_by_its_label(store, client):
    assert store.read(NAME, "AWSCURRENT") is None
    version_id = publish(client)
    read = store.read(NAME, "AWSCURRENT")
    assert (read.version_id, read.text.reveal(), read.stages) == (version_id, "one", {"AWSCURRENT"})
    assert read.created_at == pytest.approx(time.time(), abs=60)
    assert store.read(NAME, "AWSPENDING") is None


def test_a_description_has_the_key_that_was_named(store, client):
    client.create_secret(Name="talend-token/finance/token", KmsKeyId="alias/of-our-own")
    assert store.describe(NAME) == SecretDescription("the AWS managed key aws/secretsmanager")
    assert store.describe("talend-token/finance/token").key == "alias/of-our-own"
    with pytest.raises(SecretStoreError, match=r"DescribeSecret.*ResourceNotFoundException"):
        store.describe("talend-token/missing/token")


def test_a_description_has_the_status_of_each_replica(client):
    replicas = [
        {"Region": "us-east-1", "Status": "InSync"},
        {"Region": "ap-south-1", "Status": "Failed", "StatusMessage": "no such key"},
    ]
    store = answering(client, ("describe_secret", {"ARN": ARN, "KmsKeyId": "key", "ReplicationStatus": replicas}))
    statuses = {"us-east-1": "InSync", "ap-south-1": "Failed: no such key"}
    assert store.describe(NAME) == SecretDescription("key", statuses)


def test_a_binary_value_is_distinguished_from_a_string(store, client):
    client.put_secret_value(SecretId=NAME, SecretBinary=b"\xff")
    assert store.read(NAME, "AWSCURRENT").text is None


def test_promotion_moves_the_label_from_the_version_that_was_read(store, client):
    published, staged = publish(client), version()
    assert store.stage(NAME, staged, Sensitive("two")) == {"AWSPENDING"}
    assert store.read(NAME, "AWSCURRENT").version_id == published
    assert store.promote(NAME, staged, published)
    current = store.read(NAME, "AWSCURRENT")
    assert (current.version_id, current.text.reveal()) == (staged, "two")
    assert store.read(NAME, "AWSPREVIOUS").version_id == published


def test_all_pages_of_versions_are_read_including_unlabeled_ones(client):
    made = {"VersionId": version(), "CreatedDate": CREATED}
    asked = {"SecretId": NAME, "IncludeDeprecated": True, "MaxResults": 100}
    store = answering(
        client,
        ("list_secret_version_ids", {"ARN": ARN, "Versions": [made] * 2, "NextToken": "more"}, asked),
        ("list_secret_version_ids", {"ARN": ARN, "Versions": [made]}, asked | {"NextToken": "more"}),
    )
    assert store.created(NAME) == [CREATED.timestamp()] * 3


@pytest.mark.parametrize("replaced", [None, "78a43fc5-0c6e-4b6a-8a0b-7a2f6f2b6c11"])
def test_promotion_names_the_version_that_is_replaced_if_there_is_one(client, replaced):
    staged = version()
    asked = {"SecretId": NAME, "VersionStage": "AWSCURRENT", "MoveToVersionId": staged}
    asked |= {"RemoveFromVersionId": replaced} if replaced else {}
    store = answering(client, ("update_secret_version_stage", {"ARN": ARN}, asked))
    assert store.promote(NAME, staged, replaced)


def answering(client, *answers, repeated=False):
    """Return a store whose client answers as AWS documents and moto does not.

    Each answer follows its operation, and the request may follow the answer. An error answers the SDK's second attempt
    if it has `repeated` the request.
    """
    stubber = Stubber(client)
    for operation, answer, *asked in answers:
        if isinstance(answer, str):
            stubber.add_client_error(operation, answer, response_meta={"RetryAttempts": 1} if repeated else None)
        else:
            stubber.add_response(operation, answer, *asked)
    stubber.activate()
    return SecretsManagerStore(client)


@pytest.mark.parametrize(
    ("holder", "repeated", "promoted"),
    [
        ("another", False, False),
        ("another", True, False),
        # Another run has promoted the staged version, unless this run's first attempt did.
        ("staged", False, False),
        ("staged", True, True),
        # A secret without labels.
        (None, False, False),
    ],
)
@pytest.mark.parametrize("code", ["InvalidParameterException", "InvalidRequestException"])
def test_the_label_shows_whether_a_refused_promotion_was_made(client, code, holder, repeated, promoted):
    staged = version()
    holder_id = {"another": version(), "staged": staged}.get(holder)
    labels = {"ARN": ARN, "VersionIdsToStages": {holder_id: ["AWSCURRENT", "AWSPENDING"]}} if holder else {"ARN": ARN}
    store = answering(client, ("update_secret_version_stage", code), ("describe_secret", labels), repeated=repeated)
    assert store.promote(NAME, staged, version()) is promoted


@pytest.mark.parametrize("code", ["InvalidParameterException", "InvalidRequestException"])
def test_a_refusal_although_the_label_has_not_moved_is_raised(client, code):
    replaced = version()
    labels = {"ARN": ARN, "VersionIdsToStages": {replaced: ["AWSCURRENT"]}}
    store = answering(client, ("update_secret_version_stage", code), ("describe_secret", labels))
    with pytest.raises(SecretStoreError, match=f"UpdateSecretVersionStage .* failed with {code}"):
        store.promote(NAME, version(), replaced)


CALLS = {
    "GetSecretValue": lambda store: store.read(NAME, "AWSCURRENT"),
    "DescribeSecret": lambda store: store.describe(NAME),
    "ListSecretVersionIds": lambda store: store.created(NAME),
    "PutSecretValue": lambda store: store.stage(NAME, version(), Sensitive("hunter2")),
    "UpdateSecretVersionStage": lambda store: store.promote(NAME, version(), version()),
}


@pytest.mark.parametrize(
    ("operation", "code", "fix"),
    [
        *((operation, "AccessDeniedException", "Check that it exists") for operation in CALLS),
        ("PutSecretValue", "InvalidRequestException", "restore-secret"),
        ("PutSecretValue", "LimitExceededException", "100 versions"),
        ("PutSecretValue", "DecryptionFailure", "KMS key"),
        ("PutSecretValue", "EncryptionFailure", "KMS key"),
        ("PutSecretValue", "InternalServiceError", "next run tries again"),
    ],
)
def test_each_refusal_names_operation_secret_code_and_fix(client, operation, code, fix):
    store = answering(client, (xform_name(operation), code))
    with pytest.raises(
        SecretStoreError, match=f"^{operation} on secret '{NAME}' failed with {code}. .*{fix}"
    ) as caught:
        CALLS[operation](store)
    assert (caught.value.operation, caught.value.secret_id, caught.value.code) == (operation, NAME, code)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("answer", [{}, None, [], "<html>"])
def test_a_strange_answer_of_any_operation_is_named(client, monkeypatch, operation, answer):
    """Another server answers, such as a proxy. That is neither a raw KeyError nor accepted as an answer."""
    monkeypatch.setattr(client, xform_name(operation), lambda **_: answer)
    match = f"{operation} on secret '{NAME}' failed with UnexpectedAnswer. The answer is not"
    with pytest.raises(SecretStoreError, match=match):
        CALLS[operation](SecretsManagerStore(client))


CREATED = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
WHOLE = {
    "ARN": ARN,
    "VersionId": "78a43fc5-0c6e-4b6a-8a0b-7a2f6f2b6c11",
    "VersionStages": ["AWSCURRENT"],
    "SecretString": "hunter2",
    "CreatedDate": CREATED,
}


@pytest.mark.parametrize(
    "answer",
    [
        *(WHOLE | wrong for wrong in ({"ARN": 7}, {"SecretString": 7}, {"SecretString": None})),
        *(
            {name: value for name, value in WHOLE.items() if name != missing}
            for missing in ("VersionId", "VersionStages", "CreatedDate")
        ),
    ],
)
def test_an_answer_with_a_wrong_or_missing_member_is_named(client, monkeypatch, answer):
    monkeypatch.setattr(client, "get_secret_value", lambda **_: answer)
    with pytest.raises(SecretStoreError, match="failed with UnexpectedAnswer") as caught:
        SecretsManagerStore(client).read(NAME, "AWSCURRENT")
    assert caught.value.__context__ is None


def test_an_unreachable_secrets_manager_is_named_by_the_sdks_error(sdk):
    with pytest.raises(SecretStoreError, match="EndpointConnectionError"):
        SecretsManagerStore(unreachable(sdk, "secretsmanager")).read(NAME, "AWSCURRENT")
