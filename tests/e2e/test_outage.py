"""Outages of Talend, failed runs and a dead rotator: what the watchdog does, and which alarm fires."""

import time

from demo.deployment import without_schedules
from e2e.alarms import Alarm, Watch
from e2e.breakage import force_rotation, publish_a_short_token, token_endpoint_down
from local_aws.waiting import eventually
from talend_simulator import HtmlAnswer

# A minute is a second.
SPEED = 60
# The alarm's three minutes.
ALARM_BELOW_SECONDS = 3


def failures(deployment):
    return [line for line in deployment.logs() if line["message"] == "failed"]


def test_the_watchdog_ends_an_outage_of_two_notices(deployment):
    alarm, watch = Alarm(deployment, "TokenAlarm"), Watch(deployment)
    with without_schedules(deployment.aws, "Schedule"):
        publish_a_short_token(deployment)
        with token_endpoint_down(deployment):
            alarm.fires()
            # It goes on until the token has long expired.
            eventually(lambda: not deployment.works())
            failed = len(failures(deployment))
            eventually(lambda: len(failures(deployment)) > failed + 5)
        ended = time.time()
        eventually(deployment.works)
        alarm.ends()
    looks = [line["message"] for line in deployment.logs(since=ended) if line["trigger"] == "watchdog"]
    # A run that was at the token endpoint when the outage ended may log its failure after it.
    assert looks.index("rotated") <= 1
    assert watch.heard(2) == [("TokenAlarm", "ALARM"), ("TokenAlarm", "OK")]


def test_a_dead_rotator_is_noticed_in_time_and_a_lone_failure_is_not(deployment):
    """The watchdog's next tick repeats a failed run, so the first notice is about the rotator."""
    alarm, watch = Alarm(deployment, "TokenAlarm"), Watch(deployment)
    force_rotation(deployment)
    failed, before = len(failures(deployment)), deployment.published()["VersionId"]
    deployment.talend.faults.add(HtmlAnswer(), times=1)
    eventually(lambda: len(failures(deployment)) > failed)
    # A scheduled run may have failed long before the watchdog replaces the token.
    eventually(lambda: deployment.published()["VersionId"] != before)
    with without_schedules(deployment.aws, "Schedule", "Watchdog"):
        alarm.fires()
        assert deployment.document()["expires_at"] - alarm.since > ALARM_BELOW_SECONDS
    alarm.ends()
    assert len(failures(deployment)) == failed + 1
    assert watch.heard(2) == [("TokenAlarm", "ALARM"), ("TokenAlarm", "OK")]
