"""What becomes of a made-up loan in a month: on which days its debtor pays how much, so that it ends in its status."""

from bisect import bisect_right
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

from services.intake.connectors.roll_rates import OVERDUE, PAID_OFF
from services.intake.connectors.synthetic_book import PUNCTUAL, BookLoan, Draws

# Chances in ten-thousandths.
EARLY, LATE = 3_000, 150
IN_PART, IN_TWO = 2_000, 1_000
TOLD_LATE, TAKEN_BACK = 300, 120
SETTLED, WRITTEN_OFF = 3_000, 1_200

DAYS_EARLY: Final = 3
DAYS_SLOW: Final = 5
"""Who stays in the first status, always one instalment behind, pays until so many days after the next one is due."""


class Month(NamedTuple):
    """The business days of a month, from the bank's first day on: their days, and the number of the first one."""

    ordinal: int
    first: int
    days: tuple[int, ...]

    @property
    def last(self) -> int:
        """The number of the last business day."""
        return self.first + len(self.days) - 1

    def until(self, day: int) -> int:
        """How many business days there are up to that day of the month."""
        return bisect_right(self.days, day)


class Does(Enum):
    """What a step does."""

    PAYS = auto()
    SETTLES = auto()
    IS_WRITTEN_OFF = auto()


class Step(NamedTuple):
    """Something that happens to a loan on a business day.

    A payment is of all that is unpaid before the position `target`, and of `percent` of what is left of the instalment
    there. It is told on the day `told`, and taken back on the day `taken_back` unless that is 0.
    """

    day: int
    does: Does
    target: int = 0
    percent: int = 0
    told: int = 0
    taken_back: int = 0


def plan(loan: BookLoan, month: Month, after: str, draws: Draws) -> Iterator[Step]:
    """All that happens to a loan in a month that it ends in the status `after`."""
    if loan.status == after == OVERDUE[-1] and draws.happens(WRITTEN_OFF):
        yield Step(_any_day(month, draws), Does.IS_WRITTEN_OFF)
        return
    if after == PAID_OFF and loan.status in OVERDUE[1:] and draws.happens(SETTLED):
        day = _any_day(month, draws)
        yield Step(day, Does.SETTLES, told=day)
        return
    target = _target(loan, month, after)
    if target > loan.oldest:
        yield from _paid(loan, month, after, target, draws)
    elif after in OVERDUE and draws.happens(IN_PART):
        yield _payment(_any_day(month, draws), target, 20 + draws.number(61), draws)


def _target(loan: BookLoan, month: Month, after: str) -> int:
    """The position of the oldest instalment that is unpaid at the end of the month."""
    newest = month.ordinal - loan.first_month
    if after == OVERDUE[-1]:
        return loan.oldest
    return newest - OVERDUE.index(after) if after in OVERDUE else newest + 1


def _paid(loan: BookLoan, month: Month, after: str, target: int, draws: Draws) -> Iterator[Step]:
    day = _day(loan, month, after, draws)
    if loan.status in OVERDUE and day > month.first and draws.happens(IN_TWO):
        before = month.first + draws.number(day - month.first)
        yield _payment(before, loan.oldest, 30 + draws.number(41), draws)
    paid = _payment(day, target, 0, draws)
    if after != PAID_OFF and draws.happens(TAKEN_BACK):
        taken_back = paid.told + 1 + draws.number(3)
        again = taken_back + 1 + draws.number(2)
        if again <= month.last:
            yield paid._replace(taken_back=taken_back)
            yield paid._replace(day=again, told=again)
            return
    yield paid


def _payment(day: int, target: int, percent: int, draws: Draws) -> Step:
    told = day + 1 + draws.number(3) if draws.happens(TOLD_LATE) else day
    return Step(day, Does.PAYS, target, percent, told)


# -- days --------------------------------------------------------------------------------------------------------------


def _day(loan: BookLoan, month: Month, after: str, draws: Draws) -> int:
    if loan.status not in OVERDUE:
        return _day_in_time(loan, month, draws)
    if loan.status == after == OVERDUE[0]:
        return month.first + draws.number(max(month.until(loan.due_day + DAYS_SLOW), 1))
    return _any_day(month, draws)


def _day_in_time(loan: BookLoan, month: Month, draws: Draws) -> int:
    """Mostly the last business day on which nothing is overdue yet; where the month has none, the first one after."""
    in_time = month.until(loan.due_day)
    late = len(month.days) - in_time
    if late and (not in_time or (loan.status == PUNCTUAL and draws.happens(LATE))):
        return month.first + in_time + draws.number(min(late, 3))
    early = in_time - month.until(loan.due_day - DAYS_EARLY - 1) if draws.happens(EARLY) else 0
    return month.first + in_time - 1 - (draws.number(early) if early else 0)


def _any_day(month: Month, draws: Draws) -> int:
    return month.first + draws.number(len(month.days))
