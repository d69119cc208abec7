"""What of a loan is unpaid, and since when: a pure function of its base, its payments and a date."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from services.intake.cases.domain.facts import Instalment, Loan, LoanView, Payment, Snapshot
from services.intake.cases.domain.reporting import CLOSED, CURRENT, Schemes
from shared.frozen import replace

COMPONENTS: Final = ("fee", "penalty", "interest", "principal")
"""The order in which money pays one instalment off: costs first, as § 367 BGB and art. 561 of the PRC Civil Code put
it (costs, interest, principal). Between instalments the oldest due date comes first, whatever its components."""

ADDED_BACK: Final = 0
"""The number of what a reversal made owed again: no instalment of a snapshot has it."""

ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A loan on a date: how it is told, and the next date on which time alone changes that."""

    view: LoanView
    next_change: date | None


def standing(loan: Loan, payments: Iterable[Payment], as_of: date, schemes: Schemes) -> Standing | None:
    """Where a loan stands on a date; None where no snapshot of it is known.

    An instalment is past due from the day after its due date: on the due date itself DPD is 0.
    """
    base = loan.base
    if base is None:
        return None
    scheme = schemes.of(base.portfolio)
    if loan.is_closed:
        view = LoanView(
            loan.loan_id,
            base.product,
            base.portfolio,
            base.currency,
            0,
            0,
            None,
            scheme.name,
            CLOSED,
            loan.closed_as or "",
        )
        return Standing(view, None)
    items, outstanding = unpaid(base, payments)
    past_due, oldest, upcoming = _split(items, as_of)
    bucket, change = CURRENT, None
    if oldest is not None:
        bucket, change = scheme.bucket((as_of - oldest).days), scheme.next_change(oldest, as_of)
    if upcoming is not None and (change is None or upcoming + ONE_DAY < change):
        change = upcoming + ONE_DAY
    view = LoanView(
        loan.loan_id, base.product, base.portfolio, base.currency, past_due, outstanding, oldest, scheme.name, bucket
    )
    return Standing(view, change)


def unpaid(base: Snapshot, payments: Iterable[Payment]) -> tuple[tuple[Instalment, ...], int]:
    """What is unpaid, oldest due first, and what is outstanding in all, with payments beyond the cut-off taken in.

    Money in another currency than the loan's pays nothing off: nobody told us a rate.
    """
    items = [each for each in base.instalments if each.total]
    paid = owed_again = 0
    for payment in payments:
        if payment.currency != base.currency:
            continue
        if payment.posted_at > base.posting_cut_off:
            paid += 0 if payment.reversed_at else payment.amount
        elif payment.reversed_at and payment.reversed_at > base.posting_cut_off:
            items.append(Instalment(payment.owed_again_since, ADDED_BACK, payment.amount, 0, 0, 0))
            owed_again += payment.amount
    if owed_again:
        items.sort()
    if paid:
        items = _paid_off(items, paid)
    outstanding = max(base.outstanding + owed_again - paid, sum(each.total for each in items))
    return tuple(items), outstanding


def _paid_off(items: list[Instalment], money: int) -> list[Instalment]:
    """The instalments that money leaves unpaid; what is too much pays nothing."""
    for position, item in enumerate(items):
        if money < item.total:
            return [_partly_paid(item, money), *items[position + 1 :]]
        money -= item.total
    return []


def _partly_paid(item: Instalment, money: int) -> Instalment:
    left = {}
    for name in COMPONENTS:
        owed = getattr(item, name)
        left[name] = owed - min(owed, money)
        money -= min(owed, money)
    return replace(item, **left)


def _split(items: Iterable[Instalment], as_of: date) -> tuple[int, date | None, date | None]:
    """The amount past due, since when, and the next due date that is not past due yet."""
    past_due, oldest = 0, None
    for item in items:
        if item.due_on >= as_of:
            return past_due, oldest, item.due_on
        past_due += item.total
        oldest = oldest or item.due_on
    return past_due, oldest, None


def days_past_due(oldest_due_on: date | None, as_of: date) -> int:
    """Calendar days since the oldest unpaid due date; 0 on that date, before it, and where nothing is unpaid."""
    return 0 if oldest_due_on is None else max(0, (as_of - oldest_due_on).days)
