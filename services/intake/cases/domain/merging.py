"""How facts are taken into a debtor's file, each by a natural key: the same set in any order gives the same file."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.intake.cases.domain.facts import DebtorFile, Loan, Payment, Snapshot
from shared.frozen import replace

CORRECTABLE: Final = ("as_of", "currency", "outstanding", "instalments")
"""What of a snapshot a person may correct: by the others snapshots are ordered, or cases are told apart."""


class ContradictionError(ValueError):
    """A payment was told before with another content; `field` is what differs."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field}: this payment was told before with another value")
        self.field = field


def with_snapshot(file: DebtorFile, loan_id: str, snapshot: Snapshot) -> DebtorFile:
    """The file with a snapshot taken in; the same file where a newer one, or the same, is known.

    What a person has corrected stays corrected for as long as the bank repeats the very value that was wrong.
    """
    loan = file.loans.get(loan_id) or Loan(loan_id)
    known = loan.said or loan.base
    if known is not None and snapshot <= known:
        return file
    base = snapshot if loan.said is None or loan.base is None else _corrected_still(loan.base, loan.said, snapshot)
    said = None if base is snapshot else snapshot
    return _with_loan(file, replace(loan, base=base, said=said))


def with_correction(file: DebtorFile, loan_id: str, corrected: Snapshot, accepted: tuple[str, ...]) -> DebtorFile:
    """The file with a snapshot of which a person has corrected something, and what they accepted of the rest."""
    loan = file.loans[loan_id]
    said = loan.said or loan.base
    return _with_loan(file, replace(loan, base=corrected, said=None if corrected == said else said, accepted=accepted))


def _corrected_still(base: Snapshot, said: Snapshot, news: Snapshot) -> Snapshot:
    kept = {
        name: getattr(base, name)
        for name in CORRECTABLE
        if getattr(base, name) != getattr(said, name) == getattr(news, name)
    }
    return replace(news, **kept) if kept else news


def with_closing(file: DebtorFile, loan_id: str, closed_at: datetime, closed_as: str) -> DebtorFile:
    """The file with a closing taken in; the same file where a later one, or the same, is known."""
    loan = file.loans.get(loan_id) or Loan(loan_id)
    if loan.closed_at is not None and (closed_at, closed_as) <= (loan.closed_at, loan.closed_as or ""):
        return file
    return _with_loan(file, replace(loan, closed_at=closed_at, closed_as=closed_as))


def with_payment(file: DebtorFile, news: Payment) -> DebtorFile:
    """The file with a posting or a reversal taken in; the same file if it is no news. Raises ContradictionError."""
    key = (news.loan_id, news.payment_id)
    known = file.payments.get(key)
    merged = news if known is None else _merged(known, news)
    merged = _settled_by(file.loans.get(news.loan_id), merged)
    return file if merged == known else replace(file, payments={**file.payments, key: merged})


def _with_loan(file: DebtorFile, loan: Loan) -> DebtorFile:
    loans = {**file.loans, loan.loan_id: loan}
    payments = _settled_payments(file.payments, loan)
    return DebtorFile(file.debtor_id, file.case, loans, payments, file.bucket_due, file.verifications)


def _settled_payments(payments: Mapping[tuple[str, str], Payment], loan: Loan) -> Mapping[tuple[str, str], Payment]:
    changed = {
        key: settled
        for key, payment in payments.items()
        if payment.loan_id == loan.loan_id and (settled := _settled_by(loan, payment)) is not payment
    }
    return {**payments, **changed} if changed else payments


def _settled_by(loan: Loan | None, payment: Payment) -> Payment:
    """The payment, marked if the loan's base or closing has overtaken all that is known of it."""
    until = loan.counted_until if loan else None
    last = payment.posted_at if payment.reversed_at is None else max(payment.posted_at, payment.reversed_at)
    settled = until is not None and last <= until
    return payment if payment.settled == settled else replace(payment, settled=settled)


def _merged(known: Payment, news: Payment) -> Payment:
    for field in ("amount", "currency", "posted_at"):
        if getattr(known, field) != getattr(news, field):
            raise ContradictionError(field)
    if known.due_since and news.due_since and known.due_since != news.due_since:
        raise ContradictionError("settled_due_on")
    if known.reversed_at and news.reversed_at and known.reversed_at != news.reversed_at:
        raise ContradictionError("reversed_at")
    return replace(
        known,
        posted_on=min(known.posted_on, news.posted_on),
        due_since=known.due_since or news.due_since,
        heard=known.heard or news.heard,
        reversed_at=known.reversed_at or news.reversed_at,
    )
