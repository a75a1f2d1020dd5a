"""Events of the documented shapes are parsed, and anything else is refused by name."""

from dataclasses import replace

import pytest

from rotator.domain import event as events
from rotator.domain.errors import InvalidEvent
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.settings import Settings

ENDS_AT = 1_795_472_989.5
SETTINGS = Settings("talend-token", "https://api.eu.cloud.talend.com", "rate(25 minutes)", "locks", "talend-token")
CREDENTIALS = "talend-token/finance/credentials"
ARN = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{CREDENTIALS}-a1b2c3"
VERSION_ID = "78a43fc5-0c6e-4b6a-8a0b-7a2f6f2b6c11"


def parse_rotate_event(event, settings=SETTINGS):
    return events.parse_rotate_event(event, settings, ENDS_AT)


def parse_renew_event(event):
    return events.parse_renew_event(event, ENDS_AT)


def test_an_empty_event_forces_a_rotation_of_the_default_account():
    assert parse_rotate_event({}) == Invocation(Trigger.MANUAL, ENDS_AT, "default", dry_run=False, reason=None)


@pytest.mark.parametrize("trigger", ["schedule", "watchdog", "manual"])
def test_every_member_is_read(trigger):
    event = {"trigger": trigger, "account": "x" * 63, "dry_run": True, "reason": "x" * 256}
    assert parse_rotate_event(event) == Invocation(Trigger(trigger), ENDS_AT, "x" * 63, True, "x" * 256)


@pytest.mark.parametrize("source", ["aws.events", "aws.scheduler"])
@pytest.mark.parametrize("added", [{}, {"replay-name": "again"}, {"a-new-member": {}}])
def test_eventbridges_own_event_means_schedule(source, added):
    """AWS may add members to its envelope, such as the name of a replay."""
    event = {"version": "0", "id": "x", "source": source, "detail-type": "Scheduled Event", "detail": {}}
    assert parse_rotate_event(event | added) == Invocation(Trigger.SCHEDULE, ENDS_AT)


@pytest.mark.parametrize(
    ("event", "kind"), [(None, "NoneType"), ([], "list"), ("schedule", "str"), (7, "int"), (True, "bool")]
)
def test_an_event_that_is_not_an_object_is_refused(event, kind):
    with pytest.raises(InvalidEvent, match=f"must be a JSON object, not {kind}"):
        parse_rotate_event(event)
    with pytest.raises(InvalidEvent, match=f"must be a JSON object, not {kind}"):
        parse_renew_event(event)


def label_updated(name=CREDENTIALS, label="AWSCURRENT", **members):
    """Return an event as Secrets Manager sends it."""
    return {
        "version": "0",
        "id": "e5e72c25-8a57-4c5b-b6a0-4a6a5a3a7a34",
        "detail-type": "Secret Label Updated",
        "source": "aws.secretsmanager",
        "account": "123456789012",
        "time": "2026-11-24T02:03:01Z",
        "region": "eu-west-1",
        "resources": [ARN],
        "detail": {"name": name, "labelUpdated": label, "versionId": VERSION_ID},
    } | members


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (
            {"acount": "default"},
            r"\['acount'\]. The known members are \['trigger', 'account', 'dry_run', 'reason'\]",
        ),
        ({"source": "my.app"}, "source"),
        ({"trigger": "rejected"}, "trigger"),
        ({"trigger": "Manual"}, r"must be one of \['schedule', 'watchdog', 'manual'\]"),
        ({"trigger": None}, "trigger"),
        ({"account": 7}, "'account' must be a string, not int"),
        *(({"account": account}, "account") for account in ("", "Finance", "-x", "x" * 64, "x\n", "../other")),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dry_run": 1}, "'dry_run' must be true or false, not int"),
        ({"reason": ["x"]}, "reason"),
        ({"reason": "x" * 257}, "reason"),
        (label_updated(label="blue"), "AWSCURRENT"),
        (label_updated(label="AWSPENDING"), "AWSCURRENT"),
        (label_updated(detail=None), "Secret Label Updated"),
        (label_updated() | {"detail-type": "AWS API Call via CloudTrail"}, "Secret Label Updated"),
        (label_updated(time="yesterday"), "time"),
        (label_updated(time=None), "time"),
    ],
)
def test_a_wrong_event_is_refused_by_the_name_of_a_member(event, named):
    with pytest.raises(InvalidEvent, match=named):
        parse_rotate_event(event)


@pytest.mark.parametrize("event", [{}, {"resources": []}, {"replay-name": "again"}, {"new": 1}])
def test_changed_credentials_force_a_rotation_of_their_account(event):
    # date -u -d 2026-11-24T02:03:01Z +%s
    changed = Invocation(Trigger.MANUAL, ENDS_AT, "finance", False, "credentials changed", 1_795_485_781.0)
    assert parse_rotate_event(label_updated(**event)) == changed


def test_changed_credentials_may_be_those_that_the_stack_names():
    settings = replace(SETTINGS, default_credentials_secret=ARN)
    assert parse_rotate_event(label_updated(name=None), settings).account == "default"


@pytest.mark.parametrize("name", ["talend-token/Bad/credentials", "talend-token/other/app/credentials", "something", 7])
def test_secrets_of_other_owners_are_not_an_account(name):
    assert parse_rotate_event(label_updated(name=name)).account == ""


@pytest.mark.parametrize("added", [{}, {"replay-name": "again"}])
def test_a_rejection_is_read_also_from_an_eventbridge_event(added):
    rejection = {"account": "finance", "rejected_version_id": VERSION_ID}
    expected = Invocation(Trigger.REJECTED, ENDS_AT, "finance", rejected_version_id=VERSION_ID)
    assert parse_renew_event(rejection) == expected
    assert parse_renew_event({"version": "0", "detail-type": "x", "detail": rejection} | added) == expected
    assert parse_renew_event({"rejected_version_id": VERSION_ID}).account == "default"


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"detail-type": "x"}, "JSON object"),
        ({"detail-type": "x", "detail": "y"}, "JSON object"),
        ({}, "rejected_version_id"),
        ({"rejected_version_id": VERSION_ID, "rejected_token": "x"}, "rejected_token"),
        ({"rejected_version_id": VERSION_ID, "trigger": "manual"}, "trigger"),
        ({"rejected_version_id": VERSION_ID, "detail-type": "x"}, "JSON object"),
        ({"rejected_version_id": "x" * 31}, "rejected_version_id"),
        ({"rejected_version_id": "x" * 65}, "rejected_version_id"),
        ({"rejected_version_id": 7}, "rejected_version_id"),
        ({"rejected_version_id": VERSION_ID, "account": "Finance"}, "account"),
    ],
)
def test_a_wrong_rejection_is_refused_by_name(event, named):
    with pytest.raises(InvalidEvent, match=named):
        parse_renew_event(event)


def test_a_token_in_the_place_of_its_version_is_not_repeated():
    with pytest.raises(InvalidEvent) as caught:
        parse_renew_event({"rejected_version_id": "hunter2"})
    assert "hunter2" not in str(caught.value)
