"""What segmentation tells: where a case stands on the ladder, and what is to be done about it."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec

from shared.contracts.envelope import Fact

TOPIC = "segmentation.events"

STRATEGIES = "segmentation.strategies"
"""Strategies as they are published: every fact goes to every lane."""


class Channel(StrEnum):
    """How a step of a treatment reaches the debtor, or hands the case on."""

    SMS = "sms"
    PHONE = "phone"
    LETTER = "letter"
    EMAIL = "email"
    VISIT = "visit"
    AGENCY = "agency"
    LEGAL_REFERRAL = "legal_referral"


class Tier(StrEnum):
    """How a person is to be treated: low is soft, medium advises, high prepares legal means."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Explanation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why: the rule that decided, the version of its file, and the inputs that it saw."""

    rule: str
    version: str
    inputs: dict[str, str]


class TreatmentStep(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One action of a treatment, `after_days` calendar days after the plan starts."""

    number: int
    channel: Channel
    after_days: int
    template: str = ""


class StrategyScope(StrEnum):
    """Whom a version concerns once it is in effect: cases that begin, or all, at the next decision about each."""

    NEW = "new"
    ALL = "all"


Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$", max_length=64)]
Steps = Annotated[tuple[TreatmentStep, ...], msgspec.Meta(max_length=20)]


class StageSteps(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is done in a stage: `steps` for everybody, or steps for each of the tiers."""

    stage: str
    steps: Steps = ()
    low: Steps = ()
    medium: Steps = ()
    high: Steps = ()


class StrategyDocument(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One version of a strategy, whole; in effect from a business date on."""

    id: Name
    version: Annotated[int, msgspec.Meta(ge=1, le=10**6)]
    effective_from: date
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    cases: StrategyScope
    stages: Annotated[tuple[StageSteps, ...], msgspec.Meta(max_length=20)]


class StrategyProposed(Fact, frozen=True, kw_only=True, gc=False):
    """Somebody has proposed a version; nothing goes by it yet. `digest` is the SHA-256 of the document."""

    strategy: StrategyDocument
    digest: str
    proposed_by: str


class StrategyPublished(Fact, frozen=True, kw_only=True, gc=False):
    """A second person has approved a version: every lane goes by it from its business date on."""

    strategy: StrategyDocument
    digest: str
    proposed_by: str
    approved_by: str


class StrategyWithdrawn(Fact, frozen=True, kw_only=True, gc=False):
    """A version will not take effect, and why."""

    strategy: Name
    version: int
    withdrawn_by: str
    reason: str


class CaseSegmented(Fact, frozen=True, kw_only=True, gc=False):
    """The case has entered another collection stage."""

    stage: str
    previous_stage: str
    days_past_due: int
    explanation: Explanation


class TierAssigned(Fact, frozen=True, kw_only=True, gc=False):
    """The person has come into another tier; `segment` is their place in the matrix of ability and willingness."""

    tier: Tier
    previous_tier: Tier | None
    segment: str
    explanation: Explanation


class TreatmentAssigned(Fact, frozen=True, kw_only=True, gc=False):
    """What is prescribed; the envelope's `case_version` is the case that it was computed from.

    `strategy` is followed by a colon and the tier where the steps are those of a tier, and by another word where there
    are none: a treatment without steps means that nobody is to be contacted, and its explanation says why. `experiment`
    and `arm` are what the person was assigned by chance, empty where nothing was.
    """

    stage: str
    strategy: str
    strategy_version: int
    steps: tuple[TreatmentStep, ...]
    explanation: Explanation
    experiment: str = ""
    experiment_version: int = 0
    arm: str = ""
    tier: Tier | None = None


FACTS: Mapping[str, type[Fact]] = {
    "segmentation.case-segmented.v1": CaseSegmented,
    "segmentation.tier-assigned.v1": TierAssigned,
    "segmentation.treatment-assigned.v1": TreatmentAssigned,
}

STRATEGY_FACTS: Mapping[str, type[Fact]] = {
    "segmentation.strategy-proposed.v1": StrategyProposed,
    "segmentation.strategy-published.v1": StrategyPublished,
    "segmentation.strategy-withdrawn.v1": StrategyWithdrawn,
}
