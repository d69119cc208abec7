"""What people ask of permits."""

from enum import StrEnum
from typing import Annotated

import msgspec

from services.outreach.compliance.domain.words import Party
from services.outreach.plans.domain.rows import Channel


class Purpose(StrEnum):
    """What a contact is for; rules let some pass that collect nothing."""

    COLLECTION = "collection"
    SERVICE = "service"
    PAYMENT_CONFIRM = "payment_confirm"
    DISPUTE_REPLY = "dispute_reply"


class Content(StrEnum):
    """What may have to be said to somebody who owes nothing."""

    ASK_DEBTOR_CONTACT = "ask_debtor_contact"
    ASK_TO_RELAY = "ask_to_relay"


class AskPermit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person wants to make one contact, now. `contact_point` is an id of the profile; `content` is for others.

    crew: how many people stand at the door, of a visit.
    """

    channel: Channel
    purpose: Purpose = Purpose.COLLECTION
    party: Party = Party.DEBTOR
    contact_point: Annotated[str, msgspec.Meta(max_length=64)] = ""
    content: tuple[Content, ...] = ()
    crew: Annotated[int, msgspec.Meta(ge=1, le=9)] | None = None


class GiveBack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A contact was not made, so its permit is not to count."""

    contact_id: str
