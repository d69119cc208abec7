"""What time makes of a claim: the class that it is in at the least, and until when it can be sued for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ClaimClass:
    """A class of loans, from so many days past due on."""

    from_days: int
    name: str


@dataclass(frozen=True, slots=True)
class Limitation:
    """How long a claim can be sued for: in years from its due date, and from that date whatever interrupts it."""

    years: int
    outer_years: int

    def last_day(self, due_on: date, interruptions: Iterable[date] = ()) -> date:
        """The last day on which the claim can be sued for. An interruption counts while the period runs."""
        last, outer = _later(due_on, self.years), _later(due_on, self.outer_years)
        for interrupted_on in sorted(interruptions):
            if due_on < interrupted_on <= last:
                last = max(last, _later(interrupted_on, self.years))
        return min(last, outer)

    def is_over(self, due_on: date, interruptions: Iterable[date], on: date) -> bool:
        """Whether a claim is time-barred on a day. What interrupts it only later makes no difference on that day."""
        return on > self.last_day(due_on, interruptions)


@dataclass(frozen=True, slots=True)
class Claims:
    """One version of these tables; the classes stand in the order of their days, and begin at nought."""

    version: str
    classes: Sequence[ClaimClass]
    limitation: Limitation

    def class_of(self, days_past_due: int) -> str:
        """The class that a loan is in at the least. Raises ValueError for less than no days."""
        if days_past_due < self.classes[0].from_days:
            raise ValueError(days_past_due)
        return [each for each in self.classes if each.from_days <= days_past_due][-1].name


def _later(day: date, years: int) -> date:
    """The same day of a later year; the last of February where that has no 29th."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 2, 28)
