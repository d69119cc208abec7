"""A bank that says much about few debtors: several things in each slot, on several partitions, some of them twice."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import msgspec

from services.intake.connectors.sending import CHINA, DISTRICTS, Sent
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact

BANK = "demo-bank"
SLOTS = (time(6), time(9), time(15), time(23))
FIRST_DAY = date(2026, 3, 2)
LONG = timedelta(days=120)
"""After which any loan is a matter for legal."""


class Asked(NamedTuple):
    """A command as the API leaves it for its actor; the key names it."""

    key: str
    service: str
    kind: str
    name: str
    owner: str
    actor: str
    body: object


@dataclass(frozen=True)
class Tick:
    """What the bank says in one slot of one day, and what staff ask of services before it."""

    day: int
    slot: int
    now: datetime
    sent: Sequence[Sent]
    asked: Sequence[Asked] = ()


@dataclass
class BusyBank:
    """Everything it says follows from the seed. Every loan has its party by the end of the first slot that has both.

    Beside the loans that it chooses among there is one that nobody pays, so that each service has work under any seed.
    """

    seed: int
    loans: int = 8
    days: int = 6
    _chance: random.Random = field(init=False)
    _sent: list[Sent] = field(default_factory=list)
    _payments: list[PaymentPosted] = field(default_factory=list)
    _introduced: bool = False

    def ticks(self) -> Sequence[Tick]:
        """All that it says."""
        self._chance = random.Random(self.seed)
        found, on = [], FIRST_DAY
        for day in range(self.days):
            on += timedelta(days=self._chance.choice((1, 1, 2, 9)))
            for slot, hour in enumerate(SLOTS):
                found.append(Tick(day, slot, datetime.combine(on, hour, CHINA), self._slot(on, slot, hour)))
        return found

    def _slot(self, on: date, slot: int, hour: time) -> Sequence[Sent]:
        now = datetime.combine(on, hour, CHINA)
        if slot == 0:
            return [self._said(now, BusinessDateAdvanced(lender_id=BANK, business_date=on))]
        if slot == len(SLOTS) - 1:
            return []
        said = [self._something(on, now) for _ in range(self._chance.randrange(3, 14))]
        if not self._introduced:
            self._introduced = True
            said += [self._said(now.astimezone(UTC), each) for each in self._introductions(on, now)]
        return self._chance.sample(said, len(said))

    def _introductions(self, on: date, now: datetime) -> Sequence[Fact]:
        lost = Instalment(number=1, due_on=on - LONG, principal=40_000)
        return [
            *(self._overdue(on, now, number) for number in range(self.loans)),
            msgspec.structs.replace(self._overdue(on, now, self.loans), instalments=(lost,)),
        ]

    def _something(self, on: date, now: datetime) -> Sent:
        now = now.astimezone(UTC) + timedelta(microseconds=len(self._sent) + 1)
        kinds = (self._overdue, self._overdue, self._paid, self._paid, self._taken_back, self._ended)
        if self._sent and self._chance.random() < 0.1:
            return self._chance.choice(self._sent)
        return self._said(now, self._chance.choice(kinds)(on, now))

    def _said(self, now: datetime, fact: Fact) -> Sent:
        self._sent.append(Sent(f"event-{len(self._sent)}", now, fact))
        return self._sent[-1]

    def _loan(self) -> tuple[str, str]:
        """A loan with its party, or without; two loans a party."""
        number = self._chance.randrange(self.loans)
        return f"loan-{number}", f"party-{number // 2}" if self._chance.random() < 0.7 else ""

    def _overdue(self, on: date, now: datetime, number: int | None = None) -> Fact:
        loan, party = self._loan() if number is None else (f"loan-{number}", f"party-{number // 2}")
        unpaid = [
            Instalment(number=number, due_on=on - timedelta(days=self._chance.randrange(-5, 110)), principal=40_000)
            for number in range(1, self._chance.randrange(1, 4))
        ]
        return LoanOverdue(
            lender_id=BANK, loan_id=loan, party_id=party, as_of=on, posting_cut_off=now, currency="CNY",
            instalments=tuple(unpaid), outstanding=1_000_000, district=self._chance.choice(DISTRICTS),
        )  # fmt: skip

    def _paid(self, _on: date, now: datetime) -> Fact:
        loan, party = self._loan()
        amount = self._chance.choice((10_000, 40_000, 80_000))
        posted = now - timedelta(days=self._chance.choice((0, 0, 0, 1, 4)))
        payment = PaymentPosted(
            lender_id=BANK, loan_id=loan, party_id=party, payment_id=f"payment-{len(self._sent)}", amount=amount,
            currency="CNY", posted_at=posted,
        )  # fmt: skip
        self._payments.append(payment)
        return payment

    def _taken_back(self, on: date, now: datetime) -> Fact:
        if not self._payments:
            return self._paid(on, now)
        payment = self._payments.pop(self._chance.randrange(len(self._payments)))
        return PaymentReversed(
            lender_id=BANK, loan_id=payment.loan_id, party_id=payment.party_id, payment_id=payment.payment_id,
            amount=payment.amount, currency="CNY", posted_at=payment.posted_at, reversed_at=now,
        )  # fmt: skip

    def _ended(self, _on: date, now: datetime) -> Fact:
        loan, party = self._loan()
        return LoanClosed(
            lender_id=BANK, loan_id=loan, party_id=party, reason=self._chance.choice(list(ClosingReason)), closed_at=now
        )
