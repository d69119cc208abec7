"""The answers of the REST routes, and how the data that decides is shown."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from services.segmentation.domain.experiment import Bound, Experiment
from services.segmentation.domain.ladder import Ladder
from services.segmentation.domain.strategy import EVERYBODY, Step, Strategy
from services.segmentation.domain.tiers import TierRule, Tiers
from shared.contracts.segmentation import Tier


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExplanationView(_View):
    """Why: the rule that decided, the version of its file, and what it saw."""

    rule: str
    version: str
    inputs: dict[str, str]


class DebtorView(_View):
    """Where a debtor's case stands; without a stage while it is not open. `decided_for` is a case version."""

    debtor_id: str
    lender_id: str
    case_id: str
    case_version: int
    status: str
    oldest_due_on: date | None
    stage: str | None
    entered_on: date | None
    next_stage_on: date | None
    tier: Tier | None
    strategy: str | None
    strategy_version: int | None
    enrolled_on: date | None
    decided_for: int | None
    decided_on: date | None
    explanation: ExplanationView | None


class KnownView(_View):
    """What contacts and history say of a debtor; `recorded_on` is the day of the last contact that said anything."""

    cause: str
    ability: str
    willingness: str
    result: str
    recorded_on: date | None
    promises_kept: int
    promises_broken: int
    relapses: int


class PromiseView(_View):
    """A promise that stands; it pauses nothing any more from `ends_on` on."""

    promise_id: str
    promised_on: date
    ends_on: date


class OverrideView(_View):
    """The tier that staff have set; it stands until the business date reaches `until`."""

    tier: Tier
    reason: str
    placed_by: str
    placed_on: date
    until: date


class AssignmentView(_View):
    """What a debtor was assigned, and why; null where the case is not open, or nothing was assigned."""

    debtor_id: str
    experiment: str | None
    experiment_version: int | None
    arm: str | None
    assigned_on: date | None
    arm_explanation: ExplanationView | None
    strategy: str | None = Field(description="As it is told, with the tier where it differs by that.")
    strategy_version: int | None
    treatment_explanation: ExplanationView | None
    tier: Tier | None
    segment: str | None
    tier_explanation: ExplanationView | None
    known: KnownView | None
    promises: list[PromiseView]
    override: OverrideView | None
    next_review_on: date | None


class StageView(_View):
    """A range of days past due, both ends included; `last_day` is null where it has no end."""

    name: str
    first_day: int
    last_day: int | None


class LadderView(_View):
    """The collection stages in force."""

    version: str
    source: str
    stages: list[StageView]


class StepView(_View):
    """One action, `after_days` calendar days after the plan starts."""

    number: int
    channel: str
    after_days: int
    template: str


class StrategyView(_View):
    """One version of a strategy, and what it prescribes by stage, there by tier or for "everybody"."""

    id: str
    version: int
    effective_from: date
    source: str
    stages: dict[str, dict[str, list[StepView]]]


class ArmView(_View):
    """One arm; `share` in basis points. Without a strategy it is the hold-out."""

    name: str
    strategy: str | None
    share: int


class HoldOutView(_View):
    """How long a hold-out lasts: while neither count of days is exceeded; then the champion applies."""

    last_day_past_due: int
    last_day_since_opening: int


class ExperimentView(_View):
    """One version of an experiment."""

    id: str
    version: int
    effective_from: date
    source: str
    champion: str
    arms: list[ArmView]
    hold_out: HoldOutView | None


class RuleView(_View):
    """One rule: whoever fulfils all that is named is of that tier; without a tier the matrix says it."""

    name: str
    tier: Tier | None
    causes: list[str]
    results: list[str]
    days_from: int | None
    broken_from: int
    relapses_from: int


class CellView(_View):
    """One pair of ability and willingness; without a tier where none follows from it."""

    ability: str
    willingness: str
    segment: str
    tier: Tier | None


class TiersView(_View):
    """The rules of the tiers in force, in the order in which they are tried, and the matrix."""

    version: str
    source: str
    said_days: int
    rules: list[RuleView]
    matrix: list[CellView]


def ladder_view(ladder: Ladder) -> LadderView:
    """A ladder as it is shown."""
    stages = [StageView(name=one.name, first_day=one.first_day, last_day=one.last_day) for one in ladder.stages]
    return LadderView(version=ladder.version, source=ladder.source, stages=stages)


def strategy_view(strategy: Strategy) -> StrategyView:
    """A strategy as it is shown."""
    stages = {
        stage: {"everybody" if tier == EVERYBODY else tier: list(map(_step_view, steps)) for tier, steps in by.items()}
        for stage, by in strategy.steps.items()
    }
    return StrategyView(
        id=strategy.name,
        version=strategy.version,
        effective_from=strategy.effective_from,
        source=strategy.source,
        stages=stages,
    )


def _step_view(step: Step) -> StepView:
    return StepView(number=step.number, channel=step.channel, after_days=step.after_days, template=step.template)


def experiment_view(experiment: Experiment) -> ExperimentView:
    """An experiment as it is shown."""
    return ExperimentView(
        id=experiment.name,
        version=experiment.version,
        effective_from=experiment.effective_from,
        source=experiment.source,
        champion=experiment.champion,
        arms=[ArmView(name=arm.name, strategy=arm.strategy, share=arm.share) for arm in experiment.arms],
        hold_out=None if experiment.bound is None else _hold_out_view(experiment.bound),
    )


def _hold_out_view(bound: Bound) -> HoldOutView:
    return HoldOutView(last_day_past_due=bound.last_day_past_due, last_day_since_opening=bound.last_day_since_opening)


def tiers_view(tiers: Tiers) -> TiersView:
    """The tiers as they are shown."""
    cells = [
        CellView(ability=ability, willingness=willingness, segment=cell.segment, tier=_tier(cell.tier))
        for (ability, willingness), cell in tiers.matrix.items()
    ]
    rules = list(map(_rule_view, tiers.rules))
    return TiersView(version=tiers.version, source=tiers.source, said_days=tiers.said_days, rules=rules, matrix=cells)


def _rule_view(rule: TierRule) -> RuleView:
    return RuleView(
        name=rule.name,
        tier=_tier(rule.tier),
        causes=list(rule.causes),
        results=list(rule.results),
        days_from=rule.days_from,
        broken_from=rule.broken_from,
        relapses_from=rule.relapses_from,
    )


def _tier(tier: str | None) -> Tier | None:
    return None if tier is None else Tier(tier)
