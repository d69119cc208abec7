"""Facts about loans in, facts about the case out.

Everything that changes a file ends in `tell`: it appraises the file anew and tells what has happened to the case since
it was last told, so that whichever event comes last completes the picture.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from services.intake.cases.domain import facts as rows
from services.intake.cases.domain import lifecycle, merging
from services.intake.cases.domain.facts import BucketDue, DebtorFile, Payment, Snapshot
from services.intake.cases.domain.lifecycle import Appraisal, Change
from services.intake.cases.domain.reporting import Schemes
from services.intake.verification.domain import Gate
from services.intake.verification.handlers.judging import judged, without_doubts
from shared.contracts import intake
from shared.contracts.core_banking import Instalment, LoanOverdue
from shared.contracts.core_banking import PaymentPosted as Posting
from shared.contracts.core_banking import PaymentReversed as Reversal
from shared.contracts.envelope import Event, Fact, Moment, Told, derived_id
from shared.contracts.ingress import (
    BusinessDateReached,
    LoanEnded,
    LoanReported,
    PaymentReceived,
    PaymentTakenBack,
)
from shared.contracts.intake import CaseStatus, CaseSummary, Disposition, LoanSummary
from shared.service import Decision, Handler, LaneHandler, Rejected

_FACTS: Mapping[Change, type[intake.OfCase]] = {
    Change.OPENED: intake.CaseOpened,
    Change.UPDATED: intake.CaseUpdated,
    Change.CURED: intake.CaseCured,
    Change.REOPENED: intake.CaseReopened,
    Change.CLOSED: intake.CaseClosed,
    Change.RANGE_CHANGED: intake.DelinquencyRangeChanged,
}


class PaymentNews(NamedTuple):
    """Something to tell of a payment: its posting, or with `reversed_at` its reversal."""

    payment: Payment
    reversed_at: datetime | None = None


def handlers(schemes: Schemes, gate: Gate) -> Mapping[type, Handler]:
    """What a debtor's actor does with each event, under these reporting schemes and behind this gate."""
    return {
        LoanReported: partial(take_snapshot, schemes, gate),
        PaymentReceived: partial(take_payment, schemes),
        PaymentTakenBack: partial(take_reversal, schemes),
        LoanEnded: partial(take_closing, schemes),
        BucketDue: partial(move_with_time, schemes),
    }


def take_snapshot(schemes: Schemes, gate: Gate, file: DebtorFile, event: Event[LoanReported], now: Moment) -> Decision:
    """Count the loan from this snapshot on, unless a newer one is known; what looks wrong in it is to be verified."""
    loan = event.data.loan
    snapshot = _snapshot(loan)
    after = merging.with_snapshot(file, loan.loan_id, snapshot)
    counted = snapshot if after is file else after.loans[loan.loan_id].base
    reported = counted is not None and counted.reports_past_due
    if after is file and not (reported and file.case is None):
        return file, ()
    after, doubts = judged(gate, file, after, loan.loan_id, event, now)
    after, facts = tell(schemes, after, event, now, reported=reported)
    return after, [*doubts, *facts] if doubts else facts


def take_payment(schemes: Schemes, file: DebtorFile, event: Event[PaymentReceived], now: Moment) -> Decision:
    """Book a payment, once, whether or not its reversal came first."""
    return _take_payment(schemes, file, _payment(event.data.payment), event, now)


def take_reversal(schemes: Schemes, file: DebtorFile, event: Event[PaymentTakenBack], now: Moment) -> Decision:
    """Take a payment back, once. One whose posting has not come yet is owed again, but told after the posting."""
    return _take_payment(schemes, file, _payment(event.data.reversal), event, now)


def take_closing(schemes: Schemes, file: DebtorFile, event: Event[LoanEnded], now: Moment) -> Decision:
    """End a loan, until a snapshot with a later cut-off comes."""
    closing = event.data.closing
    after = merging.with_closing(file, closing.loan_id, closing.closed_at, str(closing.reason))
    if after is file:
        return file, ()
    after, ended = without_doubts(after, closing.loan_id, now)
    after, facts = tell(schemes, after, event, now)
    return after, [*facts, *ended] if ended else facts


def move_with_time(schemes: Schemes, file: DebtorFile, event: Event[BucketDue], now: Moment) -> Decision:
    """See what the new business date has made of the loans, and when to look again."""
    return tell(schemes, file, event, now, by_time_alone=True)


def pass_business_date_on(event: Event[BusinessDateReached], _now: Moment) -> Sequence[Told]:
    """Tell the business date on the actor's own lane, in its order among the facts there."""
    return (Told(intake.BusinessDateAdvanced(business_date=event.data.business_date), debtor_id=""),)


ON_LANE: Mapping[type, LaneHandler] = {BusinessDateReached: pass_business_date_on}


def _take_payment(schemes: Schemes, file: DebtorFile, news: Payment, event: Event[Any], now: Moment) -> Decision:
    key = (news.loan_id, news.payment_id)
    try:
        after = merging.with_payment(file, news)
    except merging.ContradictionError as error:
        raise Rejected("this payment was told before with another value", field=error.field) from None
    if after is file:
        return file, ()
    return tell(schemes, after, event, now, payments=_payment_news(file.payments.get(key), after.payments[key]))


# -- from a file to facts ----------------------------------------------------------------------------------------


def tell(
    schemes: Schemes,
    file: DebtorFile,
    event: Event[Any],
    now: Moment,
    *,
    payments: Sequence[PaymentNews] = (),
    reported: bool = False,
    by_time_alone: bool = False,
) -> Decision:
    """Appraise the file and tell the payment first, then what it or the event did to the case."""
    appraisal = lifecycle.appraise(file, now.business_date, schemes)
    if appraisal is None:
        return file, [_without_case(news, event) for news in payments]
    found = lifecycle.changes(file.case, appraisal, reported=reported, by_time_alone=by_time_alone)
    if payments and file.case is not None and found == (Change.UPDATED,):
        found = ()  # the payment's own fact carries the case
    due = _due(file, appraisal, event.lender_id)
    if file.case is None and not found:
        return _with_case(file, None, due), [_without_case(news, event) for news in payments]
    if not payments and not found:
        return _with_case(file, file.case, due), ()
    case, facts = _facts(file, event, appraisal, payments, found)
    return _with_case(file, case, due), facts


def _facts(
    file: DebtorFile,
    event: Event[Any],
    appraisal: Appraisal,
    payments: Sequence[PaymentNews],
    found: Sequence[Change],
) -> tuple[rows.Case, list[Told]]:
    """What is told, with dense versions. A payment that opens the case comes before it, and so carries none."""
    before = file.case
    case_id = before.case_id if before else derived_id(f"case/{file.debtor_id}", 0)
    numbered = len(payments) if before else 0
    case = lifecycle.told(before, case_id, event.lender_id, appraisal, numbered + len(found))
    summary, version = _summary(case), before.version if before else 0
    facts = [
        Told(_payment_fact(news, event, summary), version + place) if before else _without_case(news, event)
        for place, news in enumerate(payments, 1)
    ]
    facts += [Told(_FACTS[change](case=summary), version + numbered + place) for place, change in enumerate(found, 1)]
    return case, facts


def _payment_fact(news: PaymentNews, event: Event[Any], summary: CaseSummary | None) -> Fact:
    payment = news.payment
    if news.reversed_at is None:
        return intake.PaymentPosted(
            case=summary,
            loan_id=payment.loan_id,
            payment_id=payment.payment_id,
            amount=payment.amount,
            currency=payment.currency,
            posted_at=payment.posted_at,
            received_at=event.recorded_at,
        )
    return intake.PaymentReversed(
        case=summary,
        loan_id=payment.loan_id,
        payment_id=payment.payment_id,
        amount=payment.amount,
        currency=payment.currency,
        reversed_at=news.reversed_at,
    )


def _without_case(news: PaymentNews, event: Event[Any]) -> Told:
    return Told(_payment_fact(news, event, None))


def _due(file: DebtorFile, appraisal: Appraisal, lender_id: str) -> BucketDue | None:
    if appraisal.next_change is None:
        return None
    known = file.bucket_due
    return known if known and known.due_on == appraisal.next_change else BucketDue(appraisal.next_change, lender_id)


def _with_case(file: DebtorFile, case: rows.Case | None, due: BucketDue | None) -> DebtorFile:
    if case is file.case and due is file.bucket_due:
        return file
    return DebtorFile(file.debtor_id, case, file.loans, file.payments, due, file.verifications)


def _summary(case: rows.Case) -> CaseSummary:
    return CaseSummary(
        case_id=case.case_id,
        status=CaseStatus(case.status),
        opened_on=case.opened_on,
        business_date=case.business_date,
        oldest_due_on=case.oldest_due_on,
        jurisdiction=case.jurisdiction,
        district=case.district,
        loans=tuple(_loan_summary(view) for view in case.loans),
        disposition=Disposition(case.disposition) if case.disposition else None,
    )


def _loan_summary(view: rows.LoanView) -> LoanSummary:
    return LoanSummary(
        loan_id=view.loan_id,
        product=view.product,
        portfolio=view.portfolio,
        currency=view.currency,
        past_due=view.past_due,
        outstanding=view.outstanding,
        oldest_due_on=view.oldest_due_on,
        scheme=view.scheme,
        bucket=view.bucket,
        closed_as=view.closed_as,
    )


# -- from the bank's facts to rows -------------------------------------------------------------------------------


def _snapshot(loan: LoanOverdue) -> Snapshot:
    return Snapshot(
        posting_cut_off=loan.posting_cut_off,
        as_of=loan.as_of,
        currency=loan.currency,
        instalments=instalments_of(loan.instalments),
        outstanding=loan.outstanding,
        product=loan.product,
        portfolio=loan.portfolio,
        jurisdiction=loan.jurisdiction,
        district=loan.district,
    )


def instalments_of(told: Iterable[Instalment]) -> tuple[rows.Instalment, ...]:
    """Instalments as they are kept, oldest due first."""
    return tuple(
        sorted(
            rows.Instalment(each.due_on, each.number, each.principal, each.interest, each.penalty, each.fee)
            for each in told
        )
    )


def _payment(news: Posting | Reversal) -> Payment:
    return Payment(
        loan_id=news.loan_id,
        payment_id=news.payment_id,
        amount=news.amount,
        currency=news.currency,
        posted_at=news.posted_at,
        posted_on=news.posted_at.date(),
        due_since=news.settled_due_on,
        heard=isinstance(news, Posting),
        reversed_at=news.reversed_at if isinstance(news, Reversal) else None,
        settled=False,
    )


def _payment_news(before: Payment | None, after: Payment) -> list[PaymentNews]:
    """What is to be told of a payment now: its posting when that is heard, its reversal when both are."""
    was_posted = before is not None and before.heard
    was_reversed = was_posted and before is not None and before.reversed_at is not None
    news = []
    if after.heard and not was_posted:
        news.append(PaymentNews(after))
    if after.heard and after.reversed_at is not None and not was_reversed:
        news.append(PaymentNews(after, after.reversed_at))
    return news
