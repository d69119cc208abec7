"""How what was decided about a debtor is told."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.rows import Contact
from services.outreach.plans.domain.course import Stopped, guard_of, with_step
from services.outreach.plans.domain.rows import DebtorPlans, Step, StepState
from shared.contracts import outreach, segmentation
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.service import Handler

Decision: TypeAlias = tuple[DebtorPlans, Sequence[Told]]


def stop_told(state: DebtorPlans, what: Stopped | None) -> tuple[Told, ...]:
    """That a plan was stopped; nothing where none was."""
    if what is None:
        return ()
    payload = outreach.PlanStopped(plan_number=what.plan_number, reason=what.reason, cancelled=what.cancelled)
    return (told(state, payload),)


def recalls_told(state: DebtorPlans, reason: str, instant: datetime) -> tuple[Told, ...]:
    """That messages which may not have reached anybody yet are to be held back, for a stop."""
    return tuple(told(state, recalled(each, reason)) for each in course.recallable(state.contacts.values(), instant))


def permitted(granted: Contact) -> outreach.ContactPermitted:
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
        point=granted.contact_point,
    )


def recalled(contact: Contact, reason: str) -> outreach.ContactRecalled:
    """That a provider is to be asked not to deliver a message."""
    return outreach.ContactRecalled(
        contact_id=contact.contact_id,
        channel=contact.channel,
        idempotency_key=contact.idempotency_key,
        reason=reason,
    )


def told(state: DebtorPlans, payload: Fact, case_version: int | None = None) -> Told:
    """A fact with the version of the case that it rests on; commands know no lender, so it is named here."""
    guard = guard_of(state, "")
    version = guard.case_version if case_version is None else case_version
    return Told(payload, case_version=version, lender_id=guard.lender_id or None)


def in_turn(*handlers: Callable[[DebtorPlans, Event[Any], Moment], Decision]) -> Handler:
    """One handler out of several, each of which goes on from what the one before has made of it."""

    def all_of_them(state: DebtorPlans, event: Event[Any], now: Moment) -> Decision:
        facts: list[Told] = []
        for handler in handlers:
            state, told = handler(state, event, now)
            facts += told
        return state, facts

    return all_of_them


def step_ended(state: DebtorPlans, step: Step, step_state: StepState, reason: str, now: Moment) -> Decision:
    """End a step, and tell how."""
    payload = outreach.StepEnded(
        plan_number=step.plan_number,
        step_number=step.step_number,
        channel=segmentation.Channel(step.channel),
        state=outreach.StepState(step_state),
        reason=reason,
    )
    return with_step(state, step, step_state, reason, now.instant), (told(state, payload),)
