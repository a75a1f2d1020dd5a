"""The benchmarks compute what they claim: the spread, fair turns, and the end of every caller."""

import itertools

from bench.measurement import Spread, at_once, in_turns


def test_a_spread_prints_its_median_with_both_ends_behind_it():
    assert Spread.of([5, 1, 9, 3]) == Spread(1, 4, 9)
    assert Spread(500, 1000, 2000).text() == "1,000 (500 to 2,000)"


def test_ratios_are_of_the_fastest_and_of_the_medians_apart():
    assert Spread(30, 60, 90).cells(Spread(10, 40, 41), scale=2) == ("60 / 120 / 180", "3.00 / 1.50")


def test_contestants_take_turns_and_every_second_round_goes_backwards():
    order = []
    found = in_turns({name: lambda name=name: order.append(name) or len(order) for name in "ab"}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_a_failed_call_of_a_herd_is_counted_and_not_lost():
    numbers = itertools.count()

    def call():
        number = next(numbers)
        if number % 3 == 2:
            raise ValueError(number)
        return number

    results, _ = at_once(call, 3)
    assert sorted(map(repr, results)) == ["0", "1", "ValueError(2)"]
