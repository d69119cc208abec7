"""What is judged: an attempt to contact a person, and what has happened before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfoNotFoundError

from services.outreach.compliance.domain.words import Channel, Direction, Mode, Outcome, Party
from services.outreach.compliance.domain.zones import LONG_AGO, NEVER, Zone, day_number, second_of, zone_named

LENDER = ""
"""Who acts, where it is no agency."""

Attributes: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """How long a flag stands: from the first instant on, up to the last and without it; None is without end."""

    since: datetime | None = None
    until: datetime | None = None
    begins: int = field(init=False, compare=False, repr=False)
    ends: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError for an instant without a zone, or beyond the calendar."""
        begins = LONG_AGO if self.since is None else second_of(self.since)
        ends = NEVER if self.until is None else second_of(self.until) + (self.until.microsecond > 0)
        object.__setattr__(self, "begins", begins)
        object.__setattr__(self, "ends", ends)

    def stands(self, instant: int) -> bool:
        """Whether the flag stands then."""
        return self.begins <= instant < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One entry of the history, which is that of the person and of the debtor whom it is about.

    `by` is whoever made the contact, lender or agency: no counter asks.
    """

    at: datetime
    channel: Channel
    outcome: Outcome
    party: Party = Party.DEBTOR
    person: str = "debtor"
    debt: str = ""
    number: str = ""
    creditor: str = ""
    by: str = LENDER
    direction: Direction = Direction.OUT
    mode: Mode | None = None
    marks: frozenset[str] = frozenset()
    second: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError for an instant without a zone, or beyond the calendar."""
        object.__setattr__(self, "second", second_of(self.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A contact that somebody wants to make.

    `at` is the start of a call, the sending of a message, the arrival of a visit. `zones` are all zones in which the
    person may be; no zone says that nobody knows. `flags` and `optouts` have been read completely: what is not among
    them does not stand. An attribute that is not there is unknown, and a rule that needs it denies.
    """

    at: datetime
    channel: Channel
    party: Party = Party.DEBTOR
    person: str = "debtor"
    debt: str | None = None
    number: str | None = None
    creditor: str = ""
    by: str | None = None
    direction: Direction = Direction.OUT
    mode: Mode | None = None
    purpose: str = ""
    zones: tuple[str, ...] = ()
    flags: Mapping[str, Span] = field(default_factory=dict)
    optouts: frozenset[Channel] = frozenset()
    holidays: frozenset[date] = frozenset()
    attributes: Attributes = field(default_factory=dict)
    second: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError for an instant without a zone, or beyond the calendar."""
        object.__setattr__(self, "second", second_of(self.at))


@dataclass(frozen=True, slots=True)
class Override:
    """A person waives a rule that may be waived: by the right that the rule names, and with a written reason."""

    rule: str
    right: str
    by: str
    reason: str


class Case:
    """An attempt with its history, made ready to be held against rules."""

    __slots__ = ("attempt", "attributes", "flags", "history", "holidays", "second", "zones")

    def __init__(self, attempt: Attempt, history: Sequence[Contact]) -> None:
        self.attempt = attempt
        self.history = history
        self.second = attempt.second
        self.flags = attempt.flags
        self.attributes = attempt.attributes
        self.zones = _zones(attempt.zones) if attempt.zones else ()
        self.holidays = frozenset(map(day_number, attempt.holidays)) if attempt.holidays else frozenset()

    def is_true(self, names: Iterable[str]) -> bool:
        """Whether one of these attributes is known to be true."""
        return any(self.attributes.get(name) is True for name in names)


def _zones(names: Iterable[str]) -> tuple[Zone, ...]:
    """The zones of these names; none at all where one is unknown, since a guess is no evidence."""
    try:
        return tuple(map(zone_named, names))
    except (ZoneInfoNotFoundError, ValueError):
        return ()
