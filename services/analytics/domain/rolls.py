"""A loan's move of a month, and month-end transitions.

A loan's move of a business month is the pair (bucket at the opening of the month, bucket now). Only moves between
different buckets are counted; that a loan stayed is derived, since no event need tell of it: the opening stock of a
month is the fold of the moves of all earlier months, and what did not move out of a bucket stayed in it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import NamedTuple, TypeAlias

from services.analytics.domain.rows import Loan, Roll
from shared.frozen import replace

NEW = "new"
"""Where a loan comes from when it is first heard of."""

TRANSFERRED = "transferred"
"""Where a loan goes to and comes from when its lender reports it under another scheme or product."""

CLOSED = "closed"
NO_LONGER_REPORTED = "no_longer_reported"


def month_of(day: date) -> str:
    """The month of a business date, as YYYY-MM; empty for the date that stands for "none known"."""
    return "" if day == date.min else f"{day.year:04d}-{day.month:02d}"


def bucket_of(bucket: str, closed_as: str) -> str:
    """The bucket under which a loan is counted; an ended loan is counted by the reason of its end."""
    return f"{CLOSED}:{closed_as}" if closed_as or bucket == CLOSED else bucket


def place(known: Loan | None, seen: Loan) -> tuple[Loan, tuple[Roll, ...]]:
    """Put a loan where a fact shows it, in the month that `seen.month` names; what `seen` opens with is ignored."""
    if known is None:
        opened = replace(seen, opening=NEW)
        return opened, _counted(opened)
    opened = _opened(known, max(known.month, seen.month))
    if _class_of(known) == _class_of(seen):
        moved = replace(seen, month=opened.month, opening=opened.opening)
        return moved, _moved(opened, moved)
    if opened.opening in (NEW, TRANSFERRED):  # it came in this month, so its old class never had it at a month's end
        arrived = replace(seen, month=opened.month, opening=opened.opening)
        return arrived, (*_counted(opened, -1), *_counted(arrived))
    left = replace(opened, bucket=TRANSFERRED)
    arrived = replace(seen, month=opened.month, opening=TRANSFERRED)
    return arrived, (*_moved(opened, left), *_counted(arrived))


def _opened(loan: Loan, month: str) -> Loan:
    return loan if month == loan.month else replace(loan, month=month, opening=loan.bucket)


def _class_of(loan: Loan) -> tuple[str, str, str]:
    return loan.scheme, loan.lender_id, loan.product


def _moved(before: Loan, after: Loan) -> tuple[Roll, ...]:
    if before.bucket == after.bucket:
        return ()
    return (*_counted(before, -1), *_counted(after))


def _counted(loan: Loan, loans: int = 1) -> tuple[Roll, ...]:
    """The loan's move of its month, unless it stands where it opened."""
    if loan.opening == loan.bucket:
        return ()
    return (Roll(loan.scheme, loan.month, loan.lender_id, loan.product, loan.opening, loan.bucket, loans),)


# -- month-end transitions ------------------------------------------------------------------------------------------


class Class(NamedTuple):
    """What transitions are told apart by."""

    scheme: str
    lender_id: str
    product: str


class Transition(NamedTuple):
    """So many loans of a class that stood in `origin` at the end of the month before, and in `target` at its end.

    `opening` is how many stood in `origin` then; 0 where `origin` is no bucket (new, transferred).
    """

    of: Class
    month: str
    origin: str
    target: str
    loans: int
    opening: int


Through: TypeAlias = Mapping[str, str]
"""The last month to count, by lender."""


def transitions_of(rolls: Iterable[Roll], through: Through) -> Iterator[Transition]:
    """Month-end transitions of all loans, stays included, from the first month of each class through its lender's last.

    Ordered by class, month, origin and target.
    """
    by_class: dict[Class, dict[str, Counter[tuple[str, str]]]] = {}
    for roll in rolls:
        of = Class(roll.scheme, roll.lender_id, roll.product)
        moves = by_class.setdefault(of, {}).setdefault(roll.month, Counter())
        moves[roll.from_bucket, roll.to_bucket] += roll.loans
    for of in sorted(by_class):
        months = by_class[of]
        yield from _of_class(of, months, max(through.get(of.lender_id, ""), *months))


def _of_class(of: Class, months: Mapping[str, Counter[tuple[str, str]]], last: str) -> Iterator[Transition]:
    stock: Counter[str] = Counter()
    for month in _line_of(months, last):
        ends = _with_stays(stock, months.get(month, Counter()))
        for (origin, target), loans in sorted(ends.items()):
            if loans:
                yield Transition(of, month, origin, target, loans, stock[origin])
        stock = Counter()
        for (_, target), loans in ends.items():
            if target != TRANSFERRED:
                stock[target] += loans


def _with_stays(stock: Counter[str], moves: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    ends = Counter(moves)
    for bucket, opening in stock.items():
        ends[bucket, bucket] = opening - sum(loans for (origin, _), loans in moves.items() if origin == bucket)
    return ends


def _line_of(months: Iterable[str], last: str) -> Iterator[str]:
    """Every month from the first to the last; before it the one that stands for "none known", where it occurs."""
    known = sorted(month for month in months if month)
    if len(known) < len(set(months)):
        yield ""
    if known or last:
        yield from months_between(known[0] if known else last, last)


def months_between(first: str, last: str) -> Iterator[str]:
    """Every month from `first` to `last`, both included."""
    ordinal = 12 * int(first[:4]) + int(first[5:]) - 1
    while (name := f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}") <= last:
        yield name
        ordinal += 1


_ENDED_AS = {f"{CLOSED}:paid": "C", f"{CLOSED}:no_loan": "X"}
_NO_TRANSITION = f"{CLOSED}:{NO_LONGER_REPORTED}"


def panel_label(transition: Transition) -> tuple[str, str] | None:
    """A transition in the labels of a delinquency panel, None where it is none there.

    Origins are buckets, "new" and "closed"; targets are buckets, "C" (paid) and "X" (no loan). Staying closed and
    being no longer reported are no transitions; other ways to end keep their own name.
    """
    was_closed = transition.origin.startswith(f"{CLOSED}:")
    if transition.target == _NO_TRANSITION or (was_closed and transition.target.startswith(f"{CLOSED}:")):
        return None
    return CLOSED if was_closed else transition.origin, _ENDED_AS.get(transition.target, transition.target)
