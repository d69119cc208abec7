"""The arithmetic of comparisons: medians with their spread, percentiles, and rounds in which everybody takes turns."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple, TypeVar

Contender = TypeVar("Contender")

PER_CENT: Final = (50.0, 99.0, 99.9)


class Spread(NamedTuple):
    """What several rounds came to."""

    median: float
    lowest: float
    highest: float


def spread(values: Iterable[float]) -> Spread:
    """The median of some rounds, and their extremes. Raises ValueError where there are none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no round has given a figure")
    return Spread(median(ordered), ordered[0], ordered[-1])


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The smallest value that so many per cent of all do not exceed. Raises ValueError where there are none."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    rank = -(-len(ordered) * per_cent // 100)  # rounded up: the nearest rank
    return ordered[max(int(rank), 1) - 1]


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """What half, all but one in a hundred, and all but one in a thousand do not exceed, under the names of columns."""
    return {f"p{each:g} ms": percentile(milliseconds, each) for each in PER_CENT}


def interleaved(contenders: Sequence[Contender], rounds: int) -> list[tuple[int, Contender]]:
    """Who runs when: everybody once in each round, and each round begins with another.

    Whatever changes on the machine meanwhile meets all alike, and nobody always runs after the same one.
    """
    return [
        (number, contenders[(number + place) % len(contenders)])
        for number in range(rounds)
        for place in range(len(contenders))
    ]


def ratios(ours: Mapping[int, float], theirs: Mapping[int, float]) -> list[float]:
    """Our figure by theirs, round by round: only what ran side by side is compared."""
    return [ours[number] / theirs[number] for number in sorted(ours.keys() & theirs.keys()) if theirs[number]]
