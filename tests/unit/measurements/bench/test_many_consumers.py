"""The arithmetic of many consumers' times."""

from bench.crowd import at_a_moment
from bench.measurement import percentiles


def test_half_and_99_percent_are_those_of_all_consumers():
    assert percentiles([number / 100 for number in range(1, 102)]) == ("0.51", "1.00")


def test_fewer_than_a_hundred_do_not_tell_the_99th_percentile():
    assert percentiles([1.0, 3.0]) == ("2.00", "")


def test_of_none_there_is_nothing_to_tell():
    assert percentiles([]) == ("", "")


def test_each_consumers_end_is_told_a_failure_by_its_name():
    def fails():
        raise TimeoutError

    ends = at_a_moment(0, [lambda: 200, lambda: 401, fails])
    assert sorted(str(end) for _, end in ends) == ["200", "401", "TimeoutError"]
    assert all(seconds > 0 for seconds, _ in ends)
