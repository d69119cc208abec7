"""Where a case stands on the collection ladder, and what a strategy prescribes there: rules as data, without I/O.

Days past due are counted from the oldest unpaid due date: on the due date itself they are 0.
"""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Step:
    """One action, `after_days` calendar days after its plan starts."""

    number: int
    channel: str
    after_days: int
    template: str


@dataclass(frozen=True, slots=True)
class Strategy:
    """One version of what is to be done in each stage; new cases may be given it from `effective_from` on."""

    name: str
    version: int
    effective_from: date
    source: str
    steps: Mapping[str, tuple[Step, ...]]
    file: str


def check_strategy(strategy: Strategy, ladder: Ladder) -> None:
    """Raise ContradictionError unless every stage of the ladder, and no other, has sound steps."""
    names = [stage.name for stage in ladder.stages]
    unknown = [name for name in strategy.steps if name not in names]
    if unknown:
        raise ContradictionError(f"{unknown[0]}: the ladder has no such stage")
    for stage in ladder.stages:
        if not strategy.steps.get(stage.name):
            raise ContradictionError(f"{stage.name}: the stage has no steps")
        _check_steps(stage, strategy.steps[stage.name])


def _check_steps(stage: Stage, steps: Sequence[Step]) -> None:
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise ContradictionError(f"{stage.name}: steps must be numbered 1 to {len(steps)} in order")
    if steps[0].after_days < 0:
        raise ContradictionError(f"{stage.name} step 1: after_days is below 0")
    for earlier, later in pairwise(steps):
        if later.after_days < earlier.after_days:
            raise ContradictionError(f"{stage.name} step {later.number}: after_days is below that of the step before")
    if stage.last_day is not None and steps[-1].after_days > stage.last_day - stage.first_day:
        raise ContradictionError(f"{stage.name} step {len(steps)}: after_days reaches beyond the stage ({stage})")


@dataclass(frozen=True, slots=True)
class Playbook:
    """All the data that decides: the ladder, and every version of the strategy."""

    ladder: Ladder
    strategies: tuple[Strategy, ...]

    def __post_init__(self) -> None:
        """Sort the strategies by version and check them. Raises ContradictionError."""
        object.__setattr__(self, "strategies", tuple(sorted(self.strategies, key=lambda one: one.version)))
        if not self.strategies:
            raise ContradictionError("strategies: there is not a single strategy")
        for older, newer in pairwise(self.strategies):
            _check_succession(older, newer)

    def for_new_case(self, on: date) -> Strategy:
        """The newest version that is in effect on that date; the first version before any is."""
        in_effect = [one for one in self.strategies if one.effective_from <= on]
        return in_effect[-1] if in_effect else self.strategies[0]

    def find(self, name: str, version: int) -> Strategy | None:
        """That version, None where it is no longer kept."""
        return next((one for one in self.strategies if (one.name, one.version) == (name, version)), None)


def _check_succession(older: Strategy, newer: Strategy) -> None:
    if newer.name != older.name:
        raise ContradictionError(f"{newer.file}: {newer.name} beside {older.name}: only one strategy can be in effect")
    if newer.version == older.version:
        raise ContradictionError(f"{newer.file}: version {newer.version} occurs more than once (also in {older.file})")
    if newer.effective_from <= older.effective_from:
        raise ContradictionError(
            f"{newer.file}: version {newer.version} takes effect no later than version {older.version}"
        )
