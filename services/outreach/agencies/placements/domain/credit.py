"""What a payment under a placement is worth to its agency, in minor units."""

from dataclasses import dataclass
from datetime import date

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class PlacementPayment:
    """A payment that has counted for an agency, once. posted_on: the debtor's civil day on which it was booked.

    report_id: of the agency's own report of it. settled: no report can be of it any more, so only news of it loads it.
    """

    loan_id: str
    payment_id: str
    placement_id: str
    agency_id: str
    tier: int
    amount: int
    currency: str
    commission_ppm: int
    reversed: bool = False
    posted_on: date | None = None
    report_id: str = ""
    settled: bool = False


@dataclass(frozen=True, slots=True)
class AgencyCredit:
    """A line of an agency's account: a payment with its commission, or both taken back with the sign turned round.

    posted_on: the business date on which it was counted, so that no line is ever added to a month that is over.
    """

    agency_id: str
    placement_id: str
    tier: int
    loan_id: str
    payment_id: str
    posted_on: date
    amount: int
    currency: str
    commission: int


def commission_on(amount: int, ppm: int) -> int:
    """A share of an amount that is not negative, in minor units; half a unit is rounded up."""
    return (amount * ppm + MILLION // 2) // MILLION


def credit_of(payment: PlacementPayment, on: date) -> AgencyCredit:
    """The line of a payment that counts; with the sign turned round, of one that was taken back."""
    sign = -1 if payment.reversed else 1
    return AgencyCredit(
        agency_id=payment.agency_id,
        placement_id=payment.placement_id,
        tier=payment.tier,
        loan_id=payment.loan_id,
        payment_id=payment.payment_id,
        posted_on=on,
        amount=sign * payment.amount,
        currency=payment.currency,
        commission=sign * commission_on(payment.amount, payment.commission_ppm),
    )
