"""What a placement is, and how it runs. Pure: rows in, rows out.

What an agency had before counts for as long as the case goes on: with its cure or its end it is forgotten, so that a
debtor who falls behind again years later may be placed with anybody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.outreach.agencies.placements.domain.agency import AgencyStanding
from shared.frozen import replace

WORKED_BY_AN_AGENCY = "worked by an agency"
"""Why a step of our own ends without a contact."""


class PlacementState(StrEnum):
    """How a placement stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    RECALL_ASKED = "recall_asked"
    OBJECTED = "objected"
    ENDED = "ended"


WORKED = frozenset({PlacementState.ACCEPTED, PlacementState.RECALL_ASKED, PlacementState.OBJECTED})
"""The states in which the agency holds the case: a recall that is asked for has not taken it yet."""

GRACE = timedelta(days=60)
"""How long after the end an agency may still add to a placement, and read its documents. Evidence comes late: an
account that shows a payment comes with the next month's statement, a letter comes back within weeks. After two months
the agency's task is over, and what it was entrusted with is not shown to it any more."""


class PlacementEnd(StrEnum):
    """Why a placement ended, in the words that are told."""

    DECLINED = "declined"
    NOT_ANSWERED = "not_answered"
    PAID = "paid"
    CLOSED = "closed"
    TIME_IS_UP = "time_is_up"
    RECALLED = "recalled"
    HANDED_BACK = "handed_back"
    CONTRACT_ENDED = "contract_ended"


class Chosen(StrEnum):
    """How the agency was found; a part is drawn, to be compared with what the rule of allocation has chosen."""

    BY_SUPERVISOR = "by_supervisor"
    BY_RULE = "by_rule"
    AT_RANDOM = "at_random"


class Change(StrEnum):
    """What happened to a placement, as an agency reads it."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    UPDATED = "updated"
    RECALL_ASKED = "recall_asked"
    RECALL_OBJECTED = "recall_objected"
    RECALL_WITHDRAWN = "recall_withdrawn"
    ENDED = "ended"
    PAID = "paid"
    PAYMENT_REVERSED = "payment_reversed"
    DOCUMENT_FILED = "document_filed"
    REPORT_ENDED = "report_ended"


@dataclass(frozen=True, slots=True)
class Practice:
    """What the house goes by: how long an offer stands, a placement may last, and objections are heard.

    zones: by jurisdiction, whose civil day says whether a payment is older than a placement.
    """

    answer_days: int
    most_days: int
    least_objection_days: int
    most_objection_days: int
    zones: Mapping[str, str] = field(default_factory=dict)

    def day_of(self, jurisdiction: str, instant: datetime) -> date:
        """The civil date in a jurisdiction."""
        return instant.astimezone(ZoneInfo(self.zones.get(jurisdiction, "UTC"))).date()


@dataclass(frozen=True, slots=True)
class OwedLoan:
    """A loan with something past due, in minor units of its currency."""

    loan_id: str
    past_due: int
    outstanding: int
    currency: str
    oldest_due_on: date | None


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed in a case: `past_due` in `currency` alone, the loans whatever their currency."""

    past_due: int
    currency: str
    oldest_due_on: date | None
    loans: tuple[OwedLoan, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """A case with an agency. amount: what was past due when it was offered; `owed` goes on until the end.

    answer_by, ends_on, objections_until: last days. counts_from: a payment booked earlier was not the agency's.
    rule_version: of the rule of allocation that it came by, with the step of the plan that asked for an agency.
    settled: it has ended.
    """

    placement_id: str
    agency_id: str
    tier: int
    state: PlacementState
    lender_id: str
    amount: int
    currency: str
    owed: Owed
    offered_at: datetime
    offered_on: date
    offered_by: str
    answer_by: date
    ends_on: date
    commission_ppm: int = 0
    accepted_at: datetime | None = None
    accepted_on: date | None = None
    counts_from: date | None = None
    recall_reason: str = ""
    recall_asked_by: str = ""
    objections_until: date | None = None
    objection: str = ""
    ended_at: datetime | None = None
    ended_on: date | None = None
    ended_as: PlacementEnd | None = None
    end_reason: str = ""
    chosen: Chosen = Chosen.BY_SUPERVISOR
    rule_version: str = ""
    plan_number: int = 0
    step_number: int = 0
    settled: bool = False

    @property
    def is_worked(self) -> bool:
        """Whether the agency holds the case."""
        return self.state in WORKED

    @property
    def holder(self) -> str:
        """Its agency, as the audit trail names whoever asks for a permit."""
        return f"agency/{self.agency_id}"


@dataclass(frozen=True, slots=True)
class PlacementDue:
    """Future work: a day has passed on which something of the live placement ended."""

    placement_id: str
    due_on: date
    lender_id: str


@dataclass(frozen=True, slots=True)
class TriedAgency:
    """An agency that this case was offered to; `accepted` where it took it."""

    agency_id: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class PlacementChange:
    """One thing that happened to a placement, for an agency that asks what is new. `amount` is of a payment.

    document_id: what the lender has filed for the agency. report_id: of the agency's own report of a payment.
    """

    agency_id: str
    placement_id: str
    change: Change
    state: PlacementState
    changed_at: datetime
    changed_on: date
    reason: str = ""
    loan_id: str = ""
    payment_id: str = ""
    amount: int = 0
    currency: str = ""
    document_id: str = ""
    report_id: str = ""


def live(placements: Iterable[Placement]) -> Placement | None:
    """The one placement that has not ended, None where there is none."""
    return next((each for each in placements if not each.settled), None)


def worked(placements: Iterable[Placement]) -> Placement | None:
    """The placement under which an agency holds the case now, None where none does."""
    return next((each for each in placements if each.is_worked), None)


def tier_of(tried: Iterable[TriedAgency]) -> int:
    """The tier of the next placement."""
    return 1 + sum(each.accepted for each in tried)


def accepted(placement: Placement, standing: AgencyStanding, counts_from: date, on: date, at: datetime) -> Placement:
    """The placement once the agency works it, at the share that is agreed now."""
    share = standing.commission_of(placement.tier) or 0
    return replace(
        placement,
        state=PlacementState.ACCEPTED,
        commission_ppm=share,
        accepted_at=at,
        accepted_on=on,
        counts_from=counts_from,
    )


def recall_asked(placement: Placement, reason: str, by: str, objections_until: date) -> Placement:
    """The placement once the lender wants the case back."""
    return replace(
        placement,
        state=PlacementState.RECALL_ASKED,
        recall_reason=reason,
        recall_asked_by=by,
        objections_until=objections_until,
        objection="",
    )


def kept(placement: Placement) -> Placement:
    """The placement once its recall was withdrawn."""
    return replace(
        placement,
        state=PlacementState.ACCEPTED,
        recall_reason="",
        recall_asked_by="",
        objections_until=None,
        objection="",
    )


def ended(placement: Placement, end: PlacementEnd, reason: str, on: date, at: datetime) -> Placement:
    """The placement once it is over."""
    return replace(
        placement,
        state=PlacementState.ENDED,
        ended_as=end,
        end_reason=reason,
        ended_at=at,
        ended_on=on,
        settled=True,
    )


def due_of(placement: Placement) -> PlacementDue | None:
    """When time alone next does something to it."""
    days = {
        PlacementState.OFFERED: placement.answer_by,
        PlacementState.ACCEPTED: placement.ends_on,
        PlacementState.RECALL_ASKED: min(placement.ends_on, placement.objections_until or placement.ends_on),
        PlacementState.OBJECTED: placement.ends_on,
    }
    last_day = days.get(placement.state)
    if last_day is None:
        return None
    return PlacementDue(placement.placement_id, last_day + timedelta(1), placement.lender_id)


def end_by_time(placement: Placement, on: date, standing: AgencyStanding | None) -> tuple[PlacementEnd, str] | None:
    """How time has ended a live placement by a business date, and why; None where it has not."""
    if placement.state is PlacementState.OFFERED:
        return (PlacementEnd.NOT_ANSWERED, "nobody answered in time") if on > placement.answer_by else None
    if on > placement.ends_on:
        if standing is not None and on > standing.contract_until:
            return PlacementEnd.CONTRACT_ENDED, "the contract has ended"
        return PlacementEnd.TIME_IS_UP, "its time is over"
    asked = placement.state is PlacementState.RECALL_ASKED and placement.objections_until is not None
    if asked and placement.objections_until is not None and on > placement.objections_until:
        return PlacementEnd.RECALLED, placement.recall_reason
    return None


def is_open(accepted_on: date | None, ended_on: date | None, today: date) -> bool:
    """Whether an agency may still add to a placement: once it was accepted, until some time after its end."""
    return accepted_on is not None and (ended_on is None or today <= ended_on + GRACE)
