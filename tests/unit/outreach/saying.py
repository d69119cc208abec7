"""A debtor who was reached once, and what is said and paid afterwards."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.outreach.contacts.domain.rows import Contact, ContactState
from services.outreach.outcomes.commands import PromiseSaid, RecordOutcome
from shared.contracts import intake
from shared.contracts.outreach import OutcomeResult
from tests.unit.outreach.play import MIDNIGHT, Play, case

ANNA = "operator/anna"
BOSS = "supervisor/boss"
FRIDAY = date(2026, 3, 6)
"""The day that is promised; its three days of grace end on the 9th."""


def contact(contact_id: str = "contact-1", **others: Any) -> Contact:
    """A call of the first plan that was made."""
    content: dict[str, Any] = {
        "contact_id": contact_id,
        "plan_number": 0,
        "step_number": 0,
        "channel": "phone",
        "purpose": "collection",
        "template": "",
        "asked_by": "outreach",
        "idempotency_key": contact_id,
        "state": ContactState.MADE,
        "permitted_at": MIDNIGHT,
        "expires_at": MIDNIGHT + timedelta(minutes=1),
        "case_version": 1,
        "pack": "CN",
        "pack_version": "1",
        "rules": (),
        "outcome": "conversation",
        "ended_at": MIDNIGHT,
    }
    return Contact(**(content | others))


def reached(play: Play | None = None, *contacts: Contact) -> Play:
    """A plan runs, and there are contacts to say something of."""
    play = (play or Play()).started()
    known = {each.contact_id: each for each in contacts or (contact(),)}
    play.state = replace(play.state, contacts={**play.state.contacts, **known})
    return play


def outcome(result: OutcomeResult, contact_id: str = "contact-1", **others: Any) -> RecordOutcome:
    """What somebody says of a contact."""
    return RecordOutcome(contact_id=contact_id, result=result, **others)


def promise(amount: int = 40_000, on: date = FRIDAY, contact_id: str = "contact-1", **others: Any) -> RecordOutcome:
    """That the person promised to pay."""
    said = PromiseSaid(amount=amount, currency=others.pop("currency", "CNY"), promised_on=on)
    return outcome(OutcomeResult.PROMISED, contact_id, promise=said, **others)


def pays(
    payment_id: str, amount: int, day: int, status: intake.CaseStatus = intake.CaseStatus.OPEN, currency: str = "CNY"
) -> intake.PaymentPosted:
    """A payment booked at noon of a day of March in China."""
    return intake.PaymentPosted(
        case=case(status),
        loan_id="loan-1",
        payment_id=payment_id,
        amount=amount,
        currency=currency,
        posted_at=noon(day),
    )


def takes_back(payment_id: str, amount: int, currency: str = "CNY") -> intake.PaymentReversed:
    """The same taken back."""
    return intake.PaymentReversed(
        case=case(),
        loan_id="loan-1",
        payment_id=payment_id,
        amount=amount,
        currency=currency,
        reversed_at=noon(31),
    )


def noon(day: int) -> datetime:
    """Noon of a day of March in China."""
    return datetime(2026, 3, day, 4, tzinfo=UTC)


def morning(day: int) -> datetime:
    """Just after midnight of a day of March in China: the books have reached it."""
    return datetime(2026, 3, day, 0, 0, 30, tzinfo=UTC) - timedelta(hours=8)
