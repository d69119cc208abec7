"""A due step becomes a contact: judged, permitted, asked of a provider, and ended by what the provider says."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from services.outreach.compliance.domain.verdict import Verdict
from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.course import Delivery, Wanted
from services.outreach.contacts.domain.judging import Rules, judged
from services.outreach.contacts.domain.rows import Contact, ContactDue, ContactState
from services.outreach.contacts.effects import Heard
from services.outreach.contacts.points import chosen
from services.outreach.plans.domain.course import active_plan, guard_of, obstacle, postponed, with_step
from services.outreach.plans.domain.rows import DebtorPlans, PlanState, Step, StepState
from services.outreach.plans.handlers.telling import Decision, recalled, step_ended, told
from shared.contracts import outreach
from shared.contracts.envelope import Event, Fact, Moment, Told, derived_id

LONGEST_WAIT = timedelta(days=30)
"""A step that the rules would allow only later than this is given up: it answers a case that has long changed."""

AN_HOUR = 3600


def contact(rules: Mapping[str, Rules], state: DebtorPlans, step: Step, cause: str, now: Moment) -> Decision:
    """Judge a due step, and grant its permit or say why not. A lane that may not know of a payment waits."""
    if course.is_stale(now.heard, now.instant):
        return postponed(state, step, now.instant + course.LATER, "the lane has not heard the bank of late"), ()
    jurisdiction = guard_of(state, "").jurisdiction
    judge = rules.get(jurisdiction)
    if judge is not None and step.channel not in judge.lines:
        return step_ended(state, step, StepState.NOT_DISPATCHED, f"nobody is contacted by {step.channel} here", now)
    if judge is None:
        reason = f"no rules of contact are known for {step.channel} in jurisdiction {jurisdiction}"
        return step_ended(state, step, StepState.NOT_DISPATCHED, reason, now)
    point = chosen(state.profile, step.channel)
    if point is None and state.profile is not None:
        return step_ended(state, step, StepState.FAILED, f"nothing is on file to reach them by {step.channel}", now)
    state = replace(state, contacts=course.without_old(state.contacts, now.instant))
    wanted = _wanted(state, step, derived_id(cause, "contact"), point.digest or point.id if point else "")
    verdict = judged(judge, wanted.channel, wanted.purpose, state.contacts.values(), now.instant, wanted.point)
    if not verdict.allowed:
        return _denied(state, step, wanted, judge, verdict, now)
    return _permitted(state, step, wanted, judge, verdict, now, point.id if point else "")


def _wanted(state: DebtorPlans, step: Step, contact_id: str, point: str) -> Wanted:
    return Wanted(
        contact_id=contact_id,
        idempotency_key=course.idempotency_key(state.debtor_id, step.plan_number, step.step_number),
        plan_number=step.plan_number,
        step_number=step.step_number,
        channel=step.channel.value,
        template=step.template,
        asked_by="outreach",
        case_version=guard_of(state, "").case_version,
        point=point,
    )


def _permitted(
    state: DebtorPlans, step: Step, wanted: Wanted, rules: Rules, verdict: Verdict, now: Moment, point_id: str
) -> Decision:
    tries = course.tries_of(state.contacts.values(), wanted.idempotency_key) + 1
    granted = course.granted(wanted, rules, verdict, tries, now.instant)
    state = with_step(_with(state, granted, now.instant), step, StepState.SENDING, "", now.instant)
    return state, (told(state, permitted(granted, point_id)),)


def permitted(granted: Contact, point_id: str = "") -> outreach.ContactPermitted:
    """A contact's permit, as it is told and then used; others are told what means nothing without the debtor's key."""
    return outreach.ContactPermitted(
        contact_id=granted.contact_id,
        plan_number=granted.plan_number,
        step_number=granted.step_number,
        channel=granted.channel,
        template=granted.template,
        purpose=granted.purpose,
        idempotency_key=granted.idempotency_key,
        tries=granted.tries,
        permitted_at=granted.permitted_at,
        expires_at=granted.expires_at,
        pack=granted.pack,
        pack_version=granted.pack_version,
        point=point_id,
    )


def _denied(state: DebtorPlans, step: Step, wanted: Wanted, rules: Rules, verdict: Verdict, now: Moment) -> Decision:
    denial = course.denied(wanted, rules, verdict, now.instant)
    state = replace(state, denials=(*state.denials, denial))
    failing = tuple(rule.rule for rule in denial.rules)
    payload = outreach.ContactDenied(
        plan_number=step.plan_number,
        step_number=step.step_number,
        channel=denial.channel,
        purpose=denial.purpose,
        pack=denial.pack,
        pack_version=denial.pack_version,
        rules=failing,
        next_allowed=denial.next_allowed,
    )
    said, reason = told(state, payload), f"denied by {', '.join(failing)}"
    following = denial.next_allowed
    if following is None or following - now.instant > LONGEST_WAIT:
        state, facts = step_ended(state, step, StepState.DENIED, reason, now)
        return state, (said, *facts)
    spread = timedelta(seconds=int(wanted.idempotency_key[:8], 16) % AN_HOUR)
    return postponed(state, step, following + spread, reason), (said,)


# -- what the provider says ----------------------------------------------------------------------------------------


def on_heard(state: DebtorPlans, event: Event[Heard], now: Moment) -> Decision:
    """End a contact as its provider says; one that has ended already stays as it is."""
    heard = event.data
    known = state.contacts.get(heard.contact_id)
    if known is not None and heard.delivery is Delivery.PULLED:
        return _pulled(state, known, now)
    if known is None or known.state is not ContactState.SENDING:
        return state, ()
    return _heard_while_sending(state, known, heard, now)


def _heard_while_sending(state: DebtorPlans, known: Contact, heard: Heard, now: Moment) -> Decision:
    if heard.delivery is Delivery.NOT_FOUND and not heard.takes_once:
        return _doubtful(state, known, now)
    if heard.delivery is Delivery.NOT_ASKED:
        return _with(state, course.asked_later(known), now.instant + timedelta(seconds=heard.seconds)), ()
    after = course.ended(known, heard.delivery, heard.outcome, heard.reference, heard.reason, now.instant)
    after = replace(after, wording=heard.wording or known.wording)
    if after.state is ContactState.MADE:
        return _made(_with(state, after, now.instant), after, now)
    if after.state is ContactState.NOT_MADE:
        return _not_made(_with(state, after, now.instant), after, heard, now)
    return state, ()


def _made(state: DebtorPlans, made: Contact, now: Moment) -> Decision:
    payload = outreach.ContactMade(
        contact_id=made.contact_id,
        plan_number=made.plan_number,
        step_number=made.step_number,
        channel=made.channel,
        outcome=made.outcome,
        provider_reference=made.provider_reference,
    )
    state, facts = _ended(state, payload, made, StepState.DISPATCHED, made.outcome, now)
    return state, (*facts, *_too_late(state, made))


def _too_late(state: DebtorPlans, made: Contact) -> tuple[Told, ...]:
    """Have a message recalled that was taken only after its plan had been stopped."""
    plan = state.plans.get(made.plan_number)
    was_stopped = plan.state is PlanState.STOPPED if plan is not None else made.plan_number > 0
    if not was_stopped or not course.recallable((made,), made.permitted_at):
        return ()
    return (told(state, recalled(made, "its plan was stopped")),)


def _pulled(state: DebtorPlans, known: Contact, now: Moment) -> Decision:
    """Note that a message was taken back: nobody was reached, and nothing counts. A step that has ended stays so."""
    if known.state not in {ContactState.SENDING, ContactState.MADE}:
        return state, ()
    pulled = course.pulled(known, now.instant)
    payload = outreach.ContactNotMade(
        contact_id=pulled.contact_id,
        plan_number=pulled.plan_number,
        step_number=pulled.step_number,
        channel=pulled.channel,
        reason=pulled.reason,
    )
    state = _with(state, pulled, now.instant)
    if known.state is ContactState.MADE:
        return state, (told(state, payload),)
    return _ended(state, payload, pulled, StepState.FAILED, pulled.reason, now)


def _not_made(state: DebtorPlans, failed: Contact, heard: Heard, now: Moment) -> Decision:
    """Try the step again where that may help and it is still wanted; it is then judged anew."""
    payload = outreach.ContactNotMade(
        contact_id=failed.contact_id,
        plan_number=failed.plan_number,
        step_number=failed.step_number,
        channel=failed.channel,
        reason=failed.reason,
    )
    step, plan = state.steps.get((failed.plan_number, failed.step_number)), active_plan(state)
    wanted = plan is not None and plan.plan_number == failed.plan_number and not obstacle(state)
    if step is not None and wanted and course.may_be_tried(failed, heard.delivery):
        pause = course.pause_of(failed, heard.delivery, timedelta(seconds=heard.seconds))
        return postponed(state, step, now.instant + pause, failed.reason), (told(state, payload),)
    return _ended(state, payload, failed, StepState.FAILED, failed.reason, now)


def on_contact_due(state: DebtorPlans, event: Event[ContactDue], now: Moment) -> Decision:
    """Ask the provider what became of a contact of which nothing was heard; in the end, leave it in doubt."""
    known = state.contacts.get(event.data.contact_id)
    if known is None or known.state is not ContactState.SENDING:
        return state, ()
    if known.lookups >= course.MOST_LOOKUPS:
        return _doubtful(state, known, now)
    asked = replace(known, lookups=known.lookups + 1)
    payload = outreach.ContactDoubted(
        contact_id=asked.contact_id,
        channel=asked.channel,
        idempotency_key=asked.idempotency_key,
        lookups=asked.lookups,
    )
    return _with(state, asked, now.instant), (told(state, payload),)


def _doubtful(state: DebtorPlans, known: Contact, now: Moment) -> Decision:
    doubtful = course.in_doubt(known, now.instant)
    payload = outreach.ContactUnknown(
        contact_id=doubtful.contact_id,
        plan_number=doubtful.plan_number,
        step_number=doubtful.step_number,
        channel=doubtful.channel,
        reason=doubtful.reason,
    )
    return _ended(_with(state, doubtful, now.instant), payload, doubtful, StepState.UNKNOWN, doubtful.reason, now)


def _with(state: DebtorPlans, kept: Contact, instant: datetime) -> DebtorPlans:
    """Keep a contact, with a look-up due while it has yet to end, and none afterwards."""
    due = {key: row for key, row in state.contact_due.items() if key != kept.contact_id}
    if kept.state is ContactState.SENDING:
        due[kept.contact_id] = course.check_of(kept, guard_of(state, "").lender_id, instant)
    return replace(state, contacts={**state.contacts, kept.contact_id: kept}, contact_due=due)


def _ended(state: DebtorPlans, payload: Fact, of: Contact, step_state: StepState, reason: str, now: Moment) -> Decision:
    """Tell how a contact ended, and end the step that it was made for, where that is known still."""
    said = told(state, payload)
    step = state.steps.get((of.plan_number, of.step_number))
    if step is None:
        return state, (said,)
    state, facts = step_ended(state, step, step_state, reason, now)
    return state, (said, *facts)
