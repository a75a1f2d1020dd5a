"""Schedules that leave gaps, or come too late for a token's life, are called out with the fix."""

import pytest

from rotator.domain.schedule import gaps_minutes, interval_seconds, schedule_problem


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
    ("expression", "gaps"),
    [
        ("cron(0/25 * * * ? *)", [25, 25, 10]),
        ("cron(5/25 * * * ? *)", [25, 25, 10]),
        ("cron(*/20 * * * ? *)", [20, 20, 20]),
        ("cron(0/40 * * * ? *)", [40, 20]),
        ("cron(*/59 * * * ? *)", [59, 1]),
        ("cron(59/1 * * * ? *)", [60]),
        ("cron(0 * * * ? *)", []),
        ("cron(0/0 * * * ? *)", []),
        ("cron(60/5 * * * ? *)", []),
        ("rate(25 minutes)", []),
    ],
)
def test_a_step_begins_anew_with_each_hour(expression, gaps):
    assert gaps_minutes(expression) == gaps


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (
            "cron(0/25 * * * ? *)",
            "leaves unequal gaps of 25, 25, 10 minutes. Use rate() with at most 25 min",
        ),
        (
            "cron(0/30 * * * ? *)",
            "too rare for tokens that are valid for 1800 s. Use rate() with at most 25 minutes",
        ),
        ("rate(26 minutes)", "too rare for tokens that are valid for 1800 s"),
        ("rate(1 hour)", "too rare"),
        ("cron(30/30 * * * ? *)", "too rare"),
    ],
)
def test_a_schedules_problem_is_reported_with_the_fix(expression, problem):
    said = schedule_problem(expression, 1800, 300)
    assert said.startswith(expression)
    assert problem in said


@pytest.mark.parametrize("expression", ["rate(25 minutes)", "cron(0/20 * * * ? *)", "cron(0,24,48 * * * ? *)"])
def test_a_schedule_that_is_often_enough_has_no_problem(expression):
    assert schedule_problem(expression, 1800, 300) is None


def test_the_longest_interval_depends_on_the_tokens_validity():
    assert schedule_problem("rate(25 minutes)", 3600, 300) is None
    assert schedule_problem("cron(0/20 * * * ? *)", 1440, 240) is None
    assert "too rare" in schedule_problem("cron(0/20 * * * ? *)", 1439, 240)
    assert "10 minutes" not in schedule_problem("rate(25 minutes)", 600, 100)
    assert "at most 8 minutes" in schedule_problem("rate(25 minutes)", 600, 100)


def test_once_a_minute_is_the_most_often_that_a_schedule_can_be():
    assert schedule_problem("rate(1 minute)", 72, 12) is None
    assert "at most 1 minutes" in schedule_problem("rate(2 minutes)", 72, 12)


def test_a_validity_that_is_too_short_for_any_schedule_is_reported():
    assert "Ask Talend for tokens that are valid for longer" in schedule_problem("rate(1 minute)", 20, 3)
