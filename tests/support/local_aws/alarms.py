"""CloudWatch metric alarms, evaluated as time passes.

As it comes, ministack evaluates an alarm when somebody puts a metric, over all dimensions at once, and takes no account
of periods, DatapointsToAlarm and TreatMissingData. Here each is evaluated five times a second, over periods that slide:
the last one ends with the last complete minute. With `schedule_speed` minutes and periods are that many times shorter,
and values in seconds that many times greater: what is valid for another second is valid for a minute at 60.
"""

import argparse
import functools
import math
import operator
import time
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch

from local_aws.metrics import MINUTE_SECONDS, in_every_scope, lock

# Less than a minute at the greatest speed that is used: a period that nobody looks at would be lost.
TICK_SECONDS = 0.2
# "The evaluation range" is longer than EvaluationPeriods, so that late or missing data points need not count; the
# tables of "Configuring how CloudWatch alarms treat missing data" have five for three.
EXTRA_PERIODS = 2
BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}

Record = dict[str, Any]


def mend(options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Evaluate by the clock and no longer on requests."""
    cloudwatch._evaluate_alarm = lambda _alarm: None
    in_every_scope(functools.partial(_evaluate_all, options.schedule_speed), cloudwatch._alarms, TICK_SECONDS)


def _evaluate_all(speed: float) -> None:
    with lock:
        for alarm in cloudwatch._alarms.values():
            # An alarm on an expression or an anomaly band is stored, and stays as it is.
            if alarm["MetricName"] and alarm["ComparisonOperator"] in BREACHES:
                _evaluate(alarm, speed, time.time())


def _evaluate(alarm: Record, speed: float, now: float) -> None:
    breaches = BREACHES[alarm["ComparisonOperator"]]
    values = _values(alarm, speed, now)
    data_points = [None if value is None else breaches(value, alarm["Threshold"]) for value in values]
    before, after = alarm["StateValue"], state_after(alarm, data_points)
    if after == before:
        return
    reason = f"Threshold Crossed: {alarm['Threshold']} {alarm['ComparisonOperator']} by data points {values}"
    alarm.update(StateValue=after, StateReason=reason, StateUpdatedTimestamp=int(now))
    cloudwatch._record_history(alarm["AlarmName"], before, after, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, after, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _values(alarm: Record, speed: float, now: float) -> list[float | None]:
    """The statistic of each period of the evaluation range, oldest first; None where there is no data.

    CloudWatch user guide, "Alarm evaluation window": by default it is a sliding one.
    """
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    metric = alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions)
    period, minute = alarm["Period"] / speed, min(alarm["Period"], MINUTE_SECONDS) / speed
    end = now // minute * minute
    count = alarm["EvaluationPeriods"] + EXTRA_PERIODS
    periods: list[list[Record]] = [[] for _ in range(count)]
    for point in cloudwatch._metrics.get(metric, []):
        # Counted from the end, the first one being 1. What comes after it is of a minute that is not over.
        number = math.ceil((end - point["Timestamp"]) / period)
        if 1 <= number <= count and alarm.get("Unit") in (None, point["Unit"]):
            periods[-number].append(point)
    return [_statistic(alarm, points, speed) if points else None for points in periods]


def _statistic(alarm: Record, points: list[Record], speed: float) -> float:
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    value: float = cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)
    return value * speed if points[0]["Unit"] == "Seconds" and statistic != "SampleCount" else value


def state_after(alarm: Record, data_points: list[bool | None]) -> str:
    """The state of an alarm after an evaluation range, of which each data point is breaching, is not, or is missing.

    CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data".
    """
    wanted = alarm["EvaluationPeriods"]
    to_alarm = alarm.get("DatapointsToAlarm") or wanted
    treatment = alarm.get("TreatMissingData") or "missing"
    present = [data_point for data_point in data_points if data_point is not None][-wanted:]
    breaching = sum(present)
    if treatment == "breaching":
        breaching += wanted - len(present)
    if breaching >= to_alarm:
        return "ALARM"
    if treatment in ("breaching", "notBreaching") or not all(present):
        return "OK"
    state: str = alarm["StateValue"]
    if treatment == "ignore":
        return state
    if not present:
        return "INSUFFICIENT_DATA"
    # Too few, all of them breaching: an alarm if "the oldest available breaching datapoint" is old enough.
    return "ALARM" if len(data_points) - data_points.index(True) >= to_alarm else state
