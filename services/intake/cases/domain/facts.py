"""What is kept of a debtor: for each loan its newest snapshot and closing, every payment, the case and its due date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Status(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    CURED = "cured"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, order=True)
class Instalment:
    """What of one instalment was unpaid at the snapshot's posting cut-off, in minor units."""

    due_on: date
    number: int
    principal: int
    interest: int
    penalty: int
    fee: int

    @property
    def total(self) -> int:
        """All components together."""
        return self.principal + self.interest + self.penalty + self.fee


@dataclass(frozen=True, slots=True, order=True)
class Snapshot:
    """A loan as the bank's books showed it; they compare by cut-off, then as-of date, then content.

    Two snapshots with the same cut-off and date contradict each other: the greater content is taken, which means
    nothing but is the same whichever came first. Instalments are sorted.
    """

    posting_cut_off: datetime
    as_of: date
    currency: str
    instalments: tuple[Instalment, ...]
    outstanding: int
    product: str
    portfolio: str
    jurisdiction: str
    district: str

    @property
    def reports_past_due(self) -> bool:
        """Whether anything in it was past due on its own date."""
        return any(each.due_on < self.as_of and each.total > 0 for each in self.instalments)


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan: the snapshot to count from, and its last closing.

    said: what the bank itself said, where a person has corrected it and `base` is the corrected one.
    accepted: the rules of the data gate whose findings about this loan a person has accepted.
    """

    loan_id: str
    base: Snapshot | None = None
    closed_at: datetime | None = None
    closed_as: str | None = None
    said: Snapshot | None = None
    accepted: tuple[str, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed at or after the cut-off of its newest snapshot."""
        if self.closed_at is None:
            return False
        return self.base is None or self.closed_at >= self.base.posting_cut_off

    @property
    def counted_until(self) -> datetime | None:
        """The instant up to which postings can change nothing: the base holds them, or the closing overtook them."""
        if self.base is None:
            return self.closed_at
        return self.base.posting_cut_off if self.closed_at is None else max(self.closed_at, self.base.posting_cut_off)


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment, known from its posting, its reversal or both.

    due_since: since when its amount is owed again after a reversal, where the bank said so.
    posted_on: the day of the posting as the bank wrote it, which stands in for `due_since`.
    heard: whether the posting itself has come; a reversal that came first waits for it.
    settled: whether `Loan.counted_until` covers it, so that it need not be loaded.
    """

    loan_id: str
    payment_id: str
    amount: int
    currency: str
    posted_at: datetime
    posted_on: date
    due_since: date | None
    heard: bool
    reversed_at: datetime | None
    settled: bool

    @property
    def owed_again_since(self) -> date:
        """Since when the amount is owed again, once it is reversed."""
        return self.due_since or self.posted_on


@dataclass(frozen=True, slots=True)
class LoanView:
    """A loan as last told; `oldest_due_on` is the oldest due date that is past due."""

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


@dataclass(frozen=True, slots=True)
class Case:
    """A debtor's case as last told; `version` counts what was told of it."""

    case_id: str
    lender_id: str
    status: Status
    opened_on: date
    version: int
    business_date: date
    oldest_due_on: date | None
    jurisdiction: str
    district: str
    disposition: str | None
    loans: tuple[LoanView, ...]


@dataclass(frozen=True, slots=True)
class BucketDue:
    """The next business date on which time alone changes what is told of the debtor's loans."""

    due_on: date
    lender_id: str


class VerificationState(StrEnum):
    """How a verification stands: the first waits for a person, the last was overtaken by what the bank said."""

    OPEN = "open"
    APPROVED = "approved"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the data gate found: by which rule, in words, with the values that it found it in.

    stops_running: whether it stops a case, too, that is worked already.
    """

    rule: str
    sentence: str
    values: Mapping[str, str]
    stops_running: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What a person is to look at: a snapshot of a loan with what was found in it, and what was decided.

    holds: nobody is contacted before it is decided, or ever where it is rejected.
    revision: grows with each snapshot that changes it, so that nobody decides about what they have not seen.
    before: the last snapshot that nothing was found in; None where there was none.
    settled: nothing can change it any more.
    """

    verification_id: str
    loan_id: str
    lender_id: str
    state: VerificationState
    holds: bool
    revision: int
    findings: tuple[Finding, ...]
    reported: Snapshot
    before: Snapshot | None
    raised_at: datetime
    raised_on: date
    decided_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""
    settled: bool = False


@dataclass(frozen=True, slots=True)
class DebtorFile:
    """All that intake knows of one debtor."""

    debtor_id: str
    case: Case | None
    loans: Mapping[str, Loan]
    payments: Mapping[tuple[str, str], Payment]
    bucket_due: BucketDue | None
    verifications: Mapping[str, Verification]
