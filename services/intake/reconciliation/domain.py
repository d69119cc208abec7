"""How an account in the bank's book is compared with the same account in ours, and what is summed up of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from services.intake.cases.domain.arrears import standing
from services.intake.cases.domain.facts import Loan, Payment
from services.intake.cases.domain.reporting import CLOSED, Schemes
from shared.frozen import replace


class AccountStatus(StrEnum):
    """How an account stands, in either book."""

    CURRENT = "current"
    OVERDUE = "overdue"
    CLOSED = "closed"


class Kind(StrEnum):
    """What is found of an account; all but the last three are drift.

    `corrected_here`: it differs by what a person has corrected. `newer_here`: what we have was cut off after this book.
    `refused`: a row that cannot be read, so that its account is not compared.
    """

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    CURRENCY_DIFFERS = "currency_differs"
    STATUS_DIFFERS = "status_differs"
    AMOUNT_DIFFERS = "amount_differs"
    CORRECTED_HERE = "corrected_here"
    NEWER_HERE = "newer_here"
    REFUSED = "refused"


NO_DRIFT = frozenset({Kind.CORRECTED_HERE, Kind.NEWER_HERE, Kind.REFUSED})


@dataclass(frozen=True, slots=True)
class Account:
    """An account in one of the books; amounts in minor units. `outstanding` is None where the bank does not say it."""

    past_due: int
    outstanding: int | None
    currency: str
    status: AccountStatus


@dataclass(frozen=True, slots=True)
class Ours:
    """An account in our book, at a cut-off. newer: what we hold was cut off later, so that nobody can say."""

    account: Account
    corrected: bool
    newer: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found of an account: which field differs, and what it is in each book, as text."""

    kind: Kind
    field: str = ""
    bank: str | int | None = None
    ours: str | int | None = None
    reason: str = ""


def ours_at(loan: Loan, payments: Iterable[Payment], as_of: date, cut_off: datetime, schemes: Schemes) -> Ours | None:
    """An account in our book as of a day, with postings up to the cut-off; None where no snapshot of it is known."""
    base = loan.base
    if base is None:
        return None
    if loan.closed_at is not None and loan.closed_at > cut_off:
        loan = replace(loan, closed_at=None, closed_as=None)
    known = [_as_known(each, cut_off) for each in payments if each.posted_at <= cut_off]
    found = standing(loan, known, as_of, schemes)
    if found is None:
        return None
    view = found.view
    status = AccountStatus.OVERDUE if view.past_due else AccountStatus.CURRENT
    account = Account(
        view.past_due, view.outstanding, view.currency, AccountStatus.CLOSED if view.bucket == CLOSED else status
    )
    return Ours(account, loan.said is not None, base.posting_cut_off > cut_off)


def _as_known(payment: Payment, cut_off: datetime) -> Payment:
    if payment.reversed_at is None or payment.reversed_at <= cut_off:
        return payment
    return replace(payment, reversed_at=None)


def compared(bank: Account | None, ours: Ours | None) -> tuple[Finding, ...]:
    """What differs in an account; nothing where both books agree.

    We hear of loans once something is due: one that is up to date or has ended is not missed where it is not known.
    """
    if ours is not None and ours.newer:
        return (Finding(Kind.NEWER_HERE),)
    if bank is None:
        open_here = ours is not None and ours.account.status is not AccountStatus.CLOSED
        return (_missing(Kind.MISSING_THERE, None, ours.account),) if ours is not None and open_here else ()
    if ours is None:
        return (_missing(Kind.MISSING_HERE, bank, None),) if bank.status is AccountStatus.OVERDUE else ()
    return _differing(bank, ours)


def _missing(kind: Kind, bank: Account | None, ours: Account | None) -> Finding:
    there, here = (None if account is None else account.past_due for account in (bank, ours))
    return Finding(kind, "past_due", there, here)


def _differing(bank: Account, ours: Ours) -> tuple[Finding, ...]:
    here = ours.account
    if bank.status is here.status is AccountStatus.CLOSED:
        return ()
    if bank.currency != here.currency:
        found = [Finding(Kind.CURRENCY_DIFFERS, "currency", bank.currency, here.currency)]
    else:
        found = [
            Finding(Kind.AMOUNT_DIFFERS, name, there, here_)
            for name, there, here_ in (
                ("past_due", bank.past_due, here.past_due),
                ("outstanding", bank.outstanding, here.outstanding),
            )
            if there is not None and there != here_
        ]
    if bank.status is not here.status:
        found.append(Finding(Kind.STATUS_DIFFERS, "status", bank.status, here.status))
    if ours.corrected:
        return tuple(replace(each, kind=Kind.CORRECTED_HERE) for each in found)
    return tuple(found)


@dataclass(slots=True)
class Sums:
    """What the accounts of one currency come to, in minor units. `difference` adds up what is past due, sign or not."""

    bank: int = 0
    ours: int = 0
    difference: int = 0


@dataclass(slots=True)
class Tally:
    """What is counted while the accounts go by."""

    compared: int = 0
    drifting: int = 0
    kinds: Counter[Kind] = field(default_factory=Counter)
    sums: defaultdict[str, Sums] = field(default_factory=lambda: defaultdict(Sums))

    def take(self, bank: Account | None, ours: Ours | None, found: Sequence[Finding]) -> None:
        """Count one account."""
        kinds = {finding.kind for finding in found}
        self.kinds.update(kinds)
        if Kind.NEWER_HERE in kinds:
            return
        self.compared += 1
        drifts = bool(kinds - NO_DRIFT)
        self.drifting += drifts
        here = None if ours is None else ours.account
        for account, side in ((bank, "bank"), (here, "ours")):
            if account is not None:
                sums = self.sums[account.currency]
                setattr(sums, side, getattr(sums, side) + account.past_due)
        if drifts:
            self._add_difference(bank, here)

    def _add_difference(self, bank: Account | None, ours: Account | None) -> None:
        """By currency: an account of two currencies differs by the whole of both."""
        signed: Counter[str] = Counter()
        for account, sign in ((bank, 1), (ours, -1)):
            if account is not None:
                signed[account.currency] += sign * account.past_due
        for currency, amount in signed.items():
            self.sums[currency].difference += abs(amount)
