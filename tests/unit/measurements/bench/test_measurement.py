"""The benchmarks compute what they claim: the spread, fair turns, and the end of every caller."""

import itertools

from bench.crowd import of_threads
from bench.measurement import Spread, in_turns


def test_a_spread_prints_its_median_with_both_ends_behind_it():
    assert Spread.of([5, 1, 9, 3]) == Spread(1, 4, 9)
    assert Spread(0.5, 1, 2).text(scale=1000) == "1,000 (500 to 2,000)"


def test_ratios_are_of_the_fastest_and_of_the_medians_apart():
    assert Spread(30, 60, 90).cells(Spread(10, 40, 41), scale=2) == ("60 / 120 / 180", "3.00 / 1.50")


def test_contestants_take_turns_and_every_second_round_goes_backwards():
    order, counter = [], itertools.count()

    def contestant(name):
        return lambda: (order.append(name), next(counter))[1]

    found = in_turns({"a": contestant("a"), "b": contestant("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [0, 3, 4], "b": [1, 2, 5]}


def test_a_failed_call_of_a_crowd_is_counted_and_not_lost():
    numbers = itertools.count()

    def call():
        number = next(numbers)
        if number % 3 == 2:
            raise ValueError(number)
        return number

    assert sorted(map(repr, of_threads(call, 3).results)) == ["0", "1", "ValueError(2)"]
