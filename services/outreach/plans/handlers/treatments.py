"""What outreach makes of a treatment: a plan, a moment later."""

from collections.abc import Mapping

from services.outreach.plans.domain.course import (
    StopReason,
    accepted,
    active_plan,
    arranged,
    guard_of,
    is_same,
    may_plan,
    refusal_of,
    started,
    stopped,
    without_visits,
)
from services.outreach.plans.domain.rows import (
    Channel,
    DebtorPlans,
    Hold,
    HoldSource,
    Plan,
    PlanDue,
    RefusedTreatment,
    Treatment,
    TreatmentStep,
)
from services.outreach.plans.domain.window import Window
from services.outreach.plans.handlers.holds import place_our_own
from services.outreach.plans.handlers.revoking import revoked, withdrawn
from services.outreach.plans.handlers.telling import Decision, stop_told, told
from shared.contracts import outreach, segmentation
from shared.contracts.envelope import Event, Moment, Told, derived_id
from shared.frozen import replace
from shared.service import Rejected


def on_treatment(state: DebtorPlans, event: Event[segmentation.TreatmentAssigned], now: Moment) -> Decision:
    """Hold the treatment unless it comes too late; a plan is made of it a moment later. Raises Rejected.

    A treatment without steps asks that nobody be contacted: what is queued ends at once, and nothing takes its place.
    """
    refusal = refusal_of(state, event.case_version)
    if refusal:
        return replace(state, refused=(*state.refused, RefusedTreatment(refusal))), ()
    guard = guard_of(state, event.lender_id)
    state = accepted(replace(state, guard=guard), _treatment(event.data, event.case_version))
    if event.data.steps:
        return arranged(state, now.instant), ()
    state, what = stopped(state, StopReason.NO_STEPS, now.instant)
    state, taken = revoked(without_visits(state, now.business_date), StopReason.NO_STEPS, now)
    return arranged(state, now.instant), (*stop_told(state, what), *taken)


def _treatment(assigned: segmentation.TreatmentAssigned, case_version: int) -> Treatment:
    steps = assigned.steps
    if len({step.number for step in steps}) < len(steps) or any(step.after_days < 0 for step in steps):
        raise Rejected("steps need numbers of their own and days that are not negative", field="steps")
    return Treatment(
        case_version=case_version,
        stage=assigned.stage,
        strategy=assigned.strategy,
        strategy_version=assigned.strategy_version,
        steps=tuple(TreatmentStep(s.number, Channel(s.channel), s.after_days, s.template) for s in steps),
    )


def on_plan_due(windows: Mapping[str, Window], state: DebtorPlans, event: Event[PlanDue], now: Moment) -> Decision:
    """Make a plan of the treatment held, if that is still wanted; it takes the place of the plan that runs."""
    if state.guard is None or not may_plan(state):
        return state, ()
    window = windows.get(state.guard.jurisdiction)
    if window is None:
        return _without_window(state, event, now)
    running = active_plan(state)
    if running is not None and state.treatment is not None and is_same(running, state.treatment):
        return replace(state, treatment=replace(state.treatment, plan_number=running.plan_number)), ()
    state, what = stopped(state, StopReason.TREATMENT, now.instant)
    state, taken = withdrawn(state, StopReason.TREATMENT, now)
    state, plan = started(state, window, now.business_date, now.instant)
    return state, (*stop_told(state, what), *taken, _plan_told(state, plan))


def _without_window(state: DebtorPlans, event: Event[PlanDue], now: Moment) -> Decision:
    """Nobody may be reached at an hour that no law is known for: a hold shows it to people."""
    code = guard_of(state, event.lender_id).jurisdiction
    hold = Hold(
        hold_id=derived_id(event.id, 0),
        source=HoldSource.OUTREACH,
        reason=f"no lawful hours are known for jurisdiction {code}",
        placed_by="outreach",
        placed_at=now.instant,
        placed_on=now.business_date,
    )
    return place_our_own(state, hold, now)


def _plan_told(state: DebtorPlans, plan: Plan) -> Told:
    steps = [step for key, step in sorted(state.steps.items()) if key[0] == plan.plan_number]
    payload = outreach.PlanStarted(
        plan_number=plan.plan_number,
        stage=plan.stage,
        strategy=plan.strategy,
        strategy_version=plan.strategy_version,
        steps=tuple(
            outreach.PlannedStep(number=s.step_number, channel=segmentation.Channel(s.channel), due_at=s.due_at)
            for s in steps
        ),
    )
    return told(state, payload, plan.case_version)
