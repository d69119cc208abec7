"""What outreach tells of permits and contacts, and of the work that people do for them."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from shared.contracts.envelope import Fact
from shared.contracts.reasons import Reason


class ContactPermitted(Fact, frozen=True, kw_only=True, gc=False):
    """The rules allow a contact, its permit is reserved, and the provider is asked next.

    contact_id: also the permit's. idempotency_key: the same for every try of the step. tries: which one this is.
    point: the id of the contact point in the debtor's profile, "" where no profile is held.
    """

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    template: str
    purpose: str
    idempotency_key: str
    tries: int
    permitted_at: datetime
    expires_at: datetime
    pack: str
    pack_version: str
    point: str = ""


class RuleRead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one rule found: `reason` is empty where it let the contact pass; `read` is what it read, by name."""

    rule: str
    reason: str
    read: Mapping[str, str]


class PermitGranted(Fact, frozen=True, kw_only=True, gc=False):
    """A person may make a contact: its permit is reserved, and counts from now on.

    contact_id: also the permit's. plan_number, step_number: 0 where it belongs to no step. report_by: until when it can
    be said how it ended, or that it was not made; then it counts as made. rules: all that were read.
    """

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    template: str
    purpose: str
    party: str
    contact_point: str
    idempotency_key: str
    asked_by: str
    permitted_at: datetime
    expires_at: datetime
    report_by: datetime
    pack: str
    pack_version: str
    rules: tuple[RuleRead, ...]


class ContactDenied(Fact, frozen=True, kw_only=True, gc=False):
    """The rules do not allow a contact: all that stand in the way, and when they next allow it, if ever.

    findings: what each of `rules` found.
    """

    plan_number: int
    step_number: int
    channel: str
    purpose: str
    pack: str
    pack_version: str
    rules: tuple[str, ...]
    next_allowed: datetime | None
    party: str = "debtor"
    asked_by: str = "outreach"
    findings: tuple[RuleRead, ...] = ()


class ContactDoubted(Fact, frozen=True, kw_only=True, gc=False):
    """Nothing was heard of a contact, so its provider is asked what became of it, for the `lookups`-th time."""

    contact_id: str
    channel: str
    idempotency_key: str
    lookups: int


class ContactRecalled(Fact, frozen=True, kw_only=True, gc=False):
    """A stop came after a message was permitted: its provider is asked not to deliver it, if that can be had still."""

    contact_id: str
    channel: str
    idempotency_key: str
    reason: str


class ContactMade(Fact, frozen=True, kw_only=True, gc=False):
    """A provider has taken a message or made a call; `outcome` is how that ended, in the words of the rules."""

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    outcome: str
    provider_reference: str


class ContactNotMade(Fact, frozen=True, kw_only=True, gc=False):
    """It is certain that nobody was reached, and why."""

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    reason: str


class ContactUnknown(Fact, frozen=True, kw_only=True, gc=False):
    """Nobody can say whether a contact was made: it counts as made, and is for people to look into."""

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    reason: str


class SaidBy(StrEnum):
    """By which way a person let the lender know."""

    CALL = "call"
    MESSAGE = "message"
    EMAIL = "email"
    LETTER = "letter"
    VISIT = "visit"
    ONLINE = "online"


class OptOutWithdrawn(Fact, frozen=True, kw_only=True, gc=False):
    """A person asks to be reached again by a channel that they had opted out of: by that one alone, from now on.

    since, since_on: when the opt-out was recorded. contact_id: the contact that it came of.
    """

    channel: str
    since: datetime
    since_on: date
    contact_id: str
    withdrawn_on: date
    withdrawn_by: str
    said_by: SaidBy
    reason: Reason


class WorkRequested(Fact, frozen=True, kw_only=True, gc=False):
    """A step is due on a channel that people work: it waits in `queue`, where the highest `priority` comes first."""

    plan_number: int
    step_number: int
    channel: str
    queue: str
    template: str
    priority: int
    due_at: datetime
