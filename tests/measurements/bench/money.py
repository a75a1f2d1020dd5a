"""What the accounts cost a month, what a consumer's call costs, and which limit of AWS is met first.

Arithmetic, without a measurement, from price lists and quota pages of AWS (us-east-1, free tiers left out): nothing is
timed here but what `RUN_SECONDS` assumes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench.measurement import Table

DAYS = 30
SECONDS = DAYS * 86_400
ACCOUNTS = (1, 100, 10_000, 100_000)
# A month of one account: the watchdog looks each minute, the schedule fires every 25.
LOOKS, ROTATIONS = DAYS * 1440, DAYS * 1440 // 25
RUNS = LOOKS + ROTATIONS
# Of a rotation, in Secrets Manager: two reads and two writes. A look is one read.
ROTATION_READS = ROTATION_WRITES = 2
READS, WRITES = LOOKS + ROTATIONS * ROTATION_READS, ROTATIONS * ROTATION_WRITES
SECRETS, SCHEDULES, ALARMS, SHARED_ALARMS = 2, 2, 3, 3
# A metric is billed by the hours in which it is written. One is written each minute; the others are written only when
# they have something to say: in so many hours of a month, which is a bad one.
STEADY_METRICS, RARE_METRICS, RARE_HOURS = 1, 5, 24
METRICS = STEADY_METRICS + RARE_METRICS * RARE_HOURS / (DAYS * 24)
MEMORY_GB, RUN_SECONDS, LOG_BYTES = 0.25, 0.05, 1_370

SECRET_USD, SECRETS_CALL_USD = 0.40, 0.05 / 10_000
ALARM_USD, DASHBOARD_USD = 0.10, 3.00
INVOCATION_USD, GB_SECOND_USD = 0.20 / 1e6, 0.0000133334
SCHEDULE_USD, LOCK_WRITE_USD, LOG_GB_USD = 1.00 / 1e6, 0.625 / 1e6, 0.50
# Metrics by tiers: how many of all accounts' together at which price.
METRIC_TIERS = ((10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (math.inf, 0.02))

# A consumer's processes, each of which has a token of its own; and how long a token call is waited for, of which
# nothing is promised anywhere.
PROCESSES, TOKEN_CALL_SECONDS = 10, 0.3
# A client that looks for a token's successor before it is there looks once more.
READS_A_TOKEN = 2
CALLS = (10_000, 1_000_000, 100_000_000)


def metrics_usd(count: float) -> float:
    """A month of so many custom metrics."""
    usd = 0.0
    for most, price in METRIC_TIERS:
        usd += min(count, most) * price
        count -= min(count, most)
    return usd


def lambda_usd(seconds: float) -> float:
    """A function's time, at the memory of ours."""
    return seconds * MEMORY_GB * GB_SECOND_USD


def items(accounts: int = 1) -> dict[str, float]:
    """USD a month of so many accounts, without what all share."""
    each = {
        "secrets": SECRETS * SECRET_USD,
        "Secrets Manager's calls": (READS + WRITES) * SECRETS_CALL_USD,
        "metrics": metrics_usd(METRICS * accounts) / accounts,
        "alarms": ALARMS * ALARM_USD,
        "invocations": RUNS * INVOCATION_USD + lambda_usd(RUNS * RUN_SECONDS),
        "schedules": RUNS * SCHEDULE_USD,
        "logs": RUNS * LOG_BYTES / 1e9 * LOG_GB_USD,
        "lock table": ROTATIONS * 2 * LOCK_WRITE_USD,
    }
    return {name: accounts * usd for name, usd in each.items()}


@dataclass(frozen=True)
class Limit:
    """A quota, and what so many accounts take of it."""

    name: str
    taken: Callable[[int], float]
    quota: int
    note: str = ""

    def met_at(self) -> float:
        """The number of accounts that takes all of it; what is taken grows in a straight line."""
        each = self.taken(2) - self.taken(1)
        return (self.quota - (self.taken(1) - each)) / each


LIMITS = (
    Limit("writes of Secrets Manager a second, on average", lambda n: n * WRITES / SECONDS, 50, "cannot be raised"),
    Limit("reads of Secrets Manager a second", lambda n: n * READS / SECONDS, 10_000),
    Limit("secrets", lambda n: SECRETS * n, 500_000),
    Limit("schedules", lambda n: SCHEDULES * n, 10_000_000),
    Limit("schedules fired a second", lambda n: n * RUNS / SECONDS, 1_000),
    Limit("functions running at once, at 50 ms", lambda n: n * RUNS * RUN_SECONDS / SECONDS, 1_000),
    Limit("alarms", lambda n: ALARMS * n + SHARED_ALARMS, 5_000),
    Limit("CloudFormation stacks", lambda n: 2 * n + 1, 2_000),
    Limit("managed policies", lambda n: n + 1, 1_500),
)


@dataclass(frozen=True)
class Habit:
    """How a consumer comes by its token, by the number of its calls a month."""

    name: str
    usd: Callable[[int], float]
    """On top of its calls themselves."""
    token_calls: Callable[[int], float]


def _rotator_usd() -> float:
    return sum(items().values())


HABITS = (
    Habit(
        "our client: two reads a token and process, and the rotator",
        lambda calls: _rotator_usd() + min(calls, PROCESSES * ROTATIONS * READS_A_TOKEN) * SECRETS_CALL_USD,
        lambda _: ROTATIONS,
    ),
    Habit(
        "reads the secret on each call, and the rotator",
        lambda calls: _rotator_usd() + calls * SECRETS_CALL_USD,
        lambda _: ROTATIONS,
    ),
    Habit(
        "requests a token on each call",
        lambda calls: SECRET_USD + PROCESSES * SECRETS_CALL_USD + lambda_usd(calls * TOKEN_CALL_SECONDS),
        float,
    ),
    Habit(
        "requests its own tokens, and keeps each in its process",
        lambda calls: (
            SECRET_USD
            + PROCESSES * SECRETS_CALL_USD
            + lambda_usd(min(calls, PROCESSES * ROTATIONS) * TOKEN_CALL_SECONDS)
        ),
        lambda calls: min(calls, PROCESSES * ROTATIONS),
    ),
)


def run(quick: bool) -> list[Table]:  # noqa: ARG001 (arithmetic is always quick)
    """The tables."""
    costs = [items(count) for count in ACCOUNTS]
    rows = [(name, *(_usd(cost[name]) for cost in costs)) for name in costs[0]]
    rows.append(("**together**", *(f"**{_usd(sum(cost.values()))}**" for cost in costs)))
    rows.append(("of each account", *(f"{sum(c.values()) / n:.2f}" for c, n in zip(costs, ACCOUNTS, strict=True))))
    counts = [f"{count:,}" for count in ACCOUNTS]
    return [
        Table("USD a month, by the number of accounts", ["", *counts], rows, MONEY_NOTES),
        Table("USD and token calls a month of one consumer", *_habits(), notes=HABIT_NOTES),
        Table("Which limit of AWS is met first", *_limits(counts), notes=LIMIT_NOTES),
    ]


def _habits() -> tuple[list[str], list[list[str]]]:
    header = [""]
    for calls in CALLS:
        header += [f"{calls:,} calls: USD", "USD a million calls", "token calls"]
    rows = []
    for habit in HABITS:
        row = [habit.name]
        for calls in CALLS:
            usd = habit.usd(calls)
            row += [f"{usd:,.2f}", f"{1e6 * usd / calls:,.2f}", f"{habit.token_calls(calls):,.0f}"]
        rows.append(row)
    return header, rows


def _limits(counts: list[str]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for limit in sorted(LIMITS, key=Limit.met_at):
        taken = [limit.taken(count) for count in ACCOUNTS]
        marked = [f"**{amount(value)}**" if value > limit.quota else amount(value) for value in taken]
        quota = f"{limit.quota:,}" + (f", {limit.note}" if limit.note else "")
        rows.append([limit.name, *marked, quota, f"{limit.met_at():,.0f}"])
    return ["", *counts, "default quota", "met at accounts"], rows


def amount(value: float) -> str:
    """With two digits that count, at the least."""
    if value >= 10 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{1 - math.floor(math.log10(value))}f}"


def _usd(value: float) -> str:
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


MONEY_NOTES = (
    f"Arithmetic from price lists (us-east-1, {DAYS} days, no free tier), for {LOOKS:,} checks of the watchdog and "
    f"{ROTATIONS:,} rotations an account: {READS + WRITES:,} calls of Secrets Manager, {RUNS:,} invocations of "
    f"{RUN_SECONDS * 1e3:.0f} ms at 256 MB on arm64 (an assumption, because most are one read; 200 ms would cost "
    f"0.02 more) and {LOG_BYTES:,} bytes of log each. {STEADY_METRICS} metric is written each minute, "
    f"{RARE_METRICS} more in {RARE_HOURS} hours of the month; all cost less beyond the first 10,000. All accounts "
    f"share {SHARED_ALARMS} alarms ({SHARED_ALARMS * ALARM_USD:.2f}) and a dashboard ({DASHBOARD_USD:.2f} beyond "
    "the first three). Your own KMS keys, a VPC's endpoints and support plans are not included."
)
HABIT_NOTES = (
    f"One consumer of one account, in {PROCESSES} processes that run all month, with a token of 30 minutes for "
    "every 25. Requesting tokens costs next to nothing on AWS. Its price is the number of token calls, "
    f"credentials in every consumer, and waiting ({TOKEN_CALL_SECONDS * 1e3:.0f} ms for a token call, an "
    "assumption, in a function of 256 MB). The rotator is for consumers that share an account, and for what a "
    "cache of one's own lacks. A single consumer with few calls is cheaper without it."
)
LIMIT_NOTES = (
    "Resources that a number of accounts takes, in the order in which the default quotas are reached; values over "
    "the quota are bold. These are averages: accounts that tick together take more at that moment. The quotas of "
    "stacks, alarms and policies can be raised, or several accounts can share one template."
)
