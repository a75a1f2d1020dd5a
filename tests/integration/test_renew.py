"""The `renew` handler as Lambda calls it: moto's Secrets Manager and DynamoDB, the Talend simulator over HTTP."""

import io
import json
import time
from pathlib import Path

import pytest

import renew
import rotate
from integration.handlers import CREDENTIALS, TOKEN, Context
from rotator.domain.errors import CircuitOpen, CredentialsRefused, InvalidEvent
from talend_simulator import Answer
from talend_token.document import Sensitive, TokenDocument, advisory_seconds

EVENTS = Path(__file__).parents[2] / "events"


@pytest.fixture
def published(secrets):
    """The version of a published token that is ten minutes old."""
    version_id = rotate.handler({}, Context())["version_id"]
    document = TokenDocument.from_json(Sensitive(secrets.get_secret_value(SecretId=TOKEN)["SecretString"]))
    aged = json.loads(document.to_json().reveal())
    aged |= {"issued_at": aged["issued_at"] - 600, "expires_at": aged["expires_at"] - 600}
    aged_id = "a" * 8 + version_id[8:]
    secrets.put_secret_value(SecretId=TOKEN, SecretString=json.dumps(aged), ClientRequestToken=aged_id)
    return aged_id


def invoke(event):
    return renew.handler(event, Context())


def test_a_rejected_token_is_replaced_once(published, secrets, talend):
    before = len(talend.token_calls())
    answers = [invoke({"rejected_version_id": published}) for _ in range(5)]
    assert [answer["outcome"] for answer in answers] == ["rotated"] + ["superseded"] * 4
    # moto takes another version than the current one if no label is named.
    current = secrets.get_secret_value(SecretId=TOKEN, VersionStage="AWSCURRENT")["VersionId"]
    assert {answer["version_id"] for answer in answers} == {current}
    assert len(talend.token_calls()) - before == 1


@pytest.mark.parametrize("event", sorted(EVENTS.glob("renew-*.json")), ids=lambda path: path.stem)
def test_every_documented_event_is_understood(published, secrets, event):
    text = event.read_text()
    assert "78a43fc5-0c6e-4b6a-8a0b-7a2f6f2b6c11" in text
    answer = invoke(json.loads(text))
    # The documented events name a version that is not published here.
    assert (answer["outcome"], answer["version_id"]) == ("superseded", published)
    assert secrets.get_secret_value(SecretId=TOKEN)["VersionId"] == published


def test_the_document_names_the_version_to_reject(secrets):
    """For a reader that sees the text alone."""
    rotate.handler({}, Context())
    document = json.loads(secrets.get_secret_value(SecretId=TOKEN)["SecretString"])
    assert document["version_id"] == secrets.get_secret_value(SecretId=TOKEN)["VersionId"]
    assert invoke({"rejected_version_id": document["version_id"]})["outcome"] == "too_soon"


@pytest.mark.usefixtures("published")
def test_a_young_token_is_not_replaced_and_the_result_says_how_long():
    young = rotate.handler({}, Context())["version_id"]
    answer = invoke({"rejected_version_id": young})
    assert answer["outcome"] == "too_soon"
    assert 0 < answer["retry_after_seconds"] <= 60
    assert answer["expires_at"] > time.time() + advisory_seconds(1800)


def test_a_refusal_opens_the_breaker_and_a_forced_rotation_closes_it(published, talend):
    talend.faults.add(Answer(401), times=1)
    with pytest.raises(CredentialsRefused):
        invoke({"rejected_version_id": published})
    before = len(talend.token_calls())
    with pytest.raises(CircuitOpen, match=CREDENTIALS):
        invoke({"rejected_version_id": published})
    assert len(talend.token_calls()) == before
    assert rotate.handler({}, Context())["outcome"] == "rotated"


@pytest.mark.usefixtures("secrets")
def test_a_bad_event_is_refused_before_anything_is_read(talend):
    with pytest.raises(InvalidEvent, match="rejected_version_id"):
        invoke({"account": "default"})
    assert list(talend.journal) == []


def test_no_log_metric_or_answer_shows_a_credential_or_a_token(published, secrets, capfd, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(renew.logger.registered_handler, "stream", log)
    answer = invoke({"rejected_version_id": published})
    output = capfd.readouterr()
    everything = log.getvalue() + output.out + output.err + json.dumps(answer)
    assert '"trigger":"rejected"' in everything
    assert "VersionBudgetLeft" in everything
    token = json.loads(secrets.get_secret_value(SecretId=TOKEN)["SecretString"])["access_token"]
    assert not any(piece in everything for piece in ("s3cret", *token.split(".")))
