"""The `rotate` handler as Lambda calls it: moto's Secrets Manager, the Talend simulator over HTTP."""

import datetime
import io
import json
import time
from pathlib import Path

import boto3
import pytest
import requests

import rotate
from integration.handlers import CREDENTIALS, TOKEN, Context
from rotator import bootstrap
from rotator.domain.errors import (
    CredentialsError,
    CredentialsRefused,
    InvalidEvent,
    InvalidSettings,
    TokenRejectedByProbe,
)
from talend_simulator import Account, Amend, Answer
from talend_token.document import Sensitive, TokenDocument

EVENTS = Path(__file__).parents[2] / "events"


def invoke(event):
    return rotate.handler(event, Context())


def published(secrets):
    return TokenDocument.from_json(Sensitive(secrets.get_secret_value(SecretId=TOKEN)["SecretString"]))


def test_a_forced_rotation_publishes_a_token_that_the_api_accepts(secrets, talend):
    answer = invoke({})
    document = published(secrets)
    assert answer["outcome"] == "rotated"
    assert answer["version_id"] == secrets.describe_secret(SecretId=TOKEN)["VersionIdsToStages"].popitem()[0]
    assert answer["expires_at"] == document.expires_at
    headers = {"Authorization": f"{document.token_type} {document.access_token}"}
    assert requests.get(f"{talend.url}/account/users", headers=headers, timeout=5).status_code == 200
    assert 1790 < document.remaining_seconds(time.time()) <= 1800


@pytest.mark.parametrize("event", sorted(EVENTS.glob("rotate-*.json")), ids=lambda path: path.stem)
def test_every_documented_event_is_understood(secrets, event):
    invoke({})
    # The documented change of credentials is long ago, and the token is newer.
    wanted = "checked" if "dry-run" in event.stem else "rotated" if "forced" in event.stem else "fresh"
    if "account" in event.stem:
        for part in ("credentials", "token"):
            secrets.create_secret(Name=f"talend-token/finance/{part}")
        secrets.put_secret_value(SecretId="talend-token/finance/credentials", SecretString="abc:s3cret-of-abc")
        wanted = "rotated"
    assert invoke(json.loads(event.read_text()))["outcome"] == wanted


def test_a_second_rotation_keeps_the_first_token_as_previous_version(secrets):
    first = invoke({})
    second = invoke({})
    stages = secrets.describe_secret(SecretId=TOKEN)["VersionIdsToStages"]
    assert "AWSPREVIOUS" in stages[first["version_id"]]
    assert "AWSCURRENT" in stages[second["version_id"]]


def test_a_failure_raises_so_that_lambda_sees_it(secrets, talend):
    talend.faults.add(Answer(401), times=1)
    with pytest.raises(CredentialsRefused, match=CREDENTIALS):
        invoke({"trigger": "schedule"})
    assert secrets.list_secret_version_ids(SecretId=TOKEN)["Versions"] == []


@pytest.mark.usefixtures("secrets")
def test_a_bad_event_is_refused_before_anything_is_read(talend):
    with pytest.raises(InvalidEvent, match="acount"):
        invoke({"acount": "default"})
    assert list(talend.journal) == []


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("event", [{}, "credentials changed", {"acount": "default"}])
def test_bad_settings_are_reported_by_each_invocation(monkeypatch, event):
    """Whatever the event: one log line, then the error."""
    log = io.StringIO()
    monkeypatch.setattr(rotate.logger.registered_handler, "stream", log)
    monkeypatch.delenv("SECRET_PREFIX")
    for _ in range(2):
        with pytest.raises(InvalidSettings, match="SECRET_PREFIX is missing"):
            invoke(label_updated() if event == "credentials changed" else event)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["message"], line["error"]) for line in lines] == [("failed", "InvalidSettings")] * 2


@pytest.mark.usefixtures("secrets")
def test_an_event_that_is_refused_is_reported(monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(rotate.logger.registered_handler, "stream", log)
    with pytest.raises(InvalidEvent):
        invoke({"acount": "default"})
    assert json.loads(log.getvalue())["error"] == "InvalidEvent"


def test_credentials_put_later_are_used_by_the_warm_function(secrets):
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString="nothing yet")
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString="nothing still")
    with pytest.raises(CredentialsError):
        invoke({})
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString='{"id": "abc", "secret": "s3cret-of-abc"}')
    assert invoke({})["outcome"] == "rotated"


def label_updated(secret_id=CREDENTIALS, seconds_ago=5):
    """What Secrets Manager sends when a secret has got a new value."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=seconds_ago)
    event = json.loads((EVENTS / "rotate-credentials-changed.json").read_text())
    event["detail"]["name"] = secret_id
    return event | {"resources": [], "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_new_credentials_rotate_once_for_all_deliveries(secrets, talend):
    invoke({})
    old = json.loads(published(secrets).to_json().reveal())
    aged = old | {"issued_at": old["issued_at"] - 600}
    before = secrets.put_secret_value(SecretId=TOKEN, SecretString=json.dumps(aged))["VersionId"]
    talend.add_account(Account("abd", "s3cret-of-abd"))
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString="abd:s3cret-of-abd")
    event = label_updated()
    answers = [invoke(event) for _ in range(3)]
    assert [answer["outcome"] for answer in answers] == ["rotated", "fresh", "fresh"]
    assert (answers[0]["trigger"], answers[0]["account"]) == ("manual", "default")
    assert {answer["version_id"] for answer in answers} != {before}
    assert len({answer["version_id"] for answer in answers}) == 1
    assert [call.client_id for call in talend.token_calls()] == ["abc", "abd"]


def test_a_changed_existing_credentials_secret_is_found_by_its_arn(secrets, monkeypatch):
    arn = secrets.create_secret(Name="existing", SecretString="abc:s3cret-of-abc")["ARN"]
    monkeypatch.setenv("CREDENTIALS_SECRET", arn)
    event = label_updated("existing")
    assert invoke(event | {"resources": [arn]})["outcome"] == "rotated"
    assert invoke(label_updated("talend-token/default/credentials"))["outcome"] == "ignored"


@pytest.mark.parametrize("name", ["talend-token/dwh/credentials", "talend-token/other/app/credentials"])
def test_credentials_of_another_owner_are_ignored(secrets, talend, name):
    """A pattern's wildcard crosses slashes, and any team may name a secret like this."""
    secrets.create_secret(Name=name, SecretString="theirs")
    assert invoke(label_updated(name))["outcome"] == "ignored"
    assert list(talend.token_calls()) == []


@pytest.mark.parametrize("trigger", ["schedule", "watchdog"])
def test_before_credentials_are_stored_nothing_fails(secrets, trigger):
    secrets.create_secret(Name="talend-token/new/credentials")
    secrets.create_secret(Name="talend-token/new/token")
    assert invoke({"trigger": trigger, "account": "new"})["outcome"] == "waiting_for_credentials"
    secrets.put_secret_value(SecretId="talend-token/new/credentials", SecretString="abc:s3cret-of-abc")
    assert invoke({"trigger": trigger, "account": "new"})["outcome"] == "rotated"


def test_refused_credentials_leave_the_previous_ones_in_use(secrets, talend, capfd):
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString="abc:mistyped")
    assert invoke({})["outcome"] == "rotated"
    assert [call.status for call in talend.token_calls()] == [401, 200]
    assert '"CredentialsRefused":[1.0]' in capfd.readouterr().out
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString="abc:s3cret-of-abc")
    invoke({})
    assert '"CredentialsRefused":[0.0]' in capfd.readouterr().out


def test_a_token_that_the_api_refuses_is_not_published(secrets, talend, monkeypatch):
    monkeypatch.setenv("PROBE_PATH", "/account/users")
    first = invoke({})
    talend.faults.add(Amend({"access_token": "no-token-of-this-api"}), times=1)
    with pytest.raises(TokenRejectedByProbe, match="/account/users answered 401"):
        invoke({})
    assert secrets.get_secret_value(SecretId=TOKEN)["VersionId"] == first["version_id"]


def test_a_dry_run_lists_every_link_and_publishes_nothing(secrets):
    answer = invoke({"dry_run": True})
    assert answer["outcome"] == "checked"
    assert [check["link"] for check in answer["checks"] if not check["ok"]] == []
    assert len(answer["checks"]) == 10
    assert secrets.list_secret_version_ids(SecretId=TOKEN)["Versions"] == []


def test_a_dry_run_of_a_broken_chain_answers_and_warns(secrets, talend, monkeypatch):  # noqa: ARG001
    log = io.StringIO()
    monkeypatch.setattr(rotate.logger.registered_handler, "stream", log)
    talend.faults.add(Answer(401), times=1)
    checks = {check["link"]: check for check in invoke({"dry_run": True})["checks"]}
    assert not checks["token call"]["ok"]
    assert "answered 401" in checks["token call"]["detail"]
    line = json.loads(log.getvalue())
    assert (line["level"], line["message"]) == ("WARNING", "checked")
    assert any("answered 401" in warning for warning in line["warnings"])


def test_log_lines_have_a_time_that_lambda_can_read(secrets, monkeypatch):  # noqa: ARG001
    log = io.StringIO()
    monkeypatch.setattr(rotate.logger.registered_handler, "stream", log)
    invoke({})
    line = json.loads(log.getvalue())
    assert datetime.datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    assert "T" in line["timestamp"]


def test_no_log_metric_or_answer_shows_a_credential_or_a_token(secrets, talend, capfd, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(rotate.logger.registered_handler, "stream", log)
    answer = invoke({"reason": "test"})
    talend.faults.add(Answer(403, body="s3cret-of-abc"), times=1)
    with pytest.raises(CredentialsRefused):
        invoke({})
    output = capfd.readouterr()
    everything = log.getvalue() + output.out + output.err + json.dumps(answer)
    assert "rotated" in everything
    assert "answered 403" in everything
    assert "s3cret" not in everything
    assert published(secrets).access_token.split(".")[2] not in everything


@pytest.mark.usefixtures("secrets")
def test_the_default_session_of_boto3_is_left_alone(monkeypatch):
    """Another library in the process may use any service with it."""
    session = boto3.session.Session()
    for there in (None, session):
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", there)
        bootstrap.rotator.cache_clear()
        assert invoke({})["outcome"] == "rotated"
        assert boto3.DEFAULT_SESSION is there
    assert session.client("sqs").meta.service_model.service_name == "sqs"
