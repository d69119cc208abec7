"""What every rule has: where it comes from, when it is in force, whom it concerns, and what sets it aside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from services.outreach.compliance.domain.attempt import Attributes, Case
from services.outreach.compliance.domain.verdict import Finding
from services.outreach.compliance.domain.words import Channel, Force, Party, Rank
from services.outreach.compliance.domain.zones import LONG_AGO, NEVER, Zone


@dataclass(frozen=True, slots=True)
class Condition:
    """An attribute that says whether a rule applies: one of some values, or a number not above a limit."""

    attribute: str
    values: tuple[Any, ...] = ()
    at_most: int | None = None

    def excludes(self, attributes: Attributes) -> bool:
        """Whether the attribute is known and says that the rule does not apply; unknown, it applies."""
        value = attributes.get(self.attribute)
        if value is None:
            return False
        if self.at_most is not None:
            return isinstance(value, int) and value > self.at_most
        return value not in self.values


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a pack, with what all kinds of rules share.

    In force from `begins` until `ends`, in seconds since 1970. No channels or no parties means all of them.
    `conditions` say when it applies at all; a purpose among `exempt_purposes` or a true attribute among `unless` lets
    an attempt pass. `override` names the right by which a person may waive it; without one nobody may.
    """

    id: str
    citation: str
    force: Force
    title: Mapping[str, str] = field(default_factory=dict)
    begins: int = LONG_AGO
    ends: int = NEVER
    channels: frozenset[Channel] = frozenset()
    parties: frozenset[Party] = frozenset()
    conditions: tuple[Condition, ...] = ()
    exempt_purposes: frozenset[str] = frozenset()
    unless: tuple[str, ...] = ()
    override: str = ""
    passed: Finding = field(init=False, repr=False, compare=False)

    rank: ClassVar[Rank]

    def __post_init__(self) -> None:
        """Make the finding of an attempt that passes, once."""
        object.__setattr__(self, "passed", Finding(self.id))

    def concerns(self, channel: Channel, party: Party) -> bool:
        """Whether the rule speaks of such contacts."""
        return (not self.channels or channel in self.channels) and (not self.parties or party in self.parties)

    def applies(self, attributes: Attributes) -> bool:
        """Whether every condition may hold."""
        return not any(condition.excludes(attributes) for condition in self.conditions)

    def look(self, case: Case, instant: int) -> Finding:
        """What the rule finds at an instant at which it is in force."""
        if self.exempt_purposes and case.attempt.purpose in self.exempt_purposes:
            return Finding(self.id, read=(("purpose", case.attempt.purpose),))
        if self.unless and case.is_true(self.unless):
            return Finding(self.id, read=(("unless", next(name for name in self.unless if case.is_true((name,)))),))
        return self.finding(case, instant)

    def clear(self, case: Case, instant: int) -> int | None:
        """The first instant from this one on at which the rule is not in the way; None where there is none."""
        if not self.begins <= instant < self.ends or not self.look(case, instant).reason:
            return instant
        cured = self.cure(case, instant)
        if self.ends != NEVER and (cured is None or cured > self.ends):
            return self.ends
        return cured

    def finding(self, case: Case, instant: int) -> Finding:
        """What this kind of rule finds."""
        raise NotImplementedError

    def cure(self, case: Case, instant: int) -> int | None:  # noqa: ARG002  # time does not cure most kinds
        """For an attempt that fails at `instant`: how long it certainly does. Not later than when it first passes."""
        return None

    def recurs(self) -> bool:
        """Whether the rule closes again and again for ever, as hours of the day do."""
        return False

    def zones_for(self, case: Case) -> tuple[Zone, ...]:
        """The zones that this kind reads clocks in."""
        return case.zones

    def missing(self, attribute: str) -> Finding:
        """The finding where an attribute is not known."""
        return Finding(self.id, f"missing:{attribute}", (("attribute", attribute),))
