"""What every fact on a topic looks like, and what a handler hands back to be told.

A fact on the wire is an `Event`: the envelope around one payload. Handlers never build envelopes: they return
`Told` payloads, and the runtime adds id, cause and times, so that a replay produces the same bytes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Generic, TypeVar

import msgspec

MinorUnits = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
"""An amount in the smallest unit of its currency; 10^15 is far above any loan and far below 64 bits."""

CurrencyCode = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
"""An ISO 4217 code."""

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:/@+\-]+$")]
"""An id of the bank's: printable ASCII without blanks, so that it is safe in keys, headers and logs."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A payload: something that happened, in the past tense."""


class BusinessDateFact(Fact, frozen=True, kw_only=True, gc=False):
    """The lender's books have moved to a new day; it has no debtor and goes to every lane."""

    business_date: date


FactT = TypeVar("FactT")


class Event(msgspec.Struct, Generic[FactT], frozen=True, kw_only=True, gc=False):
    """One fact with its envelope, as it travels.

    `debtor_id` is pseudonymous, and empty for facts about a whole lender; `caused_by` is the id of the event, command
    or due entry that led to this one; `trace` is a W3C traceparent.
    """

    id: str
    type: str
    lender_id: str
    debtor_id: str = ""
    case_version: int = 0
    actor: str = "system"
    caused_by: str = ""
    occurred_at: datetime
    recorded_at: datetime
    trace: str = ""
    data: FactT


class Told(msgspec.Struct, frozen=True, gc=False):
    """A payload that a handler wants told; what is left empty is taken from the event that caused it.

    cause: the id of the event that it follows from, where that is one that had waited for the one that is applied: it
        gets the id that it would have had without waiting, so that no two facts share one whoever made them wait.
    """

    data: Fact
    case_version: int = 0
    debtor_id: str | None = None
    lender_id: str | None = None
    occurred_at: datetime | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is applied: the instant (UTC), and the lender's business date as this lane knows it.

    heard: everything that the bank had said by then has been applied in this lane; None where nobody knows.
    directives: what the lane was told to go by, by name (`ActorKind.directives`).
    """

    instant: datetime
    business_date: date
    heard: datetime | None = None
    directives: Mapping[str, Fact] = field(default_factory=dict)


def derived_id(cause: str, ordinal: int | str) -> str:
    """Name the `ordinal`-th consequence of `cause`: 16 bytes of SHA-256 in hex, the same on every replay."""
    return hashlib.sha256(f"{cause}/{ordinal}".encode()).hexdigest()[:32]
