"""The loans of a made-up bank: who owes what when, and the ledger of each loan. All by hashes, nothing at random.

The book is seasoned: on its first day some loans have long been overdue, in the proportions of the real panel that
`roll_rates.yaml` describes. It is stratified too: of any so many loans the same share is of a product, a district, an
amount and a status, whatever the seed, which only decides which loans these are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Final, NamedTuple

from services.intake.connectors.roll_rates import NOTHING_DUE, OVERDUE, PAID_OFF, Ladder, ladders, rates
from services.intake.connectors.sending import DISTRICTS
from shared.contracts.core_banking import Instalment

CERTAIN: Final = 10_000
"""Chances are given in ten-thousandths."""


class Draws:
    """Choices that depend on one question alone, in the order in which they are made."""

    def __init__(self, number: int) -> None:
        self._left = number

    def number(self, below: int) -> int:
        """A number from 0 to below - 1."""
        self._left, drawn = divmod(self._left, below)
        return drawn

    def happens(self, chance: int) -> bool:
        """Whether something of that chance, in ten-thousandths, happens."""
        return self.number(CERTAIN) < chance


class Dice:
    """Choices that depend on nothing but the seed and what is asked: the same question has the same answer for ever."""

    def __init__(self, seed: int) -> None:
        self._root = blake2b(f"{seed}/".encode(), digest_size=8)
        self._wide_root = blake2b(f"{seed}/".encode(), digest_size=64)

    def number(self, below: int, *question: object) -> int:
        """A number from 0 to below - 1."""
        asked = self._root.copy()
        asked.update("/".join(map(str, question)).encode())
        return int.from_bytes(asked.digest(), "big") % below

    def happens(self, chance: int, *question: object) -> bool:
        """Whether something of that chance, in ten-thousandths, happens."""
        return self.number(CERTAIN, *question) < chance

    def draws(self, *question: object) -> Draws:
        """As many choices as one may need about one thing."""
        asked = self._wide_root.copy()
        asked.update("/".join(map(str, question)).encode())
        return Draws(int.from_bytes(asked.digest(), "big"))


class Product(NamedTuple):
    """A kind of loan: its share of the book in ten-thousandths, and its instalments in minor units."""

    share: int
    smallest: int
    largest: int


PRODUCTS: Final = {
    "consumer-loan": Product(4_500, 40_000, 300_000),
    "card-instalment": Product(3_000, 15_000, 120_000),
    "car-loan": Product(1_500, 150_000, 500_000),
    "small-business": Product(1_000, 300_000, 2_500_000),
}

PUNCTUAL: Final = "P"
"""The status of a loan that has never been overdue at a month's end, and so is none of those whom the panel follows."""

FOLLOWED: Final = 1_700
"""How many of ten thousand loans have been overdue at a month's end when the bank is first heard."""

AT_LEAST: Final = 6
"""So many of ten thousand loans at least are in each status: of rare ones a small book would else have none."""

MISSES, ENDS = 100, 150
"""Of ten thousand punctual loans so many are first overdue at a month's end, and so many are paid off."""

OF_PUNCTUAL: Final = Ladder((MISSES, MISSES + ENDS, CERTAIN), (OVERDUE[0], PAID_OFF, PUNCTUAL))

LONGEST_OVERDUE: Final = 6
"""In the last status, up to so many instalments more are unpaid at the start than it takes."""

SEASON: Final = 24
"""Up to so many instalments are paid at the start."""

DUE_DAYS: Final = (4, 27)
"""Due on these days of the month, as many instalments are unpaid at the end of any month as its status says: before and
after, months of 28 or 31 days put the same number of them in two statuses, or none at all in one."""

LONGEST_LIFE: Final = 240
"""Months after which a loan ends, if all chances were against it."""

DEBTORS_OF_BLOCK: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 9, 9)
"""Of each 13 loans, 8 debtors have one, one has two and one has three: 1.3 loans per debtor."""

KNOWN_BY_LOAN_ONLY: Final = 2_000
"""How many of ten thousand loans are named without their debtor after the first event."""

FEE: Final = 1_000


class Part(NamedTuple):
    """What an instalment consists of, in minor units; money pays it off in this order."""

    fee: int
    penalty: int
    interest: int
    principal: int


@dataclass(slots=True)
class BookLoan:
    """A loan as its bank keeps it, with an instalment of one size each month from `first_month` on.

    Months are counted since the year 0. Money pays the oldest due first: `oldest` is the position of the first
    instalment that is not paid in full, `partly` what is paid of it. `term` is 0 until it is known how long it is.
    """

    number: int
    loan_id: str
    party_id: str
    product: str
    district: str
    by_loan_only: bool
    first_month: int
    due_day: int
    principal: int
    interest: int
    oldest: int
    status: str
    life: str = ""
    life_from: int = 0
    term: int = 0
    partly: int = 0
    charged: set[int] = field(default_factory=set)
    named: bool = False
    reported: tuple[Instalment, ...] = ()
    stale: bool = False
    closed: bool = False

    def due_on(self, position: int) -> date:
        """When an instalment is due."""
        year, month = divmod(self.first_month + position, 12)
        return date(year, month + 1, self.due_day)

    def part(self, position: int) -> Part:
        """What an instalment came to, with its charges."""
        charged = position in self.charged
        return Part(FEE if charged else 0, self.principal // 50 if charged else 0, self.interest, self.principal)

    def whole(self, position: int) -> int:
        """The same, in one sum."""
        charges = FEE + self.principal // 50 if position in self.charged else 0
        return charges + self.interest + self.principal

    def pay(self, amount: int) -> None:
        """Book money, or take it back."""
        self.partly += amount
        while self.partly < 0:
            self.oldest -= 1
            self.partly += self.whole(self.oldest)
        while self.partly >= self.whole(self.oldest):
            self.partly -= self.whole(self.oldest)
            self.oldest += 1

    def charge(self, as_of: date) -> None:
        """Charge a penalty and a fee, once, for what was unpaid when the instalment after it became overdue, too.

        What money had paid of it before pays the charges first.
        """
        position = self.oldest
        while self.is_past_due(position + 1, as_of):
            self.charged.add(position)
            position += 1

    def is_past_due(self, position: int, as_of: date) -> bool:
        """Whether there is an instalment of that position, which was due before the date."""
        return (not self.term or position < self.term) and self.due_on(position) < as_of

    def unpaid(self, before: date) -> tuple[Instalment, ...]:
        """What is unpaid of the instalments due before a date, oldest first."""
        position, partly = self.oldest, self.partly
        found = []
        while self.is_past_due(position, before):
            found.append(_instalment(position, self.due_on(position), _less(self.part(position), partly)))
            position, partly = position + 1, 0
        return tuple(found)

    def owed_until(self, position: int) -> int:
        """How much is unpaid of all instalments before that position."""
        charged = sum(self.oldest <= each < position for each in self.charged)
        owed = (position - self.oldest) * (self.principal + self.interest) + charged * (FEE + self.principal // 50)
        return max(owed - self.partly, 0)

    def outstanding(self) -> int:
        """All that is still to be paid until the loan's end, with interest and charges."""
        return self.owed_until(self.term)


def _less(part: Part, paid: int) -> Part:
    if not paid:
        return part
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


# -- statuses ----------------------------------------------------------------------------------------------------------


def month_of(day: date) -> int:
    """A date's month, counted since the year 0."""
    return 12 * day.year + day.month - 1


def next_status(dice: Dice, loan: BookLoan, month: int) -> str:
    """The status at the end of a month of a loan that has `status` at the end of the month before."""
    return loan.life[month - loan.life_from] if loan.life else _rolled(dice, loan.number, month, loan.status)


def _rolled(dice: Dice, number: int, month: int, status: str) -> str:
    ladder = OF_PUNCTUAL if status == PUNCTUAL else ladders()[status]
    return ladder.at(dice.number(ladder.ends[-1], number, month, "status"))


def look_ahead(dice: Dice, loan: BookLoan, month: int) -> None:
    """See how the loan, which has `status` at the end of that month, will stand at all others, and so how long it is:
    the month in which it is paid off is that of its last instalment.
    """
    loan.life_from, life, last = month, [loan.status], month + LONGEST_LIFE
    while life[-1] != PAID_OFF:
        month += 1
        life.append(_rolled(dice, loan.number, month, life[-1]) if month < last else PAID_OFF)
    loan.life = "".join(life)
    loan.term = month - loan.first_month + 1


# -- the first day -----------------------------------------------------------------------------------------------------


class Strata:
    """Points of a line, one for each number and purpose, spread so evenly that any run of numbers fills any stretch of
    the line in proportion; the seed only shifts them. Numbers do not know how many others there are.
    """

    LENGTH: Final = 1 << 64

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._shifts: dict[str, int] = {}

    def point(self, number: int, purpose: str) -> int:
        """A number's point, from 0 to LENGTH - 1."""
        if purpose not in self._shifts:
            self._shifts[purpose] = self._dice.number(self.LENGTH, "shift", purpose)
        return (number * _STRIDES[purpose] + self._shifts[purpose]) % self.LENGTH

    def one_of(self, number: int, purpose: str, shares: Ladder) -> str:
        """Into whose share a number's point falls."""
        return shares.at(self.point(number, purpose) * shares.ends[-1] // self.LENGTH)

    def among(self, number: int, purpose: str, count: int) -> int:
        """Which of `count` equal shares a number's point falls into."""
        return self.point(number, purpose) * count // self.LENGTH


_STRIDES: Final = {
    "status": int((5**0.5 - 1) / 2 * Strata.LENGTH),
    "product": int((2**0.5 - 1) * Strata.LENGTH),
    "amount": int((3**0.5 - 1) * Strata.LENGTH),
    "district": int((7**0.5 - 2) * Strata.LENGTH),
    "due day": int((11**0.5 - 3) * Strata.LENGTH),
    "season": int((13**0.5 - 3) * Strata.LENGTH),
}
"""Parts of the line by square roots that no fractions bind to each other: so purposes mix evenly, too."""


@lru_cache(maxsize=1)
def _standing() -> Ladder:
    """The statuses on the first day with their shares in ten-thousandths."""
    standing = rates().standing
    whole = sum(standing.values())
    followed = {status: max(FOLLOWED * count // whole, AT_LEAST) for status, count in standing.items()}
    return Ladder((*accumulate(followed.values()), CERTAIN), (*followed, PUNCTUAL))


_PRODUCTS: Final = Ladder(tuple(accumulate(each.share for each in PRODUCTS.values())), tuple(PRODUCTS))


def loans_of(dice: Dice, loans: int, first_day: date) -> Iterator[BookLoan]:
    """The book as the bank opens it on its first day."""
    strata, month = Strata(dice), month_of(first_day)
    for number in range(loans):
        loan = _loan(dice, strata, number, month - 1)
        if loan.status != PUNCTUAL:
            look_ahead(dice, loan, month - 1)
        _pay_before(dice, loan, first_day)
        yield loan


def _loan(dice: Dice, strata: Strata, number: int, month: int) -> BookLoan:
    """A loan as it stood at the end of a month."""
    block, place = divmod(number, len(DEBTORS_OF_BLOCK))
    party = 10 * block + DEBTORS_OF_BLOCK[place]
    draws = dice.draws(number, "loan")
    status = strata.one_of(number, "status", _standing())
    name = strata.one_of(number, "product", _PRODUCTS)
    product = PRODUCTS[name]
    paid = strata.among(number, "season", SEASON + 1)
    principal = product.smallest + 100 * strata.among(number, "amount", (product.largest - product.smallest) // 100)
    return BookLoan(
        number=number,
        loan_id=f"L-{number:07d}",
        party_id=f"P-{party:07d}",
        product=name,
        district=DISTRICTS[strata.among(party, "district", len(DISTRICTS))],
        by_loan_only=draws.happens(KNOWN_BY_LOAN_ONLY),
        first_month=month + 1 - _unpaid_at_start(status, draws) - paid,
        due_day=DUE_DAYS[0] + strata.among(number, "due day", DUE_DAYS[1] - DUE_DAYS[0] + 1),
        principal=principal,
        interest=principal * (3 + draws.number(10)) // 100,
        oldest=paid,
        status=status,
    )


def _unpaid_at_start(status: str, draws: Draws) -> int:
    unpaid = OVERDUE.find(status) + 1  # of statuses that are not overdue, this is 0
    return unpaid + draws.number(LONGEST_OVERDUE + 1) if status == OVERDUE[-1] else unpaid


def _pay_before(dice: Dice, loan: BookLoan, first_day: date) -> None:
    """What is due in the first month before the first day, and was to be paid in time, has been paid."""
    if loan.status in OVERDUE or loan.due_on(loan.oldest) >= first_day:
        return
    if next_status(dice, loan, month_of(first_day)) in (PUNCTUAL, NOTHING_DUE):
        loan.oldest += 1
