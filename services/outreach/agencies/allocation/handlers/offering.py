"""What a lane makes of the allocator's answer: the case is offered as a supervisor would, or its step has ended."""

from services.outreach.agencies.placements.domain.placement import Chosen, Practice
from services.outreach.agencies.placements.handlers.offering import Offer, offered
from services.outreach.plans.domain.course import requested_step
from services.outreach.plans.domain.rows import DebtorPlans, StepState
from services.outreach.plans.handlers.telling import Decision, step_ended, told
from shared.contracts import placements
from shared.contracts.envelope import Event, Moment, Told
from shared.service import Rejected

NOT_WANTED = "no agency is asked for any more"


def on_allotted(
    practice: Practice, state: DebtorPlans, event: Event[placements.PlacementAllotted], now: Moment
) -> Decision:
    """Offer the case; the allocator is told where that may not be, so that it counts it no more."""
    allotted = event.data
    step = requested_step(state, allotted.plan_number, allotted.step_number)
    if step is None:
        return state, (_not_offered(state, allotted, NOT_WANTED),)
    try:
        return offered(practice, state, _offer(event), now)
    except Rejected as refusal:
        state, ended = step_ended(state, step, StepState.NOT_PLACED, refusal.reason, now)
        return state, (*ended, _not_offered(state, allotted, refusal.reason))


def _offer(event: Event[placements.PlacementAllotted]) -> Offer:
    allotted = event.data
    return Offer(
        cause=event.id,
        agency_id=allotted.agency_id,
        days=allotted.days,
        by=f"rule/{allotted.rule_version}",
        chosen=Chosen(allotted.chosen),
        rule_version=allotted.rule_version,
        plan_number=allotted.plan_number,
        step_number=allotted.step_number,
    )


def _not_offered(state: DebtorPlans, allotted: placements.PlacementAllotted, reason: str) -> Told:
    payload = placements.PlacementNotOffered(
        plan_number=allotted.plan_number,
        step_number=allotted.step_number,
        agency_id=allotted.agency_id,
        reason=reason,
    )
    return told(state, payload)


def on_not_allotted(state: DebtorPlans, event: Event[placements.PlacementNotAllotted], now: Moment) -> Decision:
    """End the step without an agency, for the allocator's reason; nothing where it was cancelled meanwhile."""
    step = requested_step(state, event.data.plan_number, event.data.step_number)
    if step is None:
        return state, ()
    return step_ended(state, step, StepState.NOT_PLACED, event.data.reason, now)
