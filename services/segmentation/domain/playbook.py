"""All the data that decides, and what it offers a case on a date."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, pairwise

from services.segmentation.domain.experiment import Experiment, check_experiments
from services.segmentation.domain.ladder import ContradictionError, Ladder
from services.segmentation.domain.steps import StepRules
from services.segmentation.domain.strategy import Strategy
from services.segmentation.domain.tiers import Tiers
from shared.frozen import replace


@dataclass(frozen=True, slots=True)
class Playbook:
    """The ladder, the tiers, and every version of every strategy and experiment."""

    ladder: Ladder
    tiers: Tiers
    strategies: tuple[Strategy, ...]
    experiments: tuple[Experiment, ...] = ()
    rules: StepRules = field(default_factory=lambda: StepRules("", "", {}, ()))

    def __post_init__(self) -> None:
        """Sort everything and check it. Raises ContradictionError."""
        ordered = sorted(self.strategies, key=lambda one: (one.name, one.version))
        object.__setattr__(self, "strategies", tuple(ordered))
        experiments = sorted(self.experiments, key=lambda one: (one.effective_from, one.file))
        object.__setattr__(self, "experiments", tuple(experiments))
        if not self.strategies:
            raise ContradictionError("strategies: there is not a single strategy")
        for _, versions in groupby(self.strategies, key=lambda one: one.name):
            for older, newer in pairwise(versions):
                _check_succession(older, newer)
        self._check_choice()
        check_experiments(self.experiments, {one.name for one in self.strategies})

    def _check_choice(self) -> None:
        first, last = self.strategies[0], self.strategies[-1]
        if first.name != last.name and not self.experiments:
            raise ContradictionError(
                f"{last.file}: {last.name} beside {first.name}: no experiment chooses between them"
            )

    def newest(self, name: str, on: date) -> Strategy:
        """The newest version of a strategy that is in effect on that date; its first version before any is."""
        versions = [one for one in self.strategies if one.name == name]
        in_effect = [one for one in versions if one.effective_from <= on]
        return in_effect[-1] if in_effect else versions[0]

    def successor(self, held: Strategy, on: date) -> Strategy | None:
        """The newest version in effect that is for all cases, and newer than the one held; None where none is."""
        newer = [one for one in self.strategies if one.name == held.name and one.version > held.version]
        return next((one for one in reversed(newer) if one.all_cases and one.effective_from <= on), None)

    def with_published(self, published: Iterable[Strategy]) -> "Playbook":
        """The same with each of these that contradicts neither the files nor those before it."""
        playbook = self
        for one in sorted(published, key=lambda each: (each.name, each.version)):
            try:
                playbook = replace(playbook, strategies=(*playbook.strategies, one))
            except ContradictionError:
                continue
        return playbook

    def find(self, name: str, version: int) -> Strategy | None:
        """That version, None where it is no longer kept."""
        return next((one for one in self.strategies if (one.name, one.version) == (name, version)), None)

    def experiment_on(self, on: date, name: str = "") -> Experiment | None:
        """The experiment in effect on that date, or the version of the one named; the first where none is yet."""
        asked = [one for one in self.experiments if name in ("", one.name)]
        in_effect = [one for one in asked if one.effective_from <= on]
        return next(iter(in_effect[-1:] or asked[:1]), None)

    def champion_on(self, on: date, experiment: Experiment | None = None) -> str:
        """The strategy that a case gets of which no arm says any, by its experiment or by the one in effect."""
        experiment = experiment or self.experiment_on(on)
        return experiment.champion_strategy if experiment else self.strategies[0].name


def _check_succession(older: Strategy, newer: Strategy) -> None:
    if newer.version == older.version:
        raise ContradictionError(f"{newer.file}: version {newer.version} occurs more than once (also in {older.file})")
    if newer.effective_from <= older.effective_from:
        raise ContradictionError(
            f"{newer.file}: version {newer.version} takes effect no later than version {older.version}"
        )
