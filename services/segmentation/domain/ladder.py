"""Where a case stands on the collection ladder: rules as data, without I/O.

Days past due are counted from the oldest unpaid due date: on the due date itself they are 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise


class ContradictionError(ValueError):
    """A ladder or strategy contradicts itself; the text is one line that names the part at fault."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A range of days past due, both ends included; `last_day` is None where the range has no end."""

    name: str
    first_day: int
    last_day: int | None = None

    def __str__(self) -> str:
        """The stage as people write it: "EARLY 6 to 17", "NPL 91 and above"."""
        end = "and above" if self.last_day is None else f"to {self.last_day}"
        return f"{self.name} {self.first_day} {end}"

    def holds(self, days_past_due: int) -> bool:
        """Whether that many days lie in the range."""
        return self.first_day <= days_past_due and (self.last_day is None or days_past_due <= self.last_day)


@dataclass(frozen=True, slots=True)
class Ladder:
    """The stages of one version, in ascending order, without overlap or gap and without an end."""

    version: str
    source: str
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        """Sort the stages and check them. Raises ContradictionError."""
        object.__setattr__(self, "stages", tuple(sorted(self.stages, key=lambda stage: stage.first_day)))
        _check_each(self.stages)
        for lower, upper in pairwise(self.stages):
            _check_neighbours(lower, upper)
        if self.stages[-1].last_day is not None:
            raise ContradictionError(f"{self.stages[-1]} is the last stage and must have no end")

    def stage_at(self, days_past_due: int) -> Stage | None:
        """The one stage that holds that many days; None below the first."""
        return next((stage for stage in self.stages if stage.holds(days_past_due)), None)

    def next_entry(self, oldest_due_on: date, on: date) -> date | None:
        """The next date after `on` at which a case enters another stage; None in the last stage."""
        days = days_past_due(oldest_due_on, on)
        return next((oldest_due_on + timedelta(s.first_day) for s in self.stages if s.first_day > days), None)


def _check_each(stages: Sequence[Stage]) -> None:
    if not stages:
        raise ContradictionError("there are no stages")
    for stage in stages:
        if stage.last_day is not None and stage.last_day < stage.first_day:
            raise ContradictionError(f"{stage} ends before it begins")
        if sum(other.name == stage.name for other in stages) > 1:
            raise ContradictionError(f"{stage}: the name occurs more than once")


def _check_neighbours(lower: Stage, upper: Stage) -> None:
    if lower.last_day is None or lower.last_day >= upper.first_day:
        raise ContradictionError(f"{lower} and {upper} overlap")
    if lower.last_day + 1 < upper.first_day:
        missing = f"{lower.last_day + 1} to {upper.first_day - 1}"
        raise ContradictionError(f"gap: days {missing} lie in no stage, between {lower} and {upper}")


def days_past_due(oldest_due_on: date, on: date) -> int:
    """Calendar days from the oldest unpaid due date to `on`; negative before it."""
    return (on - oldest_due_on).days
