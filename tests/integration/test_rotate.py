"""The `rotate` handler works as Lambda calls it, with moto's Secrets Manager and the Talend simulator over HTTP."""

import datetime
import json
import time
from pathlib import Path

import boto3
import pytest
import requests

from integration.conftest import CREDENTIALS, TOKEN, invoke
from rotator import bootstrap
from rotator.domain.errors import (
    CredentialsRefused,
    InvalidEvent,
    InvalidSettings,
    TokenRejectedByProbe,
)
from talend_simulator import Account, Amend, Answer

EVENTS = Path(__file__).parents[2] / "events"
CHANGED = json.loads((EVENTS / "rotate-credentials-changed.json").read_text())


def label_updated(secret_id=CREDENTIALS, arns=()):
    """Return the event that Secrets Manager sends when a secret has a new value."""
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=5)
    detail = CHANGED["detail"] | {"name": secret_id}
    return CHANGED | {"detail": detail, "resources": list(arns), "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_a_forced_rotation_publishes_a_token_that_the_api_accepts(secrets, talend, published):
    previous, answer = invoke({}), invoke({})
    document = published()
    assert answer["outcome"] == "rotated"
    stages = secrets.describe_secret(SecretId=TOKEN)["VersionIdsToStages"]
    assert stages[previous["version_id"]] == ["AWSPREVIOUS"]
    assert "AWSCURRENT" in stages[answer["version_id"]]
    assert answer["expires_at"] == document.expires_at
    headers = {"Authorization": f"{document.token_type} {document.access_token}"}
    assert requests.get(f"{talend.url}/account/users", headers=headers, timeout=5).status_code == 200
    assert 1790 < document.remaining_seconds(time.time()) <= 1800


@pytest.mark.parametrize("event", sorted(EVENTS.glob("rotate-*.json")), ids=lambda path: path.stem)
def test_every_documented_event_is_accepted(secrets, event):
    invoke({})
    # The documented event is old, so the token is newer than the change of the credentials.
    wanted = "checked" if "dry-run" in event.stem else "rotated" if "forced" in event.stem else "fresh"
    if "account" in event.stem:
        secrets.create_secret(Name="talend-token/finance/credentials", SecretString="abc:s3cret-of-abc")
        secrets.create_secret(Name="talend-token/finance/token")
        wanted = "rotated"
    assert invoke(json.loads(event.read_text()))["outcome"] == wanted


@pytest.mark.usefixtures("secrets")
def test_a_bad_event_is_refused_and_logged_before_anything_is_read(talend, log):
    with pytest.raises(InvalidEvent, match="acount"):
        invoke({"acount": "default"})
    assert list(talend.journal) == []
    assert json.loads(log.getvalue())["error"] == "InvalidEvent"


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("event", [{}, label_updated(), {"acount": "default"}], ids=["forced", "changed", "bad"])
def test_bad_settings_are_reported_by_each_invocation(monkeypatch, log, event):
    """Every event gives one log line, and then the error."""
    monkeypatch.delenv("SECRET_PREFIX")
    for _ in range(2):
        with pytest.raises(InvalidSettings, match="SECRET_PREFIX is missing"):
            invoke(event)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["message"], line["error"]) for line in lines] == [("failed", "InvalidSettings")] * 2


def test_new_credentials_rotate_once_for_all_deliveries(secrets, talend, aged):
    talend.add_account(Account("abd", "s3cret-of-abd"))
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString="abd:s3cret-of-abd")
    event = label_updated()
    answers = [invoke(event) for _ in range(3)]
    assert [answer["outcome"] for answer in answers] == ["rotated", "fresh", "fresh"]
    assert (answers[0]["trigger"], answers[0]["account"]) == ("manual", "default")
    (version_id,) = {answer["version_id"] for answer in answers}
    assert version_id != aged
    assert [call.client_id for call in talend.token_calls()] == ["abc", "abd"]


def test_a_changed_existing_credentials_secret_is_found_by_its_arn(secrets, talend, monkeypatch):
    """The rule's wildcard also matches other accounts, and names of other teams."""
    arn = secrets.create_secret(Name="existing", SecretString="abc:s3cret-of-abc")["ARN"]
    monkeypatch.setenv("CREDENTIALS_SECRET", arn)
    for name in (CREDENTIALS, "talend-token/dwh/credentials", "talend-token/other/app/credentials"):
        assert invoke(label_updated(name))["outcome"] == "ignored"
    assert list(talend.token_calls()) == []
    assert invoke(label_updated("existing", arns=[arn]))["outcome"] == "rotated"


def test_a_token_that_the_api_refuses_is_not_published(secrets, talend, monkeypatch):
    monkeypatch.setenv("PROBE_PATH", "/account/users")
    first = invoke({})
    talend.faults.add(Amend({"access_token": "no-token-of-this-api"}), times=1)
    with pytest.raises(TokenRejectedByProbe, match="/account/users answered 401"):
        invoke({})
    assert secrets.get_secret_value(SecretId=TOKEN)["VersionId"] == first["version_id"]


def test_a_dry_run_lists_every_link_and_publishes_nothing(secrets, talend, log):
    answer = invoke({"dry_run": True})
    assert answer["outcome"] == "checked"
    assert [check["ok"] for check in answer["checks"]] == [True] * 10
    assert secrets.list_secret_version_ids(SecretId=TOKEN)["Versions"] == []
    talend.faults.add(Answer(401), times=1)
    checks = {check["link"]: check for check in invoke({"dry_run": True})["checks"]}
    assert not checks["token call"]["ok"]
    assert "answered 401" in checks["token call"]["detail"]
    line = json.loads(log.getvalue().splitlines()[-1])
    assert (line["level"], line["message"]) == ("WARNING", "checked")
    assert any("answered 401" in warning for warning in line["warnings"])


def test_no_log_metric_or_answer_shows_a_credential_or_a_token(secrets, talend, capfd, log, published):
    """A failure raises, so that Lambda counts it. A log line has a time that Lambda can read."""
    answer = invoke({"reason": "test"})
    talend.faults.add(Answer(403, body="s3cret-of-abc"), times=1)
    with pytest.raises(CredentialsRefused, match=CREDENTIALS):
        invoke({"trigger": "manual"})
    assert secrets.get_secret_value(SecretId=TOKEN)["VersionId"] == answer["version_id"]
    output = capfd.readouterr()
    everything = log.getvalue() + output.out + output.err + json.dumps(answer)
    assert "rotated" in everything
    assert "answered 403" in everything
    assert not any(piece in everything for piece in ("s3cret", *published().access_token.split(".")))
    for line in map(json.loads, log.getvalue().splitlines()):
        assert "T" in line["timestamp"]
        assert datetime.datetime.fromisoformat(line["timestamp"]).tzinfo is not None


@pytest.mark.usefixtures("secrets")
def test_the_default_session_of_boto3_is_left_alone(monkeypatch):
    """Another library in the process may use the default session for any service."""
    session = boto3.session.Session()
    for there in (None, session):
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", there)
        bootstrap.rotator.cache_clear()
        assert invoke({})["outcome"] == "rotated"
        assert boto3.DEFAULT_SESSION is there
    assert session.client("sqs").meta.service_model.service_name == "sqs"
