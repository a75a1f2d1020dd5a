"""The `renew` handler works as Lambda calls it, with moto's AWS services and the Talend simulator over HTTP."""

import json
from pathlib import Path

import pytest

import renew
from integration.conftest import CREDENTIALS, invoke
from rotator.domain.errors import CircuitOpen, CredentialsRefused
from talend_simulator import Answer

EVENTS = Path(__file__).parents[2] / "events"


def reject(version_id):
    return invoke({"rejected_version_id": version_id}, renew)


@pytest.mark.parametrize("event", sorted(EVENTS.glob("renew-*.json")), ids=lambda path: path.stem)
def test_every_documented_event_is_accepted(aged, event):
    text = event.read_text()
    assert "78a43fc5-0c6e-4b6a-8a0b-7a2f6f2b6c11" in text
    answer = invoke(json.loads(text), renew)
    # The documented events name a version that is not published here.
    assert (answer["outcome"], answer["version_id"]) == ("superseded", aged)


def test_a_refusal_opens_the_breaker_and_a_forced_rotation_closes_it(aged, talend):
    talend.faults.add(Answer(401), times=1)
    with pytest.raises(CredentialsRefused):
        reject(aged)
    before = len(talend.token_calls())
    with pytest.raises(CircuitOpen, match=CREDENTIALS):
        reject(aged)
    assert len(talend.token_calls()) == before
    assert invoke({})["outcome"] == "rotated"


def test_no_log_metric_or_answer_shows_a_credential_or_a_token(aged, published, capfd, log):
    answer = reject(aged)
    output = capfd.readouterr()
    everything = log.getvalue() + output.out + output.err + json.dumps(answer)
    assert '"trigger":"rejected"' in everything
    assert "VersionBudgetLeft" in everything
    assert not any(piece in everything for piece in ("s3cret", *published().access_token.split(".")))
