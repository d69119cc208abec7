"""Which tier a person is in, and why."""

from dataclasses import dataclass

from services.segmentation.domain.tiers import Tier, Tiers
from services.segmentation.handlers.course import known_on
from services.segmentation.handlers.position import Position
from services.segmentation.store import Person
from shared.contracts.segmentation import Explanation


@dataclass(frozen=True, slots=True)
class Judgement:
    """A tier and a segment, with the rule, its version and what it saw."""

    tier: Tier
    segment: str
    explanation: Explanation


def judged(tiers: Tiers, person: Person, position: Position) -> Judgement:
    """The tier that staff have set while their word stands; else by the rules."""
    known, on, override = known_on(tiers, person, position.as_of), position.as_of, person.override
    verdict = tiers.decide(known, position.days)
    inputs = {
        **position.inputs(),
        "cause": known.cause,
        "ability": known.ability,
        "willingness": known.willingness,
        "result": known.result,
        "promises_kept": str(known.promises_kept),
        "promises_broken": str(known.promises_broken),
        "relapses": str(known.relapses),
    }
    if override is not None and on < override.until:
        said = {"reason": override.reason, "by": override.placed_by, "until": override.until.isoformat()}
        why = Explanation(rule="set by staff", version=tiers.version, inputs={**inputs, **said, "else": verdict.tier})
        return Judgement(override.tier, verdict.segment, why)
    why = Explanation(rule=f"tiers.yaml: {verdict.rule}", version=tiers.version, inputs=inputs)
    return Judgement(verdict.tier, verdict.segment, why)
