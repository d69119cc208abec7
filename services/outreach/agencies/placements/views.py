"""What is shown of placements: to an agency no more than it needs to work a case, to staff also who did what."""

import json
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.outreach.agencies.placements.domain.placement import Change, Chosen, PlacementEnd, PlacementState


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class _View(BaseModel):
    model_config = ConfigDict(extra="ignore", from_attributes=True)


class OwedLoanView(_View):
    """A loan with something past due, in minor units of its currency."""

    loan_id: str
    past_due: int
    outstanding: int
    currency: str
    oldest_due_on: date | None


class OwedView(_View):
    """What is owed, as it stood at the last fact about the case; from the end on, as it stood then."""

    past_due: int
    currency: str
    oldest_due_on: date | None
    loans: list[OwedLoanView]


class PlacementView(_View):
    """A case with an agency: what is owed, and until when what is to be done. Nobody is named, and no contact point."""

    placement_id: str
    debtor_id: str = Field(description="The debtor's pseudonym.")
    tier: int = Field(description="1 for the first agency that works the case.")
    state: PlacementState
    amount: int = Field(description="What was past due when it was offered, in minor units of `currency`.")
    currency: str
    owed: Annotated[OwedView, BeforeValidator(_decoded)]
    days_past_due: int | None = Field(description="On the lender's business date, or on that of the end.")
    commission_ppm: int = Field(description="The share of what is paid, in millionths; 0 until it is accepted.")
    offered_at: datetime
    offered_on: date
    answer_by: date = Field(description="The last day on which the offer can be accepted.")
    ends_on: date = Field(description="The last day on which the case may be worked.")
    accepted_at: datetime | None
    accepted_on: date | None
    recall_reason: str
    objections_until: date | None = Field(description="The last day on which a recall can be objected to.")
    objection: str
    ended_at: datetime | None
    ended_on: date | None
    ended_as: PlacementEnd | None
    end_reason: str


class StaffPlacementView(PlacementView):
    """The same, with the agency, how it was found, and who offered it or asked for it back."""

    agency_id: str
    chosen: Chosen
    rule_version: str = Field(description="Of the rule of allocation; empty where a supervisor has chosen.")
    offered_by: str
    recall_asked_by: str


class ChangeView(_View):
    """One thing that happened to a placement, and the state that it left it in."""

    placement_id: str
    debtor_id: str
    change: Change
    state: PlacementState
    changed_at: datetime
    changed_on: date = Field(description="The lender's business date.")
    reason: str
    loan_id: str = Field(description="Of a payment, with what follows; empty for every other change.")
    payment_id: str
    amount: int
    currency: str
    document_id: str = Field(description="Of what the lender has filed for the agency; empty for every other change.")
    report_id: str = Field(description="Of the agency's own report of a payment; empty for every other change.")


class Changes(BaseModel):
    """What has changed, in order, and from where to ask on; `next` is there also where nothing is left."""

    model_config = ConfigDict(extra="forbid")

    items: list[ChangeView]
    next: str
    more: bool = Field(description="There may be more already.")


class PlacementAnswer(BaseModel):
    """A placement, as a command has left it."""

    model_config = ConfigDict(extra="forbid")

    placement_id: str
    state: PlacementState


class OfferAnswer(PlacementAnswer):
    """A case that was offered."""

    model_config = ConfigDict(extra="ignore")  # of what is told, how the agency was found is known to who has chosen it

    agency_id: str
    tier: int
    amount: int
    currency: str
    offered_on: date
    ends_on: date


class TierSumView(_View):
    """What came in under an agency's placements of one tier, in one currency, and its share, in minor units."""

    tier: int
    currency: str
    collected: int
    reversed: int
    commission: int
    claw_back: int
    net: int = Field(description="The commission less what is taken back with reversed payments.")


class LineView(_View):
    """A payment that counted, or with negative amounts one that was taken back."""

    placement_id: str
    debtor_id: str
    tier: int
    loan_id: str
    payment_id: str
    posted_on: date = Field(description="The lender's business date on which it was counted.")
    amount: int
    currency: str
    commission: int


class StatementView(BaseModel):
    """A month of an agency: sums of the whole month, and its lines in pages."""

    model_config = ConfigDict(extra="forbid")

    agency_id: str
    month: str
    tiers: list[TierSumView]
    lines: list[LineView]
    next: str | None = None
