"""What a core banking system tells us on the public topic, as CloudEvents 1.0.

The topic has any key and any number of partitions, and delivers at least once, in any order between partitions.
Amounts are integer minor units. Personal fields occur here only; they are encrypted before anything is stored.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from shared.contracts.envelope import BusinessDateFact, CurrencyCode, Fact, Identifier, MinorUnits

TOPIC = "core-banking.loan-events.v1"

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Text = Annotated[str, msgspec.Meta(max_length=512)]
LANGUAGE_PATTERN = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$"
Language = Annotated[str, msgspec.Meta(max_length=35, pattern=LANGUAGE_PATTERN)]
"""A language with its script and region; no digits, so that no number can hide in what is told unsealed."""

ZoneName = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z_]+(/[A-Za-z_-]+)*$")]
"""A time zone of the IANA list."""


class ClosingReason(StrEnum):
    """Why the bank closed a loan, or stopped reporting it."""

    PAID = "paid"
    NO_LOAN = "no_loan"
    NO_LONGER_REPORTED = "no_longer_reported"
    SETTLED = "settled"
    RESTRUCTURED = "restructured"
    WRITTEN_OFF = "written_off"
    SOLD = "sold"


class ContactKind(StrEnum):
    """By what a contact point is reached."""

    PHONE = "phone"
    MOBILE = "mobile"
    EMAIL = "email"
    ADDRESS = "address"


class ContactOwner(StrEnum):
    """Whose contact point it is, in relation to the debtor."""

    DEBTOR = "debtor"
    GUARANTOR = "guarantor"
    CONTACT = "contact"


class ContactSource(StrEnum):
    """Where the bank has a contact point from."""

    BANK = "bank"
    DEBTOR = "debtor"
    BUREAU = "bureau"
    AGENCY = "agency"
    OTHER = "other"


class Instalment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A scheduled amount that was due on `due_on` and is unpaid as of the snapshot's posting cut-off."""

    number: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    due_on: date
    principal: MinorUnits = 0
    interest: MinorUnits = 0
    penalty: MinorUnits = 0
    fee: MinorUnits = 0


class OfLoan(Fact, frozen=True, kw_only=True, gc=False):
    """A fact about one loan. Many sources name only the loan, so `party_id` may be empty."""

    lender_id: Identifier
    loan_id: Identifier
    party_id: Annotated[str, msgspec.Meta(max_length=128)] = ""


class LoanOverdue(OfLoan, frozen=True, kw_only=True, gc=False):
    """The nightly snapshot of a loan: all that is due and unpaid, with payments up to `posting_cut_off` taken in.

    An empty list of instalments says that nothing is due. `district` is an administrative code for field visits.
    """

    as_of: date
    posting_cut_off: Instant
    currency: CurrencyCode
    instalments: Annotated[tuple[Instalment, ...], msgspec.Meta(max_length=1_000)]
    outstanding: MinorUnits = 0
    product: Identifier = "loan"
    portfolio: Identifier = "default"
    jurisdiction: Identifier = "CN"
    district: Annotated[str, msgspec.Meta(max_length=64)] = ""


class PaymentPosted(OfLoan, frozen=True, kw_only=True, gc=False):
    """Money was booked to a loan. `settled_due_on` is the oldest due date that it settled, where the bank knows it."""

    payment_id: Identifier
    amount: Annotated[int, msgspec.Meta(gt=0, le=10**15)]
    currency: CurrencyCode
    posted_at: Instant
    settled_due_on: date | None = None


class PaymentReversed(OfLoan, frozen=True, kw_only=True, gc=False):
    """A booked payment was taken back: what it had settled is owed again since `settled_due_on` (or its posting)."""

    payment_id: Identifier
    amount: Annotated[int, msgspec.Meta(gt=0, le=10**15)]
    currency: CurrencyCode
    posted_at: Instant
    reversed_at: Instant
    settled_due_on: date | None = None


class LoanClosed(OfLoan, frozen=True, kw_only=True, gc=False):
    """The loan has ended; a snapshot with a later cut-off opens it again."""

    reason: ClosingReason
    closed_at: Instant


class DebtorUpdated(Fact, frozen=True, kw_only=True, gc=False):
    """Who the debtor is and how to reach them: personal data, sealed at ingress before anything is stored."""

    lender_id: Identifier
    party_id: Identifier
    updated_at: Instant
    name: Text = ""
    id_number: Text = ""
    phones: Annotated[tuple[Text, ...], msgspec.Meta(max_length=50)] = ()
    emails: Annotated[tuple[Text, ...], msgspec.Meta(max_length=50)] = ()
    addresses: Annotated[tuple[Text, ...], msgspec.Meta(max_length=50)] = ()
    language: Annotated[str, msgspec.Meta(max_length=35)] = "zh-CN"


class ContactPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One way to reach the debtor, or somebody who stands by them."""

    kind: ContactKind
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    owner: ContactOwner = ContactOwner.DEBTOR
    verified: bool = False
    source: ContactSource = ContactSource.BANK


class PartyProfile(Fact, frozen=True, kw_only=True, gc=False):
    """All that the bank knows of who the debtor is and how to reach them; it takes the place of what it said before.

    It says more than DebtorUpdated does, and is sealed like it.
    """

    lender_id: Identifier
    party_id: Identifier
    updated_at: Instant
    name: Text = ""
    id_number: Text = ""
    contacts: Annotated[tuple[ContactPoint, ...], msgspec.Meta(max_length=50)] = ()
    language: Language = "zh-CN"
    time_zones: Annotated[tuple[ZoneName, ...], msgspec.Meta(max_length=8)] = ()


class BusinessDateAdvanced(BusinessDateFact, frozen=True, kw_only=True, gc=False):
    """The bank's end-of-day is done and its books stand on a new day."""

    lender_id: Identifier


EVENTS: Mapping[str, type[Fact]] = {
    "core-banking.loan-overdue.v1": LoanOverdue,
    "core-banking.payment-posted.v1": PaymentPosted,
    "core-banking.payment-reversed.v1": PaymentReversed,
    "core-banking.loan-closed.v1": LoanClosed,
    "core-banking.debtor-updated.v1": DebtorUpdated,
    "core-banking.party-profile.v1": PartyProfile,
    "core-banking.business-date-advanced.v1": BusinessDateAdvanced,
}
