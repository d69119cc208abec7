"""Rules that count: caps on contacts in a period, and the pause that a conversation begins.

A day is a civil date in the rule's zone. Where the person may be in several zones, a cap must hold in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from services.outreach.compliance.domain.attempt import Case, Contact
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.verdict import Finding
from services.outreach.compliance.domain.words import Channel, Direction, Mode, Outcome, Rank, Scope
from services.outreach.compliance.domain.zones import DAY, Zone


@dataclass(frozen=True, slots=True)
class Counted:
    """Which contacts count: by channel, outcome, direction and mode; no outcomes or modes means any.

    An entry with a mark among `not_marked` does not count.
    """

    channels: frozenset[Channel]
    outcomes: frozenset[Outcome] = frozenset()
    directions: frozenset[Direction] = frozenset({Direction.OUT})
    modes: frozenset[Mode | None] = frozenset()
    not_marked: frozenset[str] = frozenset()

    def holds(self, contact: Contact) -> bool:
        """Whether a contact counts."""
        return (
            contact.channel in self.channels
            and contact.direction in self.directions
            and (not self.outcomes or contact.outcome in self.outcomes)
            and (not self.modes or contact.mode in self.modes)
            and self.not_marked.isdisjoint(contact.marks)
        )


@dataclass(frozen=True, kw_only=True)
class Counting(Rule):
    """A rule over the contacts of its scope. No zones of its own: those of the person."""

    counts: tuple[Counted, ...]
    scope: frozenset[Scope] = frozenset({Scope.PERSON, Scope.CREDITOR})
    zones: tuple[Zone, ...] = ()
    mode: Mode | None = None
    rank: ClassVar[Rank] = Rank.FREQUENCY

    def zones_for(self, case: Case) -> tuple[Zone, ...]:
        """Its own, else the person's."""
        return self.zones or case.zones

    def unknown(self, case: Case) -> str:
        """The first attribute that is needed to count and that nobody knows."""
        attempt = case.attempt
        if self.mode is not None and attempt.mode is None:
            return "mode"
        if attempt.number is None and Scope.NUMBER in self.scope:
            return "number"
        if attempt.debt is None and Scope.DEBT in self.scope:
            return "debt"
        return "" if self.zones or case.zones else "zone"

    def finding(self, case: Case, instant: int) -> Finding:
        """Passes where it is about another mode; fails where something that it needs is not known."""
        unknown = self.unknown(case)
        if unknown:
            return self.missing(unknown)
        if self.mode is not None and case.attempt.mode is not self.mode:
            return self.passed
        return self.counted(case, instant)

    def counted(self, case: Case, instant: int) -> Finding:
        """What it finds once it can count."""
        raise NotImplementedError

    def hits(self, case: Case) -> list[int]:
        """The seconds of all contacts that count."""
        attempt, scope = case.attempt, self.scope
        person = attempt.person if Scope.PERSON in scope else None
        number = attempt.number if Scope.NUMBER in scope else None
        debt = attempt.debt if Scope.DEBT in scope else None
        creditor = attempt.creditor if Scope.CREDITOR in scope else None
        hits = []
        for each in case.history:  # a loop, since most of the time of a verdict is spent here
            if (
                (person is None or each.person == person)
                and (number is None or each.number == number)
                and (debt is None or each.debt == debt)
                and (creditor is None or each.creditor == creditor)
            ):
                for counted in self.counts:
                    if counted.holds(each):
                        hits.append(each.second)
                        break
        return hits


@dataclass(frozen=True, kw_only=True)
class Cap(Counting):
    """At most `limit` contacts in `days` civil days, this one included; without days, ever.

    With `rolling` a day is 24 hours before the attempt instead. `agreed` names the attribute with other limits by rule
    that were agreed with the person.
    """

    limit: int
    days: int | None
    rolling: bool = False
    agreed: str = ""

    def counted(self, case: Case, instant: int) -> Finding:
        """Whether one more is within the limit, in each zone."""
        hits, limit = self.hits(case), self.limit_for(case)
        count = max((self._count(zone, hits, instant) for zone in self.zones_for(case)), default=0) if hits else 0
        read = (("count", count), ("limit", limit), ("days", self.days or 0))
        return Finding(self.id, "" if count < limit else "cap", read)

    def limit_for(self, case: Case) -> int:
        """The limit agreed with the person, else the rule's own."""
        agreed = case.attributes.get(self.agreed) if self.agreed else None
        limit = agreed.get(self.id) if isinstance(agreed, dict) else None
        return limit if type(limit) is int and limit > 0 else self.limit

    def cure(self, case: Case, instant: int) -> int | None:
        """When enough of the contacts have left the period, zone after zone."""
        if self.unknown(case) or self.days is None:
            return None
        hits, limit = self.hits(case), self.limit_for(case)
        for zone in self.zones_for(case):
            instant = self._cured(zone, hits, limit, instant)
        return instant

    def _count(self, zone: Zone, hits: Sequence[int], instant: int) -> int:
        if self.days is None:
            return len(hits)
        if self.rolling:
            return sum(hit > instant - self.days * DAY for hit in hits)
        today = zone.day(instant)
        return sum(today - self.days < zone.day(hit) <= today for hit in hits)

    def _cured(self, zone: Zone, hits: Sequence[int], limit: int, instant: int) -> int:
        days = self.days or 0
        while self._count(zone, hits, instant) >= limit:
            if self.rolling:
                instant = min(hit for hit in hits if hit > instant - days * DAY) + days * DAY
            else:
                today = zone.day(instant)
                held = [day for day in map(zone.day, hits) if today - days < day <= today]
                instant = zone.reach(instant, (min(held) + days) * DAY)
        return instant


@dataclass(frozen=True, kw_only=True)
class Cooldown(Counting):
    """A contact that counts begins a pause of `days` civil days, its own day the first."""

    days: int

    def counted(self, case: Case, instant: int) -> Finding:
        """Whether the pause is over in each zone."""
        ends = self._over(case, instant)
        return self.passed if ends <= instant else Finding(self.id, "cooldown", (("days", self.days),))

    def cure(self, case: Case, instant: int) -> int | None:
        """The end of the pause."""
        return None if self.unknown(case) else self._over(case, instant)

    def _over(self, case: Case, instant: int) -> int:
        before = [hit for hit in self.hits(case) if hit <= instant]
        if not before:
            return instant
        last = max(before)
        return max(zone.reach(instant, (zone.day(last) + self.days) * DAY) for zone in self.zones_for(case))
