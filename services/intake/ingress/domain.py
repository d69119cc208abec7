"""Whose loan is it: the directory of loans, and the events that wait until their loan is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.frozen import replace

WAITING_TIME = timedelta(days=7)
"""How long an event may wait for its loan: a week holds a long weekend plus one full nightly run that was missed."""

MOST_WAITING = 1_000
"""Events that one unknown loan may have waiting: more is a fault at the source, and would be loaded each time."""


class WrongPartyError(ValueError):
    """The loan is known to belong to another party: moving a loan is not something that an event can do by accident."""


class TooManyWaitingError(ValueError):
    """More events wait for this loan than any real source sends before its first snapshot."""


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """The debtor of a loan; the first event that names a party decides."""

    debtor_id: str
    lender_id: str
    first_seen_at: datetime


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event of a loan that nobody knows yet; `ordinal` is its place in the order of arrival."""

    event_id: str
    type: str
    payload: dict[str, Any]
    occurred_at: datetime
    parked_at: datetime
    ordinal: int


@dataclass(frozen=True, slots=True)
class Expiry:
    """When waiting for the loan becomes a dead letter, so that somebody looks."""

    due_at: datetime
    lender_id: str


@dataclass(frozen=True, slots=True)
class LoanEntry:
    """What the edge knows of one loan."""

    loan_key: str
    entry: DirectoryRow | None
    parked: Mapping[str, ParkedEvent]
    expiry: Expiry | None


def known(loan: LoanEntry, debtor_id: str, lender_id: str, seen_at: datetime) -> LoanEntry:
    """The loan with its debtor, and with nothing waiting any more. Raises WrongPartyError."""
    if loan.entry is not None and debtor_id not in {"", loan.entry.debtor_id}:
        raise WrongPartyError
    if loan.entry is not None and not loan.parked:
        return loan
    entry = loan.entry or DirectoryRow(debtor_id, lender_id, seen_at)
    return LoanEntry(loan.loan_key, entry, {}, None)


def in_order(loan: LoanEntry) -> list[ParkedEvent]:
    """What waits, oldest arrival first."""
    return sorted(loan.parked.values(), key=lambda event: event.ordinal)


def with_parked(loan: LoanEntry, event: ParkedEvent, lender_id: str) -> LoanEntry:
    """The loan with one more event waiting, once however often it is sent. Raises TooManyWaitingError."""
    if event.event_id in loan.parked:
        return loan
    if len(loan.parked) >= MOST_WAITING:
        raise TooManyWaitingError
    ordinal = 1 + max((other.ordinal for other in loan.parked.values()), default=0)
    parked = {**loan.parked, event.event_id: replace(event, ordinal=ordinal)}
    expiry = loan.expiry or Expiry(event.parked_at + WAITING_TIME, lender_id)
    return replace(loan, parked=parked, expiry=expiry)
