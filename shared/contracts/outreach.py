"""What outreach tells: plans, how each step ended, visits, referrals and holds."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from shared.contracts.envelope import Fact
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


FACTS: Mapping[str, type[Fact]] = {
    "outreach.plan-started.v1": PlanStarted,
    "outreach.plan-stopped.v1": PlanStopped,
    "outreach.step-ended.v1": StepEnded,
    "outreach.visit-requested.v1": VisitRequested,
    "outreach.visit-requests-closed.v1": VisitRequestsClosed,
    "outreach.contact-permitted.v1": ContactPermitted,
    "outreach.contact-denied.v1": ContactDenied,
    "outreach.contact-doubted.v1": ContactDoubted,
    "outreach.contact-made.v1": ContactMade,
    "outreach.contact-not-made.v1": ContactNotMade,
    "outreach.contact-unknown.v1": ContactUnknown,
    "outreach.legal-referred.v1": LegalReferred,
    "outreach.hold-placed.v1": HoldPlaced,
    "outreach.hold-released.v1": HoldReleased,
}

ALLOCATION_FACTS: Mapping[str, type[Fact]] = {
    "outreach.visit-scheduled.v1": VisitScheduled,
    "outreach.visit-not-scheduled.v1": VisitNotScheduled,
}
