"""What `rotate` is invoked with: the documented shapes are read, everything else is refused by name."""

import pytest

from rotator.errors import InvalidEvent
from rotator.event import RotateRequest, Trigger, parse_rotate_event


def test_an_empty_event_forces_a_rotation_of_the_default_account():
    assert parse_rotate_event({}) == RotateRequest(Trigger.MANUAL, "default", dry_run=False, reason=None)


@pytest.mark.parametrize("trigger", ["schedule", "watchdog", "manual"])
def test_each_trigger_is_read(trigger):
    assert parse_rotate_event({"trigger": trigger}).trigger == trigger


def test_every_member_is_read():
    event = {"trigger": "manual", "account": "finance-2", "dry_run": True, "reason": "new permissions"}
    assert parse_rotate_event(event) == RotateRequest(Trigger.MANUAL, "finance-2", True, "new permissions")


@pytest.mark.parametrize("source", ["aws.events", "aws.scheduler"])
def test_the_event_that_eventbridge_sends_of_its_own_means_schedule(source):
    event = {"version": "0", "id": "x", "source": source, "detail-type": "Scheduled Event", "detail": {}}
    assert parse_rotate_event(event) == RotateRequest(Trigger.SCHEDULE)


@pytest.mark.parametrize("event", [None, [], "schedule", 7, True])
def test_an_event_that_is_no_object_is_refused(event):
    with pytest.raises(InvalidEvent, match="JSON object"):
        parse_rotate_event(event)


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"acount": "default"}, "acount"),
        ({"source": "my.app"}, "source"),
        ({"trigger": "rejected"}, "trigger"),
        ({"trigger": "Manual"}, "trigger"),
        ({"trigger": None}, "trigger"),
        ({"account": 7}, "account"),
        ({"account": ""}, "account"),
        ({"account": "Finance"}, "account"),
        ({"account": "-x"}, "account"),
        ({"account": "x" * 64}, "account"),
        ({"account": "x\n"}, "account"),
        ({"account": "../other"}, "account"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dry_run": 1}, "dry_run"),
        ({"reason": ["x"]}, "reason"),
        ({"reason": "x" * 257}, "reason"),
    ],
)
def test_a_wrong_member_is_named(event, named):
    with pytest.raises(InvalidEvent, match=named):
        parse_rotate_event(event)


def test_the_longest_account_and_reason_are_accepted():
    request = parse_rotate_event({"account": "x" * 63, "reason": "x" * 256})
    assert (len(request.account), len(request.reason)) == (63, 256)
