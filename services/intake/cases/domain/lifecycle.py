"""From a debtor's file and a date to the case: its status, its summary, and what has happened to it since last told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from services.intake.cases.domain.arrears import standing
from services.intake.cases.domain.facts import Case, DebtorFile, Loan, LoanView, Payment, Snapshot, Status
from services.intake.cases.domain.reporting import CLOSED, Schemes


class Change(Enum):
    """What can happen to a case."""

    OPENED = auto()
    UPDATED = auto()
    CURED = auto()
    REOPENED = auto()
    CLOSED = auto()
    RANGE_CHANGED = auto()


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The debtor's loans on a date; `next_change` is the next date on which time alone changes it."""

    business_date: date
    status: Status
    loans: tuple[LoanView, ...]
    oldest_due_on: date | None
    disposition: str | None
    jurisdiction: str
    district: str
    next_change: date | None


def appraise(file: DebtorFile, business_date: date, schemes: Schemes) -> Appraisal | None:
    """Appraise the loans that a snapshot is known of; None without any.

    They are judged on the lender's business date, or on the date of the newest snapshot where that is ahead of it.
    """
    bases = {loan_id: loan.base for loan_id, loan in file.loans.items() if loan.base is not None}
    if not bases:
        return None
    on = max(business_date, *(base.as_of for base in bases.values()))
    payments = _by_loan(file.payments)
    found = (standing(file.loans[name], payments.get(name, ()), on, schemes) for name in sorted(bases))
    standings = [each for each in found if each is not None]
    views = tuple(each.view for each in standings)
    newest = _newest(bases)
    status = _status(views)
    return Appraisal(
        business_date=on,
        status=status,
        loans=views,
        oldest_due_on=min((view.oldest_due_on for view in views if view.oldest_due_on), default=None),
        disposition=_disposition(file.loans[loan_id] for loan_id in bases) if status is Status.CLOSED else None,
        jurisdiction=newest.jurisdiction,
        district=newest.district,
        next_change=min((each.next_change for each in standings if each.next_change), default=None),
    )


def changes(
    case: Case | None, appraisal: Appraisal, *, reported: bool = False, by_time_alone: bool = False
) -> tuple[Change, ...]:
    """What has happened to the case since it was last told, in the order in which to tell it.

    reported: a snapshot says that something was past due on its own date. That opens a case even where a payment or
        a closing that came first has ended it already, since in the right order it was open in between.
    by_time_alone: only the business date has moved; then a loan's move to another bucket has a name of its own.
    """
    if case is None:
        if not reported and appraisal.status is not Status.OPEN:
            return ()
        return (Change.OPENED, *_ENDINGS[appraisal.status])
    if case.status is appraisal.status:
        if _as_told(case, appraisal):
            return ()
        return (Change.RANGE_CHANGED if by_time_alone and _bucket_moved(case, appraisal) else Change.UPDATED,)
    return (_TRANSITIONS[case.status, appraisal.status],)


_ENDINGS: Mapping[Status, tuple[Change, ...]] = {
    Status.OPEN: (),
    Status.CURED: (Change.CURED,),
    Status.CLOSED: (Change.CLOSED,),
}

_TRANSITIONS: Mapping[tuple[Status, Status], Change] = {
    (Status.OPEN, Status.CURED): Change.CURED,
    (Status.OPEN, Status.CLOSED): Change.CLOSED,
    (Status.CURED, Status.OPEN): Change.REOPENED,
    (Status.CURED, Status.CLOSED): Change.CLOSED,
    (Status.CLOSED, Status.OPEN): Change.REOPENED,
    # A loan goes on after its closing, with nothing past due: nobody was worked, so nothing is cured.
    (Status.CLOSED, Status.CURED): Change.UPDATED,
}


def told(before: Case | None, case_id: str, lender_id: str, appraisal: Appraisal, facts: int) -> Case:
    """The case as it stands after so many more facts were told of it; `before` is None for a new one."""
    return Case(
        case_id=before.case_id if before else case_id,
        lender_id=lender_id,
        status=appraisal.status,
        opened_on=before.opened_on if before else appraisal.business_date,
        version=(before.version if before else 0) + facts,
        business_date=appraisal.business_date,
        oldest_due_on=appraisal.oldest_due_on,
        jurisdiction=appraisal.jurisdiction,
        district=appraisal.district,
        disposition=appraisal.disposition,
        loans=appraisal.loans,
    )


def _bucket_moved(case: Case, appraisal: Appraisal) -> bool:
    before = {view.loan_id: view.bucket for view in case.loans}
    return any(view.bucket != before.get(view.loan_id) for view in appraisal.loans)


def _as_told(case: Case, appraisal: Appraisal) -> bool:
    """Whether the last summary still says all; the date on which it was made is not what it says."""
    return (
        case.loans == appraisal.loans
        and case.disposition == appraisal.disposition
        and case.district == appraisal.district
        and case.jurisdiction == appraisal.jurisdiction
    )


def _status(views: Sequence[LoanView]) -> Status:
    if any(view.oldest_due_on for view in views):
        return Status.OPEN
    return Status.CLOSED if all(view.bucket == CLOSED for view in views) else Status.CURED


def _by_loan(payments: Mapping[tuple[str, str], Payment]) -> Mapping[str, list[Payment]]:
    """The payments that can still change something, by loan, in no particular order."""
    found: dict[str, list[Payment]] = {}
    for payment in payments.values():
        if not payment.settled:
            found.setdefault(payment.loan_id, []).append(payment)
    return found


def _newest(bases: Mapping[str, Snapshot]) -> Snapshot:
    return bases[max(bases, key=lambda loan_id: (bases[loan_id].posting_cut_off, loan_id))]


def _disposition(loans: Iterable[Loan]) -> str | None:
    """How the loan that was closed last was closed."""
    closed = [(loan.closed_at, loan.loan_id, loan.closed_as) for loan in loans if loan.closed_at is not None]
    return max(closed)[2] if closed else None
