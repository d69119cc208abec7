"""What outreach tells of placements: cases that an agency works, from the offer to the recall, and what was paid."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from shared.contracts.envelope import CurrencyCode, Fact, Identifier, MinorUnits


class PlacementEnd(StrEnum):
    """Why an agency works a case no more."""

    DECLINED = "declined"
    NOT_ANSWERED = "not_answered"
    PAID = "paid"
    CLOSED = "closed"
    TIME_IS_UP = "time_is_up"
    RECALLED = "recalled"
    HANDED_BACK = "handed_back"
    CONTRACT_ENDED = "contract_ended"


class Chosen(StrEnum):
    """How the agency of a placement was found; a part is drawn, to be compared with what the rule has chosen."""

    BY_SUPERVISOR = "by_supervisor"
    BY_RULE = "by_rule"
    AT_RANDOM = "at_random"


class OfPlacement(Fact, frozen=True, kw_only=True, gc=False):
    """A fact about one placement, which is of one debtor's case and with one agency."""

    placement_id: str
    agency_id: Identifier


class PlacementOffered(OfPlacement, frozen=True, kw_only=True, gc=False):
    """A case is offered to an agency; `tier` counts from 1, the agencies that have had it before included.

    amount: what is past due. ends_on: the last day on which the agency may work it. rule_version: of the rule of
    allocation, empty where a supervisor has chosen.
    """

    amount: MinorUnits
    currency: CurrencyCode
    tier: int
    offered_on: date
    ends_on: date
    chosen: Chosen = Chosen.BY_SUPERVISOR
    rule_version: str = ""


class PlacementAccepted(OfPlacement, frozen=True, kw_only=True, gc=False):
    """The agency works the case from now on."""


class PlacementRecallAsked(OfPlacement, frozen=True, kw_only=True, gc=False):
    """The lender wants the case back; until `objections_until` the agency may say why it should keep it."""

    reason: str
    objections_until: date


class PlacementRecallObjected(OfPlacement, frozen=True, kw_only=True, gc=False):
    """The agency has said why it should keep the case; the lender decides."""

    reason: str


class PlacementRecallWithdrawn(OfPlacement, frozen=True, kw_only=True, gc=False):
    """The agency keeps the case."""

    reason: str


class PlacementEnded(OfPlacement, frozen=True, kw_only=True, gc=False):
    """The agency is to stop at once; what it had permits for was taken back in the same transaction."""

    end: PlacementEnd
    reason: str


class PlacementPaid(OfPlacement, frozen=True, kw_only=True, gc=False):
    """Money came in for a case while an agency worked it; `commission_ppm` is its share, in millionths."""

    payment_id: str
    loan_id: str
    amount: MinorUnits
    currency: CurrencyCode
    posted_at: datetime
    commission_ppm: int


class PlacementPaymentReversed(OfPlacement, frozen=True, kw_only=True, gc=False):
    """A payment that had counted for an agency was taken back, and its commission with it."""

    payment_id: str
    loan_id: str
    amount: MinorUnits
    currency: CurrencyCode
    reversed_at: datetime
    commission_ppm: int


class ReceivedBy(StrEnum):
    """Who has the money of a reported payment, as far as its agency knows."""

    AGENCY = "agency"
    LENDER = "lender"


class ReportEnd(StrEnum):
    """How a report of a payment ended; staff have decided what was not booked to the last unit."""

    BOOKED = "booked"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class PlacementPaymentReported(OfPlacement, frozen=True, kw_only=True, gc=False):
    """An agency says that a debtor has paid: nobody is contacted until the money is accounted for.

    loan_id: empty where the agency does not know for which loan. paid_on: the debtor's civil day.
    """

    report_id: str
    loan_id: str
    amount: MinorUnits
    currency: CurrencyCode
    paid_on: date
    received_by: ReceivedBy


class PlacementReportEnded(OfPlacement, frozen=True, kw_only=True, gc=False):
    """A reported payment holds nothing back any more; loan and payment are what it was booked as, empty otherwise."""

    report_id: str
    end: ReportEnd
    loan_id: str
    payment_id: str
    reason: str


class OfPlacementStep(Fact, frozen=True, kw_only=True, gc=False):
    """A fact about a step of a plan that asks for an agency."""

    plan_number: int
    step_number: int


class PlacementRequested(OfPlacementStep, frozen=True, kw_only=True, gc=False):
    """A case is to go to an agency: the allocator is asked which. `past_due` is a weight, in minor units of `currency`.

    tier: counts from 1. tried: the agencies that were offered this case before.
    """

    past_due: MinorUnits
    currency: CurrencyCode
    tier: int
    tried: tuple[Identifier, ...]
    requested_on: date


class PlacementAllotted(OfPlacementStep, frozen=True, kw_only=True, gc=False):
    """A case is to be offered to an agency for so many days, and why to this one."""

    agency_id: Identifier
    days: int
    chosen: Chosen
    rule_version: str
    reason: str


class PlacementNotAllotted(OfPlacementStep, frozen=True, kw_only=True, gc=False):
    """No agency was found for a case."""

    reason: str


class PlacementNotOffered(OfPlacementStep, frozen=True, kw_only=True, gc=False):
    """A case that was allotted to an agency is not offered to it after all."""

    agency_id: Identifier
    reason: str


ALLOTTED: Mapping[str, type[Fact]] = {
    "outreach.placement-allotted.v1": PlacementAllotted,
    "outreach.placement-not-allotted.v1": PlacementNotAllotted,
}
"""What the allocator tells of placements."""


class DocumentKind(StrEnum):
    """What a document is: of what an agency files, and of what the lender gives it."""

    PROOF_OF_PAYMENT = "proof_of_payment"
    REPAYMENT_AGREEMENT = "repayment_agreement"
    HARDSHIP_EVIDENCE = "hardship_evidence"
    DISPUTE_EVIDENCE = "dispute_evidence"
    VISIT_RECORD = "visit_record"
    PROOF_OF_DEMAND = "proof_of_demand"
    RETURNED_LETTER = "returned_letter"
    CORRESPONDENCE = "correspondence"
    MANDATE = "mandate"
    ACCOUNT_STATEMENT = "account_statement"


class PlacementDocumentFiled(OfPlacement, frozen=True, kw_only=True, gc=False):
    """A document is on file: evidence of the agency's, or a paper for it (`by_lender`). What it says is told nowhere.

    size: of its content, in bytes. sha256: of the content as it lies, sealed, so that nobody can try guesses on it.
    contact_id: of the contact that it is evidence of, empty where it is of none.
    """

    document_id: str
    kind: DocumentKind
    media_type: str
    size: int
    sha256: str
    by_lender: bool
    contact_id: str


FACTS: Mapping[str, type[Fact]] = {
    "outreach.placement-requested.v1": PlacementRequested,
    "outreach.placement-not-offered.v1": PlacementNotOffered,
    "outreach.placement-offered.v1": PlacementOffered,
    "outreach.placement-accepted.v1": PlacementAccepted,
    "outreach.placement-recall-asked.v1": PlacementRecallAsked,
    "outreach.placement-recall-objected.v1": PlacementRecallObjected,
    "outreach.placement-recall-withdrawn.v1": PlacementRecallWithdrawn,
    "outreach.placement-ended.v1": PlacementEnded,
    "outreach.placement-paid.v1": PlacementPaid,
    "outreach.placement-payment-reversed.v1": PlacementPaymentReversed,
    "outreach.placement-document-filed.v1": PlacementDocumentFiled,
    "outreach.placement-payment-reported.v1": PlacementPaymentReported,
    "outreach.placement-report-ended.v1": PlacementReportEnded,
}
