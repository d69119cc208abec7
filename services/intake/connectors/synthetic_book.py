"""The loans of a made-up bank: who owes what when, and the ledger of each loan. All by hashes, nothing at random."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import blake2b
from typing import Final, NamedTuple

from services.intake.connectors.sending import DISTRICTS
from shared.contracts.core_banking import Instalment

CERTAIN: Final = 10_000
"""Chances are given in ten-thousandths."""


class Dice:
    """Choices that depend on nothing but the seed and what is asked: the same question has the same answer for ever."""

    def __init__(self, seed: int) -> None:
        self._root = blake2b(f"{seed}/".encode(), digest_size=8)

    def number(self, below: int, *question: object) -> int:
        """A number from 0 to below - 1."""
        asked = self._root.copy()
        asked.update("/".join(map(str, question)).encode())
        return int.from_bytes(asked.digest(), "big") % below

    def happens(self, chance: int, *question: object) -> bool:
        """Whether something of that chance, in ten-thousandths, happens."""
        return self.number(CERTAIN, *question) < chance


class Product(NamedTuple):
    """A kind of loan: its share of the book in ten-thousandths, its terms in months, and instalments in minor units."""

    name: str
    share: int
    terms: tuple[int, ...]
    smallest: int
    largest: int


PRODUCTS: Final = (
    Product("consumer-loan", 4_500, (6, 12, 18, 24), 40_000, 300_000),
    Product("card-instalment", 3_000, (3, 6, 12), 15_000, 120_000),
    Product("car-loan", 1_500, (24, 36), 150_000, 500_000),
    Product("small-business", 1_000, (6, 12, 24), 300_000, 2_500_000),
)


class Temper(NamedTuple):
    """How a debtor pays: the share of the book, and chances by business day, all in ten-thousandths.

    early: before the last business day on which nothing is overdue yet; in_time: on that day; then the chance on each
    day while so many days past due are not reached, and the share of payments that are partial.
    """

    name: str
    share: int
    early: int
    in_time: int
    late: tuple[tuple[int, int], ...]
    partial: int


TEMPERS: Final = (
    Temper("punctual", 8_000, 3_000, 9_700, ((30, 4_500), (10_000, 1_500)), 200),
    Temper("late", 1_200, 500, 2_500, ((30, 1_300), (60, 700), (10_000, 300)), 1_500),
    Temper("erratic", 500, 200, 1_200, ((30, 600), (60, 350), (10_000, 150)), 4_000),
    Temper("defaulting", 300, 0, 500, ((30, 150), (10_000, 25)), 3_000),
)

OVERDUE_AT_START: Final = 700
"""How many of ten thousand loans are overdue when the bank is first heard."""

DEPTHS: Final = (4_500, 6_500, 7_700, 8_600, 9_200, 9_600, CERTAIN)
"""Of those, so many of ten thousand with at most 1, 2, … instalments unpaid."""

A_WHILE: Final = 2
"""Up to so many unpaid instalments at the start, the debtor is merely late or erratic."""

DEBTORS_OF_BLOCK: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 9)
"""Of each 13 loans, 8 debtors have one, one has two and one has three: 1.3 loans per debtor."""

KNOWN_BY_LOAN_ONLY: Final = 2_000
"""How many of ten thousand loans are named without their debtor after the first event."""

CHARGED_AFTER: Final = timedelta(days=15)
"""An instalment that is overdue for longer is charged a penalty and a fee, once."""

FEE: Final = 1_000


class Part(NamedTuple):
    """What an instalment consists of, in minor units; money pays it off in this order."""

    fee: int
    penalty: int
    interest: int
    principal: int


@dataclass(slots=True)
class BookLoan:
    """A loan as its bank keeps it. `schedule` is the due dates; `paid` is all money that stands, oldest due first."""

    number: int
    loan_id: str
    party_id: str
    product: str
    temper: Temper
    district: str
    by_loan_only: bool
    schedule: tuple[date, ...]
    principal: int
    interest: int
    paid: int
    charged: set[int] = field(default_factory=set)
    named: bool = False
    reported: tuple[Instalment, ...] | None = None
    stale: bool = False
    closed: bool = False
    _settled: tuple[int, int, int] | None = None

    def part(self, position: int) -> Part:
        """What the instalment at a position of the schedule came to, with its charges."""
        charged = position in self.charged
        return Part(FEE if charged else 0, self.principal // 50 if charged else 0, self.interest, self.principal)

    def settled(self) -> tuple[int, int]:
        """How many instalments are paid in full, and how much is paid of the next one."""
        if self._settled is None or self._settled[2] != self.paid:
            self._settled = (*self._settle(), self.paid)
        return self._settled[:2]

    def _settle(self) -> tuple[int, int]:
        left = self.paid
        for position in range(len(self.schedule)):
            whole = sum(self.part(position))
            if left < whole:
                return position, left
            left -= whole
        return len(self.schedule), 0

    def pay(self, amount: int) -> None:
        """Book money, or take it back."""
        self.paid += amount

    def charge(self, as_of: date) -> None:
        """Charge what has been overdue for too long; what money had paid of it before pays the charges first."""
        position, _ = self.settled()
        while position < len(self.schedule) and self.schedule[position] + CHARGED_AFTER < as_of:
            self.charged.add(position)
            position += 1

    def oldest_unpaid(self) -> date | None:
        """The due date of the first instalment that is not paid in full, None where all are."""
        position, _ = self.settled()
        return self.schedule[position] if position < len(self.schedule) else None

    def unpaid(self, before: date) -> tuple[Instalment, ...]:
        """What is unpaid of the instalments due before a date, oldest first."""
        position, partly = self.settled()
        found = []
        while position < len(self.schedule) and self.schedule[position] < before:
            found.append(_instalment(position, self.schedule[position], _less(self.part(position), partly)))
            position, partly = position + 1, 0
        return tuple(found)

    def owed(self, before: date) -> int:
        """How much is unpaid of the instalments due before a date."""
        return sum(each.principal + each.interest + each.penalty + each.fee for each in self.unpaid(before))

    def outstanding(self) -> int:
        """All that is still to be paid until the loan's end, with interest and charges."""
        return sum(sum(self.part(position)) for position in range(len(self.schedule))) - self.paid


def _less(part: Part, paid: int) -> Part:
    left = []
    for amount in part:
        left.append(max(amount - paid, 0))
        paid = max(paid - amount, 0)
    return Part(*left)


def _instalment(position: int, due_on: date, part: Part) -> Instalment:
    return Instalment(
        number=position + 1,
        due_on=due_on,
        principal=part.principal,
        interest=part.interest,
        penalty=part.penalty,
        fee=part.fee,
    )


def loans_of(dice: Dice, loans: int, first_day: date) -> Iterator[BookLoan]:
    """The book as the bank opens it on its first day."""
    for number in range(loans):
        yield _loan(dice, number, first_day)


def _loan(dice: Dice, number: int, first_day: date) -> BookLoan:
    block, place = divmod(number, len(DEBTORS_OF_BLOCK))
    party = f"P-{10 * block + DEBTORS_OF_BLOCK[place]:07d}"
    product = PRODUCTS[_by_share(dice, [each.share for each in PRODUCTS], number, "product")]
    term = product.terms[dice.number(len(product.terms), number, "term")]
    elapsed = dice.number(term, number, "elapsed")
    span = product.largest - product.smallest
    principal = product.smallest + 100 * dice.number(span // 100, number, "principal")
    loan = BookLoan(
        number=number,
        loan_id=f"L-{number:07d}",
        party_id=party,
        product=product.name,
        temper=TEMPERS[_by_share(dice, [each.share for each in TEMPERS], party, "temper")],
        district=DISTRICTS[dice.number(len(DISTRICTS), party, "district")],
        by_loan_only=dice.happens(KNOWN_BY_LOAN_ONLY, number, "by loan only"),
        schedule=_schedule(first_day, term, elapsed, 1 + dice.number(28, number, "due day")),
        principal=principal,
        interest=principal * (3 + dice.number(10, number, "rate")) // 100,
        paid=0,
    )
    due = sum(1 for due_on in loan.schedule if due_on < first_day)
    unpaid = min(due, _depth(dice, loan))
    loan.pay((due - unpaid) * (loan.principal + loan.interest))
    loan.temper = _temper_of_overdue(dice, number, unpaid) if unpaid else loan.temper
    return loan


def _temper_of_overdue(dice: Dice, number: int, unpaid: int) -> Temper:
    """Who is overdue at the start seldom pays on time; who is for long, seldom at all."""
    if unpaid <= A_WHILE:
        return TEMPERS[1 + dice.number(2, number, "temper of overdue")]
    return TEMPERS[2 + dice.number(2, number, "temper of overdue")]


def _by_share(dice: Dice, shares: list[int], *question: object) -> int:
    drawn = dice.number(CERTAIN, *question)
    for position, share in enumerate(shares):
        drawn -= share
        if drawn < 0:
            return position
    return len(shares) - 1


def _depth(dice: Dice, loan: BookLoan) -> int:
    """How many instalments are unpaid at the start."""
    if not dice.happens(OVERDUE_AT_START, loan.number, "overdue at start"):
        return 0
    drawn = dice.number(CERTAIN, loan.number, "depth")
    return 1 + next(depth for depth, share in enumerate(DEPTHS) if drawn < share)


def _schedule(first_day: date, term: int, elapsed: int, day_of_month: int) -> tuple[date, ...]:
    """Monthly due dates: `elapsed` of them lie in earlier months than that of the first day."""
    first = 12 * first_day.year + first_day.month - 1 - elapsed
    return tuple(_on(first + month, day_of_month) for month in range(term))


def _on(month: int, day: int) -> date:
    year, index = divmod(month, 12)
    return date(year, index + 1, min(day, monthrange(year, index + 1)[1]))
