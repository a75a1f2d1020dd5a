"""Schedules that leave gaps, or fire too late for a token's validity, are reported with the fix."""

import pytest

from rotator.domain.schedule import interval_seconds, schedule_problem


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("rate(25 minutes)", 1500),
        ("rate(1 minute)", 60),
        ("rate(2 hours)", 7200),
        ("rate(1 day)", 86_400),
        ("cron(0/25 * * * ? *)", 1200),
        ("rate(x)", 1200),
    ],
)
def test_the_schedules_interval_is_read_from_its_expression(expression, seconds):
    assert interval_seconds(expression) == seconds


@pytest.mark.parametrize(
    ("expression", "life", "advisory", "problem"),
    [
        ("cron(0/25 * * * ? *)", 1800, 300, "unequal gaps of 25, 25, 10 minutes. Use rate() with at most 25 minutes"),
        # A step begins anew with each hour.
        ("cron(5/25 * * * ? *)", 1800, 300, "unequal gaps of 25, 25, 10 minutes"),
        ("cron(0/40 * * * ? *)", 1800, 300, "unequal gaps of 40, 20 minutes"),
        ("cron(*/59 * * * ? *)", 1800, 300, "unequal gaps of 59, 1 minutes"),
        ("cron(59/1 * * * ? *)", 1800, 300, "too rare"),
        ("cron(0/30 * * * ? *)", 1800, 300, "for tokens that are valid for 1800 s. Use rate() with at most 25 minutes"),
        ("cron(30/30 * * * ? *)", 1800, 300, "too rare"),
        ("rate(26 minutes)", 1800, 300, "too rare for tokens that are valid for 1800 s"),
        ("rate(1 hour)", 1800, 300, "too rare"),
        ("cron(0/20 * * * ? *)", 1439, 240, "too rare"),
        ("rate(25 minutes)", 600, 100, "at most 8 minutes"),
        # A schedule cannot fire more often than once a minute.
        ("rate(2 minutes)", 72, 12, "at most 1 minutes"),
        ("rate(1 minute)", 20, 3, "Ask Talend for tokens that are valid for longer"),
        # These are often enough.
        ("rate(25 minutes)", 1800, 300, None),
        ("cron(0,24,48 * * * ? *)", 1800, 300, None),
        ("cron(0/20 * * * ? *)", 1440, 240, None),
        ("rate(1 minute)", 72, 12, None),
        ("cron(*/20 * * * ? *)", 1800, 300, None),
        # These are no steps.
        ("cron(0 * * * ? *)", 1800, 300, None),
        ("cron(0/0 * * * ? *)", 1800, 300, None),
        ("cron(60/5 * * * ? *)", 1800, 300, None),
    ],
)
def test_a_schedules_problem_is_reported_with_the_fix(expression, life, advisory, problem):
    reported = schedule_problem(expression, life, advisory)
    if problem is None:
        assert reported is None
        return
    assert reported.startswith(expression)
    assert problem in reported
