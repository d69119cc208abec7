"""What the rules of all kinds share in a pack's file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from services.outreach.compliance.domain.hours import Range, second_of_day
from services.outreach.compliance.domain.rule import Condition, Rule
from services.outreach.compliance.domain.words import Channel, Force, Party
from services.outreach.compliance.domain.zones import DAY, NEVER, Zone, day_number, zone_named
from shared.data_files import Form

PARTY = "party"
"""The zone of a rule that reads the clock where the person is."""

Positive = Annotated[int, msgspec.Meta(ge=1)]
Ranges = tuple[tuple[str, str], ...]
Words = tuple[Annotated[str, msgspec.Meta(min_length=1)], ...]


class ContradictionError(ValueError):
    """A rule contradicts itself; the text is the end of a sentence that begins with its name."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the rules of a pack share: the zone in which dates count, and its switches."""

    zone: Zone
    switches: Mapping[str, bool]


class Title(Form, frozen=True):
    """What a rule says, in a few words of each language."""

    en: str
    zh: str

    def words(self) -> Mapping[str, str]:
        """By language."""
        return {"en": self.en, "zh": self.zh}


class ConditionForm(Form, frozen=True):
    """What an attribute must be for a rule to apply."""

    attribute: str
    values: tuple[bool | str | int, ...] = ()
    at_most: int | None = None

    def condition(self) -> Condition:
        """The condition. Raises ContradictionError."""
        if bool(self.values) is (self.at_most is not None):
            raise ContradictionError(f"has a condition on {self.attribute} that needs either values or at_most")
        return Condition(self.attribute, self.values, self.at_most)


class RuleForm(Form, frozen=True, kw_only=True, tag_field="kind"):
    """What the rules of all kinds share."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)+$")]
    title: Title
    citation: Annotated[str, msgspec.Meta(min_length=1)]
    force: Force
    effective: date
    repealed: date | None = None
    enabled: bool = True
    channels: tuple[Channel, ...] = ()
    parties: tuple[Party, ...] = ()
    when: tuple[ConditionForm, ...] = ()
    exempt_purposes: Words = ()
    unless: Words = ()
    override: str = ""

    def rule(self, setting: Setting) -> Rule:
        """The rule. Raises ContradictionError."""
        raise NotImplementedError

    def shared(self, setting: Setting) -> dict[str, Any]:
        """The fields that every rule has. Raises ContradictionError."""
        if self.repealed is not None and self.repealed <= self.effective:
            raise ContradictionError("is repealed before it is in force")
        return {
            "id": self.id,
            "title": self.title.words(),
            "citation": self.citation,
            "force": self.force,
            "begins": _start(self.effective, setting.zone),
            "ends": NEVER if self.repealed is None else _start(self.repealed, setting.zone),
            "channels": frozenset(self.channels),
            "parties": frozenset(self.parties),
            "conditions": tuple(form.condition() for form in self.when),
            "exempt_purposes": frozenset(self.exempt_purposes),
            "unless": self.unless,
            "override": self.override,
        }


def _start(day: date, zone: Zone) -> int:
    wall = day_number(day) * DAY
    return zone.reach(wall - DAY, wall)


def zone_of(name: str) -> Zone:
    """A zone by its IANA name. Raises ContradictionError."""
    try:
        return zone_named(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ContradictionError(f"has a zone {name} that the IANA database does not know") from None


def zones_of(name: str) -> tuple[Zone, ...]:
    """The zones of a rule; none where it reads the clock of the person. Raises ContradictionError."""
    return () if name == PARTY else (zone_of(name),)


def ranges_of(ranges: Ranges) -> tuple[Range, ...]:
    """Ranges of the day in order. Raises ContradictionError for what is no time, has no length or overlaps."""
    read = sorted((_second(opens), _second(closes)) for opens, closes in ranges)
    if any(opens >= closes for opens, closes in read):
        raise ContradictionError("has hours that end before they begin")
    if any(later[0] < earlier[1] for earlier, later in pairwise(read)):
        raise ContradictionError("has hours that overlap")
    return tuple(read)


def _second(text: str) -> int:
    found = second_of_day(text)
    if found is None:
        raise ContradictionError(f"has {text} where a time of the day belongs")
    return found
