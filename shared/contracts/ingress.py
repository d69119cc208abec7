"""What intake's ingress writes to the lanes of its own actors: the bank's events, with the debtor found and sealed.

The same loan facts as on the public topic, less the bank's party id, and with personal fields encrypted.
"""

from collections.abc import Mapping

import msgspec

from shared.contracts.core_banking import LoanClosed, LoanOverdue, PaymentPosted, PaymentReversed
from shared.contracts.envelope import BusinessDateFact, Fact
from shared.contracts.intake import SealedProfile
from shared.contracts.quarantine import Refusal, Resolution

TOPIC = "intake.ingress"


class LoanReported(Fact, frozen=True, kw_only=True, gc=False):
    """A snapshot of a loan whose debtor is known."""

    loan: LoanOverdue


class PaymentReceived(Fact, frozen=True, kw_only=True, gc=False):
    """A payment on a loan whose debtor is known."""

    payment: PaymentPosted


class PaymentTakenBack(Fact, frozen=True, kw_only=True, gc=False):
    """The reversal of a payment on a loan whose debtor is known."""

    reversal: PaymentReversed


class LoanEnded(Fact, frozen=True, kw_only=True, gc=False):
    """The closing of a loan whose debtor is known."""

    closing: LoanClosed


class Indexed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """By what a debtor can be found: the keyed hash of a phone number or an identity number."""

    kind: str
    digest: str


class ProfileReceived(Fact, frozen=True, kw_only=True, gc=False):
    """The debtor's personal data, sealed under a data key of the debtor's own."""

    profile: SealedProfile
    index: tuple[Indexed, ...]


class BusinessDateReached(BusinessDateFact, frozen=True, kw_only=True, gc=False):
    """The bank's books stand on a new day."""


class EventRefused(Refusal, frozen=True, kw_only=True, gc=False):
    """An event of this debtor was dead-lettered at the edge: until it is resolved, the case may be stale."""


class RefusalResolved(Resolution, frozen=True, kw_only=True, gc=False):
    """The dead letter was replayed or discarded."""


FACTS: Mapping[str, type[Fact]] = {
    "ingress.loan-reported.v1": LoanReported,
    "ingress.payment-received.v1": PaymentReceived,
    "ingress.payment-taken-back.v1": PaymentTakenBack,
    "ingress.loan-ended.v1": LoanEnded,
    "ingress.profile-received.v2": ProfileReceived,
    "ingress.business-date-reached.v1": BusinessDateReached,
    "ingress.event-refused.v1": EventRefused,
    "ingress.refusal-resolved.v1": RefusalResolved,
}
