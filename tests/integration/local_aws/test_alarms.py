"""CloudWatch alarms of the local AWS: evaluated by the clock, which a faster schedule speeds up."""

import datetime
import uuid

import pytest

from local_aws import LocalAWS
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

DAY = datetime.timedelta(days=1)
DAY_SECONDS = 24 * 60 * 60
# A period of a minute is a second.
SPEED = 60
TREATMENTS = ("breaching", "notBreaching")
OK, ALARM = "OK", "ALARM"

# CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data": the last five data points ("X" is
# breaching, "-" is missing), DatapointsToAlarm of three EvaluationPeriods, and the state for each treatment.
EVALUATIONS = [
    ("0-X-X", 3, (OK, OK)),
    ("0----", 3, (OK, OK)),
    ("-----", 3, (ALARM, OK)),
    ("0XX-X", 3, (ALARM, ALARM)),
    ("--X--", 3, (ALARM, OK)),
    ("----X", 3, (ALARM, OK)),
    ("0-X-X", 2, (ALARM, ALARM)),
    ("00X0X", 2, (ALARM, ALARM)),
    ("0-X--", 2, (ALARM, OK)),
    ("----0", 2, (ALARM, OK)),
    ("---X-", 2, (ALARM, OK)),
]


@pytest.fixture(scope="module")
def fast():
    """A local AWS whose minutes are seconds."""
    with LocalAWS(schedule_speed=SPEED) as aws:
        yield aws


class Metric:
    """A metric, and alarms on it. By default an alarm fires on a value of 1 or more, and not on missing data."""

    def __init__(self, aws, **members):
        self._client = aws.client("cloudwatch")
        self._metric = {"Namespace": f"Probe/{uuid.uuid4().hex}", "MetricName": "Failed"} | members

    def put(self, value, **members):
        """Put a value."""
        namespace, metric = self._metric["Namespace"], self._metric["MetricName"]
        data = {"MetricName": metric, "Value": value} | members
        self._client.put_metric_data(Namespace=namespace, MetricData=[data])

    def alarm(self, **settings):
        """Create an alarm and return a function that waits until it has a state."""
        name = f"alarm-{uuid.uuid4().hex}"
        defaults = {
            "AlarmName": name,
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
        }
        self._client.put_metric_alarm(**defaults | self._metric | settings)

        def state():
            return self._client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]

        def reaches(*states):
            for wanted in states:
                eventually(lambda wanted=wanted: state() == wanted)

        reaches.state = state
        return reaches


def half_a_day_ago():
    """Return a time in the middle of the last period of a day."""
    return datetime.datetime.now(datetime.UTC) - DAY / 2


def test_missing_data_is_treated_as_the_alarm_says(local_aws):
    """User guide, "Configuring how CloudWatch alarms treat missing data": both tables."""
    alarms = []
    for points, to_alarm, _ in EVALUATIONS:
        metric = Metric(local_aws)
        for days, point in enumerate(reversed(points)):
            if point != "-":
                metric.put(float(point == "X"), Timestamp=half_a_day_ago() - days * DAY)
        settings = {"Period": DAY_SECONDS, "EvaluationPeriods": 3, "DatapointsToAlarm": to_alarm}
        alarms.append([metric.alarm(**settings, TreatMissingData=treatment) for treatment in TREATMENTS])
    # All are evaluated together, so that the last one has its state when the others have theirs.
    Metric(local_aws).alarm(TreatMissingData="breaching")(ALARM)
    found = [tuple(alarm.state() for alarm in row) for row in alarms]
    assert found == [expected for *_, expected in EVALUATIONS]


@pytest.mark.parametrize(
    ("statistic", "comparison", "threshold", "state"),
    [
        ("Sum", "GreaterThanOrEqualToThreshold", 6, ALARM),
        ("Sum", "GreaterThanOrEqualToThreshold", 7, OK),
        ("Minimum", "LessThanThreshold", 2, ALARM),
        ("Minimum", "LessThanThreshold", 1, OK),
    ],
)
def test_an_alarm_compares_its_statistic(local_aws, statistic, comparison, threshold, state):
    """API, PutMetricAlarm: Statistic, ComparisonOperator and Threshold. A minute that is not over does not count."""
    metric = Metric(local_aws)
    for value in (1, 5):
        metric.put(value, Timestamp=half_a_day_ago())
    metric.put(100, Timestamp=datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1))
    settings = {"Statistic": statistic, "ComparisonOperator": comparison, "Threshold": threshold}
    metric.alarm(Period=DAY_SECONDS, **settings)(state)


def test_a_period_slides_with_each_minute(fast):
    """User guide, "Alarm evaluation window": a sliding one "detects breaches as soon as" they are there."""
    metric = Metric(fast)
    alarm = metric.alarm(Period=DAY_SECONDS // 24)
    alarm(OK)
    metric.put(1)
    # A period is a minute here: waiting for the end of one that is aligned to the clock would take longer than this.
    alarm(ALARM)
    # For the length of a period it stays on.
    metric.alarm()(OK)
    assert alarm.state() == ALARM
