"""A contact, a refusal to make one, and the work that they leave; nothing here decides anything."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ContactState(StrEnum):
    """How a contact stands.

    `sending` is committed before a provider is asked. `not_made` is certain: nobody was reached, and nothing counts.
    `unknown` counts as made, and is for people to look into.
    """

    SENDING = "sending"
    MADE = "made"
    NOT_MADE = "not_made"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """What one rule found: `reason` is empty where it let the contact pass; `read` is what it read, by name."""

    rule: str
    reason: str
    read: dict[str, str]


@dataclass(frozen=True, slots=True)
class Contact:
    """One permit, and what was done under it.

    contact_id: also the permit's. tries: which try of its step this is. lookups: how often the provider was asked what
    became of it. settled: so old that no rule counts it any more. by_hand: a person makes it and says how it ended; no
    provider knows of it. plan_number: 0 where it belongs to no step. contact_point: as the profile names it, if known.
    point: stands for it under the index key, "" for the one that the bank has on file. wording: the text that was sent,
    its version and language.
    """

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    purpose: str
    template: str
    asked_by: str
    idempotency_key: str
    state: ContactState
    permitted_at: datetime
    expires_at: datetime
    case_version: int
    pack: str
    pack_version: str
    rules: tuple[JudgedRule, ...]
    tries: int = 1
    lookups: int = 0
    outcome: str = ""
    provider_reference: str = ""
    reason: str = ""
    ended_at: datetime | None = None
    settled: bool = False
    by_hand: bool = False
    party: str = "debtor"
    contact_point: str = ""
    point: str = ""
    wording: str = ""


@dataclass(frozen=True, slots=True)
class ContactDue:
    """Future work: a contact of which nothing was heard is to be looked up, or given up where a person makes it."""

    contact_id: str
    due_at: datetime
    lender_id: str


@dataclass(frozen=True, slots=True)
class Denial:
    """A contact that the rules did not allow; `next_allowed` is None where waiting does not help."""

    denied_at: datetime
    plan_number: int
    step_number: int
    channel: str
    purpose: str
    asked_by: str
    pack: str
    pack_version: str
    rules: tuple[JudgedRule, ...]
    next_allowed: datetime | None
    party: str = "debtor"
