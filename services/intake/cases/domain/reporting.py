"""Reporting buckets: ranges of days past due, by a scheme per portfolio. Data, checked when it is built."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

CURRENT = "current"
CLOSED = "closed"
"""What stands in a bucket's place where nothing is past due, and where the loan has ended."""


class SchemeError(ValueError):
    """A reporting scheme contradicts itself; the text is one line for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Range:
    """A bucket: the days past due from `first` to `last`, both included; no `last` means without end."""

    label: str
    first: int
    last: int | None = None

    def __str__(self) -> str:
        """Its label with its days, as the messages show it."""
        return f"{self.label} ({self.first}-{'' if self.last is None else self.last})"


@dataclass(frozen=True, slots=True)
class Scheme:
    """Ranges that hold every number of days from 1 on exactly once."""

    name: str
    ranges: tuple[Range, ...]
    firsts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Check the ranges. Raises SchemeError."""
        _check(self.name, self.ranges)
        object.__setattr__(self, "firsts", tuple(each.first for each in self.ranges))

    def bucket(self, days: int) -> str:
        """The label for a number of days past due; "current" below 1."""
        position = bisect_right(self.firsts, days)
        return self.ranges[position - 1].label if position else CURRENT

    def next_change(self, oldest_due_on: date, on: date) -> date | None:
        """The first date after `on` with another bucket, for a loan whose oldest unpaid due date is this one."""
        position = bisect_right(self.firsts, (on - oldest_due_on).days)
        return oldest_due_on + timedelta(days=self.firsts[position]) if position < len(self.firsts) else None


def _check(name: str, ranges: Sequence[Range]) -> None:
    if not ranges:
        raise SchemeError(f"scheme {name}: has no ranges")
    if len({each.label for each in ranges} | {CURRENT, CLOSED}) != len(ranges) + 2:
        raise SchemeError(f"scheme {name}: every range needs a label of its own, other than {CURRENT} and {CLOSED}")
    if ranges[0].first != 1:
        raise SchemeError(f"scheme {name}: range {ranges[0]} must begin with day 1")
    for lower, upper in pairwise(ranges):
        _check_neighbours(name, lower, upper)
    if ranges[-1].last is not None:
        raise SchemeError(f"scheme {name}: the last range, {ranges[-1]}, must be open-ended")


def _check_neighbours(name: str, lower: Range, upper: Range) -> None:
    if lower.last is not None and lower.last < lower.first:
        raise SchemeError(f"scheme {name}: range {lower} ends before it begins")
    if lower.last is None or upper.first <= lower.last:
        raise SchemeError(f"scheme {name}: ranges {lower} and {upper} overlap")
    if upper.first > lower.last + 1:
        raise SchemeError(f"scheme {name}: days {lower.last + 1}-{upper.first - 1} lie in no range")


@dataclass(frozen=True, slots=True)
class Schemes:
    """The schemes of one version: which portfolio reports by which, and the one for all others."""

    version: int
    default: Scheme
    by_portfolio: Mapping[str, Scheme]

    def of(self, portfolio: str) -> Scheme:
        """The scheme by which a portfolio reports."""
        return self.by_portfolio.get(portfolio, self.default)
