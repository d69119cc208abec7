"""The rates at which real accounts roll from month to month, read from `roll_rates.yaml`, which says what they are."""

from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

from shared.data_files import Form, read

FILE: Final = Path(__file__).with_name("roll_rates.yaml")

OVERDUE: Final = "012345"
PAID_OFF, NOTHING_DUE = "C", "X"


class _File(Form, frozen=True):
    to: list[str]
    rolls: dict[str, list[int]]
    standing: dict[str, int]


class RollRates(NamedTuple):
    """Counts by status and next status, and of all that stand in a status."""

    counts: Mapping[str, Mapping[str, int]]
    standing: Mapping[str, int]

    def rate(self, status: str, after: str) -> float:
        """The share of a status that has the other one a month later."""
        row = self.counts[status]
        return row[after] / sum(row.values())


@lru_cache(maxsize=1)
def rates() -> RollRates:
    """The rates of the file. Raises WrongDataError."""
    content = read(FILE, _File)
    counts = {status: dict(zip(content.to, row, strict=True)) for status, row in content.rolls.items()}
    return RollRates(counts, content.standing)


class Ladder(NamedTuple):
    """The statuses to which one may lead, each with the end of its share; the last end is the whole."""

    ends: tuple[int, ...]
    statuses: tuple[str, ...]

    def at(self, drawn: int) -> str:
        """The status into whose share a number from 0 to the whole falls."""
        return self.statuses[bisect_right(self.ends, drawn)]


@lru_cache(maxsize=1)
def ladders() -> Mapping[str, Ladder]:
    """For each status, what a debtor may do: in a month one more instalment is missed, never two.

    The panel's few jumps over a status (under 1 % of any) are counted as the roll to the next one.
    """
    return {status: _ladder(status, row) for status, row in rates().counts.items()}


def _ladder(status: str, row: Mapping[str, int]) -> Ladder:
    worst = OVERDUE.find(status) + 1  # of X, which is no overdue status, it is 0
    weights = {after: count for after, count in row.items() if after not in OVERDUE[worst + 1 :]}
    if status != OVERDUE[-1]:
        weights[OVERDUE[worst]] += sum(row[after] for after in OVERDUE[worst + 1 :])
    return Ladder(tuple(accumulate(weights.values())), tuple(weights))
