"""What is asked of providers for contacts that are committed: to take a message, or to say what became of one."""

from dataclasses import dataclass

import msgspec

from services.outreach.contacts.domain.course import Delivery
from services.outreach.contacts.permits import Permit, Signer
from services.outreach.contacts.ports import Gateway, Message, NotTakenError, RefusedError, UnansweredError
from shared.clock import Clock
from shared.contracts import outreach
from shared.contracts.envelope import Event


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider said of a contact; `takes_once` says whether one that it does not know may be tried again."""

    contact_id: str
    delivery: Delivery
    outcome: str = ""
    reference: str = ""
    reason: str = ""
    takes_once: bool = True


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Asks the gateway of a channel. A permit that has expired meanwhile is not used: the step is judged again."""

    gateway: Gateway
    signer: Signer

    async def send(self, event: Event[outreach.ContactPermitted], clock: Clock) -> Heard:
        """Have a permitted contact made."""
        told, now = event.data, clock.now()
        if now >= told.expires_at:
            return Heard(contact_id=told.contact_id, delivery=Delivery.FAILED, reason="the permit had expired")
        message = Message(
            key=told.idempotency_key,
            contact_id=told.contact_id,
            debtor_id=event.debtor_id,
            lender_id=event.lender_id,
            channel=told.channel,
            template=told.template,
            sent_at=now,
            permit=self.signer.signed(_permit(event)),
        )
        try:
            receipt = await self.gateway.send(message)
        except RefusedError as error:
            return Heard(contact_id=told.contact_id, delivery=Delivery.REFUSED, reason=str(error))
        except NotTakenError as error:
            return Heard(contact_id=told.contact_id, delivery=Delivery.FAILED, reason=str(error))
        except UnansweredError:
            return Heard(contact_id=told.contact_id, delivery=Delivery.UNANSWERED)
        return self._accepted(told.contact_id, receipt.outcome, receipt.reference)

    async def look_up(self, event: Event[outreach.ContactDoubted], _clock: Clock) -> Heard:
        """Ask what became of a contact."""
        told = event.data
        try:
            receipt = await self.gateway.look_up(told.idempotency_key)
        except UnansweredError:
            return Heard(contact_id=told.contact_id, delivery=Delivery.UNANSWERED)
        if receipt is None:
            missing, once = "the provider does not know it", self.gateway.takes_once
            return Heard(contact_id=told.contact_id, delivery=Delivery.NOT_FOUND, reason=missing, takes_once=once)
        return self._accepted(told.contact_id, receipt.outcome, receipt.reference)

    @staticmethod
    def _accepted(contact_id: str, outcome: str, reference: str) -> Heard:
        return Heard(contact_id=contact_id, delivery=Delivery.ACCEPTED, outcome=outcome, reference=reference)


def _permit(event: Event[outreach.ContactPermitted]) -> Permit:
    told = event.data
    return Permit(
        permit_id=told.contact_id,
        debtor_id=event.debtor_id,
        channel=told.channel,
        purpose=told.purpose,
        key=told.idempotency_key,
        pack=told.pack,
        pack_version=told.pack_version,
        permitted_at=told.permitted_at,
        expires_at=told.expires_at,
    )
