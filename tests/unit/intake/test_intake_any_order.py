"""The same facts in any order, some of them twice, and the business date in any steps: the same arrears and status."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.cases.domain.lifecycle import Appraisal, appraise
from shared.contracts.core_banking import ClosingReason, Instalment
from shared.contracts.ingress import LoanReported
from tests.unit.intake.play import SCHEMES, Play, closing, payment, reversal, snapshot

START = date(2024, 1, 20)
LAST = START + timedelta(120)
LOANS = ("loan-1", "loan-2")

days = st.integers(0, 100).map(lambda n: START + timedelta(n))
hours = st.integers(0, 100 * 4).map(lambda n: datetime(2024, 1, 20, tzinfo=UTC) + timedelta(hours=6 * n))
loans = st.sampled_from(LOANS)
amounts = st.integers(1, 60)


@st.composite
def snapshots(draw: st.DrawFn) -> LoanReported:
    cut_off = draw(hours)
    due = draw(st.lists(days, max_size=3, unique=True))
    parts = [
        Instalment(number=n, due_on=on, principal=draw(amounts), fee=draw(st.integers(0, 3)))
        for n, on in enumerate(due, 1)
    ]
    as_of = (cut_off + timedelta(draw(st.integers(0, 2)))).date()
    return snapshot(as_of.isoformat(), *parts, loan=draw(loans), cut_off=cut_off.replace(tzinfo=None).isoformat())


@st.composite
def payments(draw: st.DrawFn) -> list[Any]:
    """A payment, its reversal, or both; payment ids are unique by their instant and amount."""
    loan, on, amount = draw(loans), draw(hours), draw(amounts)
    moment = on.replace(tzinfo=None).isoformat()
    settled = {"settled_due_on": draw(days)} if draw(st.booleans()) else {}
    paid = payment(moment, amount, name=f"{loan}-{moment}-{amount}-{settled}", loan=loan, **settled)
    taken_back = reversal(paid, (on + timedelta(hours=draw(st.integers(1, 900)))).replace(tzinfo=None).isoformat())
    return draw(st.sampled_from([[paid], [paid], [paid, taken_back], [taken_back]]))


@st.composite
def closings(draw: st.DrawFn) -> Any:
    on = draw(hours).replace(tzinfo=None).isoformat()
    return closing(on, draw(st.sampled_from(list(ClosingReason))), loan=draw(loans))


@st.composite
def facts(draw: st.DrawFn) -> list[Any]:
    one_by_one = draw(st.lists(snapshots(), min_size=1, max_size=5)) + draw(st.lists(closings(), max_size=2))
    money = draw(st.lists(payments(), max_size=5, unique_by=lambda found: repr(sorted(map(_payment_id, found)))))
    return one_by_one + [each for group in money for each in group]


def _payment_id(fact: Any) -> str:
    return str((getattr(fact, "payment", None) and fact.payment.payment_id) or fact.reversal.payment_id)


def _played(told: list[Any], order: random.Random) -> Play:
    """Hear the facts with some of them twice, and the business date somewhere in between."""
    shuffled = told + [fact for fact in told if order.random() < 0.4]
    order.shuffle(shuffled)
    play, today = Play(), START
    for fact in shuffled:
        today = min(LAST, today + timedelta(order.randrange(0, 30)))
        play.at(today.isoformat())
        play.hear(fact)
    play.at(LAST.isoformat())
    return play


def _appraised(play: Play) -> Appraisal:
    found = appraise(play.file, LAST, SCHEMES)
    assert found is not None
    return found


@settings(max_examples=400, deadline=None)
@given(facts(), st.integers(0, 2**32), st.integers(0, 2**32))
def test_any_order_and_any_repetition_give_the_same_arrears_buckets_and_status(
    told: list[Any], one: int, other: int
) -> None:
    first, second = _played(told, random.Random(one)), _played(told, random.Random(other))
    assert _appraised(first) == _appraised(second)
    reported = any(isinstance(fact, LoanReported) and _reports(fact) for fact in told)
    for play in (first, second):
        case = play.file.case
        if case is not None:
            assert (case.status, case.loans) == (_appraised(play).status, _appraised(play).loans), "told is what is"
        elif reported or _appraised(play).status == "open":
            raise AssertionError("what the bank reported past due is a case")


@settings(max_examples=200, deadline=None)
@given(facts(), st.integers(0, 2**32), st.integers(0, 2**32))
def test_every_payment_is_told_once_and_every_reversal_once(told: list[Any], one: int, other: int) -> None:
    seen = []
    for seed in (one, other):
        names = [type(each.data).__name__ + each.data.payment_id for each in _played(told, random.Random(seed)).told
                 if hasattr(each.data, "payment_id")]  # fmt: skip
        assert len(names) == len(set(names))
        seen.append(sorted(names))
    assert seen[0] == seen[1]
    posted = {fact.payment.payment_id for fact in told if hasattr(fact, "payment")}
    assert {name.removeprefix("PaymentPosted") for name in seen[0] if name.startswith("PaymentPosted")} == posted


def _reports(fact: LoanReported) -> bool:
    return any(each.due_on < fact.loan.as_of for each in fact.loan.instalments)
