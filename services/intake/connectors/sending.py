"""What the connectors that make a bank's events have in common."""

from datetime import datetime, timedelta, timezone
from typing import Final, NamedTuple, TypeAlias

from shared.contracts.envelope import Fact

CHINA: Final = timezone(timedelta(hours=8))

DISTRICTS: Final = (
    "CN-310101",
    "CN-310104",
    "CN-310105",
    "CN-310106",
    "CN-310107",
    "CN-310109",
    "CN-310110",
    "CN-310112",
    "CN-310113",
    "CN-310115",
    "CN-310117",
    "CN-310120",
)
"""Administrative codes of a city's districts, for field visits."""


class Sent(NamedTuple):
    """One event of the bank: its id and time as the source names them, and what it says."""

    event_id: str
    time: datetime
    fact: Fact


class Refused(NamedTuple):
    """A part of an input that no event could be made of; `place` says which, "" for all of it. No value is shown."""

    place: str
    field: str
    reason: str


class Ignored(NamedTuple):
    """A part of an input that is none of our business, and why."""

    place: str
    reason: str


Outcome: TypeAlias = Sent | Refused | Ignored
"""What a connector makes of a part of its input, whatever stands in it."""


def key_of(fact: Fact) -> bytes | None:
    """The key under which an event is sent: events of one loan, or of one person, keep their order."""
    name = getattr(fact, "loan_id", "") or getattr(fact, "party_id", "")
    return f"{name}".encode() if name else None
