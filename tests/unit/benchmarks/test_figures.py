from collections import Counter

import pytest

from benchmarks.figures import Spread, interleaved, percentile, ratios, spread


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], Spread(3, 3, 3)),
        ([9.0, 1.0, 2.0], Spread(2, 1, 9)),
        ([4.0, 1.0, 2.0, 9.0], Spread(3, 1, 9)),
    ],
    ids=[
        "of one round it is that round",
        "the middle one, in any order",
        "between the two middle ones of an even number",
    ],
)
def test_a_spread_is_the_median_with_its_extremes(values: list[float], expected: Spread) -> None:
    assert spread(values) == expected


def test_no_round_has_no_median() -> None:
    with pytest.raises(ValueError, match="no round"):
        spread([])


@pytest.mark.parametrize(
    ("per_cent", "expected"),
    [(0, 1), (1, 1), (50, 50), (50.1, 51), (99, 99), (99.9, 100), (100, 100)],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(per_cent: float, expected: float) -> None:
    assert percentile([float(each) for each in range(100, 0, -1)], per_cent) == expected


def test_of_one_value_every_percentile_is_that_value() -> None:
    assert {percentile([7.0], per_cent) for per_cent in (0, 50, 99.9, 100)} == {7.0}


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)


def test_everybody_runs_once_in_each_round() -> None:
    order = interleaved("abc", 4)
    assert Counter(order) == Counter((number, each) for number in range(4) for each in "abc")
    assert [number for number, _ in order] == sorted(number for number, _ in order)


def test_each_round_begins_with_another() -> None:
    order = interleaved("abc", 3)
    firsts = ["".join(each for number, each in order if number == turn) for turn in range(3)]
    assert firsts == ["abc", "bca", "cab"]


def test_only_what_ran_in_the_same_round_is_compared() -> None:
    assert ratios({0: 10.0, 1: 30.0, 2: 5.0}, {1: 10.0, 0: 5.0, 3: 1.0}) == [2.0, 3.0]


def test_a_ratio_to_nothing_is_left_out() -> None:
    assert ratios({0: 10.0, 1: 3.0}, {0: 0.0, 1: 3.0}) == [1.0]
