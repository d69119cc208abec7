"""Field: requests are collected per lender, and allotted when every lane has reached the next business date.

The allocator hears the lanes in any order. What it decides does not depend on that order: a request belongs to the
business date of its lane, and a day is allotted once, when no lane can ask for it any more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, TypeAlias

import msgspec

from services.outreach.field.domain import (
    MOST_CARRIES,
    Allotted,
    Field,
    LaneClosing,
    VisitBook,
    VisitRequest,
    allot,
    request_key,
    unreachable,
)
from shared.contracts import catalogue
from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.outreach import VisitNotScheduled, VisitRequested, VisitRequestsClosed, VisitScheduled
from shared.messaging.broker import Record
from shared.service import SHARDS, decode_fact

Decision: TypeAlias = tuple[VisitBook, Sequence[Told]]

_HEARD = {catalogue.wire_name(fact).encode() for fact in (VisitRequested, VisitRequestsClosed)}


class LaneClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A lane's closing, with the lane that it came from: a date that is told twice must not count for two lanes."""

    lane: int
    business_date: date


def decode(record: Record) -> Event[Any] | None:
    """Requests, and closings with their lane; None for the rest, which is most of the topic. Raises Rejected."""
    name = next((value for header, value in record.headers if header == "type"), None)
    if name is not None and name not in _HEARD:
        return None
    event = decode_fact(record)
    if event is None or not isinstance(event.data, VisitRequestsClosed):
        return event
    closed = LaneClosed(lane=record.lane.partition, business_date=event.data.next_business_date)
    return msgspec.structs.replace(event, data=closed)


def lender_of(event: Event[Any]) -> str:
    """Whose book an event changes: the lender's, since crews cannot be split by debtor."""
    return event.lender_id


def on_requested(plan: Field, state: VisitBook, event: Event[VisitRequested], _now: Moment) -> Decision:
    """Let a request wait for its day; one that no crew could ever take is refused at once."""
    asked = event.data
    request = VisitRequest(
        debtor_id=event.debtor_id,
        plan_number=asked.plan_number,
        step_number=asked.step_number,
        district=asked.district,
        past_due=asked.past_due,
        currency=asked.currency,
        requested_on=asked.requested_on,
        case_version=event.case_version,
    )
    reason = unreachable(plan, asked.district)
    if reason:
        return state, (_not_scheduled(request, reason),)
    return replace(state, requests={**state.requests, request_key(request): request}), ()


def on_closed(plan: Field, state: VisitBook, event: Event[LaneClosed], _now: Moment) -> Decision:
    """Count the lanes that have reached a date; with the last one, allot what was asked for before it."""
    reached, lane = event.data.business_date, event.data.lane
    closings = {**state.closings, (reached, lane): LaneClosing(reached, lane)}
    if sum(key[0] == reached for key in closings) < SHARDS:
        return replace(state, closings=closings), ()
    later = {key: closing for key, closing in closings.items() if key[0] > reached}
    ready = [request for request in state.requests.values() if request.requested_on < reached]
    allotted, left = allot(plan, ready)
    requests = _waiting(state.requests, ready, left)
    return replace(state, closings=later, requests=requests), _facts(allotted, left, reached)


def _waiting(
    requests: Mapping[Any, VisitRequest], ready: Iterable[VisitRequest], left: Iterable[VisitRequest]
) -> dict[Any, VisitRequest]:
    done = {request_key(request) for request in ready}
    carried = [replace(request, carried=request.carried + 1) for request in left if request.carried < MOST_CARRIES]
    untouched = {key: request for key, request in requests.items() if key not in done}
    return {**untouched, **{request_key(request): request for request in carried}}


def _facts(allotted: Iterable[Allotted], left: Iterable[VisitRequest], visit_on: date) -> list[Told]:
    given_up = f"no crew had room on {MOST_CARRIES + 1} business days"
    refused = [_not_scheduled(request, given_up) for request in left if request.carried >= MOST_CARRIES]
    return [_scheduled(one, visit_on) for one in allotted] + refused


def _scheduled(one: Allotted, visit_on: date) -> Told:
    payload = VisitScheduled(
        plan_number=one.request.plan_number,
        step_number=one.request.step_number,
        district=one.request.district,
        crew=one.crew,
        visit_on=visit_on,
        distance_km=(one.metres + 500) // 1000,
    )
    return Told(payload, case_version=one.request.case_version, debtor_id=one.request.debtor_id)


def _not_scheduled(request: VisitRequest, reason: str) -> Told:
    payload = VisitNotScheduled(
        plan_number=request.plan_number, step_number=request.step_number, district=request.district, reason=reason
    )
    return Told(payload, case_version=request.case_version, debtor_id=request.debtor_id)
