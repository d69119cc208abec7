"""How money pays instalments off, component by component."""

from datetime import UTC, date, datetime

import pytest

from services.intake.cases.domain.arrears import ADDED_BACK, days_past_due, unpaid
from services.intake.cases.domain.facts import Instalment, Payment, Snapshot

CUT_OFF = datetime(2024, 3, 5, tzinfo=UTC)
FIRST = Instalment(date(2024, 2, 1), 1, principal=100, interest=40, penalty=20, fee=10)
SECOND = Instalment(date(2024, 3, 1), 2, principal=100, interest=30, penalty=0, fee=0)
BASE = Snapshot(CUT_OFF, date(2024, 3, 5), "EUR", (FIRST, SECOND), 1_000, "loan", "default", "DE", "")


def paid(amount: int, posted_at: datetime, reversed_at: datetime | None = None) -> Payment:
    return Payment(
        "loan-1",
        "p",
        amount,
        "EUR",
        posted_at,
        posted_at.date(),
        None,
        heard=True,
        reversed_at=reversed_at,
        settled=False,
    )


AFTER = datetime(2024, 3, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "left"),
    [
        pytest.param(1, [(100, 40, 20, 9), (100, 30, 0, 0)], id="the fee comes first"),
        pytest.param(10, [(100, 40, 20, 0), (100, 30, 0, 0)], id="the fee is paid"),
        pytest.param(25, [(100, 40, 5, 0), (100, 30, 0, 0)], id="then the penalty"),
        pytest.param(50, [(100, 20, 0, 0), (100, 30, 0, 0)], id="then the interest"),
        pytest.param(71, [(99, 0, 0, 0), (100, 30, 0, 0)], id="the principal last"),
        pytest.param(170, [(100, 30, 0, 0)], id="exactly the oldest instalment"),
        pytest.param(171, [(100, 29, 0, 0)], id="what is left goes to the next instalment"),
        pytest.param(300, [], id="everything"),
        pytest.param(9_999, [], id="too much pays no more than everything"),
    ],
)
def test_money_pays_costs_before_interest_before_principal(amount: int, left: list[tuple[int, ...]]) -> None:
    items, outstanding = unpaid(BASE, [paid(amount, AFTER)])
    assert [(each.principal, each.interest, each.penalty, each.fee) for each in items] == left
    assert outstanding == max(0, 1_000 - amount)


def test_a_reversed_payment_of_the_snapshot_is_an_item_of_its_own_in_the_order_of_due_dates() -> None:
    before = datetime(2024, 2, 15, tzinfo=UTC)
    items, outstanding = unpaid(BASE, [paid(60, before, AFTER)])
    assert [(each.number, each.total) for each in items] == [(1, 170), (ADDED_BACK, 60), (2, 130)]
    assert outstanding == 1_060


def test_a_reversal_up_to_the_very_cut_off_is_in_the_snapshot() -> None:
    assert unpaid(BASE, [paid(60, datetime(2024, 2, 15, tzinfo=UTC), CUT_OFF)]) == ((FIRST, SECOND), 1_000)


def test_an_instalment_with_nothing_left_is_not_unpaid() -> None:
    empty = Instalment(date(2024, 1, 1), 3, 0, 0, 0, 0)
    base = Snapshot(CUT_OFF, date(2024, 3, 5), "EUR", (empty, FIRST), 0, "loan", "default", "DE", "")
    assert unpaid(base, ())[0] == (FIRST,)


@pytest.mark.parametrize(
    ("oldest", "days"),
    [
        pytest.param(None, 0, id="nothing unpaid"),
        pytest.param(date(2024, 3, 2), 0, id="not due yet"),
        pytest.param(date(2024, 3, 1), 0, id="the due date itself"),
        pytest.param(date(2024, 2, 29), 1, id="the day after a leap day"),
        pytest.param(date(2023, 3, 1), 366, id="a year with a leap day"),
    ],
)
def test_days_past_due_are_calendar_days_after_the_due_date(oldest: date | None, days: int) -> None:
    assert days_past_due(oldest, date(2024, 3, 1)) == days
