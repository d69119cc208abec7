"""How a plan runs: when one may start, what stops it, how its steps end. Pure: a state in, a state out.

A plan that has ended is settled: it is not loaded any more, so every rule here looks at the active plan only.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.outreach.plans.domain.rows import (
    QUEUED,
    UNENDED,
    CaseStatus,
    DebtorPlans,
    Guard,
    Hold,
    HoldDue,
    Plan,
    PlanDue,
    PlanState,
    Step,
    StepDue,
    StepKey,
    StepState,
    Treatment,
    Visit,
    VisitState,
)
from services.outreach.plans.domain.window import Window, due_at
from services.outreach.promises.domain import standing
from shared.frozen import replace

A_MOMENT = timedelta(minutes=1)
"""How long a plan waits for the rest of the facts of one night, which together make one plan."""


class StopReason(StrEnum):
    """Why what was queued is cancelled."""

    PAYMENT = "payment posted"
    CURED = "case cured"
    CLOSED = "case closed"
    HOLD = "hold placed"
    QUARANTINE = "debtor quarantined"
    TREATMENT = "treatment changed"
    NO_STEPS = "nobody is to be contacted"
    PROMISE = "promise made"


@dataclass(frozen=True, slots=True)
class Stopped:
    """A plan that was stopped, and the numbers of the steps that were cancelled with it."""

    plan_number: int
    reason: str
    cancelled: tuple[int, ...]


def guard_of(state: DebtorPlans, lender_id: str) -> Guard:
    """The debtor's guard; one that knows nothing but the lender where there is none yet."""
    return state.guard or Guard(lender_id)


def active_plan(state: DebtorPlans) -> Plan | None:
    """The one plan that runs."""
    return next((plan for plan in state.plans.values() if plan.state == PlanState.ACTIVE), None)


def obstacle(state: DebtorPlans) -> str:
    """Why nothing may be done for this debtor now; empty where something may."""
    return standstill(state) or ("a promise stands" if standing(state.promises.values()) is not None else "")


def standstill(state: DebtorPlans) -> str:
    """Why nothing may be done, not even what a promise that stands allows; empty where that may."""
    if state.guard is None or state.guard.status is None:
        return "no case is known"
    if state.guard.status != CaseStatus.OPEN:
        return f"the case is {state.guard.status}"
    return "on hold" if any(not hold.released for hold in state.holds.values()) else ""


def refusal_of(state: DebtorPlans, case_version: int) -> str:
    """Why a treatment computed from that version of the case comes too late; empty where it does not."""
    guard, held = state.guard, state.treatment
    if guard is not None and case_version < guard.stop_version:
        return "older than the last stop"
    if held is not None and case_version < held.case_version:
        return "older than the treatment held"
    if guard is not None and guard.case_version >= case_version and guard.status in _ENDED:
        return "the case has ended"
    return ""


_ENDED = frozenset({CaseStatus.CURED, CaseStatus.CLOSED})


def accepted(state: DebtorPlans, treatment: Treatment) -> DebtorPlans:
    """Hold a treatment; what an unstopped plan of the same treatment already does is not asked for again."""
    held = state.treatment
    same = held is not None and is_same(held, treatment)
    return replace(state, treatment=replace(treatment, plan_number=held.plan_number if held and same else 0))


def is_same(one: Treatment | Plan, other: Treatment | Plan) -> bool:
    """Whether two prescribe the same: stage, strategy and its version."""
    first = (one.stage, one.strategy, one.strategy_version)
    return first == (other.stage, other.strategy, other.strategy_version)


def may_plan(state: DebtorPlans) -> bool:
    """Whether the treatment held is to become a plan: it has steps, and nothing stands against it."""
    held, guard = state.treatment, state.guard
    if held is None or guard is None or held.plan_number or not held.steps:
        return False
    return held.case_version >= guard.stop_version and not obstacle(state)


def arranged(state: DebtorPlans, instant: datetime) -> DebtorPlans:
    """The state with a plan due a moment later if one may be made, and none due otherwise."""
    if may_plan(state) == (state.plan_due is not None):
        return state
    if state.plan_due is not None or state.guard is None:
        return replace(state, plan_due=None)
    return replace(state, plan_due=PlanDue(instant + A_MOMENT, state.guard.lender_id))


def stopped(state: DebtorPlans, reason: str, instant: datetime) -> tuple[DebtorPlans, Stopped | None]:
    """Cancel all that is queued of the active plan; its treatment asks for a plan again. None where nothing runs."""
    plan = active_plan(state)
    if plan is None:
        return state, None
    queued = sorted(step.step_number for step in _steps_of(state, plan.plan_number) if step.state in QUEUED)
    state = _with_plan_ended(state, plan, PlanState.STOPPED, reason, instant)
    if state.treatment is not None and state.treatment.plan_number == plan.plan_number:
        state = replace(state, treatment=replace(state.treatment, plan_number=0))
    return state, Stopped(plan.plan_number, reason, tuple(queued))


def stopped_by_case(
    state: DebtorPlans, version: int, reason: str, instant: datetime
) -> tuple[DebtorPlans, Stopped | None]:
    """Stop for good what was planned before that version of the case: only a treatment not older may start again."""
    if state.guard is not None and version > state.guard.stop_version:
        state = replace(state, guard=replace(state.guard, stop_version=version))
    state, what = stopped(state, reason, instant)
    if state.treatment is not None and state.treatment.plan_number:
        state = replace(state, treatment=replace(state.treatment, plan_number=0))
    return state, what


def without_visits(state: DebtorPlans, business_date: date) -> DebtorPlans:
    """Withdraw the crews that have yet to go; those that went before the business date stay as they are."""
    if all(visit.settled for visit in state.visits.values()):
        return state
    visits = {key: _no_longer_open(visit, business_date) for key, visit in state.visits.items()}
    return replace(state, visits=visits)


def _no_longer_open(visit: Visit, business_date: date) -> Visit:
    if visit.settled:
        return visit
    withdrawn = visit.visit_on >= business_date
    return replace(visit, state=VisitState.WITHDRAWN if withdrawn else visit.state, settled=True)


def started(state: DebtorPlans, window: Window, business_date: date, instant: datetime) -> tuple[DebtorPlans, Plan]:
    """Make the next plan from the treatment held, which must be there, and queue its steps.

    It starts on the business date, or today where the books lag behind (over holidays, say): else steps that are days
    apart would fall due at once.
    """
    treatment, guard = state.treatment, state.guard
    if treatment is None or guard is None:
        raise ValueError(state.debtor_id)
    plan = Plan(
        plan_number=guard.plans_made + 1,
        state=PlanState.ACTIVE,
        stage=treatment.stage,
        strategy=treatment.strategy,
        strategy_version=treatment.strategy_version,
        case_version=treatment.case_version,
        started_on=max(business_date, window.day_of(instant)),
        started_at=instant,
    )
    return _with_plan(state, guard, treatment, plan, window), plan


def _with_plan(state: DebtorPlans, guard: Guard, treatment: Treatment, plan: Plan, window: Window) -> DebtorPlans:
    number = plan.plan_number
    steps = [
        Step(number, step.number, step.channel, step.template, _due_at(state.debtor_id, plan, step.number, day, window))
        for step in treatment.steps
        for day in (plan.started_on + timedelta(days=step.after_days),)
    ]
    due = {_key(step): StepDue(number, step.step_number, step.due_at, guard.lender_id) for step in steps}
    state = replace(
        state,
        guard=replace(guard, plans_made=number),
        treatment=replace(treatment, plan_number=number),
        plans={**state.plans, number: plan},
        steps={**state.steps, **{_key(step): step for step in steps}},
        step_due={**state.step_due, **due},
    )
    return _completed(state, number, plan.started_at)


def _due_at(debtor_id: str, plan: Plan, step_number: int, day: date, window: Window) -> datetime:
    return due_at(window, f"{debtor_id}/{plan.plan_number}/{step_number}", day, plan.started_at)


def requested_step(state: DebtorPlans, plan_number: int, step_number: int) -> Step | None:
    """The step, where it still waits for what it has asked for; None where it was cancelled or has ended."""
    step = state.steps.get((plan_number, step_number))
    return step if step is not None and step.state == StepState.REQUESTED else None


def with_step(state: DebtorPlans, step: Step, step_state: StepState, reason: str, instant: datetime) -> DebtorPlans:
    """Move a step on; with the last one that ends, its plan is completed."""
    ended_at = None if step_state in UNENDED else instant
    step = replace(step, state=step_state, reason=reason, ended_at=ended_at)
    plan = state.plans.get(step.plan_number)
    if plan is None or plan.settled:  # the plan has ended while the step was being sent
        return replace(state, steps={**state.steps, _key(step): replace(step, settled=True)})
    return _completed(replace(state, steps={**state.steps, _key(step): step}), step.plan_number, instant)


def postponed(state: DebtorPlans, step: Step, due_at: datetime, reason: str) -> DebtorPlans:
    """Have a step of the active plan fall due again; `reason` says what it waits for."""
    guard = guard_of(state, "")
    step = replace(step, state=StepState.SCHEDULED, reason=reason, due_at=due_at)
    due = StepDue(step.plan_number, step.step_number, due_at, guard.lender_id)
    return replace(state, steps={**state.steps, _key(step): step}, step_due={**state.step_due, _key(step): due})


def _completed(state: DebtorPlans, plan_number: int, instant: datetime) -> DebtorPlans:
    if any(step.state in UNENDED for step in _steps_of(state, plan_number)):
        return state
    return _with_plan_ended(state, state.plans[plan_number], PlanState.COMPLETED, "every step has ended", instant)


def _with_plan_ended(
    state: DebtorPlans, plan: Plan, plan_state: PlanState, reason: str, instant: datetime
) -> DebtorPlans:
    number = plan.plan_number
    ended = replace(plan, state=plan_state, ended_at=instant, end_reason=reason, settled=True)
    steps = {_key(step): _settled(step, reason, instant) for step in _steps_of(state, number)}
    return replace(
        state,
        plans={**state.plans, number: ended},
        steps={**state.steps, **steps},
        step_due={key: due for key, due in state.step_due.items() if key[0] != number},
    )


def _settled(step: Step, reason: str, instant: datetime) -> Step:
    if step.state not in QUEUED:
        return replace(step, settled=step.state not in UNENDED)
    return replace(step, state=StepState.CANCELLED, reason=reason, ended_at=instant, settled=True)


def _steps_of(state: DebtorPlans, plan_number: int) -> list[Step]:
    return [step for step in state.steps.values() if step.plan_number == plan_number]


def _key(step: Step) -> StepKey:
    return step.plan_number, step.step_number


def held(state: DebtorPlans, hold: Hold) -> DebtorPlans:
    """Place a hold, with its end as future work where it has one. What is queued is for the caller to stop."""
    state = replace(state, holds={**state.holds, hold.hold_id: hold})
    if hold.until is None or state.guard is None:
        return state
    due = HoldDue(hold.hold_id, hold.until, state.guard.lender_id)
    return replace(state, hold_due={**state.hold_due, hold.hold_id: due})


def released(state: DebtorPlans, hold: Hold, reason: str, by: str, on: date, instant: datetime) -> DebtorPlans:
    """Lift a hold as of a business date; whether a plan may be made now is for the caller to arrange."""
    lifted = replace(hold, released=True, released_at=instant, released_on=on, released_by=by, release_reason=reason)
    due = {key: row for key, row in state.hold_due.items() if key != hold.hold_id}
    return replace(state, holds={**state.holds, hold.hold_id: lifted}, hold_due=due)
