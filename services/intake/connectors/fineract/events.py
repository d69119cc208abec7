"""What each kind of payload says about arrears.

A payload of a whole account is the source of truth: its schedule becomes a snapshot, its client is the loan's party.
Payloads of transactions name only the loan; the edge knows whose it is, or has them wait until an account comes. A
booking of which Fineract says only the day counts from that day's first moment, so that its reversal says the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final, NamedTuple

from services.intake.connectors import drafting
from services.intake.connectors.fineract import fields
from services.intake.connectors.fineract.fields import Fields
from services.intake.connectors.fineract.schemas import Decoded
from services.intake.connectors.sending import Ignored, Outcome
from shared.contracts.core_banking import (
    ClosingReason,
    ContactKind,
    ContactPoint,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PartyProfile,
    PaymentPosted,
)
from shared.contracts.envelope import Fact
from shared.service import Rejected


@dataclass(frozen=True, slots=True)
class Core:
    """A bank's Fineract: whose loans these are, and what is true of all of them."""

    lender_id: str
    zone: tzinfo = UTC
    tenant: str = "default"
    portfolio: str = "default"
    jurisdiction: str = "CN"
    language: str = "zh-CN"


class About(NamedTuple):
    """What the message says around a payload."""

    key: str
    type: str
    at: datetime
    business_date: date


Reading = Callable[[Core, About, Fields], Iterable[Fact | Ignored]]

PAYMENTS: Final = frozenset({
    "LoanChargePaymentPostBusinessEvent",
    "LoanTransactionDownPaymentPostBusinessEvent",
    "LoanTransactionGoodwillCreditPostBusinessEvent",
    "LoanTransactionMakeRepaymentPostBusinessEvent",
    "LoanTransactionMerchantIssuedRefundPostBusinessEvent",
    "LoanTransactionPayoutRefundPostBusinessEvent",
    "LoanTransactionRecoveryPaymentPostBusinessEvent",
})  # fmt: skip
"""The events of a transaction that is money for the loan."""

_MONEY: Final = (
    "repayment",
    "merchantIssuedRefund",
    "payoutRefund",
    "goodwillCredit",
    "recoveryRepayment",
    "chargePayment",
)
"""The flags of a transaction's type, one of which is set where it is money for the loan."""

_OVERDUE: Final = "LoanRepaymentOverdueBusinessEvent"
_UNDONE: Final = frozenset({"LoanUndoDisbursalBusinessEvent", "LoanUndoLastDisbursalBusinessEvent"})

_ENDS: Final[Mapping[str, ClosingReason]] = {
    "closedObligationsMet": ClosingReason.PAID,
    "overpaid": ClosingReason.PAID,
    "closedWrittenOff": ClosingReason.WRITTEN_OFF,
    "closedRescheduled": ClosingReason.RESTRUCTURED,
}


def outcomes(core: Core, about: About, payload: Decoded) -> Iterator[Outcome]:
    """The events that a payload comes to. Raises Rejected."""
    reading = _READINGS.get(payload.name.rpartition(".")[2])
    if reading is None:
        yield Ignored("", "says nothing about arrears")
        return
    for number, found in enumerate(reading(core, about, payload.record)):
        if isinstance(found, Ignored):
            yield found
        else:
            yield drafting.sent(f"{about.key}/{number}" if number else about.key, about.at, found)


def _account(core: Core, about: About, account: Fields) -> Iterator[Fact | Ignored]:
    status = fields.part(account, "status")
    end = next((reason for flag, reason in _ENDS.items() if status.get(flag)), None)
    if status.get("active"):
        yield _snapshot(core, about, account)
    elif end is not None or about.type in _UNDONE:
        yield LoanClosed(
            lender_id=core.lender_id,
            loan_id=str(fields.number(account, "id")),
            party_id=_client_of(account),
            reason=end or ClosingReason.NO_LOAN,
            closed_at=about.at,
        )
    else:
        yield Ignored("", "is of a loan that is not paid out")


def _client_of(account: Fields) -> str:
    if account.get("clientId") is None:
        raise Rejected("is required: a loan of a group has no debtor of its own", field="clientId")
    return str(fields.number(account, "clientId"))


def _snapshot(core: Core, about: About, account: Fields) -> Fact:
    schedule, summary = fields.part(account, "repaymentSchedule"), fields.part(account, "summary")
    currency = fields.currency(schedule if schedule.get("currency") else summary)
    return LoanOverdue(
        lender_id=core.lender_id,
        loan_id=str(fields.number(account, "id")),
        party_id=_client_of(account),
        as_of=about.business_date,
        posting_cut_off=about.at,
        currency=currency,
        instalments=tuple(_unpaid(schedule, about.business_date, currency)),
        outstanding=fields.money(summary, "totalOutstanding", currency),
        product=str(fields.number(account, "loanProductId")),
        portfolio=core.portfolio,
        jurisdiction=core.jurisdiction,
    )


def _unpaid(schedule: Fields, as_of: date, currency: str) -> Iterator[Instalment]:
    """The periods that have fallen due and are not paid; a row without a number is a disbursement."""
    for period in fields.parts(schedule, "periods"):
        if period.get("period") is None:
            continue
        due_on = drafting.day(period.get("dueDate"), "dueDate")
        found = Instalment(
            number=fields.number(period, "period"),
            due_on=due_on,
            principal=fields.money(period, "principalOutstanding", currency),
            interest=fields.money(period, "interestOutstanding", currency),
            penalty=fields.money(period, "penaltyChargesOutstanding", currency),
            fee=fields.money(period, "feeChargesOutstanding", currency),
        )
        if due_on <= as_of and found.principal + found.interest + found.penalty + found.fee:
            yield found


_PARTS: Final = {"principal": "principal", "interest": "interest", "feeCharge": "fee", "penaltyCharge": "penalty"}


def _overdue(core: Core, about: About, said: Fields) -> Iterator[Fact | Ignored]:
    """An instalment that is overdue, if it is all that is: of others, this message has no due dates."""
    if about.type != _OVERDUE:
        yield Ignored("", "tells of an instalment that is not overdue")
        return
    currency, instalment = fields.currency(said), fields.part(said, "installment")
    owed = {short: fields.money(instalment, f"{name}AmountDue", currency) for name, short in _PARTS.items()}
    past_due = fields.part(said, "pastDueAmount")
    if owed != {short: fields.money(past_due, f"{short}Amount", currency) for short in _PARTS.values()}:
        yield Ignored("", "tells of one instalment among several: the account's own snapshot tells of all")
        return
    yield LoanOverdue(
        lender_id=core.lender_id,
        loan_id=str(fields.number(said, "loanId")),
        as_of=about.business_date,
        posting_cut_off=about.at,
        currency=currency,
        instalments=(
            Instalment(
                number=fields.number(instalment, "installmentNumber"),
                due_on=drafting.day(instalment.get("installmentDueDate"), "installmentDueDate"),
                **owed,
            ),
        ),
        outstanding=sum(owed.values()),
        portfolio=core.portfolio,
        jurisdiction=core.jurisdiction,
    )


def _range(_core: Core, _about: About, _said: Fields) -> Iterator[Fact | Ignored]:
    yield Ignored("", "tells a range of days and no due dates: the account's own snapshot tells them")


def _transaction(core: Core, about: About, transaction: Fields) -> Iterator[Fact | Ignored]:
    if about.type not in PAYMENTS:
        yield Ignored("", "is a transaction that is no payment")
        return
    yield _posting(core, transaction)


def _posting(core: Core, transaction: Fields) -> PaymentPosted:
    currency = fields.currency(transaction)
    booked = transaction.get("submittedOnDate") or transaction.get("date")
    return PaymentPosted(
        lender_id=core.lender_id,
        loan_id=str(fields.number(transaction, "loanId")),
        payment_id=str(fields.number(transaction, "id")),
        amount=fields.money(transaction, "amount", currency),
        currency=currency,
        posted_at=drafting.start_of(drafting.day(booked, "submittedOnDate"), core.zone),
    )


def _adjustment(core: Core, about: About, said: Fields) -> Iterator[Fact | Ignored]:
    """A transaction that was taken back, and the one that has taken its place, if any."""
    old, new = fields.part(said, "transactionToAdjust"), said.get("newTransactionDetail")
    if not _is_money(old):
        yield Ignored("", "adjusts a transaction that is no payment")
        return
    posting = _posting(core, old)
    yield drafting.taken_back(posting, about.at)
    if isinstance(new, Mapping) and _is_money(new) and fields.money(new, "amount", posting.currency):
        yield _posting(core, new)


def _is_money(transaction: Fields) -> bool:
    kind = fields.part(transaction, "type")
    return any(kind.get(flag) for flag in _MONEY)


def _client(core: Core, about: About, client: Fields) -> Iterator[Fact | Ignored]:
    given = ((ContactKind.MOBILE, "mobileNo"), (ContactKind.EMAIL, "emailAddress"))
    found = [(kind, fields.text_or_nothing(client, name)) for kind, name in given]
    yield PartyProfile(
        lender_id=core.lender_id,
        party_id=str(fields.number(client, "id")),
        updated_at=about.at,
        name=fields.text_or_nothing(client, "displayName") or fields.text_or_nothing(client, "fullname"),
        contacts=tuple(ContactPoint(kind=kind, value=value) for kind, value in found if value),
        language=core.language,
    )


_READINGS: Final[Mapping[str, Reading]] = {
    "LoanAccountDataV1": _account,
    "LoanAccountDelinquencyRangeDataV1": _range,
    "LoanRepaymentDueDataV1": _overdue,
    "LoanTransactionDataV1": _transaction,
    "LoanTransactionAdjustmentDataV1": _adjustment,
    "ClientDataV1": _client,
}
