"""What outreach tells: plans, how each step ended, visits, referrals and holds."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from shared.contracts.contacts import ContactDenied as ContactDenied
from shared.contracts.contacts import ContactDoubted as ContactDoubted
from shared.contracts.contacts import ContactMade as ContactMade
from shared.contracts.contacts import ContactNotMade as ContactNotMade
from shared.contracts.contacts import ContactPermitted as ContactPermitted
from shared.contracts.contacts import ContactRecalled as ContactRecalled
from shared.contracts.contacts import ContactUnknown as ContactUnknown
from shared.contracts.contacts import OptOutWithdrawn as OptOutWithdrawn
from shared.contracts.contacts import PermitGranted as PermitGranted
from shared.contracts.contacts import RuleRead as RuleRead
from shared.contracts.contacts import SaidBy as SaidBy
from shared.contracts.contacts import WorkRequested as WorkRequested
from shared.contracts.envelope import CurrencyCode, Fact, MinorUnits
from shared.contracts.segmentation import Channel

TOPIC = "outreach.events"
ALLOCATIONS = "outreach.allocations"


class StepState(StrEnum):
    """How a step of a plan stands; every step ends in exactly one state but the first three.

    `dispatched`: a provider has taken it, or a person has made it. `denied`: the rules of contact forbid it for good.
    `failed`: certainly nobody was reached. `unknown`: nobody can say, so it counts, and is not tried again.
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
    PLACED = "placed"
    NOT_PLACED = "not_placed"


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
    COMPLAINED = "complained"
    LEFT_MESSAGE = "left_message"


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


class PromiseEnd(StrEnum):
    """How a promise ended."""

    KEPT = "kept"
    BROKEN = "broken"


class MatterKind(StrEnum):
    """What somebody has to see to before anybody is contacted again."""

    DISPUTE = "dispute"
    COMPLAINT = "complaint"
    HARDSHIP = "hardship"
    REPORTED_PAYMENT = "reported_payment"


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


class RequestsClosed(Fact, frozen=True, kw_only=True, gc=False):
    """This lane has asked for every visit and placement of `requested_on`; it has no debtor and stays in its lane."""

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
    """What came of a contact, and what it taught about the person; "unknown" teaches nothing.

    party: with whom the contact was; what others say teaches nothing about the debtor.
    """

    contact_id: str
    channel: Channel
    result: OutcomeResult
    reason_code: DelinquencyCause = DelinquencyCause.UNKNOWN
    ability: Ability = Ability.UNKNOWN
    willingness: Willingness = Willingness.UNKNOWN
    recorded_by: str
    party: str = "debtor"


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


class PromiseReopened(Promise, frozen=True, kw_only=True, gc=False):
    """How a promise ended holds no longer: a payment was taken back, or one that was booked in time was heard of late.

    What follows, if anything but standing, is told next.
    """

    was: PromiseEnd


class MatterRaised(Fact, frozen=True, kw_only=True, gc=False):
    """Outreach stands still until `team` has seen to a matter, which is to be done on `due_on` at the latest."""

    matter_id: str
    kind: MatterKind
    team: str
    opened_on: date
    due_on: date
    contact_id: str = ""
    loan_id: str = ""


class MatterOverdue(Fact, frozen=True, kw_only=True, gc=False):
    """A matter was not seen to in time; outreach goes on standing still."""

    matter_id: str
    kind: MatterKind
    team: str
    due_on: date


class MatterResolved(Fact, frozen=True, kw_only=True, gc=False):
    """A matter was seen to, and how; `late` where that took longer than it may."""

    matter_id: str
    kind: MatterKind
    reason: str
    late: bool


FACTS: Mapping[str, type[Fact]] = {
    "outreach.plan-started.v1": PlanStarted,
    "outreach.plan-stopped.v1": PlanStopped,
    "outreach.step-ended.v1": StepEnded,
    "outreach.visit-requested.v1": VisitRequested,
    "outreach.requests-closed.v1": RequestsClosed,
    "outreach.contact-permitted.v1": ContactPermitted,
    "outreach.permit-granted.v1": PermitGranted,
    "outreach.contact-denied.v1": ContactDenied,
    "outreach.contact-doubted.v1": ContactDoubted,
    "outreach.contact-recalled.v1": ContactRecalled,
    "outreach.contact-made.v1": ContactMade,
    "outreach.contact-not-made.v1": ContactNotMade,
    "outreach.contact-unknown.v1": ContactUnknown,
    "outreach.work-requested.v1": WorkRequested,
    "outreach.legal-referred.v1": LegalReferred,
    "outreach.hold-placed.v1": HoldPlaced,
    "outreach.hold-released.v1": HoldReleased,
    "outreach.outcome-recorded.v1": OutcomeRecorded,
    "outreach.opt-out-withdrawn.v1": OptOutWithdrawn,
    "outreach.promise-made.v1": PromiseMade,
    "outreach.promise-kept.v1": PromiseKept,
    "outreach.promise-broken.v1": PromiseBroken,
    "outreach.promise-reopened.v1": PromiseReopened,
    "outreach.matter-raised.v1": MatterRaised,
    "outreach.matter-overdue.v1": MatterOverdue,
    "outreach.matter-resolved.v1": MatterResolved,
}

ALLOCATION_FACTS: Mapping[str, type[Fact]] = {
    "outreach.visit-scheduled.v1": VisitScheduled,
    "outreach.visit-not-scheduled.v1": VisitNotScheduled,
}
