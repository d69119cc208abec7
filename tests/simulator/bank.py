"""What is said to the system in one schedule: a bank's events over some days, bad ones among them, and commands.

A `Book` is made from the seed before anything runs; so the same is said whatever goes wrong. It also knows what must
come of it: a `Truth` per loan, folded from what was said and from nothing of the services.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from services.intake.connectors.cloud_events import outgoing
from services.intake.connectors.sending import CHINA, DISTRICTS
from shared.contracts import core_banking as bank
from shared.contracts.envelope import Fact, derived_id
from shared.messaging.broker import Outgoing
from shared.messaging.sharding import shard_of
from tests.simulator.universe import settings

LENDER = "bank"
FIRST_DAY = date(2026, 3, 2)
EPOCH = datetime(2026, 3, 2, 10, tzinfo=CHINA).astimezone(UTC)
PAYMENT = b"core-banking.payment-posted.v1"
GARBAGE = "garbage"
DAYS_OVERDUE = (3, 9, 20, 31, 45, 61, 70, 100)


@dataclass(frozen=True, slots=True)
class Event:
    """A record of the bank on its topic."""

    record: Outgoing
    what: str


@dataclass(frozen=True, slots=True)
class Command:
    """What an operator asks of outreach about a debtor."""

    id: str
    name: str
    debtor_id: str
    body: bytes

    @property
    def what(self) -> str:
        """For the trace."""
        return f"{self.name} of {self.debtor_id[:6]}"


@dataclass(frozen=True, slots=True)
class Morning:
    """The wall clock moves on to the morning of a day."""

    day: date

    @property
    def what(self) -> str:
        """For the trace."""
        return f"it is the morning of {self.day}"


Said = Event | Command | Morning


@dataclass(slots=True)
class Truth:
    """What is true of one loan once everything is heard, in any order."""

    debtor_id: str
    base: bank.LoanOverdue | None = None
    closed_at: datetime | None = None
    payments: dict[str, bank.PaymentPosted] = field(default_factory=dict)
    reversals: dict[str, bank.PaymentReversed] = field(default_factory=dict)


@cache
def parties() -> dict[int, list[str]]:
    """Parties by the lane of their debtor; those of one lane in a fixed order."""
    found: dict[int, list[str]] = {}
    for number in range(600):
        party = f"party-{number}"
        found.setdefault(shard_of(debtor_of(party)), []).append(party)
    return found


@cache
def debtor_of(party: str) -> str:
    """The pseudonym of a party."""
    return settings().vault.pseudonym(LENDER, party)


@dataclass(slots=True)
class Book:
    """All that is said, in order; of payments that are `contradicted`, either amount may be the one that is kept."""

    chance: random.Random
    lanes: tuple[int, ...] = ()
    said: list[Said] = field(default_factory=list)
    truths: dict[str, Truth] = field(default_factory=dict)
    last_day: date = FIRST_DAY
    contradicted: set[str] = field(default_factory=set)
    _numbers: int = 0
    _holds: list[Command] = field(default_factory=list)

    @classmethod
    def made(cls, chance: random.Random, *, debtors: int = 5, lanes: int = 3, inputs: int = 24) -> "Book":
        """A book of so many debtors on so many lanes, of which at least so many things are said."""
        book = cls(chance)
        book.lanes = tuple(sorted(chance.sample(sorted(parties()), lanes)))
        chosen = [parties()[book.lanes[place % lanes]][place // lanes] for place in range(debtors)]
        book._open(chosen)
        while len(book.said) < inputs:
            book._something()
        book._morning(chance.choice((1, 3, 12)))
        return book

    @property
    def inputs(self) -> int:
        """How many things are said."""
        return len(self.said)

    # -- what can be said ----------------------------------------------------------------------------------------

    def _open(self, chosen: Sequence[str]) -> None:
        self._advance()
        for party in chosen:
            for number in range(1 if self.chance.random() < 0.7 else 2):
                loan_id = f"loan-{party}-{number}"
                self.truths[loan_id] = Truth(debtor_of(party))
                self._snapshot(loan_id, party)

    def _something(self) -> None:
        loan_id = self.chance.choice(sorted(self.truths))
        party = loan_id.removeprefix("loan-").rpartition("-")[0]
        acts: Sequence[tuple[int, Callable[[str, str], None]]] = (
            (30, self._payment),
            (10, self._reversal),
            (8, self._closing),
            (10, self._snapshot),
            (8, self._profile),
            (8, self._garbage),
            (4, self._contradiction),
            (10, self._repeat),
            (12, self._next_day),
            (8, self._hold),
            (6, self._release),
        )
        [(_, act)] = self.chance.choices(acts, [weight for weight, _ in acts])
        act(loan_id, party)

    def _snapshot(self, loan_id: str, party: str) -> None:
        overdue = self.chance.choice(DAYS_OVERDUE)
        amounts = [self.chance.randrange(20_000, 90_000) for _ in range(self.chance.randint(1, 2))]
        instalments = [
            bank.Instalment(
                number=place + 1, due_on=self.last_day - timedelta(days=overdue - 30 * place), principal=each
            )
            for place, each in enumerate(amounts)
        ]
        fact = bank.LoanOverdue(
            lender_id=LENDER,
            loan_id=loan_id,
            party_id=party,
            as_of=self.last_day,
            posting_cut_off=self._instant(),
            currency="CNY",
            instalments=tuple(instalments),
            outstanding=sum(amounts),
            district=self.chance.choice(DISTRICTS),
        )
        truth = self.truths[loan_id]
        if truth.base is None or fact.posting_cut_off > truth.base.posting_cut_off:
            truth.base = fact
        self._say(fact)

    def _payment(self, loan_id: str, party: str) -> None:
        amount = self.chance.choice((5_000, 20_000, 60_000, 200_000))
        fact = bank.PaymentPosted(
            lender_id=LENDER,
            loan_id=loan_id,
            party_id=self.chance.choice((party, "")),
            payment_id=f"payment-{self._number()}",
            amount=amount,
            currency="CNY",
            posted_at=self._instant(),
        )
        self.truths[loan_id].payments[fact.payment_id] = fact
        self._say(fact)

    def _reversal(self, loan_id: str, _party: str) -> None:
        truth = self.truths[loan_id]
        open_ones = sorted(truth.payments.keys() - truth.reversals.keys())
        if not open_ones:
            return
        payment = truth.payments[self.chance.choice(open_ones)]
        fact = bank.PaymentReversed(
            lender_id=LENDER,
            loan_id=loan_id,
            payment_id=payment.payment_id,
            amount=payment.amount,
            currency="CNY",
            posted_at=payment.posted_at,
            reversed_at=self._instant(),
        )
        truth.reversals[fact.payment_id] = fact
        self._say(fact)

    def _closing(self, loan_id: str, _party: str) -> None:
        fact = bank.LoanClosed(
            lender_id=LENDER, loan_id=loan_id, reason=bank.ClosingReason.PAID, closed_at=self._instant()
        )
        self.truths[loan_id].closed_at = fact.closed_at
        self._say(fact)

    def _profile(self, _loan_id: str, party: str) -> None:
        self._say(
            bank.DebtorUpdated(lender_id=LENDER, party_id=party, updated_at=self._instant(), name=f"Name {party}")
        )

    def _garbage(self, loan_id: str, party: str) -> None:
        """A payment without a payment id: of a known debtor, and never to be applied."""
        body = json.dumps({"lender_id": LENDER, "loan_id": loan_id, "party_id": party, "amount": 5}).encode()
        closed = bank.LoanClosed(
            lender_id=LENDER, loan_id=loan_id, reason=bank.ClosingReason.PAID, closed_at=self._instant()
        )
        good = self._record(closed)
        headers = [(name, PAYMENT if name == "ce_type" else value) for name, value in good.headers]
        self.said.append(Event(Outgoing(good.key, body, tuple(headers)), f"{GARBAGE} about {party}"))

    def _contradiction(self, loan_id: str, _party: str) -> None:
        """A payment that was told before, with another amount: whichever comes second is a dead letter."""
        payments = self.truths[loan_id].payments
        candidates = sorted(payments.keys() - self.contradicted)
        if not candidates:
            return
        payment = payments[self.chance.choice(candidates)]
        self.contradicted.add(payment.payment_id)
        self._say(msgspec.structs.replace(payment, amount=payment.amount + 1))

    def _repeat(self, _loan_id: str, _party: str) -> None:
        """The bank sends something again, as at-least-once senders do."""
        self.said.append(self.chance.choice([each for each in self.said if isinstance(each, Event)]))

    def _next_day(self, _loan_id: str, _party: str) -> None:
        self._morning(self.chance.choice((1, 1, 4)))
        self._advance()

    def _morning(self, days: int) -> None:
        self.last_day += timedelta(days=days)
        self.said.append(Morning(self.last_day))

    def _advance(self) -> None:
        self._say(bank.BusinessDateAdvanced(lender_id=LENDER, business_date=self.last_day))

    def _hold(self, loan_id: str, _party: str) -> None:
        command = self._command("place-hold", loan_id, {"reason": "asked by the debtor"})
        self._holds.append(command)

    def _release(self, _loan_id: str, _party: str) -> None:
        if self._holds:
            hold = self._holds.pop()
            loan_id = next(loan for loan, truth in self.truths.items() if truth.debtor_id == hold.debtor_id)
            self._command("release-hold", loan_id, {"hold_id": hold_of(hold), "reason": "no longer needed"})

    # -- saying --------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _instant(self) -> datetime:
        """An instant of the bank's, later each time: when it books, cuts off and closes."""
        start = datetime.combine(self.last_day, datetime.min.time(), CHINA)
        return (start + timedelta(seconds=self._number())).astimezone(UTC)

    def _record(self, fact: Fact) -> Outgoing:
        number = self._number()
        return outgoing(fact, source="/bank", event_id=f"event-{number}", time=EPOCH, key=str(number).encode())

    def _say(self, fact: Fact) -> None:
        of = getattr(fact, "loan_id", "") or getattr(fact, "business_date", "") or getattr(fact, "party_id", "")
        what = f"{type(fact).__name__} {of} {getattr(fact, 'payment_id', '')}".rstrip()
        self.said.append(Event(self._record(fact), what))

    def _command(self, name: str, loan_id: str, body: Any) -> Command:
        command = Command(f"command-{self._number()}", name, self.truths[loan_id].debtor_id, json.dumps(body).encode())
        self.said.append(command)
        return command


def hold_of(command: Command) -> str:
    """The id of the hold that a command places."""
    return derived_id(command.id, 0)
