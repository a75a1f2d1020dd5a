"""The benchmark's own arithmetic."""

import itertools
import threading

from bench.crowd import of_threads
from bench.measurement import Spread, Table, in_turns


def test_a_spread_is_the_fastest_the_median_and_the_slowest():
    assert Spread.of([5, 1, 9, 3]) == Spread(1, 4, 9)


def test_a_spread_prints_its_median_with_both_ends_behind_it():
    assert Spread(0.5, 1, 2).text(scale=1000) == "1,000 (500 to 2,000)"


def test_a_spread_of_equal_values_prints_one_of_them():
    assert Spread(2, 2, 2).text(digits=1) == "2.0"


def test_ratios_are_of_the_fastest_and_of_the_medians_apart():
    assert Spread(30, 60, 90).cells(Spread(10, 40, 41), scale=2) == ("60 / 120 / 180", "3.00 / 1.50")


def test_a_large_ratio_has_no_decimals():
    assert Spread(12_345, 100, 100).cells(Spread(10, 10, 10), scale=1)[1] == "1,234 / 10"


def test_contestants_take_turns_and_every_second_round_goes_backwards():
    order = []
    counter = itertools.count()

    def contestant(name):
        def measure():
            order.append(name)
            return next(counter)

        return measure

    found = in_turns({"a": contestant("a"), "b": contestant("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [0, 3, 4], "b": [1, 2, 5]}


def test_a_table_is_markdown_with_its_columns_in_line():
    table = Table("Title", ["", "ms"], [["ours", "1"], ["floor", "10"]], "How to read it.")
    assert table.markdown() == (
        "## Title\n\nHow to read it.\n\n|       | ms |\n|-------|----|\n| ours  | 1  |\n| floor | 10 |\n"
    )


def test_a_crowd_of_threads_reports_how_every_call_ended():
    numbers = itertools.count()

    def call():
        number = next(numbers)
        if number == 2:
            raise ValueError(number)
        return number

    results = of_threads(call, 5).results
    assert sorted(map(repr, results)) == ["0", "1", "3", "4", "ValueError(2)"]


def test_a_crowd_of_threads_is_there_before_the_first_call_is_made():
    meeting = threading.Barrier(20)
    assert len(of_threads(lambda: meeting.wait(timeout=30), 20).results) == 20
    assert not meeting.broken
