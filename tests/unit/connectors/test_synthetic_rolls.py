"""The made-up book from month's end to month's end, read from its events alone, against the real panel's rates."""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from math import exp, lgamma, log
from typing import NamedTuple

import pytest

from services.intake.connectors.roll_rates import rates
from services.intake.connectors.synthetic import SLOTS, SyntheticBank
from services.intake.connectors.synthetic_book import PUNCTUAL, BookLoan
from shared.contracts.core_banking import ClosingReason, LoanClosed, LoanOverdue
from shared.contracts.envelope import Fact

FIRST_DAY = date(2026, 1, 5)
SEEDS = range(1, 6)
LOANS, MONTHS = 60_000, 13
"""Month's ends, and so one pair of them less."""

FROM, TO = "012345X", "012345CX"
NEAR = 0.02
BY_CHANCE = 0.0005
"""Of a binomial distribution, 99.9 % lie between the two tails of so much."""

THIRDS_OF_MONTH = {"from the 4th": range(4, 12), "from the 12th": range(12, 20), "from the 20th": range(20, 28)}


class Roll(NamedTuple):
    """From which status to which, and the day of the month on which the loan's instalments are due."""

    status: str
    after: str
    due_day: int


@dataclass
class Reader:
    """Hears the bank's events, and holds by loan the due dates of what is unpaid, and how it ended."""

    due: dict[str, list[date]] = field(default_factory=dict)
    due_day: dict[str, int] = field(default_factory=dict)
    newest: dict[str, date] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def hear(self, fact: Fact) -> None:
        match fact:
            case LoanOverdue() if self.newest.get(fact.loan_id, date.min) < fact.as_of:
                self.newest[fact.loan_id] = fact.as_of
                self.due[fact.loan_id] = [instalment.due_on for instalment in fact.instalments]
                for due_on in self.due[fact.loan_id]:
                    assert self.due_day.setdefault(fact.loan_id, due_on.day) == due_on.day
            case LoanClosed():
                self.ended[fact.loan_id] = "5" if fact.reason is ClosingReason.WRITTEN_OFF else "C"
            case _:
                pass

    def statuses(self, month_end: date) -> Iterator[tuple[str, str]]:
        """Each loan's status at a month's end; the night after it must have been heard, and nothing else."""
        for loan_id, unpaid in self.due.items():
            if loan_id in self.ended:
                yield loan_id, self.ended[loan_id]
            else:
                yield loan_id, status_of(month_end, min(unpaid, default=month_end))


def status_of(month_end: date, oldest_due: date) -> str:
    """As the panel has it; X where nothing is past due."""
    days = (month_end - oldest_due).days
    return str(min(days // 30, 5)) if days > 0 else "X"


def rolls_of(bank: SyntheticBank, months: int) -> Counter[Roll]:
    """The month-end transitions of a bank's loans, each from the month on at whose end it is first overdue.

    Paid off or settled is C, and an end. Written off is 5, and an end. Overdue no more, but not at its end, is X.
    """
    reader, before, counted = Reader(), dict[str, str](), Counter[Roll]()
    day = 0
    while months:
        today, yesterday = bank.day(day), bank.day(day - 1) if day else FIRST_DAY
        for sent in bank.events(day, 0):
            reader.hear(sent.fact)
        if today.month != yesterday.month:
            now = dict(reader.statuses(month_end(yesterday)))
            now = {loan: status for loan, status in now.items() if loan in before or status in "012345"}
            counted.update(Roll(status, now[loan], reader.due_day[loan]) for loan, status in before.items())
            before = {loan: status for loan, status in now.items() if loan not in reader.ended}
            for loan in reader.ended:
                reader.due.pop(loan, None)
            months -= 1
        for slot in range(1, SLOTS):
            for sent in bank.events(day, slot):
                reader.hear(sent.fact)
        day += 1
    return counted


def month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def of_interest(loan: BookLoan) -> bool:
    """All that open far overdue, and some of those that do not: their lives are the same without the others'."""
    return loan.status in "12345" or (loan.status != PUNCTUAL and loan.number % 3 == 0)


@pytest.fixture(scope="module")
def rolled() -> dict[int, Counter[Roll]]:
    return {seed: rolls_of(SyntheticBank(seed, LOANS, FIRST_DAY, of_interest), MONTHS) for seed in SEEDS}


def off(rolls: Counter[Roll]) -> dict[tuple[str, str], tuple[float, float, int]]:
    """The cells that lie too far from the panel's: their rate, the panel's, and the cases in their row."""
    cells: Counter[tuple[str, str]] = Counter()
    for roll, count in rolls.items():
        cells[roll.status, roll.after] += count
    found = {}
    for status in FROM:
        cases = sum(cells[status, after] for after in TO)
        if cases == 0:
            found[status, "anything"] = (0.0, 1.0, 0)
            continue
        for after in TO:
            rate, target = cells[status, after] / cases, rates().rate(status, after)
            if abs(rate - target) > NEAR and tail(cells[status, after], cases, target) < BY_CHANCE:
                found[status, after] = (rate, target, cases)
    return found


def tail(count: int, cases: int, rate: float) -> float:
    """The chance of a count at least so far from what is expected, on its side."""
    if rate == 0:
        return float(count == 0)
    counts = range(count, cases + 1) if count > cases * rate else range(count + 1)
    chances = (
        lgamma(cases + 1) - lgamma(n + 1) - lgamma(cases - n + 1) + n * log(rate) + (cases - n) * log(1 - rate)
        for n in counts
    )
    return sum(map(exp, chances))


def test_tails_are_those_of_a_binomial_distribution() -> None:
    assert tail(2, 2, 0.5) == pytest.approx(0.25)
    assert tail(0, 2, 0.1) == pytest.approx(0.81)
    assert tail(3, 10, 0.1) == pytest.approx(0.0701908264)
    assert (tail(0, 10, 0), tail(1, 10, 0)) == (1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_book_rolls_as_the_panel_does(rolled: dict[int, Counter[Roll]], seed: int) -> None:
    assert off(rolled[seed]) == {}


@pytest.mark.slow
def test_five_books_together_roll_as_the_panel_does(rolled: dict[int, Counter[Roll]]) -> None:
    assert off(sum(rolled.values(), Counter[Roll]())) == {}


@pytest.mark.slow
@pytest.mark.parametrize("third", THIRDS_OF_MONTH)
def test_it_rolls_so_whatever_day_its_instalments_are_due(rolled: dict[int, Counter[Roll]], third: str) -> None:
    together = sum(rolled.values(), Counter[Roll]())
    due = {roll: count for roll, count in together.items() if roll.due_day in THIRDS_OF_MONTH[third]}
    assert off(Counter(due)) == {}
