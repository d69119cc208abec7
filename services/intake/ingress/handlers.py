"""The bank's events in, the same events on their debtor's lane out."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.intake.ingress.domain import (
    WAITING_TIME,
    Expiry,
    LoanEntry,
    ParkedEvent,
    TooManyWaitingError,
    WrongPartyError,
    in_order,
    known,
    with_parked,
)
from shared.contracts import catalogue
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    LoanClosed,
    LoanOverdue,
    OfLoan,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.contracts.ingress import (
    BusinessDateReached,
    LoanEnded,
    LoanReported,
    PaymentReceived,
    PaymentTakenBack,
    ProfileReceived,
)
from shared.service import Decision, Handler, LaneHandler, Rejected

_ON_LANE: Mapping[type, Callable[[Any], Fact]] = {
    LoanOverdue: lambda data: LoanReported(loan=data),
    PaymentPosted: lambda data: PaymentReceived(payment=data),
    PaymentReversed: lambda data: PaymentTakenBack(reversal=data),
    LoanClosed: lambda data: LoanEnded(closing=data),
}


def owner_of(event: Event[Any]) -> str:
    """The loan that an event is about; "" for events about a debtor or a whole lender."""
    data = event.data
    return f"{data.lender_id}/{data.loan_id}" if isinstance(data, OfLoan) else ""


def find_debtor(loan: LoanEntry, event: Event[OfLoan], now: Moment) -> Decision:
    """Send an event of a loan to its debtor, after what waited for it; or have it wait until the loan is known."""
    if loan.entry is None and not event.debtor_id:
        return _wait(loan, event, now)
    try:
        found = known(loan, event.debtor_id, event.lender_id, now.instant)
    except WrongPartyError:
        # The debtor whose loan this is must not be worked on facts that lack this event.
        owner = loan.entry.debtor_id if loan.entry else ""
        raise Rejected(
            "the loan belongs to another party", field="party_id", owner=owner, lender_id=event.lender_id
        ) from None
    debtor_id = found.entry.debtor_id if found.entry else ""
    told = [_told(_restored(each), debtor_id, event, each.occurred_at, each.event_id) for each in in_order(loan)]
    return found, [*told, _told(event.data, debtor_id, event, event.occurred_at)]


def _wait(loan: LoanEntry, event: Event[OfLoan], now: Moment) -> Decision:
    payload = msgspec.to_builtins(event.data)
    waiting = ParkedEvent(event.id, event.type, payload, event.occurred_at, now.instant, ordinal=0)
    try:
        return with_parked(loan, waiting, event.lender_id), ()
    except TooManyWaitingError:
        raise Rejected(
            "too many events wait for this unknown loan", field="loan_id", lender_id=event.lender_id
        ) from None


def _restored(waiting: ParkedEvent) -> Any:
    return msgspec.convert(waiting.payload, catalogue.fact_type(waiting.type))


def _told(data: Any, debtor_id: str, event: Event[Any], occurred_at: datetime, cause: str = "") -> Told:
    fact = _ON_LANE[type(data)](data)
    return Told(fact, debtor_id=debtor_id, lender_id=event.lender_id, occurred_at=occurred_at, cause=cause)


def give_up_waiting(_loan: LoanEntry, event: Event[Expiry], _now: Moment) -> Decision:
    """Call for somebody to look: what waits stays, and is released should the loan become known after all."""
    reason = f"the loan is still unknown after {WAITING_TIME.days} days"
    raise Rejected(reason, field="loan_id", lender_id=event.data.lender_id)


def pass_profile_on(event: Event[ProfileReceived], _now: Moment) -> Sequence[Told]:
    """Send a debtor's sealed profile to the debtor's lane."""
    return (Told(event.data, debtor_id=event.debtor_id, lender_id=event.lender_id),)


def pass_business_date_on(event: Event[BusinessDateAdvanced], _now: Moment) -> Sequence[Told]:
    """Tell every lane that the lender's books stand on a new day."""
    reached = BusinessDateReached(business_date=event.data.business_date)
    return (Told(reached, debtor_id="", lender_id=event.data.lender_id),)


HANDLERS: Mapping[type, Handler] = {
    LoanOverdue: find_debtor,
    PaymentPosted: find_debtor,
    PaymentReversed: find_debtor,
    LoanClosed: find_debtor,
    Expiry: give_up_waiting,
}

ON_LANE: Mapping[type, LaneHandler] = {
    ProfileReceived: pass_profile_on,
    BusinessDateAdvanced: pass_business_date_on,
}
