"""What a strategy prescribes in each stage, for everybody or by tier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from services.segmentation.domain.ladder import ContradictionError, Ladder, Stage
from services.segmentation.domain.tiers import Tier

EVERYBODY = ""
"""The key of steps that do not differ by tier."""


@dataclass(frozen=True, slots=True)
class Step:
    """One action, `after_days` calendar days after its plan starts."""

    number: int
    channel: str
    after_days: int
    template: str


@dataclass(frozen=True, slots=True)
class Strategy:
    """One version of what is to be done in each stage; new cases may be given it from `effective_from` on.

    all_cases: then cases that hold an older version take it too, at the next decision about them.
    steps: by stage, and there by tier; a stage that treats everybody alike has the one key `EVERYBODY`.
    """

    name: str
    version: int
    effective_from: date
    source: str
    steps: Mapping[str, Mapping[str, tuple[Step, ...]]]
    file: str
    all_cases: bool = False

    def prescribes(self, stage: str, tier: Tier) -> tuple[Step, ...]:
        """The steps of a stage for somebody of that tier."""
        by_tier = self.steps[stage]
        return by_tier[EVERYBODY] if EVERYBODY in by_tier else by_tier[tier]

    def label(self, stage: str, tier: Tier) -> str:
        """The strategy's name as it is told: with the tier where the stage differs by it."""
        return self.name if EVERYBODY in self.steps[stage] else f"{self.name}:{tier}"


def check_strategy(strategy: Strategy, ladder: Ladder) -> None:
    """Raise ContradictionError unless every stage of the ladder, and no other, has sound steps for every tier."""
    names = [stage.name for stage in ladder.stages]
    unknown = [name for name in strategy.steps if name not in names]
    if unknown:
        raise ContradictionError(f"{unknown[0]}: the ladder has no such stage")
    for stage in ladder.stages:
        by_tier = strategy.steps.get(stage.name, {})
        for tier in [EVERYBODY] if EVERYBODY in by_tier or not by_tier else Tier:
            _check_steps(stage, by_tier.get(tier, ()), f"{stage.name} {tier}".rstrip())


def _check_steps(stage: Stage, steps: Sequence[Step], where: str) -> None:
    if not steps:
        raise ContradictionError(f"{where}: the stage has no steps")
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise ContradictionError(f"{where}: steps must be numbered 1 to {len(steps)} in order")
    if steps[0].after_days < 0:
        raise ContradictionError(f"{where} step 1: after_days is below 0")
    for earlier, later in pairwise(steps):
        if later.after_days < earlier.after_days:
            raise ContradictionError(f"{where} step {later.number}: after_days is below that of the step before")
    if stage.last_day is not None and steps[-1].after_days > stage.last_day - stage.first_day:
        raise ContradictionError(f"{where} step {len(steps)}: after_days reaches beyond the stage ({stage})")
