"""Work for people: a due step waits in a queue, and is claimed with its permit, given up, done or put off."""

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from services.outreach.contacts.domain.rows import Contact
from services.outreach.plans.domain.course import guard_of, with_step
from services.outreach.plans.domain.rows import DebtorPlans, Step, StepKey, StepState
from services.outreach.plans.handlers.telling import Decision, told
from services.outreach.work import domain as work
from services.outreach.work.domain import WorkItem, WorkState
from shared.contracts import outreach
from shared.contracts.envelope import Moment
from shared.frozen import replace

Queues: TypeAlias = Mapping[str, str]
"""Where the steps of a channel wait for people, for each channel that people work."""


def requested(queue: str, state: DebtorPlans, step: Step, now: Moment) -> Decision:
    """Have a due step wait for people."""
    guard = guard_of(state, "")
    days = 0 if guard.oldest_due_on is None else (now.business_date - guard.oldest_due_on).days
    item = WorkItem(
        plan_number=step.plan_number,
        step_number=step.step_number,
        queue=queue,
        channel=step.channel.value,
        template=step.template,
        priority=work.priority_of(guard.past_due, days),
        opened_at=now.instant,
        due_at=step.due_at,
    )
    payload = outreach.WorkRequested(
        plan_number=item.plan_number,
        step_number=item.step_number,
        channel=item.channel,
        queue=item.queue,
        template=item.template,
        priority=item.priority,
        due_at=item.due_at,
    )
    state = with_step(with_work(state, item), step, StepState.REQUESTED, "", now.instant)
    return state, (told(state, payload),)


def with_work(state: DebtorPlans, item: WorkItem) -> DebtorPlans:
    """Keep a piece of work."""
    return replace(state, work_items={**state.work_items, (item.plan_number, item.step_number): item})


def work_under(state: DebtorPlans, contact: Contact) -> WorkItem | None:
    """The work that is claimed under a permit."""
    item = state.work_items.get((contact.plan_number, contact.step_number))
    return item if item is not None and item.contact_id == contact.contact_id and not item.settled else None


def unclaimed(state: DebtorPlans, contact: Contact) -> DebtorPlans:
    """Have the work under a permit wait again, if there is any."""
    item = work_under(state, contact)
    return state if item is None else with_work(state, work.reopened(item, contact.reason))


def done(state: DebtorPlans, contact: Contact, reason: str, instant: datetime) -> DebtorPlans:
    """End the work under a permit, if there is any."""
    item = work_under(state, contact)
    return state if item is None else with_work(state, work.ended(item, WorkState.DONE, reason, instant))


def given_up(state: DebtorPlans, key: StepKey, reason: str, instant: datetime) -> DebtorPlans:
    """Withdraw work that can no longer be done."""
    return with_work(state, work.ended(state.work_items[key], WorkState.WITHDRAWN, reason, instant))
