"""Events on the default bus of the local AWS, and the rules that match them."""

import json
import uuid
from typing import Any

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function
from local_aws.listener import Listener
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

CURRENT = "AWSCURRENT"


def listening(aws: LocalAWS, pattern: dict[str, Any]) -> Listener:
    """A queue that gets the events of one rule, which has the queue's name."""
    listener, events = Listener(aws), aws.client("events")
    events.put_rule(Name=listener.name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=listener.name, Targets=[{"Id": "queue", "Arn": listener.arn}])
    return listener


def put_event(aws: LocalAWS, source: str, **detail: Any) -> None:
    entry = {"Source": source, "DetailType": "Talend Token Rotated", "Detail": json.dumps(detail)}
    assert aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_an_event_reaches_the_queue_of_a_rule_as_it_was_put(local_aws: LocalAWS) -> None:
    source = f"source-{uuid.uuid4().hex}"
    listener = listening(local_aws, {"source": [source], "detail": {"account": ["default"]}})
    put_event(local_aws, source, account="other")
    put_event(local_aws, source, account="default", expires_at=1)
    (event,) = listener.heard(1)
    assert (event["source"], event["detail-type"]) == (source, "Talend Token Rotated")
    assert event["detail"] == {"account": "default", "expires_at": 1}


@pytest.fixture
def name() -> str:
    """The name of a secret under a prefix of its own."""
    return f"{uuid.uuid4().hex}/default/credentials"


def labels_heard(listener: Listener, number: int) -> list[tuple[str, str]]:
    details = [event["detail"] for event in listener.heard(number)]
    return [(detail["labelUpdated"], detail["versionId"]) for detail in details]


def test_a_moved_label_has_the_documented_event(local_aws: LocalAWS, name: str) -> None:
    """Secrets Manager user guide, "Secret Label Updated event": all members."""
    secrets = local_aws.client("secretsmanager")
    listener = listening(local_aws, {"detail": {"name": [name]}})
    created = secrets.create_secret(Name=name, SecretString="one")
    (event,) = listener.heard(1)
    assert (event["source"], event["detail-type"]) == ("aws.secretsmanager", "Secret Label Updated")
    assert event["resources"] == [created["ARN"]]
    assert event["detail"] == {"name": name, "labelUpdated": CURRENT, "versionId": created["VersionId"]}


def test_every_way_to_move_the_current_label_is_an_event(local_aws: LocalAWS, name: str) -> None:
    """ "Secrets Manager sends a Secret Label Updated event when a staging label moves to a new version"."""
    secrets = local_aws.client("secretsmanager")
    listener = listening(local_aws, {"detail": {"name": [name]}})
    created = secrets.create_secret(Name=name, SecretString="one")["VersionId"]
    put = secrets.put_secret_value(SecretId=name, SecretString="two")["VersionId"]
    updated = secrets.update_secret(SecretId=name, SecretString="three")["VersionId"]
    staged = secrets.put_secret_value(SecretId=name, SecretString="four", VersionStages=["AWSPENDING"])["VersionId"]
    secrets.update_secret_version_stage(
        SecretId=name, VersionStage=CURRENT, RemoveFromVersionId=updated, MoveToVersionId=staged
    )
    # Nothing moves here.
    secrets.update_secret(SecretId=name, Description="new")
    secrets.put_secret_value(SecretId=name, ClientRequestToken=staged, SecretString="four")
    last = secrets.put_secret_value(SecretId=name, SecretString="five")["VersionId"]
    assert sorted(labels_heard(listener, 5)) == sorted(
        [(CURRENT, version) for version in (created, put, updated, staged, last)]
    )


def test_a_wildcard_matches_every_account_and_no_other_secret(local_aws: LocalAWS) -> None:
    """EventBridge user guide, "Comparison operators": wildcard; and `$or`, of which one side names a secret by ARN."""
    secrets, prefix = local_aws.client("secretsmanager"), uuid.uuid4().hex
    existing = secrets.create_secret(Name=f"{prefix}-existing")["ARN"]
    listener = listening(
        local_aws,
        {
            "source": ["aws.secretsmanager"],
            "$or": [
                {"detail": {"labelUpdated": [CURRENT], "name": [{"wildcard": f"{prefix}/*/credentials"}]}},
                {"detail": {"labelUpdated": [CURRENT]}, "resources": [existing]},
            ],
        },
    )
    others = (f"{prefix}/a/token", f"other-{prefix}/a/credentials", f"{prefix}/a/credentials-old")
    for secret in (*others, f"{prefix}/a/credentials", f"{prefix}/b-2/credentials"):
        secrets.create_secret(Name=secret, SecretString="x")
    secrets.put_secret_value(SecretId=existing, SecretString="x")
    names = [event["detail"]["name"] for event in listener.heard(3)]
    assert sorted(names) == sorted([f"{prefix}/a/credentials", f"{prefix}/b-2/credentials", f"{prefix}-existing"])


def test_a_function_gets_the_event_of_a_moved_label_as_it_is(local_aws: LocalAWS, name: str) -> None:
    function = create_function(local_aws, "import json\ndef handler(event, context): print(json.dumps(event))")
    functions, events, logs = (local_aws.client(service) for service in ("lambda", "events", "logs"))
    logs.create_log_group(logGroupName=f"/aws/lambda/{function}")
    arn = functions.get_function_configuration(FunctionName=function)["FunctionArn"]
    rule = f"rule-{uuid.uuid4().hex[:12]}"
    rule_arn = events.put_rule(Name=rule, EventPattern=json.dumps({"detail": {"name": [name]}}))["RuleArn"]
    events.put_targets(Rule=rule, Targets=[{"Id": "function", "Arn": arn}])
    functions.add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )
    created = local_aws.client("secretsmanager").create_secret(Name=name, SecretString="one")

    def printed() -> list[Any]:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        return [json.loads(event["message"]) for event in found if event["message"].startswith("{")]

    (event,) = eventually(printed)
    assert event["resources"] == [created["ARN"]]
    assert event["detail"] == {"name": name, "labelUpdated": CURRENT, "versionId": created["VersionId"]}
