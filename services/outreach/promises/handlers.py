"""What outreach makes of a promise, and of each payment that may fill it."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from services.outreach.outcomes.domain import SaidPromise
from services.outreach.plans.domain.course import StopReason, arranged, guard_of, stopped, without_visits
from services.outreach.plans.domain.rows import CaseStatus, DebtorPlans
from services.outreach.plans.handlers.telling import Decision, stop_told, told
from services.outreach.promises import domain
from services.outreach.promises.domain import Promise, PromiseDue, PromisePayment, PromiseState, Terms
from shared.contracts import intake, outreach
from shared.contracts.envelope import Event, Fact, Moment, derived_id
from shared.frozen import replace
from shared.service import Rejected


def made(
    terms: Mapping[str, Terms], state: DebtorPlans, contact_id: str, said: SaidPromise, by: str, now: Moment
) -> Decision:
    """Take a promise: everything stands still until it is kept or broken. Raises Rejected for one beyond the limits."""
    agreed = _terms_for(terms, state)
    promise = _promise(agreed, state, contact_id, said, by, now)
    reminder = domain.reminder_of(agreed, state.debtor_id, promise, guard_of(state, "").lender_id)
    state = replace(state, promises={**state.promises, promise.promise_id: promise}, reminder_due=reminder)
    state, stops = _arranged(state, now)
    return state, (told(state, outreach.PromiseMade(**_content(promise))), *stops)


def _terms_for(terms: Mapping[str, Terms], state: DebtorPlans) -> Terms:
    guard = guard_of(state, "")
    if guard.status is not CaseStatus.OPEN:
        raise Rejected("the debtor has no open case", field="promise")
    found = terms.get(guard.jurisdiction)
    if found is None:
        raise Rejected(f"no terms of promises are known for jurisdiction {guard.jurisdiction}", field="promise")
    return found


def _promise(terms: Terms, state: DebtorPlans, contact_id: str, said: SaidPromise, by: str, now: Moment) -> Promise:
    today = terms.day_of(now.instant)
    _check(terms, state, said, by, (said.promised_on - max(today, now.business_date)).days)
    last_day = said.promised_on + timedelta(terms.grace_days)
    return Promise(
        promise_id=derived_id(contact_id, "promise"),
        contact_id=contact_id,
        amount=said.amount,
        currency=said.currency,
        promised_on=said.promised_on,
        last_day=last_day,
        tolerance=said.amount * terms.tolerance_percent // 100,
        zone=terms.zone,
        remembered_until=last_day + timedelta(terms.remembered_days),
        made_at=now.instant,
        made_on=min(today, now.business_date),
        made_by=by,
    )


def _check(terms: Terms, state: DebtorPlans, said: SaidPromise, by: str, days: int) -> None:
    guard, role = guard_of(state, ""), by.partition("/")[0]
    limits = terms.limits.get(role)
    if limits is None:
        raise Rejected(f"nothing says what a {role} may take as a promise", field="promise")
    if said.currency != guard.currency:
        raise Rejected("nothing is past due in this currency", field="currency")
    refusal = domain.refusal_of(
        _remembered(state).values(), limits, amount=said.amount, past_due=guard.past_due, days=days
    )
    if refusal is not None:
        raise Rejected(refusal[1], field=refusal[0])


# -- what fills them ---------------------------------------------------------------------------------------------------


def on_payment(state: DebtorPlans, event: Event[intake.PaymentPosted], now: Moment) -> Decision:
    """Count a payment towards what was promised, once."""
    if not _remembered(state):
        return state, ()
    paid = _payment(state, event.data)
    return _appraised(_with_payment(state, replace(paid, posted_at=event.data.posted_at)), now)


def on_reversal(state: DebtorPlans, event: Event[intake.PaymentReversed], now: Moment) -> Decision:
    """Count a payment no more that was taken back, whichever of the two was heard first."""
    if not _remembered(state):
        return state, ()
    return _appraised(_with_payment(state, replace(_payment(state, event.data), reversed=True)), now)


def on_due(state: DebtorPlans, _event: Event[PromiseDue], now: Moment) -> Decision:
    """See what the business date has made of the promises."""
    return _appraised(state, now)


def _payment(state: DebtorPlans, news: intake.PaymentPosted | intake.PaymentReversed) -> PromisePayment:
    known = state.promise_payments.get((news.loan_id, news.payment_id))
    return known or PromisePayment(news.loan_id, news.payment_id, news.amount, news.currency)


def _with_payment(state: DebtorPlans, payment: PromisePayment) -> DebtorPlans:
    key = payment.loan_id, payment.payment_id
    return replace(state, promise_payments={**state.promise_payments, key: payment})


def _appraised(state: DebtorPlans, now: Moment) -> Decision:
    before = _remembered(state)
    after = domain.appraised(before.values(), state.promise_payments.values(), now.business_date)
    if domain.are_over(after, now.business_date):
        after = [replace(each, settled=True) for each in after]
        state = replace(state, promise_payments={})
    state = replace(state, promises={**state.promises, **{each.promise_id: each for each in after}})
    facts = [told(state, fact) for each in after for fact in _changes(before[each.promise_id], each)]
    state, stops = _arranged(state, now)
    return state, (*facts, *stops)


def _arranged(state: DebtorPlans, now: Moment) -> Decision:
    """Have everything stand still for a promise that stands, also for one that stands again, or go on."""
    state = _looked_at_again(state)
    if domain.standing(state.promises.values()) is None:
        return arranged(replace(state, reminder_due=None), now.instant), ()
    state, what = stopped(state, StopReason.PROMISE, now.instant)
    return arranged(without_visits(state, now.business_date), now.instant), stop_told(state, what)


def _remembered(state: DebtorPlans) -> Mapping[str, Promise]:
    return {key: each for key, each in state.promises.items() if not each.settled}


def _looked_at_again(state: DebtorPlans) -> DebtorPlans:
    """The state with the date on which time alone changes something next."""
    on = domain.next_look(_remembered(state).values())
    return replace(state, promise_due=None if on is None else PromiseDue(on, guard_of(state, "").lender_id))


def _changes(before: Promise, after: Promise) -> Iterable[Fact]:
    """What is told of a promise: an end that no longer holds is taken back before another is told."""
    if before.state is after.state:
        return
    if before.state is not PromiseState.STANDING:
        yield outreach.PromiseReopened(**_content(after), was=outreach.PromiseEnd(before.state))
    if after.state is PromiseState.KEPT:
        yield outreach.PromiseKept(**_content(after), paid_amount=after.paid)
    if after.state is PromiseState.BROKEN:
        yield outreach.PromiseBroken(**_content(after), paid_amount=after.paid)


def _content(promise: Promise) -> dict[str, Any]:
    return {
        "promise_id": promise.promise_id,
        "amount": promise.amount,
        "currency": promise.currency,
        "promised_on": promise.promised_on,
    }
