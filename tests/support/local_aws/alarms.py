"""CloudWatch metric alarms, evaluated as time passes.

As it comes, ministack evaluates an alarm when a metric is put, over all dimensions at once, and takes no account
of periods, DatapointsToAlarm and TreatMissingData. Here each is evaluated five times a second, over periods that slide:
the last one ends with the last complete minute. With `schedule_speed` minutes and periods are that many times shorter,
and values in seconds that many times greater: what is valid for another second is valid for a minute at 60.

The templates' alarms compare in two ways, and treat missing data in two ways; others are not known here.
"""

import argparse
import logging
import math
import operator
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.services import cloudwatch

from local_aws.metrics import lock

MINUTE_SECONDS = 60
# Less than a minute at the greatest speed that is used, because a period without an evaluation would be lost.
TICK_SECONDS = 0.2
# "The evaluation range" is longer than EvaluationPeriods, so that late or missing data points need not count; the
# tables of "Configuring how CloudWatch alarms treat missing data" have five for three.
EXTRA_PERIODS = 2
BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}

Record = dict[str, Any]


def patch(options: argparse.Namespace) -> None:
    """Evaluate by the clock and no longer on requests."""
    cloudwatch._evaluate_alarm = lambda _alarm: None
    threading.Thread(target=_evaluate_forever, args=(options.schedule_speed,), daemon=True).start()


def _evaluate_forever(speed: float) -> None:
    while True:
        time.sleep(TICK_SECONDS)
        for (account, region, _), alarm in cloudwatch._alarms.all_items():
            responses._request_account_id.set(account)
            responses._request_region.set(region)
            try:
                with lock:
                    _evaluate(alarm, speed, time.time())
            except Exception:
                # This does not concern other alarms.
                logging.exception("The alarm %s cannot be evaluated.", alarm["AlarmName"])


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


def _values(alarm: Record, speed: float, now: float) -> list[float | None]:
    """Return the statistic of each period of the evaluation range, oldest first; None where there is no data.

    CloudWatch user guide, "Alarm evaluation window": by default it is a sliding one.
    """
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    metric = alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions)
    period, minute = alarm["Period"] / speed, MINUTE_SECONDS / speed
    end = now // minute * minute
    count = alarm["EvaluationPeriods"] + EXTRA_PERIODS
    periods: list[list[Record]] = [[] for _ in range(count)]
    for point in cloudwatch._metrics.get(metric, []):
        # Counted from the end, the first one being 1. Later points are of a minute that is not over.
        number = math.ceil((end - point["Timestamp"]) / period)
        if 1 <= number <= count:
            periods[-number].append(point)
    return [_statistic(alarm, points, speed) if points else None for points in periods]


def _statistic(alarm: Record, points: list[Record], speed: float) -> float:
    value: float = cloudwatch._stat_value(cloudwatch._calc_stats(points), alarm["Statistic"], points)
    return value * speed if points[0]["Unit"] == "Seconds" else value


def state_after(alarm: Record, data_points: list[bool | None]) -> str:
    """Return the state after an evaluation range, of which each data point is breaching, is not, or is missing.

    CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data".
    """
    wanted = alarm["EvaluationPeriods"]
    present = [data_point for data_point in data_points if data_point is not None][-wanted:]
    missing = {"breaching": wanted - len(present), "notBreaching": 0}[alarm["TreatMissingData"]]
    return "ALARM" if sum(present) + missing >= (alarm.get("DatapointsToAlarm") or wanted) else "OK"
