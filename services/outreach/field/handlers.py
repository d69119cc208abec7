"""Field: a visit waits for a crew until its day is over, and some days longer where there is no room."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TypeAlias

from services.outreach.allocator.domain.book import AllocationBook
from services.outreach.allocator.domain.waiting import MOST_CARRIES, is_given_up, ready, request_key, still_waiting
from services.outreach.field.domain import (
    Allotted,
    Field,
    VisitRequest,
    allot,
    unreachable,
)
from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.outreach import VisitNotScheduled, VisitRequested, VisitScheduled
from shared.frozen import replace

Decision: TypeAlias = tuple[AllocationBook, Sequence[Told]]


def on_requested(plan: Field, state: AllocationBook, event: Event[VisitRequested], _now: Moment) -> Decision:
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


def visits_allotted(plan: Field, state: AllocationBook, reached: date) -> Decision:
    """Allot what was asked for before a date that every lane has reached."""
    allotted, left = allot(plan, ready(state.requests, reached))
    return replace(state, requests=still_waiting(state.requests, left, reached)), _facts(allotted, left, reached)


def _facts(allotted: Iterable[Allotted], left: Iterable[VisitRequest], visit_on: date) -> list[Told]:
    given_up = f"no crew had room on {MOST_CARRIES + 1} business days"
    refused = [_not_scheduled(request, given_up) for request in left if is_given_up(request)]
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
