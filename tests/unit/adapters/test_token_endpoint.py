"""Another attempt is delayed with equal jitter, and at least for as long as the server requests."""

import time

import pytest

from rotator.adapters.token_endpoint import delay_seconds

NOW = 1_795_472_989.0


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 0.25, 0.5), (2, 0.5, 1), (3, 1, 2)])
def test_the_delay_doubles_and_half_of_it_is_chance(attempt, least, most):
    assert delay_seconds(attempt, None, NOW, 0) == least
    assert delay_seconds(attempt, None, NOW, 1) == most


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("0", 0.25),
        ("Mon, 23 Nov 2020 22:30:00 GMT", 0.25),
        ("Mon, 23 Nov 2026 17:30:00 -0500", 11),
        ("9" * 9, 999_999_999),
        ("9" * 400, float("inf")),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", 0.25),
        ("-7", 0.25),
        ("soon", 0.25),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0.25),
        ("", 0.25),
    ],
)
def test_retry_after_is_honoured_in_both_forms(retry_after, delay):
    assert delay_seconds(1, retry_after, 1_795_473_000.0 - 11, 0) == delay


@pytest.fixture
def far_from_greenwich(monkeypatch):
    """Run in a time zone that is five hours from UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "EST+5")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_greenwich")
@pytest.mark.parametrize("zone", ["", " GMT", " -0000", " +0000"])
def test_a_date_is_by_greenwich_wherever_the_function_runs(zone):
    assert delay_seconds(1, f"Mon, 23 Nov 2026 22:30:00{zone}", 1_795_473_000.0 - 11, 0) == 11
