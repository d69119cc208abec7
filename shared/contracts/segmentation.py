"""What segmentation tells: where a case stands on the ladder, and what is to be done about it."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from shared.contracts.envelope import Fact

TOPIC = "segmentation.events"


class Channel(StrEnum):
    """How a step of a treatment reaches the debtor, or hands the case on."""

    SMS = "sms"
    PHONE = "phone"
    LETTER = "letter"
    EMAIL = "email"
    VISIT = "visit"
    LEGAL_REFERRAL = "legal_referral"


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


class CaseSegmented(Fact, frozen=True, kw_only=True, gc=False):
    """The case has entered another collection stage."""

    stage: str
    previous_stage: str
    days_past_due: int
    explanation: Explanation


class TreatmentAssigned(Fact, frozen=True, kw_only=True, gc=False):
    """What the strategy prescribes; the envelope's `case_version` is the case that it was computed from."""

    stage: str
    strategy: str
    strategy_version: int
    steps: tuple[TreatmentStep, ...]
    explanation: Explanation


FACTS: Mapping[str, type[Fact]] = {
    "segmentation.case-segmented.v1": CaseSegmented,
    "segmentation.treatment-assigned.v1": TreatmentAssigned,
}
