"""What outreach tells: plans, how each step ended, visits, referrals and holds."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from shared.contracts.envelope import CurrencyCode, Fact, MinorUnits
from shared.contracts.segmentation import Channel

TOPIC = "outreach.events"
ALLOCATIONS = "outreach.allocations"


class StepState(StrEnum):
    """How a step of a plan stands; every step ends in exactly one state but the first three.

    `dispatched`: a provider has taken it. `denied`: the rules of contact forbid it for good. `failed`: certainly nobody
    was reached. `unknown`: nobody can say, so it counts, and is not tried again.
    """

    SCHEDULED = "scheduled"
    REQUESTED = "requested"
    SENDING = "sending"
    DISPATCHED = "dispatched"
    DENIED = "denied"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_DISPATCHED = "not_dispatched"
    CANCELLED = "cancelled"
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    REFERRED = "referred"


class OutcomeResult(StrEnum):
    """How a contact ended."""

    RIGHT_PARTY_REACHED = "right_party_reached"
    THIRD_PARTY_REACHED = "third_party_reached"
    REFUSED = "refused"
    WRONG_NUMBER = "wrong_number"
    NO_ANSWER = "no_answer"
    PROMISED = "promised"
    DISPUTED = "disputed"
    HARDSHIP_CLAIMED = "hardship_claimed"
    ASKED_FOR_ANOTHER_TIME = "asked_for_another_time"
    OPTED_OUT = "opted_out"


class DelinquencyCause(StrEnum):
    """Why a person says, or is judged, to be overdue."""

    UNKNOWN = "unknown"
    UNEMPLOYMENT = "unemployment"
    ILLNESS = "illness"
    INCOME_DELAYED = "income_delayed"
    BUSINESS_TROUBLE = "business_trouble"
    OVERLOOKED = "overlooked"
    IN_DISPUTE = "in_dispute"
    WILFUL_DEFAULT = "wilful_default"
    OTHER = "other"


class Ability(StrEnum):
    """How far a person can pay."""

    UNKNOWN = "unknown"
    ABLE = "able"
    LIMITED = "limited"
    UNABLE = "unable"


class Willingness(StrEnum):
    """Whether a person wants to pay."""

    UNKNOWN = "unknown"
    WILLING = "willing"
    UNWILLING = "unwilling"


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One step of a plan, with the instant at which it falls due."""

    number: int
    channel: Channel
    due_at: datetime


class PlanStarted(Fact, frozen=True, kw_only=True, gc=False):
    """A treatment became a plan."""

    plan_number: int
    stage: str
    strategy: str
    strategy_version: int
    steps: tuple[PlannedStep, ...]


class PlanStopped(Fact, frozen=True, kw_only=True, gc=False):
    """What was still queued of a plan was cancelled; `cancelled` are step numbers."""

    plan_number: int
    reason: str
    cancelled: tuple[int, ...]


class StepEnded(Fact, frozen=True, kw_only=True, gc=False):
    """A step has come to its one terminal state, and why."""

    plan_number: int
    step_number: int
    channel: Channel
    state: StepState
    reason: str


class VisitRequested(Fact, frozen=True, kw_only=True, gc=False):
    """A visit step is due: the allocator is asked for a crew. `past_due` is a weight, in minor units of `currency`."""

    plan_number: int
    step_number: int
    district: str
    past_due: int
    currency: str
    requested_on: date


class VisitRequestsClosed(Fact, frozen=True, kw_only=True, gc=False):
    """This lane has asked for every visit of `requested_on`; it has no debtor and stays in its lane."""

    requested_on: date
    next_business_date: date


class VisitScheduled(Fact, frozen=True, kw_only=True, gc=False):
    """A crew of two is to visit on `visit_on`; `distance_km` is from the crew's base to the district."""

    plan_number: int
    step_number: int
    district: str
    crew: str
    visit_on: date
    distance_km: int


class VisitNotScheduled(Fact, frozen=True, kw_only=True, gc=False):
    """No crew could take the visit, and why."""

    plan_number: int
    step_number: int
    district: str
    reason: str


class ContactPermitted(Fact, frozen=True, kw_only=True, gc=False):
    """The rules allow a contact, its permit is reserved, and the provider is asked next.

    contact_id: also the permit's. idempotency_key: the same for every try of the step. tries: which one this is.
    point: the id of the contact point in the debtor's profile, "" where no profile is held.
    """

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    template: str
    purpose: str
    idempotency_key: str
    tries: int
    permitted_at: datetime
    expires_at: datetime
    pack: str
    pack_version: str
    point: str = ""


class ContactDenied(Fact, frozen=True, kw_only=True, gc=False):
    """The rules do not allow a contact: all that stand in the way, and when they next allow it, if ever."""

    plan_number: int
    step_number: int
    channel: str
    purpose: str
    pack: str
    pack_version: str
    rules: tuple[str, ...]
    next_allowed: datetime | None


class ContactDoubted(Fact, frozen=True, kw_only=True, gc=False):
    """Nothing was heard of a contact, so its provider is asked what became of it, for the `lookups`-th time."""

    contact_id: str
    channel: str
    idempotency_key: str
    lookups: int


class ContactRecalled(Fact, frozen=True, kw_only=True, gc=False):
    """A stop came after a message was permitted: its provider is asked not to deliver it, if that can be had still."""

    contact_id: str
    channel: str
    idempotency_key: str
    reason: str


class ContactMade(Fact, frozen=True, kw_only=True, gc=False):
    """A provider has taken a message or made a call; `outcome` is how that ended, in the words of the rules."""

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    outcome: str
    provider_reference: str


class ContactNotMade(Fact, frozen=True, kw_only=True, gc=False):
    """It is certain that nobody was reached, and why."""

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    reason: str


class ContactUnknown(Fact, frozen=True, kw_only=True, gc=False):
    """Nobody can say whether a contact was made: it counts as made, and is for people to look into."""

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    reason: str


class LegalReferred(Fact, frozen=True, kw_only=True, gc=False):
    """The plan's referral step is due: legal is asked to screen the case."""

    plan_number: int
    step_number: int


class HoldPlaced(Fact, frozen=True, kw_only=True, gc=False):
    """Outreach stands still for this debtor until the hold is released or ends."""

    hold_id: str
    reason: str
    owner: str
    until: date | None = None


class HoldReleased(Fact, frozen=True, kw_only=True, gc=False):
    """A hold was lifted."""

    hold_id: str
    reason: str


class OutcomeRecorded(Fact, frozen=True, kw_only=True, gc=False):
    """What came of a contact, and what it taught about the person; "unknown" teaches nothing."""

    contact_id: str
    channel: Channel
    result: OutcomeResult
    reason_code: DelinquencyCause = DelinquencyCause.UNKNOWN
    ability: Ability = Ability.UNKNOWN
    willingness: Willingness = Willingness.UNKNOWN
    recorded_by: str


class Promise(Fact, frozen=True, kw_only=True, gc=False):
    """A sum that a person has promised to pay by a day."""

    promise_id: str
    amount: MinorUnits
    currency: CurrencyCode
    promised_on: date


class PromiseMade(Promise, frozen=True, kw_only=True, gc=False):
    """A promise stands from now on; `promised_on` is the day by which it is to be paid."""


class PromiseKept(Promise, frozen=True, kw_only=True, gc=False):
    """What was promised has been paid."""

    paid_amount: MinorUnits


class PromiseBroken(Promise, frozen=True, kw_only=True, gc=False):
    """The day has passed, and less than what was promised has been paid."""

    paid_amount: MinorUnits


FACTS: Mapping[str, type[Fact]] = {
    "outreach.plan-started.v1": PlanStarted,
    "outreach.plan-stopped.v1": PlanStopped,
    "outreach.step-ended.v1": StepEnded,
    "outreach.visit-requested.v1": VisitRequested,
    "outreach.visit-requests-closed.v1": VisitRequestsClosed,
    "outreach.contact-permitted.v1": ContactPermitted,
    "outreach.contact-denied.v1": ContactDenied,
    "outreach.contact-doubted.v1": ContactDoubted,
    "outreach.contact-recalled.v1": ContactRecalled,
    "outreach.contact-made.v1": ContactMade,
    "outreach.contact-not-made.v1": ContactNotMade,
    "outreach.contact-unknown.v1": ContactUnknown,
    "outreach.legal-referred.v1": LegalReferred,
    "outreach.hold-placed.v1": HoldPlaced,
    "outreach.hold-released.v1": HoldReleased,
    "outreach.outcome-recorded.v1": OutcomeRecorded,
    "outreach.promise-made.v1": PromiseMade,
    "outreach.promise-kept.v1": PromiseKept,
    "outreach.promise-broken.v1": PromiseBroken,
}

ALLOCATION_FACTS: Mapping[str, type[Fact]] = {
    "outreach.visit-scheduled.v1": VisitScheduled,
    "outreach.visit-not-scheduled.v1": VisitNotScheduled,
}
