"""A due step becomes a contact: judged, permitted, asked of a provider, and ended by what the provider says."""

from collections.abc import Mapping
from datetime import timedelta

from services.outreach.compliance.domain.words import Outcome
from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.course import Delivery, Wanted
from services.outreach.contacts.domain.judging import Rules
from services.outreach.contacts.domain.rows import Contact, ContactDue, ContactState, Denial
from services.outreach.contacts.effects import Heard
from services.outreach.contacts.points import chosen, counted_as
from services.outreach.outcomes.domain import asked_until
from services.outreach.plans.domain.course import active_plan, guard_of, obstacle, postponed, with_step
from services.outreach.plans.domain.rows import UNENDED, DebtorPlans, PlanState, Step, StepState
from services.outreach.plans.handlers import reminding
from services.outreach.plans.handlers.reserving import (
    OUTREACH,
    denial_told,
    failing,
    judge_of,
    kept,
    not_made_told,
    reserved,
)
from services.outreach.plans.handlers.standing import has_bad_point
from services.outreach.plans.handlers.telling import Decision, permitted, recalled, step_ended, told
from services.outreach.plans.handlers.working import done
from shared.contracts import outreach
from shared.contracts.envelope import Event, Moment, Told, derived_id
from shared.contracts.intake import SealedContact
from shared.frozen import replace

LONGEST_WAIT = timedelta(days=30)
"""A step that the rules would allow only later than this is given up: it answers a case that has long changed."""

AN_HOUR = 3600

WRONG_POINT = "the contact point on file led to somebody else"


def contact(rules: Mapping[str, Rules], state: DebtorPlans, step: Step, cause: str, now: Moment) -> Decision:
    """Judge a due step, and grant its permit or say why not. A lane that may not know of a payment waits."""
    if course.is_stale(now.heard, now.instant):
        return postponed(state, step, now.instant + course.LATER, "the lane has not heard the bank of late"), ()
    later = asked_until(state.outcomes.values(), now.instant)
    if later is not None:
        return postponed(state, step, later, "another time was asked for"), ()
    judge = judge_of(rules, state, step.channel)
    if isinstance(judge, str):
        return step_ended(state, step, StepState.NOT_DISPATCHED, judge, now)
    return _with_a_point(judge, state, step, cause, now)


def _with_a_point(judge: Rules, state: DebtorPlans, step: Step, cause: str, now: Moment) -> Decision:
    """Judge a contact by the debtor's best contact point; where no profile is held, by the one that the bank has."""
    if has_bad_point(state, step.channel):
        return step_ended(state, step, StepState.NOT_DISPATCHED, WRONG_POINT, now)
    point = chosen(state.profile, step.channel)
    if point is None and state.profile is not None:
        return step_ended(state, step, StepState.FAILED, f"nothing is on file to reach them by {step.channel}", now)
    state, found = reserved(judge, state, _wanted(state, step, derived_id(cause, "contact"), point), now)
    if isinstance(found, Denial):
        return _denied(state, step, found, now)
    return with_step(state, step, StepState.SENDING, "", now.instant), (told(state, permitted(found)),)


def _wanted(state: DebtorPlans, step: Step, contact_id: str, point: SealedContact | None) -> Wanted:
    return Wanted(
        contact_id=contact_id,
        idempotency_key=course.idempotency_key(state.debtor_id, step.plan_number, step.step_number),
        plan_number=step.plan_number,
        step_number=step.step_number,
        channel=step.channel.value,
        template=step.template,
        asked_by=OUTREACH,
        case_version=guard_of(state, "").case_version,
        contact_point=point.id if point else "",
        point=counted_as(point),
    )


def _denied(state: DebtorPlans, step: Step, denial: Denial, now: Moment) -> Decision:
    said, reason = denial_told(state, denial), f"denied by {', '.join(failing(denial))}"
    following = denial.next_allowed
    if following is None or following - now.instant > LONGEST_WAIT:
        state, facts = step_ended(state, step, StepState.DENIED, reason, now)
        return state, (said, *facts)
    key = course.idempotency_key(state.debtor_id, step.plan_number, step.step_number)
    spread = timedelta(seconds=int(key[:8], 16) % AN_HOUR)
    return postponed(state, step, following + spread, reason), (said,)


# -- what the provider says ----------------------------------------------------------------------------------------


def on_heard(state: DebtorPlans, event: Event[Heard], now: Moment) -> Decision:
    """End a contact as its provider says; one that has ended already stays as it is."""
    heard = event.data
    known = state.contacts.get(heard.contact_id)
    if known is None or known.by_hand:
        return state, ()
    if heard.delivery is Delivery.PULLED:
        return _pulled(state, known, now)
    if known.state is not ContactState.SENDING:
        return state, ()
    return _heard_while_sending(state, known, heard, now)


def _heard_while_sending(state: DebtorPlans, known: Contact, heard: Heard, now: Moment) -> Decision:
    if heard.delivery is Delivery.NOT_FOUND and not heard.takes_once:
        return _doubtful(state, known, now)
    if heard.delivery is Delivery.NOT_ASKED:
        return kept(state, course.asked_later(known), now.instant + timedelta(seconds=heard.seconds)), ()
    after = course.ended(known, heard.delivery, heard.outcome, heard.reference, heard.reason, now.instant)
    after = replace(after, wording=heard.wording or known.wording)
    if after.state is ContactState.MADE:
        return made(state, after, now)
    if after.state is ContactState.NOT_MADE:
        return _not_made(kept(state, after, now.instant), after, heard, now)
    return state, ()


def made(state: DebtorPlans, over: Contact, now: Moment) -> Decision:
    """Keep and tell a contact that was made, and end its step."""
    payload = outreach.ContactMade(
        contact_id=over.contact_id,
        plan_number=over.plan_number,
        step_number=over.step_number,
        channel=over.channel,
        outcome=over.outcome,
        provider_reference=over.provider_reference,
    )
    state = kept(state, over, now.instant)
    state, facts = _ended(state, told(state, payload), over, StepState.DISPATCHED, over.outcome, now)
    return state, (*facts, *_too_late(state, over))


def _too_late(state: DebtorPlans, over: Contact) -> tuple[Told, ...]:
    """Have a message recalled that was taken only after its plan had been stopped."""
    plan = state.plans.get(over.plan_number)
    was_stopped = plan.state is PlanState.STOPPED if plan is not None else over.plan_number > 0
    if not was_stopped or not course.recallable((over,), over.permitted_at):
        return ()
    return (told(state, recalled(over, "its plan was stopped")),)


def _pulled(state: DebtorPlans, known: Contact, now: Moment) -> Decision:
    """Note that a message was taken back: nobody was reached, and nothing counts. A step that has ended stays so."""
    if known.state not in {ContactState.SENDING, ContactState.MADE}:
        return state, ()
    pulled = course.pulled(known, now.instant)
    said = not_made_told(state, pulled)
    state = kept(state, pulled, now.instant)
    if known.state is ContactState.MADE:
        return state, (said,)
    return _ended(state, said, pulled, StepState.FAILED, pulled.reason, now)


def _not_made(state: DebtorPlans, failed: Contact, heard: Heard, now: Moment) -> Decision:
    """Try the step again where that may help and it is still wanted; it is then judged anew."""
    said = not_made_told(state, failed)
    if not failed.plan_number:
        return reminding.tried_again(state, failed, heard.delivery, timedelta(seconds=heard.seconds), now), (said,)
    step, plan = state.steps.get((failed.plan_number, failed.step_number)), active_plan(state)
    wanted = plan is not None and plan.plan_number == failed.plan_number and not obstacle(state)
    if step is not None and wanted and course.may_be_tried(failed, heard.delivery):
        pause = course.pause_of(failed, heard.delivery, timedelta(seconds=heard.seconds))
        return postponed(state, step, now.instant + pause, failed.reason), (said,)
    return _ended(state, said, failed, StepState.FAILED, failed.reason, now)


def on_contact_due(state: DebtorPlans, event: Event[ContactDue], now: Moment) -> Decision:
    """Ask the provider what became of a contact of which nothing was heard; in the end, leave it in doubt.

    One that a person makes, and has not reported, is in doubt at once: there is nobody to ask.
    """
    known = state.contacts.get(event.data.contact_id)
    if known is None or known.state is not ContactState.SENDING:
        return state, ()
    if known.by_hand or known.lookups >= course.MOST_LOOKUPS:
        return _doubtful(state, known, now)
    asked = replace(known, lookups=known.lookups + 1)
    payload = outreach.ContactDoubted(
        contact_id=asked.contact_id,
        channel=asked.channel,
        idempotency_key=asked.idempotency_key,
        lookups=asked.lookups,
    )
    return kept(state, asked, now.instant), (told(state, payload),)


def _doubtful(state: DebtorPlans, known: Contact, now: Moment) -> Decision:
    doubtful = course.in_doubt(known, now.instant)
    payload = outreach.ContactUnknown(
        contact_id=doubtful.contact_id,
        plan_number=doubtful.plan_number,
        step_number=doubtful.step_number,
        channel=doubtful.channel,
        reason=doubtful.reason,
    )
    state = kept(state, doubtful, now.instant)
    return _ended(state, told(state, payload), doubtful, StepState.UNKNOWN, doubtful.reason, now)


def contact_ended_by_person(state: DebtorPlans, contact: Contact, outcome: Outcome, now: Moment) -> Decision:
    """End a contact that a person has made as they say it ended, with its step and its work.

    For contacts that `course.may_be_reported` lets pass. A word that comes late ends a doubt, and one that comes after
    a stop makes the contact count that was taken for unused; the step and the work are then over, and stay as they are.
    """
    return made(state, course.made_by_hand(contact, outcome.value, now.instant), now)


def _ended(state: DebtorPlans, said: Told, of: Contact, step_state: StepState, reason: str, now: Moment) -> Decision:
    """End the step that a contact was made for, where it has yet to end, and the work that it was done by."""
    state = done(state, of, reason, now.instant)
    step = state.steps.get((of.plan_number, of.step_number))
    if step is None or step.state not in UNENDED:
        return state, (said,)
    state, facts = step_ended(state, step, step_state, reason, now)
    return state, (said, *facts)
