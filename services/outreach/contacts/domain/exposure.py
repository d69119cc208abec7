"""Exposure: who was contacted after a payment had come in, and before anybody who contacts people could know of it.

No rule was broken by that, so it is no red line; how often and for how long it happens is measured all the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.outreach.contacts.domain.rows import Contact, ContactState


@dataclass(frozen=True, slots=True)
class Exposure:
    """One contact that was permitted between a payment's arrival at the edge and the stop that it led to."""

    contact_id: str
    payment_id: str
    received_at: datetime
    permitted_at: datetime
    stopped_at: datetime


def exposures(
    contacts: Iterable[Contact], payment_id: str, received_at: datetime, stopped_at: datetime
) -> tuple[Exposure, ...]:
    """The contacts that a payment, which stops everything only now, came too late for; certainly made or not."""
    return tuple(
        Exposure(contact.contact_id, payment_id, received_at, contact.permitted_at, stopped_at)
        for contact in contacts
        if contact.permitted_at >= received_at and contact.state is not ContactState.NOT_MADE
    )
