"""What the actor hears: facts about placements of which an agency is told, and what came of each attempt."""

from typing import Any, Final

import msgspec

from shared.contracts import placements
from shared.contracts.envelope import Event, derived_id
from shared.messaging.broker import Record
from shared.service import decode_fact, told_type

SENT = frozenset(
    {
        placements.PlacementOffered,
        placements.PlacementRecallAsked,
        placements.PlacementRecallWithdrawn,
        placements.PlacementEnded,
        placements.PlacementPaid,
        placements.PlacementPaymentReversed,
        placements.PlacementDocumentFiled,
        placements.PlacementReportEnded,
    }
)
"""Of which facts an agency is told."""

OURS: Final = frozenset({"chosen", "rule_version"})
"""What an agency is not told, which would work a case otherwise that it knows to be compared."""

_NAMES = frozenset(name.encode() for name, fact in placements.FACTS.items() if fact in SENT)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A fact about a placement, as its agency is told of it."""

    agency_id: str
    payload: str


class DeliveryHeard(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended. status: of the answer, 0 where there was none. seconds: how long we are asked to wait."""

    agency_id: str
    delivery_id: str
    attempt: int
    status: int = 0
    reason: str = ""
    seconds: float = 0.0


def decode(record: Record) -> Event[Any] | None:
    """Facts of which an agency is told; None for the rest, which is most of the topic. Raises Rejected."""
    event = decode_fact(record) if told_type(record) in _NAMES else None
    if event is None or _is_its_own(event.data):
        return None
    return msgspec.structs.replace(event, data=Notice(agency_id=event.data.agency_id, payload=_payload(event)))


def _is_its_own(fact: placements.OfPlacement) -> bool:
    """What an agency has filed or taken back itself is no news to it."""
    filed = isinstance(fact, placements.PlacementDocumentFiled) and not fact.by_lender
    return filed or (isinstance(fact, placements.PlacementReportEnded) and fact.end is placements.ReportEnd.WITHDRAWN)


def _payload(event: Event[Any]) -> str:
    """What is sent, to the byte: the same each time, since it is signed."""
    told = {name: value for name, value in msgspec.to_builtins(event.data).items() if name not in OURS}
    about = {"debtor_id": event.debtor_id, "lender_id": event.lender_id, **told}
    whole = {"type": event.type, "timestamp": event.occurred_at, "data": about}
    return msgspec.json.encode(whole).decode()


def agency_of(event: Event[Any]) -> str:
    """Whose state an event changes."""
    return str(event.data.agency_id)


def delivery_of(event: Event[Any]) -> str:
    """The id of the delivery of a fact: by it the receiver knows what it has had already."""
    return derived_id(event.id, "webhook")
