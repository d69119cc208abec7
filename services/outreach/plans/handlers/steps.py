"""What is done when a step falls due, and what becomes of the visits that it asks for."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from services.outreach.agencies.placements.domain.placement import WORKED_BY_AN_AGENCY, worked
from services.outreach.agencies.placements.handlers.wanting import placement_requested
from services.outreach.contacts.domain.judging import Rules
from services.outreach.plans.domain.course import arranged, guard_of, obstacle, requested_step, stopped, with_step
from services.outreach.plans.domain.rows import Channel, DebtorPlans, Step, StepDue, StepState, Visit, VisitState
from services.outreach.plans.handlers import contacting, working
from services.outreach.plans.handlers.revoking import revoked
from services.outreach.plans.handlers.standing import has_bad_point
from services.outreach.plans.handlers.telling import Decision, step_ended, stop_told, told
from services.outreach.plans.handlers.working import Queues
from shared.contracts import intake, outreach
from shared.contracts.envelope import Event, Moment, Told
from shared.frozen import replace

DISPATCH_IS_OFF = "dispatch is off"


def on_step_due(
    rules: Mapping[str, Rules] | None, queues: Queues, state: DebtorPlans, event: Event[StepDue], now: Moment
) -> Decision:
    """Do what the step says, if at this moment it still may be done.

    A step of a channel that has a queue waits there for people. Without `rules`, no provider is asked. While an agency
    works the case, nobody is contacted for a plan of ours.
    """
    due = event.data
    step = state.steps.get((due.plan_number, due.step_number))
    if step is None or step.state != StepState.SCHEDULED:
        return state, ()
    reason = obstacle(state)
    if reason:
        state, what = stopped(state, reason, now.instant)
        state, taken = revoked(state, reason, now)
        return arranged(state, now.instant), (*stop_told(state, what), *taken)
    if step.channel is not Channel.LEGAL_REFERRAL and worked(state.placements.values()) is not None:
        return step_ended(state, step, StepState.NOT_DISPATCHED, WORKED_BY_AN_AGENCY, now)
    return _done(rules, queues, state, step, event.id, now)


def _done(
    rules: Mapping[str, Rules] | None, queues: Queues, state: DebtorPlans, step: Step, cause: str, now: Moment
) -> Decision:
    action = _ACTIONS.get(step.channel)
    if action is not None:
        return action(state, step, now)
    if step.channel in queues:
        return working.requested(queues[step.channel], state, step, now)
    if rules is None:
        return step_ended(state, step, StepState.NOT_DISPATCHED, DISPATCH_IS_OFF, now)
    return contacting.contact(rules, state, step, cause, now)


def _visit_requested(state: DebtorPlans, step: Step, now: Moment) -> Decision:
    if Channel.VISIT in state.opt_outs:
        return step_ended(state, step, StepState.NOT_DISPATCHED, "the person wants no visits", now)
    if has_bad_point(state, Channel.VISIT):
        return step_ended(state, step, StepState.NOT_DISPATCHED, contacting.WRONG_POINT, now)
    guard = guard_of(state, "")
    payload = outreach.VisitRequested(
        plan_number=step.plan_number,
        step_number=step.step_number,
        district=guard.district,
        past_due=guard.past_due,
        currency=guard.currency,
        requested_on=now.business_date,
    )
    return with_step(state, step, StepState.REQUESTED, "", now.instant), (told(state, payload),)


def _referred(state: DebtorPlans, step: Step, now: Moment) -> Decision:
    payload = outreach.LegalReferred(plan_number=step.plan_number, step_number=step.step_number)
    state, facts = step_ended(state, step, StepState.REFERRED, "handed to legal", now)
    return state, (*facts, told(state, payload))


_ACTIONS: Mapping[Channel, Callable[[DebtorPlans, Step, Moment], Decision]] = {
    Channel.VISIT: _visit_requested,
    Channel.AGENCY: placement_requested,
    Channel.LEGAL_REFERRAL: _referred,
}


def on_visit_scheduled(state: DebtorPlans, event: Event[outreach.VisitScheduled], now: Moment) -> Decision:
    """Keep which crew goes when; one for a step that was cancelled meanwhile is kept as withdrawn."""
    key = event.data.plan_number, event.data.step_number
    if key in state.visits:
        return state, ()
    step = requested_step(state, *key)
    if step is None:
        return replace(state, visits={**state.visits, key: _visit(event.data, VisitState.WITHDRAWN)}), ()
    state = replace(state, visits={**state.visits, key: _visit(event.data, VisitState.ASSIGNED)})
    return step_ended(state, step, StepState.ASSIGNED, f"crew {event.data.crew} on {event.data.visit_on}", now)


def _visit(scheduled: outreach.VisitScheduled, state: VisitState) -> Visit:
    return Visit(
        plan_number=scheduled.plan_number,
        step_number=scheduled.step_number,
        district=scheduled.district,
        crew=scheduled.crew,
        visit_on=scheduled.visit_on,
        distance_km=scheduled.distance_km,
        state=state,
        settled=state == VisitState.WITHDRAWN,
    )


def on_visit_not_scheduled(state: DebtorPlans, event: Event[outreach.VisitNotScheduled], now: Moment) -> Decision:
    """End the step without a visit, for the allocator's reason; nothing where it was cancelled meanwhile."""
    step = requested_step(state, event.data.plan_number, event.data.step_number)
    if step is None:
        return state, ()
    return step_ended(state, step, StepState.UNASSIGNED, event.data.reason, now)


def on_business_date(event: Event[intake.BusinessDateAdvanced], now: Moment) -> Sequence[Told]:
    """Say that everything of an earlier day has been asked for; nothing for a date that comes late."""
    reached = event.data.business_date
    if reached < now.business_date:
        return ()
    closed = outreach.RequestsClosed(requested_on=reached - timedelta(days=1), next_business_date=reached)
    return (Told(closed),)
