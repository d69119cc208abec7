"""What the allocator hears: requests, collected per lender until every lane has reached the next day.

It hears the lanes in any order. What it decides does not depend on that order: a request belongs to the business date
of its lane, and a day is allotted once, when no lane can ask for it any more.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, TypeAlias

import msgspec

from services.outreach.agencies.allocation.handlers.allotting import Rules, placements_allotted
from services.outreach.allocator.domain.book import AllocationBook, closed
from services.outreach.field.domain import Field
from services.outreach.field.handlers import visits_allotted
from shared.contracts import agencies, catalogue, placements
from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.outreach import RequestsClosed, VisitRequested
from shared.messaging.broker import Record
from shared.service import SHARDS, decode_fact, told_type

Decision: TypeAlias = tuple[AllocationBook, Sequence[Told]]

_HEARD = frozenset(
    catalogue.wire_name(fact).encode()
    for fact in (
        VisitRequested,
        RequestsClosed,
        placements.PlacementRequested,
        placements.PlacementOffered,
        placements.PlacementNotOffered,
        placements.PlacementEnded,
        agencies.AgencyListed,
    )
)


class LaneClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A lane's closing, with the lane that it came from: a date that is told twice must not count for two lanes."""

    lane: int
    business_date: date


def decode(record: Record) -> Event[Any] | None:
    """Requests, closings with their lane, and what agencies hold; None for the rest, which is most. Raises Rejected.

    The register tells every lane the same, and what one of them says is enough.
    """
    name = told_type(record)
    if (name and name not in _HEARD) or (record.lane.topic == agencies.TOPIC and record.lane.partition):
        return None
    event = decode_fact(record)
    if event is None or not isinstance(event.data, RequestsClosed):
        return event
    closing = LaneClosed(lane=record.lane.partition, business_date=event.data.next_business_date)
    return msgspec.structs.replace(event, data=closing)


def lender_of(event: Event[Any]) -> str:
    """Whose book an event changes: the lender's, since neither crews nor agencies can be split by debtor.

    Nobody's, where the register tells how an agency stands: it stands so for all.
    """
    return "" if isinstance(event.data, agencies.AgencyListed) else event.lender_id


def on_closed(plan: Field, rules: Rules, state: AllocationBook, event: Event[LaneClosed], now: Moment) -> Decision:
    """Count the lanes that have reached a date; with the last one, allot what was asked for before it."""
    reached = event.data.business_date
    state, is_last = closed(state, reached, event.data.lane, SHARDS)
    if not is_last:
        return state, ()
    state, visits = visits_allotted(plan, state, reached)
    state, cases = placements_allotted(rules, state, reached, now)
    return state, (*visits, *cases)
