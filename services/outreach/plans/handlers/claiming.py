"""Work is claimed with its permit, in one decision: who may not contact a person now does not get to know the case."""

from collections.abc import Mapping

from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.course import Wanted
from services.outreach.contacts.domain.judging import Rules
from services.outreach.contacts.domain.rows import Denial
from services.outreach.contacts.points import chosen, counted_as
from services.outreach.plans.domain.course import guard_of
from services.outreach.plans.domain.rows import DebtorPlans, StepState
from services.outreach.plans.handlers.contacting import LONGEST_WAIT
from services.outreach.plans.handlers.permitting import admitted, given_back, grant_told
from services.outreach.plans.handlers.reserving import denial_told, failing, reserved
from services.outreach.plans.handlers.telling import Decision, step_ended
from services.outreach.plans.handlers.working import given_up, with_work
from services.outreach.work import domain as work
from services.outreach.work.commands import ClaimWork, ReleaseWork
from services.outreach.work.domain import WorkItem, WorkState
from shared.contracts.envelope import Event, Moment, derived_id
from shared.service import Rejected


def on_claim_work(rules: Mapping[str, Rules], state: DebtorPlans, event: Event[ClaimWork], now: Moment) -> Decision:
    """Give work to whoever asks, with the permit for it; where the rules deny that, it is put off. Raises Rejected."""
    item = _item(state, event.data)
    if item.state is not WorkState.OPEN:
        raise Rejected("somebody else has it", field="step")
    if now.instant < item.due_at:
        raise Rejected(f"not before {item.due_at.isoformat(timespec='seconds')}", field="step")
    judge = admitted(rules, state, item.channel, now)
    state, found = reserved(judge, state, _wanted(state, item, event), now)
    if isinstance(found, Denial):
        return _denied(state, item, found, now)
    state = with_work(state, work.claimed(item, event.actor, found.contact_id, now.instant))
    return state, (grant_told(state, found),)


def on_release_work(state: DebtorPlans, event: Event[ReleaseWork], now: Moment) -> Decision:
    """Have claimed work wait again, and give its permit back unused. Raises Rejected."""
    item = _item(state, event.data)
    permit = state.contacts.get(item.contact_id)
    if permit is None:
        raise Rejected("nobody has it", field="step")
    return given_back(state, permit, event.actor, now)


def _item(state: DebtorPlans, asked: ClaimWork | ReleaseWork) -> WorkItem:
    item = state.work_items.get((asked.plan_number, asked.step_number))
    if item is None or item.settled:
        raise Rejected("no such work waits", field="step")
    return item


def _wanted(state: DebtorPlans, item: WorkItem, event: Event[ClaimWork]) -> Wanted:
    point = chosen(state.profile, item.channel)
    return Wanted(
        contact_id=derived_id(event.id, "contact"),
        idempotency_key=course.idempotency_key(state.debtor_id, item.plan_number, item.step_number),
        plan_number=item.plan_number,
        step_number=item.step_number,
        channel=item.channel,
        template=item.template,
        asked_by=event.actor,
        case_version=guard_of(state, "").case_version,
        by_hand=True,
        contact_point=point.id if point else "",
        point=counted_as(point),
    )


def _denied(state: DebtorPlans, item: WorkItem, denial: Denial, now: Moment) -> Decision:
    """Put work off until the rules next allow it; what they do not within long ends with its step."""
    said, reason = denial_told(state, denial), f"denied by {', '.join(failing(denial))}"
    following = denial.next_allowed
    if following is not None and following - now.instant <= LONGEST_WAIT:
        return with_work(state, work.put_off(item, following, reason)), (said,)
    key = item.plan_number, item.step_number
    state, facts = step_ended(
        given_up(state, key, reason, now.instant), state.steps[key], StepState.DENIED, reason, now
    )
    return state, (said, *facts)
