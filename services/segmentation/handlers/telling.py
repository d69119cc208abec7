"""How a decision is told, and how it is kept."""

from collections.abc import Iterable

from services.segmentation.handlers.course import Course
from services.segmentation.handlers.judging import Judgement
from services.segmentation.handlers.position import Position
from services.segmentation.store import Assignment, HeldArm
from shared.contracts.envelope import Fact
from shared.contracts.segmentation import (
    CaseSegmented,
    Channel,
    Explanation,
    Tier,
    TierAssigned,
    TreatmentAssigned,
    TreatmentStep,
)
from shared.frozen import replace


def segmented(position: Position, held: Assignment | None, version: str) -> CaseSegmented:
    """That the case has entered another stage, by that version of the ladder."""
    return CaseSegmented(
        stage=position.stage.name,
        previous_stage="" if held is None else held.stage,
        days_past_due=position.days,
        explanation=Explanation(rule=f"stages.yaml: {position.stage}", version=version, inputs=dict(position.inputs())),
    )


def tiered(judgement: Judgement, held: Assignment | None) -> TierAssigned:
    """That the person has come into another tier."""
    return TierAssigned(
        tier=Tier(judgement.tier),
        previous_tier=None if held is None or held.tier is None else Tier(held.tier),
        segment=judgement.segment,
        explanation=judgement.explanation,
    )


def treatment(
    position: Position, course: Course, judgement: Judgement, arm: HeldArm | None, *, ladder: str, because: str
) -> TreatmentAssigned:
    """What is prescribed; `ladder` is the version of the stages."""
    inputs = {
        **position.inputs(),
        "stage": f"{position.stage} (stages.yaml, version {ladder})",
        "tier": f"{judgement.tier} ({judgement.explanation.rule}, version {judgement.explanation.version})",
        "because": because,
        **course.inputs,
    }
    return TreatmentAssigned(
        stage=position.stage.name,
        strategy=course.strategy,
        strategy_version=course.version,
        steps=_steps(course),
        explanation=Explanation(rule=course.rule, version=course.rule_version, inputs=inputs),
        experiment="" if arm is None else arm.experiment,
        experiment_version=0 if arm is None else arm.experiment_version,
        arm="" if arm is None else arm.arm,
        tier=Tier(judgement.tier),
    )


def _steps(course: Course) -> tuple[TreatmentStep, ...]:
    return tuple(
        TreatmentStep(number=one.number, channel=Channel(one.channel), after_days=one.after_days, template=one.template)
        for one in course.steps
    )


def kept(
    position: Position, course: Course, judgement: Judgement, held: Assignment | None, facts: Iterable[Fact]
) -> Assignment | None:
    """What to keep of what was told: the treatment stays as it was last told."""
    told = next((fact for fact in facts if isinstance(fact, TreatmentAssigned)), None)
    if told is None:
        return held and _rejudged(held, judgement)
    stays = held is not None and held.stage == position.stage.name
    return Assignment(
        stage=position.stage.name,
        entered_on=held.entered_on if held is not None and stays else position.as_of,
        strategy=course.strategy,
        strategy_version=course.version,
        decided_for=position.copy.case_version,
        decided_on=position.as_of,
        explanation=told.explanation,
        tier=judgement.tier,
        segment=judgement.segment,
        tier_explanation=judgement.explanation,
    )


def _rejudged(held: Assignment, judgement: Judgement) -> Assignment:
    return replace(held, tier=judgement.tier, segment=judgement.segment, tier_explanation=judgement.explanation)
