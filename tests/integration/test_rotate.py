"""The `rotate` handler as Lambda calls it: moto's Secrets Manager, the Talend simulator over HTTP."""

import datetime
import io
import json
import time
from pathlib import Path

import pytest
import requests

import rotate
from integration.handlers import CREDENTIALS, TOKEN, Context
from rotator.errors import CredentialsError, InvalidEvent, InvalidSettings, TokenRefused
from talend_simulator import Answer
from talend_token import Sensitive, TokenDocument

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
    wanted = "checked" if "dry-run" in event.stem else "rotated" if "forced" in event.stem else "fresh"
    if "account" in event.stem:
        for part in ("credentials", "token"):
            secrets.create_secret(Name=f"talend/finance/{part}")
        secrets.put_secret_value(SecretId="talend/finance/credentials", SecretString="abc:s3cret-of-abc")
        wanted = "rotated"
    assert invoke(json.loads(event.read_text()))["outcome"] == wanted


def test_a_second_rotation_keeps_the_first_token_as_the_previous_version(secrets):
    first = invoke({})
    second = invoke({})
    stages = secrets.describe_secret(SecretId=TOKEN)["VersionIdsToStages"]
    assert "AWSPREVIOUS" in stages[first["version_id"]]
    assert "AWSCURRENT" in stages[second["version_id"]]


def test_a_failure_raises_so_that_lambda_sees_it(secrets, talend):
    talend.faults.add(Answer(401), times=1)
    with pytest.raises(TokenRefused, match="account 'default'"):
        invoke({"trigger": "schedule"})
    assert secrets.list_secret_version_ids(SecretId=TOKEN)["Versions"] == []


@pytest.mark.usefixtures("secrets")
def test_a_bad_event_is_refused_before_anything_is_read(talend):
    with pytest.raises(InvalidEvent, match="acount"):
        invoke({"acount": "default"})
    assert list(talend.journal) == []


@pytest.mark.usefixtures("secrets")
def test_bad_settings_are_an_error_of_each_invocation(monkeypatch):
    monkeypatch.delenv("SECRET_PREFIX")
    for _ in range(2):
        with pytest.raises(InvalidSettings, match="SECRET_PREFIX is missing"):
            invoke({})


def test_credentials_put_later_are_used_by_the_warm_function(secrets):
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString="nothing yet")
    with pytest.raises(CredentialsError):
        invoke({})
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString='{"id": "abc", "secret": "s3cret-of-abc"}')
    assert invoke({})["outcome"] == "rotated"


def test_log_lines_have_a_time_that_lambda_can_read(secrets, monkeypatch):  # noqa: ARG001
    log = io.StringIO()
    monkeypatch.setattr(rotate.logger.registered_handler, "stream", log)
    invoke({})
    line = json.loads(log.getvalue())
    assert datetime.datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    assert "T" in line["timestamp"]


def test_neither_log_nor_metric_nor_answer_shows_a_credential_or_a_token(secrets, talend, capfd, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(rotate.logger.registered_handler, "stream", log)
    answer = invoke({"reason": "test"})
    talend.faults.add(Answer(403, body="s3cret-of-abc"), times=1)
    with pytest.raises(TokenRefused):
        invoke({})
    output = capfd.readouterr()
    everything = log.getvalue() + output.out + output.err + json.dumps(answer)
    assert "rotated" in everything
    assert "answered 403" in everything
    assert "s3cret" not in everything
    assert published(secrets).access_token.split(".")[2] not in everything
