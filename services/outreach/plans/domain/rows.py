"""What outreach knows of one debtor, as rows; nothing here decides anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from services.outreach.agencies.documents.domain import Document
from services.outreach.agencies.payment_reports.domain import PaymentReport
from services.outreach.agencies.placements.domain.credit import AgencyCredit, PlacementPayment
from services.outreach.agencies.placements.domain.placement import (
    OwedLoan,
    Placement,
    PlacementChange,
    PlacementDue,
    TriedAgency,
)
from services.outreach.contacts.domain.exposure import Exposure
from services.outreach.contacts.domain.rows import Contact, ContactDue, Denial
from services.outreach.matters.domain import Matter, MatterDue
from services.outreach.outcomes.domain import BadPoint, OptOut, Outcome, Refusal, WithdrawnOptOut
from services.outreach.promises.domain import Promise, PromiseDue, PromisePayment, ReminderDue
from services.outreach.work.domain import WorkItem

StepKey = tuple[int, int]
"""The numbers of a plan and of one of its steps."""


class CaseStatus(StrEnum):
    """Where the case stands, in intake's words."""

    OPEN = "open"
    CURED = "cured"
    CLOSED = "closed"


class Channel(StrEnum):
    """How a step reaches the debtor, or hands the case on, in segmentation's words."""

    SMS = "sms"
    PHONE = "phone"
    LETTER = "letter"
    EMAIL = "email"
    VISIT = "visit"
    AGENCY = "agency"
    LEGAL_REFERRAL = "legal_referral"


class StepState(StrEnum):
    """How a step stands; all but the first three are terminal."""

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


QUEUED = frozenset({StepState.SCHEDULED, StepState.REQUESTED})
"""The states of a step of which nothing has been done."""

UNENDED = QUEUED | {StepState.SENDING}
"""The states of a step that has yet to end; one that is being sent can no longer be cancelled."""


class PlanState(StrEnum):
    """How a plan stands."""

    ACTIVE = "active"
    STOPPED = "stopped"
    COMPLETED = "completed"


class HoldSource(StrEnum):
    """Who placed a hold, and so who may lift it."""

    OPERATOR = "operator"
    OUTREACH = "outreach"
    LEGAL = "legal"
    QUARANTINE = "quarantine"
    MATTER = "matter"
    VERIFICATION = "verification"


class VisitState(StrEnum):
    """Whether a crew is still to go."""

    ASSIGNED = "assigned"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Guard:
    """Outreach's own copy of the case, and what it has stopped.

    case_version: of the newest case fact applied; stop_version: of the newest payment, cure or closing applied.
    past_due: a weight in minor units of `currency`, the currency of the oldest debt; others are left out of it.
    plans_made: how many plans this debtor has had, so the number of the latest. oldest_due_on: of what is unpaid.
    loans: those with something past due.
    """

    lender_id: str
    case_version: int = 0
    status: CaseStatus | None = None
    stop_version: int = 0
    jurisdiction: str = ""
    district: str = ""
    past_due: int = 0
    currency: str = ""
    plans_made: int = 0
    oldest_due_on: date | None = None
    loans: tuple[OwedLoan, ...] = ()


@dataclass(frozen=True, slots=True)
class TreatmentStep:
    """One action, `after_days` calendar days after the plan starts."""

    number: int
    channel: Channel
    after_days: int
    template: str = ""


@dataclass(frozen=True, slots=True)
class Treatment:
    """The last treatment accepted. `plan_number` is the plan that carries it out; 0 asks for one."""

    case_version: int
    stage: str
    strategy: str
    strategy_version: int
    steps: tuple[TreatmentStep, ...]
    plan_number: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """One carrying out of one treatment."""

    plan_number: int
    state: PlanState
    stage: str
    strategy: str
    strategy_version: int
    case_version: int
    started_on: date
    started_at: datetime
    ended_at: datetime | None = None
    end_reason: str = ""
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan; `settled` once its plan has ended."""

    plan_number: int
    step_number: int
    channel: Channel
    template: str
    due_at: datetime
    state: StepState = StepState.SCHEDULED
    reason: str = ""
    ended_at: datetime | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class StepDue:
    """Future work: a scheduled step of the active plan."""

    plan_number: int
    step_number: int
    due_at: datetime
    lender_id: str


@dataclass(frozen=True, slots=True)
class PlanDue:
    """Future work: the treatment is to become a plan."""

    due_at: datetime
    lender_id: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A reason for which nothing may be done. It stands until it is released, or the business date reaches `until`.

    Two clocks: from when to when it stands is in business dates, when that became known here is in instants.
    """

    hold_id: str
    source: HoldSource
    reason: str
    placed_by: str
    placed_at: datetime
    placed_on: date
    until: date | None = None
    released_at: datetime | None = None
    released_on: date | None = None
    released_by: str = ""
    release_reason: str = ""
    released: bool = False


@dataclass(frozen=True, slots=True)
class HoldDue:
    """Future work: a hold ends by itself."""

    hold_id: str
    due_on: date
    lender_id: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A crew that was sent, or was to be sent. `settled` once nothing can change it any more."""

    plan_number: int
    step_number: int
    district: str
    crew: str
    visit_on: date
    distance_km: int
    state: VisitState
    settled: bool


@dataclass(frozen=True, slots=True)
class RefusedTreatment:
    """How many treatments were refused, by reason."""

    reason: str
    treatments: int = 1


@dataclass(frozen=True, slots=True)
class DebtorPlans:
    """All of it for one debtor; each field is the content of one table."""

    debtor_id: str
    guard: Guard | None
    treatment: Treatment | None
    plans: Mapping[int, Plan]
    steps: Mapping[StepKey, Step]
    step_due: Mapping[StepKey, StepDue]
    plan_due: PlanDue | None
    holds: Mapping[str, Hold]
    hold_due: Mapping[str, HoldDue]
    visits: Mapping[StepKey, Visit]
    refused: tuple[RefusedTreatment, ...]
    contacts: Mapping[str, Contact]
    contact_due: Mapping[str, ContactDue]
    denials: tuple[Denial, ...]
    work_items: Mapping[StepKey, WorkItem]
    outcomes: Mapping[str, Outcome]
    opt_outs: Mapping[str, OptOut]
    bad_points: Mapping[str, BadPoint]
    refusals: Mapping[str, Refusal]
    promises: Mapping[str, Promise]
    promise_payments: Mapping[tuple[str, str], PromisePayment]
    promise_due: PromiseDue | None
    reminder_due: ReminderDue | None
    matters: Mapping[str, Matter]
    matter_due: Mapping[str, MatterDue]
    placements: Mapping[str, Placement]
    placement_due: PlacementDue | None
    placement_payments: Mapping[tuple[str, str], PlacementPayment]
    tried_agencies: Mapping[str, TriedAgency]
    placement_documents: Mapping[str, Document]
    payment_reports: Mapping[str, PaymentReport]
    placement_changes: tuple[PlacementChange, ...] = ()
    agency_credits: tuple[AgencyCredit, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    withdrawn_opt_outs: tuple[WithdrawnOptOut, ...] = ()
    profile: Any = None  # a row of shared.profiles: nothing here may look into it
