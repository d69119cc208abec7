"""Rules of hours and of counts, as a pack's file has them."""

from typing import Annotated, Any

import msgspec

from services.outreach.compliance.domain import counting, timing
from services.outreach.compliance.domain.hours import Week
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.words import Channel, Direction, Mode, Outcome, Scope
from services.outreach.compliance.forms.base import (
    ContradictionError,
    Positive,
    Ranges,
    RuleForm,
    Setting,
    ranges_of,
    zones_of,
)
from shared.data_files import Form


class _HoursForm(Form, frozen=True):
    daily: Ranges | None = None
    weekdays: Ranges | None = None
    saturday: Ranges | None = None
    sunday: Ranges | None = None
    holidays: Ranges | None = None

    def week(self) -> Week:
        by_day = (self.weekdays, self.saturday, self.sunday) if self.daily is None else (self.daily,) * 3
        others = self.daily is not None and (self.weekdays, self.saturday, self.sunday) != (None, None, None)
        if others or None in by_day:
            raise ContradictionError("needs either daily hours, or hours for weekdays, saturday and sunday")
        weekdays, saturday, sunday = (ranges_of(day or ()) for day in by_day)
        week = Week((weekdays,) * 5 + (saturday, sunday), None if self.holidays is None else ranges_of(self.holidays))
        if not any(week.days):
            raise ContradictionError("is open at no hour")
        return week


class WindowForm(RuleForm, frozen=True, kw_only=True, tag="window"):
    """Open hours."""

    zone: str
    hours: _HoursForm
    agreed: str = ""

    def rule(self, setting: Setting) -> Rule:
        """A Window."""
        return timing.Window(
            **self.shared(setting), zones=zones_of(self.zone), hours=self.hours.week(), agreed=self.agreed
        )


class BlackoutForm(RuleForm, frozen=True, kw_only=True, tag="blackout"):
    """Hours that the person has closed."""

    zone: str
    closed: str

    def rule(self, setting: Setting) -> Rule:
        """A Blackout."""
        return timing.Blackout(**self.shared(setting), zones=zones_of(self.zone), closed=self.closed)


class _CountedForm(Form, frozen=True):
    channels: Annotated[tuple[Channel, ...], msgspec.Meta(min_length=1)]
    outcomes: tuple[Outcome, ...] = ()
    directions: tuple[Direction, ...] = (Direction.OUT,)
    modes: tuple[str, ...] = ()
    not_marked: tuple[str, ...] = ()
    when: str = ""

    def counted(self) -> counting.Counted:
        return counting.Counted(
            frozenset(self.channels),
            frozenset(self.outcomes),
            frozenset(self.directions),
            frozenset(_mode(word) for word in self.modes),
            frozenset(self.not_marked),
        )


def _mode(word: str) -> Mode | None:
    try:
        return None if word == "unstated" else Mode(word)
    except ValueError:
        raise ContradictionError(f"counts calls of a mode {word} that is none") from None


class _CountingForm(RuleForm, frozen=True, kw_only=True):
    zone: str
    scope: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1)]
    counts: Annotated[tuple[_CountedForm, ...], msgspec.Meta(min_length=1)]
    mode: Mode | None = None

    def shared(self, setting: Setting) -> dict[str, Any]:
        """With what it counts: entries whose switch is off are left out."""
        for form in self.counts:
            if form.when and form.when not in setting.switches:
                raise ContradictionError(f"hangs on a switch {form.when} that the pack does not have")
        counts = tuple(form.counted() for form in self.counts if not form.when or setting.switches[form.when])
        if not counts:
            raise ContradictionError("counts nothing as the switches stand")
        own = {"zones": zones_of(self.zone), "scope": frozenset(self.scope), "counts": counts, "mode": self.mode}
        return {**super().shared(setting), **own}


class CapForm(_CountingForm, frozen=True, kw_only=True, tag="cap"):
    """At most so many in a period; without days, ever."""

    limit: Positive
    days: Positive | None
    rolling: bool = False
    agreed: str = ""

    def rule(self, setting: Setting) -> Rule:
        """A Cap."""
        return counting.Cap(
            **self.shared(setting), limit=self.limit, days=self.days, rolling=self.rolling, agreed=self.agreed
        )


class CooldownForm(_CountingForm, frozen=True, kw_only=True, tag="cooldown"):
    """A pause after a contact that counts."""

    days: Positive

    def rule(self, setting: Setting) -> Rule:
        """A Cooldown."""
        return counting.Cooldown(**self.shared(setting), days=self.days)
