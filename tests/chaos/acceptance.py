"""Invariant 1: every event that was accepted from the bank is applied, waits for its loan, or is buried."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.intake.connectors.sending import Sent
from services.intake.connectors.synthetic_people import LENDER
from shared.contracts import core_banking
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    LoanClosed,
    LoanOverdue,
    PartyProfile,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import derived_id
from shared.messaging.broker import Lane
from shared.messaging.sequence import header
from shared.service import SHARDS
from shared.vault import Vault
from tests.chaos.bank import SOURCE
from tests.chaos.evidence import Evidence, Finding
from tests.chaos.installation import PUBLIC_PARTITIONS


@dataclass(frozen=True)
class Books:
    """What intake holds, by the names that the bank uses."""

    payments: Mapping[tuple[str, str], tuple[int, bool, datetime | None]]
    snapshots: Mapping[str, date]
    closings: Mapping[str, datetime]
    profiles: Mapping[str, datetime]
    stands_on: date
    waiting: frozenset[str]
    pseudonym: Callable[[str], str]

    @classmethod
    async def of(cls, evidence: Evidence) -> "Books":
        """Read them."""
        payments = await evidence.rows("intake", "SELECT loan_id, payment_id, amount, heard, reversed_at FROM payment")
        loans = await evidence.rows("intake", "SELECT loan_id, base, closed_at FROM loan")
        profiles = await evidence.rows(
            "intake", "SELECT debtor_id, (sealed->>'updated_at')::timestamptz FROM profile WHERE sealed IS NOT NULL"
        )
        ((lanes, stands_on),) = await evidence.rows(
            "intake",
            "SELECT count(*), min(business_date) FROM lane_clock WHERE kind = 'lane' AND lender_id = $1",
            LENDER,
        )
        assert lanes == SHARDS
        waiting = await evidence.rows("intake", "SELECT event_id FROM loan_parked")
        vault = Vault(evidence.installation.key)
        return cls(
            payments={(loan, payment): tuple(rest) for loan, payment, *rest in payments},
            snapshots={loan: date.fromisoformat(json.loads(base)["as_of"]) for loan, base, _ in loans if base},
            closings={loan: closed_at for loan, _, closed_at in loans if closed_at},
            profiles=dict(profiles),
            stands_on=stands_on,
            waiting=frozenset(event_id for (event_id,) in waiting),
            pseudonym=lambda party: vault.pseudonym(LENDER, party),
        )

    def hold(self, sent: Sent) -> bool:
        """Whether an event shows in them."""
        event_id = derived_id(f"{len(SOURCE)}/{SOURCE}/{sent.event_id}", 0)
        return event_id in self.waiting or self._shows(sent.fact)

    def _shows(self, fact: Any) -> bool:
        match fact:
            case PaymentPosted() | PaymentReversed():
                return self._payment_shows(fact)
            case LoanOverdue():
                return self.snapshots.get(fact.loan_id, date.min) >= fact.as_of
            case LoanClosed():
                return fact.loan_id in self.closings and self.closings[fact.loan_id] >= fact.closed_at
            case PartyProfile():
                debtor_id = self.pseudonym(fact.party_id)
                return debtor_id in self.profiles and self.profiles[debtor_id] >= fact.updated_at
            case _:
                return isinstance(fact, BusinessDateAdvanced) and self.stands_on >= fact.business_date

    def _payment_shows(self, fact: PaymentPosted | PaymentReversed) -> bool:
        amount, heard, reversed_at = self.payments.get((fact.loan_id, fact.payment_id), (0, False, None))
        if isinstance(fact, PaymentReversed):
            return reversed_at == fact.reversed_at
        return (amount, heard) == (fact.amount, True)


async def applied_or_buried(evidence: Evidence) -> Finding:
    """Everything on the bank's list shows in intake's books."""
    books = await Books.of(evidence)
    sent = evidence.bank.acknowledged
    return Finding(len(sent), [each.event_id for each in sent if not books.hold(each)])


async def nothing_invented(evidence: Evidence) -> Finding:
    """Every payment in intake's books is on the bank's list."""
    known = {(sent.fact.loan_id, sent.fact.payment_id) for sent in _payments(evidence.bank.acknowledged)}
    booked = await evidence.rows("intake", "SELECT loan_id, payment_id FROM payment WHERE heard")
    return Finding(len(booked), [each for each in booked if each not in known])


def _payments(events: Iterable[Sent]) -> Iterable[Any]:
    return (sent for sent in events if isinstance(sent.fact, PaymentPosted))


async def public_records(evidence: Evidence) -> dict[tuple[Lane, int], str]:
    """The bank's id of every record of the public topic, by its place."""
    log = evidence.topics.log
    lanes = [Lane(core_banking.TOPIC, number) for number in range(PUBLIC_PARTITIONS)]
    ends = await log.end_offsets(lanes)
    found: dict[tuple[Lane, int], str] = {}
    reader = await log.reader()
    try:
        await reader.assign(dict.fromkeys(lanes, 0))
        while len(found) < sum(ends.values()):
            for record in await reader.fetch(5_000, 5.0):
                found[record.lane, record.offset] = header(record.headers, "ce_id") or _inside(record.value)
    finally:
        await reader.close()
    return found


def _inside(value: bytes) -> str:
    name: str = json.loads(value)["id"]
    return name


async def accounted_for(evidence: Evidence) -> Finding:
    """All that was acknowledged lies on the public topic, and each mistake on it has its letter."""
    records = await public_records(evidence)
    there = set(records.values())
    wrong = [f"not on the topic: {sent.event_id}" for sent in evidence.bank.acknowledged if sent.event_id not in there]
    letters = await evidence.rows("intake", "SELECT topic, partition, log_offset FROM dead_letter")
    buried = {(Lane(topic, partition), offset) for topic, partition, offset in letters}
    mistakes = set(evidence.bank.mistakes)
    wrong += [f"no letter: {place}" for place, name in records.items() if name in mistakes and place not in buried]
    wrong += [f"a letter of a good event: {place}" for place in buried if records.get(place) not in mistakes]
    return Finding(len(records) + len(evidence.bank.acknowledged), wrong)
