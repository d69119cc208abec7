"""What a reported payment is, and which booked payment is the same money. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.frozen import replace


class ReceivedBy(StrEnum):
    """Who has the money, as far as the agency knows."""

    AGENCY = "agency"
    LENDER = "lender"


class ReportState(StrEnum):
    """How a report stands. Decided: staff of the lender have seen to it otherwise than by a booking."""

    WAITING = "waiting"
    BOOKED = "booked"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Reported:
    """What an agency says of a payment: `amount` in minor units of `currency`; no loan where it does not know which.

    receipt: its own number for the money. paid_on: the debtor's civil day.
    """

    receipt: str
    amount: int
    currency: str
    paid_on: date
    received_by: ReceivedBy
    loan_id: str = ""


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment that the lender has booked, on a civil day of the debtor's."""

    loan_id: str
    payment_id: str
    amount: int
    currency: str
    posted_on: date


@dataclass(frozen=True, slots=True)
class PaymentReport:
    """A payment that an agency has reported. report_id: also of the matter that stands until it is accounted for.

    payment_id, booked_loan_id: what the lender has booked it as. settled: it waits for nothing any more.
    """

    report_id: str
    placement_id: str
    agency_id: str
    receipt: str
    amount: int
    currency: str
    paid_on: date
    received_by: ReceivedBy
    loan_id: str
    state: ReportState
    reported_at: datetime
    reported_on: date
    payment_id: str = ""
    booked_loan_id: str = ""
    ended_at: datetime | None = None
    ended_on: date | None = None
    reason: str = ""
    settled: bool = False

    @property
    def said(self) -> Reported:
        """What the agency has said of it."""
        return Reported(self.receipt, self.amount, self.currency, self.paid_on, self.received_by, self.loan_id)


def is_same_money(report: PaymentReport, booked: Booked) -> bool:
    """Whether a payment that was booked can be the reported one: as much, for that loan, and not earlier.

    What was booked as another amount is somebody's to look at: a guess could let contacts go on after a payment.
    """
    as_much = (booked.amount, booked.currency) == (report.amount, report.currency)
    return as_much and booked.posted_on >= report.paid_on and report.loan_id in ("", booked.loan_id)


def booked_before(report: PaymentReport, payments: Iterable[Booked]) -> Booked | None:
    """The earliest payment that was booked before the report came, None where none was."""
    fits = [each for each in payments if is_same_money(report, each)]
    return min(fits, key=lambda each: (each.posted_on, each.loan_id, each.payment_id), default=None)


def reported_before(reports: Iterable[PaymentReport], booked: Booked) -> PaymentReport | None:
    """The earliest report that waits for what is booked now, None where none does."""
    fits = [each for each in reports if each.state is ReportState.WAITING and is_same_money(each, booked)]
    return min(fits, key=lambda each: (each.paid_on, each.reported_at, each.report_id), default=None)


def ended(report: PaymentReport, state: ReportState, reason: str, on: date, at: datetime) -> PaymentReport:
    """The report once it waits for nothing any more."""
    return replace(report, state=state, reason=reason, ended_on=on, ended_at=at, settled=True)


def booked_as(report: PaymentReport, booked: Booked) -> PaymentReport:
    """The report with what the lender has booked it as."""
    return replace(report, payment_id=booked.payment_id, booked_loan_id=booked.loan_id)
