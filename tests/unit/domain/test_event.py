"""What the functions are invoked with: the documented shapes are read, everything else is refused by name."""

import pytest

from rotator.domain.errors import InvalidEvent
from rotator.domain.event import RenewRequest, RotateRequest, Trigger, parse_renew_event
from rotator.domain.event import parse_rotate_event as parse_event
from talend_token.document import TokenDocument

CREDENTIALS = "talend/finance/credentials"
ARN = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{CREDENTIALS}-a1b2c3"


def parse_rotate_event(event):
    """The request of an event to a stack with one credentials secret, known by its ARN as well as by its name."""
    return parse_event(event, {CREDENTIALS: "finance", ARN: "finance", "talend/Bad/credentials": "Bad"}.get)


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


@pytest.mark.parametrize(
    ("event", "kind"), [(None, "NoneType"), ([], "list"), ("schedule", "str"), (7, "int"), (True, "bool")]
)
def test_an_event_that_is_no_object_is_refused(event, kind):
    with pytest.raises(InvalidEvent, match=f"must be a JSON object, not {kind}"):
        parse_rotate_event(event)
    with pytest.raises(InvalidEvent, match=f"must be a JSON object, not {kind}"):
        parse_renew_event(event)


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (
            {"acount": "default"},
            r"unknown members \['acount'\]. Known are \['trigger', 'account', 'dry_run', 'reason'\]",
        ),
        ({"source": "my.app"}, "source"),
        ({"source": "aws.scheduler", "dry_run": True}, "dry_run"),
        ({"source": "aws.events", "account": "acc4", "trigger": "manual"}, "trigger"),
        ({"trigger": "rejected"}, "trigger"),
        ({"trigger": "Manual"}, r"must be one of \['schedule', 'watchdog', 'manual'\]"),
        ({"trigger": None}, "trigger"),
        ({"account": 7}, "'account' must be a string, not int"),
        ({"account": ""}, "account"),
        ({"account": "Finance"}, "account"),
        ({"account": "-x"}, "account"),
        ({"account": "x" * 64}, "account"),
        ({"account": "x\n"}, "account"),
        ({"account": "../other"}, "account"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dry_run": 1}, "'dry_run' must be true or false, not int"),
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


def label_updated(name=CREDENTIALS, label="AWSCURRENT", **members):
    """The event of Secrets Manager's own."""
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


@pytest.mark.parametrize("event", [{"resources": []}, {"name": "something"}, {"name": None}, {"resources": None}])
def test_changed_credentials_force_a_rotation_of_the_account_that_they_are_of(event):
    # date -u -d 2026-11-24T02:03:01Z +%s
    wanted = RotateRequest(Trigger.MANUAL, "finance", False, "credentials changed", 1_795_485_781.0)
    assert parse_rotate_event(label_updated(**event)) == wanted


@pytest.mark.parametrize(
    ("event", "named"),
    [
        ({"label": "blue"}, "AWSCURRENT"),
        ({"label": "AWSPENDING"}, "AWSCURRENT"),
        ({"detail": None}, "Secret Label Updated"),
        ({"detail-type": "AWS API Call via CloudTrail"}, "Secret Label Updated"),
        ({"name": "talend/finance/token", "resources": []}, "no account's credentials"),
        ({"name": "talend/Bad/credentials", "resources": []}, "no account's credentials"),
        ({"resources": [7], "name": 7}, "no account's credentials"),
        ({"time": "yesterday"}, "time"),
        ({"time": None}, "time"),
        ({"dry_run": True}, "dry_run"),
    ],
)
def test_an_event_of_secrets_manager_that_is_no_change_of_credentials_is_refused(event, named):
    with pytest.raises(InvalidEvent, match=named):
        parse_rotate_event(label_updated(**event))


VERSION_ID = "78a43fc5-0c6e-4b6a-8a0b-7a2f6f2b6c11"
SHA256 = "845e30448809e2bc8958eb025bfc795235d13b077a53d0c3abbd2385170dc9b8"


@pytest.mark.parametrize(
    ("event", "request_read"),
    [
        ({"rejected_version_id": VERSION_ID}, RenewRequest("default", VERSION_ID, None)),
        ({"account": "finance", "rejected_token_sha256": SHA256}, RenewRequest("finance", None, SHA256)),
        (
            {"version": "0", "detail-type": "Talend Token Rejected", "detail": {"rejected_version_id": VERSION_ID}},
            RenewRequest("default", VERSION_ID, None),
        ),
    ],
)
def test_a_rejection_is_read_by_version_by_fingerprint_and_from_an_eventbridge_event(event, request_read):
    assert parse_renew_event(event) == request_read


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (None, "JSON object"),
        ([], "JSON object"),
        ({"detail-type": "x"}, "JSON object"),
        ({"detail-type": "x", "detail": "y"}, "JSON object"),
        ({}, "either"),
        ({"account": "default"}, "either"),
        ({"rejected_version_id": VERSION_ID, "rejected_token_sha256": SHA256}, "either"),
        ({"rejected_version_id": VERSION_ID, "trigger": "manual"}, "trigger"),
        ({"rejected_version_id": VERSION_ID, "detail-type": "x"}, "rejected_version_id"),
        ({"rejected_version_id": "short"}, "rejected_version_id"),
        ({"rejected_version_id": "x" * 31}, "rejected_version_id"),
        ({"rejected_version_id": "x" * 65}, "rejected_version_id"),
        ({"rejected_version_id": 7}, "rejected_version_id"),
        ({"rejected_token_sha256": SHA256.upper()}, "rejected_token_sha256"),
        ({"rejected_token_sha256": SHA256[1:]}, "rejected_token_sha256"),
        ({"rejected_token_sha256": None}, "rejected_token_sha256"),
        ({"rejected_version_id": VERSION_ID, "account": "Finance"}, "account"),
    ],
)
def test_a_wrong_rejection_is_refused_by_name(event, named):
    with pytest.raises(InvalidEvent, match=named):
        parse_renew_event(event)


def test_a_token_put_where_its_fingerprint_belongs_is_not_repeated():
    with pytest.raises(InvalidEvent) as caught:
        parse_renew_event({"rejected_token_sha256": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_a_rejection_is_of_the_published_token_by_its_version_or_by_its_fingerprint():
    # printf a.b.c | sha256sum
    document = TokenDocument("a.b.c", "Bearer", 0, 1800, "https://api.eu.cloud.talend.com")
    assert RenewRequest(rejected_version_id=VERSION_ID).rejects(VERSION_ID, document)
    assert not RenewRequest(rejected_version_id=VERSION_ID).rejects("another", document)
    assert RenewRequest(rejected_token_sha256=SHA256).rejects("any", document)
    assert not RenewRequest(rejected_token_sha256="0" * 64).rejects("any", document)
