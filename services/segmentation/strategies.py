"""Reads the ladder, the tiers, the strategies and the experiments, and refuses what contradicts itself."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from itertools import product
from pathlib import Path
from typing import TypeVar

import msgspec

from services.segmentation.domain.experiment import Arm, Bound, Experiment
from services.segmentation.domain.ladder import ContradictionError, Ladder, Stage
from services.segmentation.domain.playbook import Playbook
from services.segmentation.domain.steps import ChannelRule, Milestone, StepRules
from services.segmentation.domain.strategy import EVERYBODY, Step, Strategy, check_strategy
from services.segmentation.domain.tiers import Cell, Pauses, Tier, TierRule, Tiers
from shared.contracts.outreach import Ability, DelinquencyCause, OutcomeResult, Willingness
from shared.contracts.segmentation import Channel, StrategyDocument, StrategyScope, TreatmentStep
from shared.data_files import Form, WrongDataError, read

FOLDER = Path(__file__).parent

FormT = TypeVar("FormT", bound=Form)
MadeT = TypeVar("MadeT")


class _StageForm(Form, frozen=True, rename={"first_day": "from", "last_day": "to"}):
    name: str
    first_day: int
    last_day: int | None = None


class _LadderForm(Form, frozen=True):
    version: str
    source: str
    stages: tuple[_StageForm, ...]


class _StepForm(TreatmentStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _StageStepsForm(Form, frozen=True):
    """Either `steps` for everybody, or steps for each of the tiers."""

    stage: str
    steps: tuple[_StepForm, ...] = ()
    low: tuple[_StepForm, ...] = ()
    medium: tuple[_StepForm, ...] = ()
    high: tuple[_StepForm, ...] = ()


class _StrategyForm(Form, frozen=True):
    id: str
    version: int
    effective_from: date
    source: str
    stages: tuple[_StageStepsForm, ...]
    cases: StrategyScope = StrategyScope.NEW


class _ChannelForm(Form, frozen=True):
    channel: Channel
    from_day: int
    templates: tuple[str, ...]


class _MilestoneForm(Form, frozen=True):
    name: str
    by_day: int
    channels: tuple[Channel, ...] = ()
    templates: tuple[str, ...] = ()


class _StepsForm(Form, frozen=True):
    version: str
    source: str
    channels: tuple[_ChannelForm, ...]
    milestones: tuple[_MilestoneForm, ...]


class _RuleForm(Form, frozen=True):
    name: str
    tier: Tier | None = None
    causes: tuple[DelinquencyCause, ...] = ()
    results: tuple[OutcomeResult, ...] = ()
    days_from: int | None = None
    broken_from: int = 0
    relapses_from: int = 0


class _CellForm(Form, frozen=True):
    ability: Ability
    willingness: Willingness
    segment: str
    tier: Tier | None = None


class _PausesForm(Form, frozen=True):
    grace_days: int
    longest_days: int
    until_broken: int


class _TiersForm(Form, frozen=True):
    version: str
    source: str
    said_days: int
    pauses: _PausesForm
    rules: tuple[_RuleForm, ...]
    matrix: tuple[_CellForm, ...]


class _ArmForm(Form, frozen=True):
    name: str
    share: int
    strategy: str | None = None


class _BoundForm(Form, frozen=True):
    last_day_past_due: int
    last_day_since_opening: int


class _ExperimentForm(Form, frozen=True):
    id: str
    version: int
    effective_from: date
    source: str
    champion: str
    arms: tuple[_ArmForm, ...]
    hold_out: _BoundForm | None = None


def load_playbook(folder: Path = FOLDER) -> Playbook:
    """All the data below a folder. Raises WrongDataError, one line that names the file."""
    ladder = load_ladder(folder / "stages.yaml")
    tiers = load_tiers(folder / "tiers.yaml")
    rules = load_step_rules(folder / "steps.yaml")
    strategies = [load_strategy(file, ladder, rules) for file in sorted((folder / "strategies").glob("*.yaml"))]
    experiments = [load_experiment(file) for file in sorted((folder / "experiments").glob("*.yaml"))]
    try:
        return Playbook(ladder, tiers, tuple(strategies), tuple(experiments), rules)
    except ContradictionError as error:
        raise WrongDataError(str(error)) from None


def load_ladder(file: Path) -> Ladder:
    """The ladder in a file. Raises WrongDataError, one line with the file and the range."""
    return _loaded(file, _LadderForm, _ladder)


def load_tiers(file: Path) -> Tiers:
    """The tiers in a file. Raises WrongDataError, one line with the file and the rule or pair."""
    return _loaded(file, _TiersForm, _tiers)


def load_step_rules(file: Path) -> StepRules:
    """What steps are held to. Raises WrongDataError, one line with the file."""
    return _loaded(file, _StepsForm, _step_rules)


def load_strategy(file: Path, ladder: Ladder, rules: StepRules) -> Strategy:
    """The strategy in a file. Raises WrongDataError, one line with the file, the stage and the step."""
    return _loaded(file, _StrategyForm, lambda form: _strategy(form, file.name, ladder, rules))


def strategy_of(document: StrategyDocument, playbook: Playbook) -> Strategy:
    """A published strategy, held to all that a file is. Raises WrongDataError, one line with the stage and the step."""
    try:
        form = msgspec.convert(msgspec.to_builtins(document), _StrategyForm)
        return _strategy(form, f"{document.id} version {document.version}", playbook.ladder, playbook.rules)
    except (ContradictionError, msgspec.ValidationError) as error:
        raise WrongDataError(str(error)) from None


def load_experiment(file: Path) -> Experiment:
    """The experiment in a file. Raises WrongDataError, one line with the file and the arm."""
    return _loaded(file, _ExperimentForm, lambda form: _experiment(form, file.name))


def _loaded(file: Path, form: type[FormT], make: Callable[[FormT], MadeT]) -> MadeT:
    try:
        return make(read(file, form))
    except ContradictionError as error:
        raise WrongDataError(f"{file.name}: {error}") from None


def _ladder(form: _LadderForm) -> Ladder:
    return Ladder(form.version, form.source, tuple(Stage(one.name, one.first_day, one.last_day) for one in form.stages))


def _step_rules(form: _StepsForm) -> StepRules:
    channels = {str(one.channel): ChannelRule(one.from_day, frozenset(one.templates)) for one in form.channels}
    milestones = [
        Milestone(one.name, one.by_day, frozenset(map(str, one.channels)), frozenset(one.templates))
        for one in form.milestones
    ]
    return StepRules(form.version, form.source, channels, tuple(milestones))


def _strategy(form: _StrategyForm, file: str, ladder: Ladder, rules: StepRules) -> Strategy:
    twice = [name for name, count in Counter(one.stage for one in form.stages).items() if count > 1]
    if twice:
        raise ContradictionError(f"{twice[0]}: the stage occurs more than once")
    steps = {one.stage: _steps(one) for one in form.stages}
    for_all = form.cases is StrategyScope.ALL
    strategy = Strategy(form.id, form.version, form.effective_from, form.source, steps, file, for_all)
    check_strategy(strategy, ladder)
    rules.check(strategy, ladder)
    return strategy


def _steps(form: _StageStepsForm) -> Mapping[str, tuple[Step, ...]]:
    by_tier = {Tier.LOW: form.low, Tier.MEDIUM: form.medium, Tier.HIGH: form.high}
    differs = any(by_tier.values())
    if differs and form.steps:
        raise ContradictionError(f"{form.stage}: steps are either for everybody or by tier")
    given = by_tier if differs else {EVERYBODY: form.steps}
    return {tier: tuple(map(_step, steps)) for tier, steps in given.items()}


def _step(form: _StepForm) -> Step:
    return Step(form.number, form.channel, form.after_days, form.template)


def _tiers(form: _TiersForm) -> Tiers:
    pairs = Counter((str(cell.ability), str(cell.willingness)) for cell in form.matrix)
    for ability, willingness in product(Ability, Willingness):
        if pairs[ability, willingness] != 1:
            raise ContradictionError(f"matrix: {ability} and {willingness} must occur just once")
    return Tiers(
        version=form.version,
        source=form.source,
        said_days=form.said_days,
        pauses=Pauses(form.pauses.grace_days, form.pauses.longest_days, form.pauses.until_broken),
        rules=tuple(map(_rule, form.rules)),
        matrix={(str(one.ability), str(one.willingness)): Cell(one.segment, one.tier) for one in form.matrix},
    )


def _rule(form: _RuleForm) -> TierRule:
    return TierRule(
        name=form.name,
        tier=form.tier,
        causes=tuple(map(str, form.causes)),
        results=tuple(map(str, form.results)),
        days_from=form.days_from,
        broken_from=form.broken_from,
        relapses_from=form.relapses_from,
    )


def _experiment(form: _ExperimentForm, file: str) -> Experiment:
    bound = form.hold_out
    return Experiment(
        name=form.id,
        version=form.version,
        effective_from=form.effective_from,
        source=form.source,
        champion=form.champion,
        arms=tuple(Arm(one.name, one.strategy, one.share) for one in form.arms),
        bound=None if bound is None else Bound(bound.last_day_past_due, bound.last_day_since_opening),
        file=file,
    )
