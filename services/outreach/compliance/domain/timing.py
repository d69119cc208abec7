"""Rules of the clock: the hours of the day in which people may be reached."""

from dataclasses import dataclass
from typing import ClassVar

from services.outreach.compliance.domain.attempt import Case
from services.outreach.compliance.domain.hours import Week, clock, daily, left_out, shown
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.verdict import Finding
from services.outreach.compliance.domain.words import Rank
from services.outreach.compliance.domain.zones import DAY, Zone


@dataclass(frozen=True, kw_only=True)
class Hours(Rule):
    """Some hours are open, in every zone in which the person may be. No zones of its own: those of the person."""

    zones: tuple[Zone, ...] = ()
    rank: ClassVar[Rank] = Rank.HOURS

    def zones_for(self, case: Case) -> tuple[Zone, ...]:
        """Its own, else the person's."""
        return self.zones or case.zones

    def week(self, case: Case) -> Week | None:
        """The hours for this case; None where the attribute that names them makes no sense."""
        raise NotImplementedError

    def finding(self, case: Case, instant: int) -> Finding:
        """Open in all zones, or else the first that is closed, with its clock."""
        zones, week = self.zones_for(case), self.week(case)
        if not zones or week is None:
            return self.missing("zone" if not zones else self.named())
        for zone in zones:
            wall = zone.wall(instant)
            if not week.is_open(wall, case.holidays):
                day, second = divmod(wall, DAY)
                read = (("clock", clock(second)), ("zone", zone.name), ("open", shown(week.on(day, case.holidays))))
                return Finding(self.id, "hours", read)
        return self.passed

    def cure(self, case: Case, instant: int) -> int | None:
        """The next opening, zone after zone."""
        zones, week = self.zones_for(case), self.week(case)
        if not zones or week is None:
            return None
        for zone in zones:
            opening = week.opening(zone, instant, case.holidays)
            if opening is None:
                return None
            instant = opening
        return instant

    def recurs(self) -> bool:
        """Every day."""
        return True

    def named(self) -> str:
        """The attribute that may name other hours."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Window(Hours):
    """Open hours, by day of the week. Hours agreed with the person, where the rule honours them, replace its own."""

    hours: Week
    agreed: str = ""

    def week(self, case: Case) -> Week | None:
        """What was agreed, else the rule's own."""
        ranges = case.attributes.get(self.agreed) if self.agreed else None
        if ranges is None:
            return self.hours
        return daily(ranges) if are_ranges(ranges) else None

    def named(self) -> str:
        """The attribute with the agreement."""
        return self.agreed


@dataclass(frozen=True, kw_only=True)
class Blackout(Hours):
    """Hours that the person has named as inconvenient: all others are open."""

    closed: str

    def week(self, case: Case) -> Week | None:
        """What the person left open."""
        ranges = case.attributes.get(self.closed, ())
        return daily(left_out(ranges)) if are_ranges(ranges) else None

    def named(self) -> str:
        """The attribute with the hours."""
        return self.closed


def are_ranges(value: object) -> bool:
    """Whether an attribute is a tuple of ranges of the day."""
    return isinstance(value, tuple) and all(_is_range(each) for each in value)


def _is_range(value: object) -> bool:
    match value:
        case (int(opens), int(closes)):
            return 0 <= opens < closes <= DAY
        case _:
            return False
