"""The bank's side: nights of overdue loans, as many as wanted, made of a small synthetic book under ever new names.

The loans of the synthetic bank that are overdue on its first day are repeated under other names until there are enough:
so a million of them have the mix of products, districts and days past due that the book has, and are made in seconds.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import count, islice
from typing import Final
from zlib import crc32

from msgspec.structs import replace

from services.intake.connectors.cloud_events import outgoing
from services.intake.connectors.sending import CHINA
from services.intake.connectors.synthetic import SyntheticBank
from services.intake.connectors.synthetic_people import LENDER
from shared.contracts.core_banking import (
    TOPIC,
    BusinessDateAdvanced,
    Instalment,
    LoanOverdue,
    OfLoan,
    PaymentPosted,
)
from shared.messaging.broker import Lane, Outgoing

SOURCE: Final = "/core-bank"
FIRST_NIGHT: Final = date(2026, 11, 2)
EVENING: Final = datetime.combine(FIRST_NIGHT, time(20, 0), CHINA)
"""When the lawful hours are over: what is planned from here on falls due tomorrow, twelve hours later."""

SEED, BOOK = 1, 4_000
DAILY_PENALTY: Final = 5
"""Part of ten thousand of an instalment's principal that each day past due costs."""


@lru_cache(maxsize=1)
def _book() -> tuple[LoanOverdue, ...]:
    """The snapshots of the book's first night."""
    facts = (sent.fact for sent in SyntheticBank(SEED, BOOK, FIRST_NIGHT).events(0, 0))
    return tuple(fact for fact in facts if isinstance(fact, LoanOverdue) and fact.party_id)


def snapshots(loans: int, night: int = 0, names: str = "") -> Iterator[LoanOverdue]:
    """What the bank reports of so many overdue loans in a night, from 0 on; nothing was paid in between."""
    repeated = ((loan, f"{names}{number}") for number in count() for loan in _book())
    for loan, name in islice(repeated, loans):
        named = replace(loan, loan_id=f"{loan.loan_id}.{name}", party_id=f"{loan.party_id}.{name}")
        yield _as_of(named, night) if night else named


def _as_of(loan: LoanOverdue, night: int) -> LoanOverdue:
    """The same loan some days later, with the penalty that has grown meanwhile."""
    later = timedelta(days=night)
    instalments = tuple(_grown(each, night) for each in loan.instalments)
    return replace(
        loan, as_of=loan.as_of + later, posting_cut_off=loan.posting_cut_off + later, instalments=instalments
    )


def _grown(instalment: Instalment, days: int) -> Instalment:
    return replace(
        instalment, penalty=instalment.penalty + days * max(instalment.principal * DAILY_PENALTY // 10_000, 1)
    )


def night_of(loans: int, night: int, names: str = "") -> list[Outgoing]:
    """A night's records: first that the books stand on a new date, then every loan."""
    at = EVENING + timedelta(days=night)
    told = (record_of(loan, f"night/{night}/{loan.loan_id}", at) for loan in snapshots(loans, night, names))
    return [date_of(night), *told]


def date_of(night: int) -> Outgoing:
    """That the books stand on the date of a night."""
    at = EVENING + timedelta(days=night)
    moved = BusinessDateAdvanced(lender_id=LENDER, business_date=FIRST_NIGHT + timedelta(days=night))
    return outgoing(moved, source=SOURCE, event_id=f"date/{night}", time=at, key=LENDER.encode())


def payment_of(loan: LoanOverdue, number: int, at: datetime) -> Outgoing:
    """That a part of what is overdue on a loan was paid."""
    payment = PaymentPosted(
        lender_id=LENDER,
        loan_id=loan.loan_id,
        party_id=loan.party_id,
        payment_id=f"{loan.loan_id}/{number}",
        amount=1 + loan.instalments[0].principal // 2,
        currency=loan.currency,
        posted_at=at,
        settled_due_on=loan.instalments[0].due_on,
    )
    return record_of(payment, f"payment/{number}/{loan.loan_id}", at)


def record_of(fact: OfLoan, event_id: str, at: datetime) -> Outgoing:
    """A fact about a loan as the bank writes it, under an id of its own."""
    return outgoing(fact, source=SOURCE, event_id=event_id, time=at, key=fact.loan_id.encode())


def by_lane(records: Sequence[Outgoing], partitions: int) -> dict[Lane, list[Outgoing]]:
    """The records on the partitions of the public topic, by the loan that each is about."""
    lanes: dict[Lane, list[Outgoing]] = {}
    for record in records:
        lanes.setdefault(Lane(TOPIC, crc32(record.key or b"") % partitions), []).append(record)
    return lanes
