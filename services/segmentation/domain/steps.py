"""What the steps of every strategy are held to: templates that exist, nothing too early, and some things by a day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.segmentation.domain.ladder import ContradictionError, Ladder
from services.segmentation.domain.strategy import EVERYBODY, Step, Strategy
from services.segmentation.domain.tiers import Tier


@dataclass(frozen=True, slots=True)
class ChannelRule:
    """The first day past due on which a channel may be used, and what may be said by it; "" is: nothing."""

    from_day: int
    templates: frozenset[str]


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something that a strategy must have done by a day past due, whatever the tier: by any of these ways."""

    name: str
    by_day: int
    channels: frozenset[str]
    templates: frozenset[str]

    def is_met_by(self, step: Step) -> bool:
        """Whether a step is one of the ways; what is not named is not asked for."""
        return (not self.channels or step.channel in self.channels) and (
            not self.templates or step.template in self.templates
        )


@dataclass(frozen=True, slots=True)
class StepRules:
    """One version of what steps are held to."""

    version: str
    source: str
    channels: Mapping[str, ChannelRule]
    milestones: tuple[Milestone, ...]

    def check(self, strategy: Strategy, ladder: Ladder) -> None:
        """Raise ContradictionError for a step that may not be, or a milestone that is missed."""
        for where, day, step in _steps_of(strategy, ladder):
            self._check_step(f"{where} step {step.number}", day, step)
        for tier in Tier:
            self._check_milestones(strategy, ladder, tier)

    def _check_step(self, where: str, day: int, step: Step) -> None:
        rule = self.channels.get(step.channel)
        if rule is None:
            raise ContradictionError(f"{where}: nothing is sent by {step.channel}")
        if step.template not in rule.templates:
            raise ContradictionError(
                f"{where}: there is no template {step.template or 'without a name'} for {step.channel}"
            )
        if day < rule.from_day:
            raise ContradictionError(f"{where}: no {step.channel} before day {rule.from_day} past due")

    def _check_milestones(self, strategy: Strategy, ladder: Ladder, tier: Tier) -> None:
        steps = [(day, step) for _, day, step in _steps_of(strategy, ladder, tier)]
        for milestone in self.milestones:
            if not any(day <= milestone.by_day and milestone.is_met_by(step) for day, step in steps):
                raise ContradictionError(f"{tier}: {milestone.name} must come by day {milestone.by_day} past due")


def _steps_of(strategy: Strategy, ladder: Ladder, tier: Tier | None = None) -> Iterator[tuple[str, int, Step]]:
    """Each step (of one tier, or all), where it stands, and its day past due for a case that is never late."""
    for stage in ladder.stages:
        for of, steps in strategy.steps[stage.name].items():
            if tier is None or of in (EVERYBODY, tier):
                yield from ((f"{stage.name} {of}".rstrip(), stage.first_day + one.after_days, one) for one in steps)
