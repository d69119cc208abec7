"""How a contact runs: granted, asked of a provider, ended. Pure: rows in, rows out."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.outreach.compliance.domain.attempt import LENDER
from services.outreach.compliance.domain.verdict import Verdict
from services.outreach.contacts.domain.judging import REMEMBERED, Rules, rules_told
from services.outreach.contacts.domain.rows import Contact, ContactDue, ContactState, Denial
from shared.frozen import replace

LIFETIME = timedelta(seconds=60)
"""How long a permit may be used; no gateway takes it afterwards."""

BY_HAND = timedelta(minutes=5)
"""How long a person may use a permit: to read the case and dial, and not to keep one in store.

A stop takes back what is unused at once; but who has read a permit a moment before may dial, so it is kept short."""

REPORT = timedelta(hours=2)
"""How long after its permit has expired a person may say how a contact ended: talks begin in the last minute.

What nobody has reported by then is in doubt, and counts."""

DOUBT = timedelta(seconds=30)
"""How long after its permit has expired a contact of which nothing was heard is looked up: clocks differ."""

PULLED = "pulled back before it was delivered"

MOST_LOOKUPS = 8
MOST_TRIES = 5
"""So often is a provider asked what became of a contact, and a step tried that certainly reached nobody."""

STALE = timedelta(seconds=60)
"""A lane that has not heard the bank for longer may not know of a payment: nothing goes out from it.

Nor where it has heard what lies so far ahead of its own clock: by that clock, the night may be taken for the day."""

LATER = timedelta(seconds=15)

QUEUES = frozenset({"sms", "letter"})
QUEUED = timedelta(days=1)
"""By these channels, and for so long, may a message wait at a provider after it was taken."""

SPREAD = 30
"""Over how many seconds those come back that were put off together."""


class Delivery(StrEnum):
    """What a provider says of a message, or of a key that it is asked about.

    `refused` is for good, `failed` for now; in both, nobody was reached. `unanswered` says nothing. With `put_off` a
    message was not given to anybody, which is no try of its step; with `not_asked` nobody was asked what became of one.
    `pulled` takes back what was accepted: it is not delivered any more.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    UNANSWERED = "unanswered"
    NOT_FOUND = "not_found"
    PUT_OFF = "put_off"
    NOT_ASKED = "not_asked"
    PULLED = "pulled"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contact that a step or a person asks for. `attributes` are known of it alone, as rules ask for them.

    by: the agency that makes it, if any does.
    """

    contact_id: str
    idempotency_key: str
    plan_number: int
    step_number: int
    channel: str
    template: str
    asked_by: str
    case_version: int
    purpose: str = "collection"
    by_hand: bool = False
    party: str = "debtor"
    contact_point: str = ""
    point: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    by: str = LENDER


def idempotency_key(debtor_id: str, plan_number: int, step_number: int) -> str:
    """The key of a step, the same for every try: 32 hex characters."""
    return hashlib.sha256(f"contact/{debtor_id}/{plan_number}/{step_number}".encode()).hexdigest()[:32]


def own_key(debtor_id: str, contact_id: str) -> str:
    """The key of a contact that belongs to no step: 32 hex characters."""
    return hashlib.sha256(f"permit/{debtor_id}/{contact_id}".encode()).hexdigest()[:32]


def is_stale(heard: datetime | None, instant: datetime) -> bool:
    """Whether what the bank has said of late may be unknown here, or the clock cannot be trusted."""
    return heard is None or abs(instant - heard) > STALE


def granted(wanted: Wanted, rules: Rules, verdict: Verdict, tries: int, instant: datetime) -> Contact:
    """The permit, reserved: from now on every rule counts it."""
    return Contact(
        contact_id=wanted.contact_id,
        plan_number=wanted.plan_number,
        step_number=wanted.step_number,
        channel=wanted.channel,
        purpose=wanted.purpose,
        template=wanted.template,
        asked_by=wanted.asked_by,
        idempotency_key=wanted.idempotency_key,
        state=ContactState.SENDING,
        permitted_at=instant,
        expires_at=instant + (BY_HAND if wanted.by_hand else LIFETIME),
        case_version=wanted.case_version,
        pack=rules.pack.name,
        pack_version=rules.pack.version,
        rules=rules_told(verdict.evaluated),
        tries=tries,
        by_hand=wanted.by_hand,
        party=wanted.party,
        contact_point=wanted.contact_point,
        point=wanted.point,
    )


def denied(wanted: Wanted, rules: Rules, verdict: Verdict, instant: datetime) -> Denial:
    """The refusal, with every rule that stands in the way."""
    return Denial(
        denied_at=instant,
        plan_number=wanted.plan_number,
        step_number=wanted.step_number,
        channel=wanted.channel,
        purpose=wanted.purpose,
        asked_by=wanted.asked_by,
        pack=rules.pack.name,
        pack_version=rules.pack.version,
        rules=rules_told(verdict.failing),
        next_allowed=verdict.next_allowed,
        party=wanted.party,
    )


def tries_of(contacts: Iterable[Contact], key: str) -> int:
    """How often a step has been tried."""
    return max((contact.tries for contact in contacts if contact.idempotency_key == key), default=0)


def check_of(contact: Contact, lender_id: str, instant: datetime) -> ContactDue:
    """When to look a contact up: once its permit has expired, then ever more rarely.

    Nobody can be asked about one that a person makes: it is given up when it should have been reported.
    """
    if contact.by_hand:
        return ContactDue(contact.contact_id, contact.expires_at + REPORT, lender_id)
    after = DOUBT * 2**contact.lookups
    return ContactDue(contact.contact_id, max(instant, contact.expires_at) + after, lender_id)


def asked_later(contact: Contact) -> Contact:
    """A contact of which nobody was asked what became of it: that look-up does not count."""
    return replace(contact, lookups=max(0, contact.lookups - 1))


def ended(
    contact: Contact, delivery: Delivery, outcome: str, reference: str, reason: str, instant: datetime
) -> Contact:
    """A contact as a provider's word leaves it; it stays as it is where that says nothing."""
    if delivery is Delivery.UNANSWERED:
        return contact
    if delivery is Delivery.PUT_OFF:
        contact = replace(contact, tries=contact.tries - 1)
    state = ContactState.MADE if delivery is Delivery.ACCEPTED else ContactState.NOT_MADE
    return replace(contact, state=state, outcome=outcome, provider_reference=reference, reason=reason, ended_at=instant)


def made_by_hand(contact: Contact, outcome: str, instant: datetime) -> Contact:
    """A contact as the person who made it says that it ended."""
    return replace(contact, state=ContactState.MADE, outcome=outcome, reason="", ended_at=instant)


def taken_back(contact: Contact, reason: str, instant: datetime) -> Contact:
    """A permit that was not used, and now cannot be."""
    return replace(contact, state=ContactState.NOT_MADE, reason=reason, ended_at=instant)


REVOKED = "revoked: "
"""How the reason begins for which a permit was taken back by a stop, and not by whoever held it."""


def may_be_reported(contact: Contact) -> bool:
    """Whether a person may still say that it was made: a word that is late, or follows a stop, is true all the same."""
    revoked = contact.state is ContactState.NOT_MADE and contact.reason.startswith(REVOKED)
    return contact.by_hand and (revoked or contact.state in (ContactState.SENDING, ContactState.UNKNOWN))


def recallable(contacts: Iterable[Contact], instant: datetime) -> list[Contact]:
    """The contacts that may not have reached anybody yet."""
    sent = (each for each in contacts if each.channel in QUEUES and not each.by_hand)
    waiting = (each for each in sent if each.permitted_at > instant - QUEUED)
    return [each for each in waiting if each.state in {ContactState.SENDING, ContactState.MADE}]


def pulled(contact: Contact, instant: datetime) -> Contact:
    """A contact whose message was taken back before it reached anybody."""
    return replace(contact, state=ContactState.NOT_MADE, outcome="", reason=PULLED, ended_at=instant)


def may_be_tried(contact: Contact, delivery: Delivery) -> bool:
    """Whether another try may help a contact that was not made; one that was put off was no try."""
    return delivery is Delivery.PUT_OFF or (delivery is not Delivery.REFUSED and contact.tries < MOST_TRIES)


def pause_of(contact: Contact, delivery: Delivery, at_least: timedelta) -> timedelta:
    """How long to wait with the next try; those put off together come back apart."""
    if delivery is Delivery.PUT_OFF:
        return at_least + timedelta(seconds=int(contact.idempotency_key[:8], 16) % SPREAD)
    doubled: int = 2**contact.tries
    return max(at_least, timedelta(minutes=1) * doubled)


def in_doubt(contact: Contact, instant: datetime) -> Contact:
    """A contact of which nobody can say whether it was made."""
    whose = "nobody has said" if contact.by_hand else "the provider cannot say"
    reason = f"{whose} what became of it"
    return replace(contact, state=ContactState.UNKNOWN, reason=reason, ended_at=instant)


def without_old(contacts: Mapping[str, Contact], instant: datetime) -> Mapping[str, Contact]:
    """The contacts, with those settled that no rule counts any more."""
    old = instant - REMEMBERED
    return {
        key: replace(each, settled=True) if each.permitted_at < old and each.ended_at is not None else each
        for key, each in contacts.items()
    }
