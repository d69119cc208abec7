"""What is asked of providers for committed contacts: to take a message, to say what became of one, to let it go."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from services.outreach.contacts.domain.course import Delivery
from services.outreach.contacts.permits import Permit, Signer
from services.outreach.contacts.ports import (
    Answer,
    Gateway,
    Message,
    NotTakenError,
    Pulling,
    PutOffError,
    Receipt,
    RefusedError,
    StoppedError,
    UnansweredError,
)
from services.outreach.contacts.wording import NOTHING_SAID, Said, Writer
from shared.clock import Clock
from shared.contracts import outreach
from shared.contracts.envelope import Event


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider said of a contact; `takes_once` says whether one that it does not know may be tried again.

    seconds: how long to wait at least. wording: the text that it was given, its version and language.
    """

    contact_id: str
    delivery: Delivery
    outcome: str = ""
    reference: str = ""
    reason: str = ""
    takes_once: bool = True
    seconds: float = 0.0
    wording: str = ""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How the messages of a channel leave; `writer` is None where nobody reads them."""

    gateway: Gateway
    writer: Writer | None = None


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Asks the gateway of a channel. A permit that has expired meanwhile is not used: the step is judged again."""

    ways: Mapping[str, Way]
    signer: Signer

    async def send(self, event: Event[outreach.ContactPermitted], clock: Clock) -> Heard:
        """Have a permitted contact made."""
        told, said = event.data, NOTHING_SAID
        try:
            way = self._way(told.channel)
            if way.writer is not None and clock.now() < told.expires_at:
                said = await way.writer.write(event)
            receipt = await way.gateway.send(self._message(event, said, clock))
        except RefusedError as error:
            return Heard(contact_id=told.contact_id, delivery=Delivery.REFUSED, reason=str(error))
        except NotTakenError as error:
            return _not_now(told.contact_id, Delivery.FAILED, error)
        except PutOffError as error:
            return _not_now(told.contact_id, Delivery.PUT_OFF, error)
        except StoppedError as error:
            return Heard(contact_id=told.contact_id, delivery=Delivery.PULLED, reason=str(error))
        except UnansweredError:
            return Heard(contact_id=told.contact_id, delivery=Delivery.UNANSWERED)
        return _accepted(told.contact_id, receipt, said.wording)

    def _way(self, channel: str) -> Way:
        way = self.ways.get(channel)
        if way is None:
            raise RefusedError(f"no provider carries {channel}")
        return way

    def _message(self, event: Event[outreach.ContactPermitted], said: Said, clock: Clock) -> Message:
        """What is given to the gateway. Raises NotTakenError where the permit has expired meanwhile."""
        told, now = event.data, clock.now()
        if now >= told.expires_at:
            raise NotTakenError("the permit had expired")
        return Message(
            key=told.idempotency_key,
            contact_id=told.contact_id,
            debtor_id=event.debtor_id,
            lender_id=event.lender_id,
            channel=told.channel,
            template=told.template,
            sent_at=now,
            expires_at=told.expires_at,
            permit=self.signer.signed(_permit(event, said.point)),
            recipient=said.recipient,
            sender=said.sender,
            subject=said.subject,
            text=said.text,
            pdf=said.pdf,
        )

    async def look_up(self, event: Event[outreach.ContactDoubted], _clock: Clock) -> Heard:
        """Ask what became of a contact."""
        told = event.data
        way = self.ways.get(told.channel)
        if way is None:
            return Heard(contact_id=told.contact_id, delivery=Delivery.UNANSWERED)
        try:
            receipt = await way.gateway.look_up(told.idempotency_key)
        except UnansweredError:
            return Heard(contact_id=told.contact_id, delivery=Delivery.UNANSWERED)
        except PutOffError as error:
            return _not_now(told.contact_id, Delivery.NOT_ASKED, error)
        if receipt is None:
            missing, once = "the provider does not know it", way.gateway.takes_once
            return Heard(contact_id=told.contact_id, delivery=Delivery.NOT_FOUND, reason=missing, takes_once=once)
        return _accepted(told.contact_id, receipt)

    async def recall(self, event: Event[outreach.ContactRecalled], _clock: Clock) -> Heard | None:
        """Ask that a message be not delivered; nothing to say where that is not certain."""
        told = event.data
        way = self.ways.get(told.channel)
        if way is None or not isinstance(way.gateway, Pulling):
            return None
        try:
            if await way.gateway.pull(told.idempotency_key):
                return Heard(contact_id=told.contact_id, delivery=Delivery.PULLED)
        except (PutOffError, UnansweredError):
            pass
        return None


def _accepted(contact_id: str, receipt: Receipt, wording: str = "") -> Heard:
    return Heard(
        contact_id=contact_id,
        delivery=Delivery.ACCEPTED,
        outcome=receipt.outcome,
        reference=receipt.reference,
        wording=wording,
        answer=receipt.answer,
    )


def _not_now(contact_id: str, delivery: Delivery, error: NotTakenError | PutOffError) -> Heard:
    return Heard(contact_id=contact_id, delivery=delivery, reason=str(error), seconds=error.seconds)


def _permit(event: Event[outreach.ContactPermitted], point: str) -> Permit:
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
        point=point,
    )
