"""How a plan and its steps stand, and what a change of them adds to the counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from services.analytics.domain.rows import Count, Plan
from shared.frozen import replace

SCHEDULED, REQUESTED, CANCELLED = "scheduled", "requested", "cancelled"
PENDING = (SCHEDULED, REQUESTED)
"""The states of a step that has not ended."""

RUNNING, COMPLETED, STOPPED = "running", "completed", "stopped"


def step_states(plan: Plan, numbers: Iterable[int], state: str) -> Plan:
    """The plan with these steps in `state`; a step that has already ended stays as it ended."""
    named = frozenset(numbers)
    steps = tuple(
        replace(step, state=state) if step.number in named and step.state in PENDING else step for step in plan.steps
    )
    return replace(plan, steps=steps)


def ended_of_itself(plan: Plan) -> Plan:
    """The plan as completed, where it runs and each of its steps has ended."""
    pending = any(step.state in PENDING for step in plan.steps)
    return plan if pending or plan.state != RUNNING else replace(plan, state=COMPLETED)


def still_wanted(plans: Mapping[int, Plan]) -> dict[int, Plan]:
    """The plans of which a step can still end."""
    return {number: plan for number, plan in plans.items() if any(step.state in PENDING for step in plan.steps)}


CountOf: TypeAlias = Callable[[str, str, str, int], Count]
"""Makes a count of (subject, kind, detail, times) in the month and for the lender at hand."""


def plan_counts(before: Plan | None, after: Plan, count: CountOf) -> tuple[Count, ...]:
    """What a change of a plan adds to and takes from the counts of plans by state and steps by channel and state."""
    change: Counter[tuple[str, str, str]] = Counter(_counted_plan(after))
    change.subtract(_counted_plan(before) if before else ())
    return tuple(count(*key, times) for key, times in sorted(change.items()) if times)


def _counted_plan(plan: Plan) -> list[tuple[str, str, str]]:
    return [("plan", plan.state, ""), *(("step", step.channel, step.state) for step in plan.steps)]
