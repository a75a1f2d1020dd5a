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
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
OK, ALARM, NO_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

# CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data": the last five data points ("X" is
# breaching, "-" is missing), DatapointsToAlarm of three EvaluationPeriods, and the state for each treatment. A state
# that is retained is that of a new alarm.
EVALUATIONS = [
    ("0-X-X", 3, (OK, OK, OK, OK)),
    ("0----", 3, (OK, OK, OK, OK)),
    ("-----", 3, (NO_DATA, NO_DATA, ALARM, OK)),
    ("0XX-X", 3, (ALARM, ALARM, ALARM, ALARM)),
    ("--X--", 3, (ALARM, NO_DATA, ALARM, OK)),
    ("----X", 3, (NO_DATA, NO_DATA, ALARM, OK)),
    ("0-X-X", 2, (ALARM, ALARM, ALARM, ALARM)),
    ("00X0X", 2, (ALARM, ALARM, ALARM, ALARM)),
    ("0-X--", 2, (OK, OK, ALARM, OK)),
    ("----0", 2, (OK, OK, ALARM, OK)),
    ("---X-", 2, (ALARM, NO_DATA, ALARM, OK)),
]


@pytest.fixture(scope="module")
def fast():
    """A local AWS whose minutes are seconds."""
    with LocalAWS(schedule_speed=SPEED) as aws:
        yield aws


class Metric:
    """A metric, and alarms on it. By default an alarm fires on a value above zero, and not on missing data."""

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
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
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
        ("Sum", "GreaterThanThreshold", 6, OK),
        ("Minimum", "LessThanThreshold", 2, ALARM),
        ("Maximum", "LessThanOrEqualToThreshold", 3, OK),
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


def test_the_least_value_of_a_long_period_ends_an_alarm_at_once(fast):
    """As for refused credentials: a 1 now and then keeps it on, and a 0 outweighs what was before it."""
    metric = Metric(fast)
    comparison = {"Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}
    alarm = metric.alarm(Statistic="Minimum", Period=1800, **comparison)
    alarm(OK)
    for value, state in ((1, ALARM), (0, OK)):
        metric.put(value)
        alarm(state)


def test_a_faster_clock_makes_values_in_seconds_as_much_greater(fast):
    """30 seconds at 60 times the speed are 30 minutes: not less than a threshold of three minutes."""
    low = {"Threshold": 180, "ComparisonOperator": "LessThanThreshold", "Statistic": "Minimum", "Period": DAY_SECONDS}
    for value, unit, state in ((30, "Seconds", OK), (30, "Count", ALARM), (2, "Seconds", ALARM)):
        metric = Metric(fast)
        metric.put(value, Unit=unit)
        metric.alarm(**low, TreatMissingData="missing")(state)


def test_an_alarm_watches_its_own_dimensions_only(fast):
    """API, PutMetricAlarm.Dimensions: "The dimensions for the metric specified in MetricName"."""
    metric = Metric(fast)
    one, two = ([{"Name": "account", "Value": value}] for value in ("one", "two"))
    alarm, *others = [metric.alarm(Dimensions=dimensions) for dimensions in (one, two, [])]
    for each in (alarm, *others):
        each(OK)
    metric.put(1, Dimensions=one)
    alarm(ALARM)
    assert [other.state() for other in others] == [OK, OK]


def test_an_alarm_on_messages_sent_ends_while_they_stay_in_the_queue(fast):
    """SQS developer guide: NumberOfMessagesSent by QueueName; a queue in use to which none are sent has zeros."""
    queues, name = fast.client("sqs"), f"letters-{uuid.uuid4().hex}"
    queue = queues.create_queue(QueueName=name)["QueueUrl"]
    metric = Metric(fast, Namespace="AWS/SQS", MetricName="NumberOfMessagesSent")
    dimensions = [{"Name": "QueueName", "Value": name}]
    alarm = metric.alarm(Statistic="Sum", Dimensions=dimensions, TreatMissingData="missing")
    alarm(OK)
    queues.send_message(QueueUrl=queue, MessageBody="dead letter")
    alarm(ALARM, OK)
    assert queues.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "dead letter"
