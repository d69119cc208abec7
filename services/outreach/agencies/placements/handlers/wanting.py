"""A step of a plan that asks for an agency: it waits until one works the case, or none is found."""

from services.outreach.agencies.placements.domain.placement import (
    Placement,
    PlacementEnd,
    PlacementState,
    live,
    tier_of,
)
from services.outreach.plans.domain.course import guard_of, requested_step, with_step
from services.outreach.plans.domain.rows import DebtorPlans, Step, StepState
from services.outreach.plans.handlers.telling import Decision, step_ended, told
from shared.contracts import placements
from shared.contracts.envelope import Moment

_ASKED_AGAIN = frozenset({PlacementEnd.DECLINED, PlacementEnd.NOT_ANSWERED})
"""How an offer ends after which another agency is asked."""


def placement_requested(state: DebtorPlans, step: Step, now: Moment) -> Decision:
    """Ask the allocator for an agency."""
    if live(state.placements.values()) is not None:
        return step_ended(state, step, StepState.NOT_PLACED, "the case is placed already", now)
    state = with_step(state, step, StepState.REQUESTED, "", now.instant)
    return state, (told(state, _request(state, step, now)),)


def _request(state: DebtorPlans, step: Step, now: Moment) -> placements.PlacementRequested:
    guard = guard_of(state, "")
    return placements.PlacementRequested(
        plan_number=step.plan_number,
        step_number=step.step_number,
        past_due=guard.past_due,
        currency=guard.currency,
        tier=tier_of(state.tried_agencies.values()),
        tried=tuple(sorted(state.tried_agencies)),
        requested_on=now.business_date,
    )


def after_acceptance(state: DebtorPlans, placement: Placement, now: Moment) -> Decision:
    """End the step that has brought the case to its agency."""
    step = requested_step(state, placement.plan_number, placement.step_number)
    if step is None:
        return state, ()
    return step_ended(state, step, StepState.PLACED, f"agency {placement.agency_id} works the case", now)


def after_the_end(state: DebtorPlans, placement: Placement, offered: PlacementState, now: Moment) -> Decision:
    """Ask for another agency where one has not taken what it was offered; else the step has nothing to wait for."""
    step = requested_step(state, placement.plan_number, placement.step_number)
    if step is None or offered is not PlacementState.OFFERED:
        return state, ()
    if placement.ended_as in _ASKED_AGAIN:
        return state, (told(state, _request(state, step, now)),)
    return step_ended(state, step, StepState.NOT_PLACED, placement.end_reason, now)
