"""The rules of contact's machinery, broken on purpose; see `mutants`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from services.outreach.contacts.domain.course import Delivery
from services.outreach.contacts.domain.rows import Contact, ContactState
from services.outreach.contacts.effects import Dispatcher, Heard
from services.outreach.plans.domain import course
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers import contacting, reserving, treatments
from services.outreach.plans.handlers.telling import permitted, told
from shared.contracts.envelope import Moment
from shared.messaging.turn import Turn, Turned

Changes = Sequence[tuple[Any, str, Any]]


def resend_an_unknown_contact() -> Changes:
    """What was not answered is tried again, as if it had certainly not been taken."""

    async def send(self: Dispatcher, event: Any, clock: Any) -> Any:
        heard = await real(self, event, clock)
        return Heard(contact_id=heard.contact_id, delivery=Delivery.FAILED) if _is_open(heard) else heard

    def _is_open(heard: Heard) -> bool:
        return heard.delivery is Delivery.UNANSWERED

    real = Dispatcher.send
    return [(Dispatcher, "send", send)]


def forget_the_reservation() -> Changes:
    """A permit is granted, and nobody remembers it."""

    def kept(state: DebtorPlans, kept: Contact, instant: Any) -> DebtorPlans:
        return state if kept.state is ContactState.SENDING and not kept.lookups else real(state, kept, instant)

    real = reserving.kept
    return [(reserving, "kept", kept)]


def sending_after_the_call() -> Changes:
    """The provider is asked inside the transaction, and the contact is committed afterwards."""

    async def attempt(self: Turn, work: Any, condemned: Any) -> Turned:
        async with self._transaction() as transaction:
            turned = await self._within(transaction, work, condemned)
            for call in turned.calls:
                clock = transaction.process.world  # type: ignore[attr-defined]
                await self.kind.errands[type(call.event.data)](call.event, clock)
            await transaction.commit()
        return replace(turned, calls=[])

    return [(Turn, "_attempt", attempt)]


def permit_reused() -> Changes:
    """A contact that was not made is tried again under the permit that it had."""

    def not_made(state: DebtorPlans, failed: Contact, heard: Heard, now: Moment) -> Any:
        if heard.delivery is not Delivery.FAILED:
            return real(state, failed, heard, now)
        again = replace(failed, state=ContactState.SENDING, reason="", ended_at=None)
        return reserving.kept(state, again, now.instant), (told(state, permitted(again)),)

    real = contacting._not_made
    return [(contacting, "_not_made", not_made)]


def stale_treatment_accepted() -> Changes:
    """A treatment that was computed before a stop starts a plan after it."""

    def may_plan(state: DebtorPlans) -> bool:
        held = state.treatment
        return held is not None and state.guard is not None and not held.plan_number and not course.obstacle(state)

    accepted = (treatments, "refusal_of", lambda _state, _version: "")
    return [accepted, (treatments, "may_plan", may_plan), (course, "may_plan", may_plan)]
