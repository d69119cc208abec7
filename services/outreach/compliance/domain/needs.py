"""Rules of preconditions: what must be so, or recent, or said, before a contact."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from services.outreach.compliance.domain.attempt import Case
from services.outreach.compliance.domain.moments import day_of
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.verdict import Finding
from services.outreach.compliance.domain.words import Rank
from services.outreach.compliance.domain.zones import DAY, Zone


class Need(Protocol):
    """Something that an attribute must say."""

    @property
    def attribute(self) -> str:
        """The attribute."""

    def problem(self, value: object, zones: tuple[Zone, ...], instant: int) -> str:
        """Why its value, which is known, is not enough; empty where it is."""


@dataclass(frozen=True, slots=True)
class Equal:
    """An attribute must have a value."""

    attribute: str
    value: bool | str

    def problem(self, value: object, zones: tuple[Zone, ...], instant: int) -> str:  # noqa: ARG002
        """Any other value is not enough."""
        return "" if value == self.value and type(value) is type(self.value) else "unmet"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """An attribute must be a number not below a limit."""

    attribute: str
    least: int

    def problem(self, value: object, zones: tuple[Zone, ...], instant: int) -> str:  # noqa: ARG002
        """Less is not enough, and what is no number is not known."""
        if type(value) is not int:
            return "missing"
        return "" if value >= self.least else "unmet"


@dataclass(frozen=True, slots=True)
class Recent:
    """An attribute must be a date, or an instant, at most so many civil days ago in every zone; or that many days."""

    attribute: str
    days: int

    def problem(self, value: object, zones: tuple[Zone, ...], instant: int) -> str:
        """Older is not enough, nor is the future."""
        if type(value) is int:
            return "" if 0 <= value <= self.days else "unmet"
        for zone in zones:
            day = day_of(value, zone)
            if day is None:
                return "missing"
            if not 0 <= zone.day(instant) - day <= self.days:
                return "unmet"
        return "" if zones else "missing"


@dataclass(frozen=True, kw_only=True)
class Require(Rule):
    """Everything in `needs` must be so; and what `if_true` lists for an attribute, where that is true."""

    needs: tuple[Need, ...]
    if_true: tuple[tuple[str, tuple[Need, ...]], ...] = ()
    zones: tuple[Zone, ...] = ()
    rank: ClassVar[Rank] = Rank.CONTENT

    def zones_for(self, case: Case) -> tuple[Zone, ...]:
        """Its own, else the person's."""
        return self.zones or case.zones

    def finding(self, case: Case, instant: int) -> Finding:
        """The first need that is not met is the reason; all are told."""
        problems = self._problems(self.needs, case, instant)
        for name, needs in self.if_true:
            if case.attributes.get(name) is True:
                problems += self._problems(needs, case, instant)
        if not problems:
            return self.passed
        kind, attribute = problems[0]
        return Finding(self.id, f"{kind}:{attribute}", tuple(problems))

    def _problems(self, needs: tuple[Need, ...], case: Case, instant: int) -> list[tuple[str, str]]:
        problems = []
        for need in needs:
            value = case.attributes.get(need.attribute)
            problem = "missing" if value is None else need.problem(value, self.zones_for(case), instant)
            if problem:
                problems.append((problem, need.attribute))
        return problems


@dataclass(frozen=True, kw_only=True)
class AgencyGate(Require):
    """What must be so of an agency that makes a contact; a lender of its own needs none of it."""

    rank: ClassVar[Rank] = Rank.PARTY

    def finding(self, case: Case, instant: int) -> Finding:
        """Passes for the lender; who acts must be known, unless what is known already speaks of an agency."""
        by = case.attempt.by
        if by is None and all(case.attributes.get(need.attribute) is None for need in self.needs):
            return self.missing("by")
        return self.passed if by == "" else super().finding(case, instant)


@dataclass(frozen=True, kw_only=True)
class Deadline(Rule):
    """Within `days` civil days of the date of one attribute another must have a date, or no contact goes on."""

    after: str
    sent: str
    days: int
    zones: tuple[Zone, ...] = ()
    rank: ClassVar[Rank] = Rank.CONTENT

    def zones_for(self, case: Case) -> tuple[Zone, ...]:
        """Its own, else the person's."""
        return self.zones or case.zones

    def finding(self, case: Case, instant: int) -> Finding:
        """Passes before anything began, once it is sent, and until the last day is over."""
        attributes = case.attributes
        if self.after not in attributes:
            return self.missing(self.after)
        if attributes[self.after] is None or attributes.get(self.sent):
            return self.passed
        for zone in self.zones_for(case):
            day = day_of(attributes[self.after], zone)
            if day is None:
                return self.missing(self.after)
            if zone.day(instant) - day > self.days:
                return Finding(self.id, "deadline", (("days", self.days), ("attribute", self.sent)))
        return self.passed if self.zones_for(case) else self.missing("zone")


@dataclass(frozen=True, kw_only=True)
class Wait(Require):
    """`days` full civil days must have passed since the date of an attribute, and everything in `needs` be so."""

    since: str
    days: int
    needs: tuple[Need, ...] = ()

    def finding(self, case: Case, instant: int) -> Finding:
        """Fails until those days are over."""
        unmet = super().finding(case, instant)
        if unmet.reason:
            return unmet
        over = self._over(case, instant)
        if over is None:
            return self.missing(self.since if self.zones_for(case) else "zone")
        return self.passed if over <= instant else Finding(self.id, "wait", (("days", self.days),))

    def cure(self, case: Case, instant: int) -> int | None:
        """The end of the wait."""
        return None if super().finding(case, instant).reason else self._over(case, instant)

    def _over(self, case: Case, instant: int) -> int | None:
        value: Any = case.attributes.get(self.since)
        ends = []
        for zone in self.zones_for(case):
            day = day_of(value, zone)
            if day is None:
                return None
            ends.append(zone.reach(instant, (day + self.days) * DAY))
        return max(ends, default=None)


@dataclass(frozen=True, kw_only=True)
class ContentBan(Rule):
    """While an attribute is true, some contents are not allowed."""

    when: str
    banned: frozenset[str] = field(default_factory=frozenset)
    rank: ClassVar[Rank] = Rank.CONTENT

    def finding(self, case: Case, instant: int) -> Finding:  # noqa: ARG002
        """Fails for such contents; both must be known."""
        when, content = case.attributes.get(self.when), case.attributes.get("content")
        if when is False:
            return self.passed
        if when is None or content is None:
            return self.missing(self.when if when is None else "content")
        found = sorted(self.banned.intersection(content))
        return Finding(self.id, "content", (("content", ", ".join(found)),)) if found else self.passed
