"""The first deployment is quiet until it has credentials. `tests/template/test_template.py` is about one that fails."""

from collections import Counter

import pytest

from e2e.alarms import alarm_states
from e2e.conftest import local_deployment
from local_aws.waiting import eventually

# A minute is a second.
SPEED = 60
QUIET_MINUTES = 10


@pytest.fixture
def deployed(template):
    """Return a new stack without credentials."""
    with local_deployment(SPEED) as new:
        yield new.deploy(template)


def test_a_stack_without_credentials_waits_quietly_and_then_begins(deployed):
    eventually(lambda: len(deployed.logs()) >= QUIET_MINUTES)
    eventually(lambda: alarm_states(deployed)["TokenAlarm"] == "ALARM")
    assert Counter(alarm_states(deployed).values()) == {"ALARM": 1, "OK": 5}
    assert {line["trigger"] for line in deployed.logs()} <= {"watchdog", "schedule"}
    # On a slow machine, a tick may find the one before it in progress.
    assert {line["message"] for line in deployed.logs()} <= {"waiting_for_credentials", "in_progress"}
    assert {line["level"] for line in deployed.logs()} == {"INFO"}
    assert deployed.dead_letters() == []
    assert not deployed.talend.token_calls()
    assert not deployed.has_token()

    deployed.put_credentials()
    eventually(deployed.has_token)
    # New credentials start a rotation by themselves, so the first token does not wait for a tick.
    first, *_ = eventually(lambda: [line for line in deployed.logs() if line["message"] == "rotated"])
    assert (first["trigger"], first["reason"]) == ("manual", "credentials changed")
    eventually(lambda: set(alarm_states(deployed).values()) == {"OK"})
    assert deployed.dead_letters() == []
