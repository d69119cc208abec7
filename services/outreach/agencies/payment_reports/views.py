"""What is said and shown of reported payments over HTTP."""

from datetime import date, datetime
from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.agencies.payment_reports.domain import ReceivedBy, ReportState
from services.outreach.matters.api import LoanId
from shared.http.inputs import WHOLE, IsoDate

ReportId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The report, as it was answered.")]


class ReportPayment(BaseModel):
    """A payment that the agency has received, or was told of; one report for each receipt."""

    model_config = ConfigDict(extra="forbid")

    receipt: str = Field(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9._:/@+\-]+$",
        description="The agency's own number for the money; never a name or a number of the debtor's.",
    )
    amount: Annotated[int, Field(ge=1, le=10**15, description="In minor units of `currency`."), WHOLE]
    currency: str = Field(pattern="^[A-Z]{3}$")
    paid_on: IsoDate = Field(description="The debtor's civil day; not one that is still to come.")
    received_by: ReceivedBy = Field(description="Who has the money now: the agency, or the lender as it was told.")
    loan_id: LoanId | None = Field(default=None, description="Left out where it is not known for which loan.")


class ReportAnswer(BaseModel):
    """A report that was taken in; the same for the same receipt under the same placement."""

    model_config = ConfigDict(extra="forbid")

    report_id: str
    placement_id: str


class PaymentReportView(BaseModel):
    """A payment as it was reported, and how it was accounted for."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    report_id: str
    placement_id: str
    debtor_id: str
    receipt: str
    amount: int
    currency: str
    paid_on: date
    received_by: ReceivedBy
    loan_id: str = Field(description="Empty where it was not said.")
    state: ReportState = Field(description="While it is waiting, nobody contacts the debtor.")
    reported_at: datetime
    reported_on: date = Field(description="The lender's business date.")
    payment_id: str = Field(description="The payment that the lender has booked; empty where it has booked none.")
    booked_loan_id: str
    ended_at: datetime | None
    ended_on: date | None
    reason: str


class StaffPaymentReportView(PaymentReportView):
    """The same, with the agency. The matter that stands for it has the id of the report."""

    agency_id: str
