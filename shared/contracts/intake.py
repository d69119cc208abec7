"""What intake tells: the state of each case, and every payment. Facts carry the whole case summary."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from shared.contracts.core_banking import ContactKind, ContactOwner, ContactSource
from shared.contracts.envelope import BusinessDateFact, Fact

TOPIC = "intake.events"

PROFILES = "intake.profiles"
"""Who debtors are, sealed: for services that contact people, and for no other."""


class CaseStatus(StrEnum):
    """Where a case stands: worked, up to date again, or ended."""

    OPEN = "open"
    CURED = "cured"
    CLOSED = "closed"


class Disposition(StrEnum):
    """Why a case ended."""

    PAID = "paid"
    NO_LOAN = "no_loan"
    NO_LONGER_REPORTED = "no_longer_reported"
    SETTLED = "settled"
    RESTRUCTURED = "restructured"
    WRITTEN_OFF = "written_off"
    SOLD = "sold"


class VerificationDecision(StrEnum):
    """What became of a verification; `withdrawn`: the bank has reported it rightly, or the loan has ended."""

    APPROVED = "approved"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class LoanSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One loan of the case on the summary's business date; amounts in minor units of `currency`.

    `bucket` is the loan's reporting bucket by `scheme`: "current" when nothing is past due, "closed" when ended.
    """

    loan_id: str
    product: str
    portfolio: str
    currency: str
    past_due: int
    outstanding: int
    oldest_due_on: date | None
    scheme: str
    bucket: str
    closed_as: str = ""


class CaseSummary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that others need to know of a case; `oldest_due_on` is the oldest unpaid due date over its loans."""

    case_id: str
    status: CaseStatus
    opened_on: date
    business_date: date
    oldest_due_on: date | None
    jurisdiction: str
    district: str
    loans: tuple[LoanSummary, ...]
    disposition: Disposition | None = None


class OfCase(Fact, frozen=True, kw_only=True, gc=False):
    """A fact that carries the case as it stands after it."""

    case: CaseSummary


class CaseOpened(OfCase, frozen=True, kw_only=True, gc=False):
    """A debtor's first amount is past due."""


class CaseUpdated(OfCase, frozen=True, kw_only=True, gc=False):
    """What is owed has changed."""


class CaseCured(OfCase, frozen=True, kw_only=True, gc=False):
    """Nothing is past due any more; the loans go on."""


class CaseReopened(OfCase, frozen=True, kw_only=True, gc=False):
    """A cured or closed case is past due again."""


class CaseClosed(OfCase, frozen=True, kw_only=True, gc=False):
    """Every loan has ended; `case.disposition` says how."""


class DelinquencyRangeChanged(OfCase, frozen=True, kw_only=True, gc=False):
    """The business date alone has moved a loan into another reporting bucket."""


class PaymentPosted(Fact, frozen=True, kw_only=True, gc=False):
    """A payment was booked, once; `case` is None where the debtor has none.

    `received_at`: when it came in at the edge; None in facts from before this was told.
    """

    case: CaseSummary | None
    loan_id: str
    payment_id: str
    amount: int
    currency: str
    posted_at: datetime
    received_at: datetime | None = None


class PaymentReversed(Fact, frozen=True, kw_only=True, gc=False):
    """A payment was taken back, once."""

    case: CaseSummary | None
    loan_id: str
    payment_id: str
    amount: int
    currency: str
    reversed_at: datetime


class SealedContact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A contact point: all that decisions need is to be read, `value` with the debtor's data key only.

    digest: stands for the value under the installation's index key, however it is written; "" where none was told.
    """

    id: str
    kind: ContactKind
    owner: ContactOwner
    verified: bool
    source: ContactSource
    value: bytes
    digest: str = ""


class SealedProfile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A debtor's profile, sealed under the data key that `key_id` names, which the key store alone holds."""

    key_id: str
    updated_at: datetime
    language: str
    time_zones: tuple[str, ...]
    name: bytes
    id_number: bytes
    contacts: tuple[SealedContact, ...]


class ProfileChanged(Fact, frozen=True, kw_only=True, gc=False):
    """The debtor's profile is now this one; `version` grows with each fact about it."""

    version: int
    profile: SealedProfile


class ProfileErased(Fact, frozen=True, kw_only=True, gc=False):
    """The debtor's profile is to be forgotten: its data key is destroyed, and copies are to be dropped."""

    version: int
    erased_at: datetime


class VerificationRequested(Fact, frozen=True, kw_only=True, gc=False):
    """What the bank says of a loan is to be verified by a person: the data gate's rules that found something in it.

    `holds`: nobody may be contacted before that is decided. It is told before what it is about.
    """

    verification_id: str
    loan_id: str
    rules: tuple[str, ...]
    holds: bool


class VerificationDecided(Fact, frozen=True, kw_only=True, gc=False):
    """What was decided, by whom and why: `rejected` means that the case is not to be worked, all others that it may."""

    verification_id: str
    loan_id: str
    decision: VerificationDecision
    decided_by: str
    reason: str


class BusinessDateAdvanced(BusinessDateFact, frozen=True, kw_only=True, gc=False):
    """The lender's books stand on a new day, as seen in this lane's order."""


FACTS: Mapping[str, type[Fact]] = {
    "intake.case-opened.v1": CaseOpened,
    "intake.case-updated.v1": CaseUpdated,
    "intake.case-cured.v1": CaseCured,
    "intake.case-reopened.v1": CaseReopened,
    "intake.case-closed.v1": CaseClosed,
    "intake.delinquency-range-changed.v1": DelinquencyRangeChanged,
    "intake.payment-posted.v1": PaymentPosted,
    "intake.payment-reversed.v1": PaymentReversed,
    "intake.business-date-advanced.v1": BusinessDateAdvanced,
    "intake.verification-requested.v1": VerificationRequested,
    "intake.verification-decided.v1": VerificationDecided,
}

PROFILE_FACTS: Mapping[str, type[Fact]] = {
    "intake.profile-changed.v1": ProfileChanged,
    "intake.profile-erased.v1": ProfileErased,
}
