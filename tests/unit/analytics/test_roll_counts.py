"""A loan's moves and month-end transitions, against a scan of all loans at each month's end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.rolls import (
    Class,
    Transition,
    bucket_of,
    months_between,
    panel_label,
    place,
    transitions_of,
)
from services.analytics.domain.rows import Loan, Roll

MONTHS = tuple(months_between("2025-10", "2026-04"))
BUCKETS = ("current", "0", "1", "5", "closed:paid", "closed:no_loan", "closed:no_longer_reported")


class Seen(NamedTuple):
    """A fact shows a loan of a product in a bucket, in a month."""

    loan: int
    month: str
    bucket: str
    product: str = "card"


def loan_of(seen: Seen) -> Loan:
    return Loan(
        loan_id=str(seen.loan),
        lender_id="bank",
        product=seen.product,
        portfolio="p",
        scheme="s",
        currency="CNY",
        past_due=0,
        outstanding=0,
        month=seen.month,
        opening="",
        bucket=seen.bucket,
    )


def folded(story: Sequence[Seen], through: str = MONTHS[-1]) -> list[Transition]:
    loans: dict[int, Loan] = {}
    rolls: list[Roll] = []
    for seen in story:
        loans[seen.loan], moved = place(loans.get(seen.loan), loan_of(seen))
        rolls += moved
    return list(transitions_of(rolls, {"bank": through}))


def counted(transitions: Sequence[Transition]) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for each in transitions:
        found[each.month, each.origin, each.target] += each.loans
    return found


def scanned(story: Sequence[Seen]) -> Counter[tuple[str, str, str]]:
    """Where each loan stands at the end of each month, found by looking at every loan."""
    found: Counter[tuple[str, str, str]] = Counter()
    before: Mapping[int, str] = {}
    for month in MONTHS:
        now = {**before, **{seen.loan: seen.bucket for seen in story if seen.month == month}}
        for loan, bucket in now.items():
            found[month, before.get(loan, "new"), bucket] += 1
        before = now
    return found


SEEN = st.builds(Seen, st.integers(0, 5), st.sampled_from(MONTHS), st.sampled_from(BUCKETS), st.just("card"))
STORIES = st.lists(SEEN, max_size=60).map(lambda story: sorted(story, key=lambda seen: seen.month))


@given(STORIES)
def test_transitions_are_those_that_a_scan_of_all_loans_finds(story: Sequence[Seen]) -> None:
    assert counted(folded(story)) == scanned(story)


@given(STORIES)
def test_what_stood_in_a_bucket_is_what_leaves_it_and_stays_in_it(story: Sequence[Seen]) -> None:
    transitions = folded(story)
    leaving: Counter[tuple[str, str]] = Counter()
    for each in transitions:
        leaving[each.month, each.origin] += each.loans
    assert all(each.opening == leaving[each.month, each.origin] for each in transitions if each.origin != "new")
    assert all(each.opening == 0 for each in transitions if each.origin == "new")


@given(st.lists(st.builds(Seen, st.integers(0, 3), st.sampled_from(MONTHS), st.sampled_from(BUCKETS[:4]),
                          st.sampled_from(("card", "car"))), max_size=40))  # fmt: skip
def test_no_loan_is_lost_or_doubled_when_products_change_or_months_come_late(story: Sequence[Seen]) -> None:
    known: set[int] = set()
    largest = ""
    stock: Counter[str] = Counter()
    for seen in story:
        known.add(seen.loan)
        largest = max(largest, seen.month)
    for each in folded(story, largest):
        if each.month == largest and each.target != "transferred":
            stock[each.target] += each.loans
    assert sum(stock.values()) == len(known)
    assert min(stock.values(), default=1) > 0


def words(transitions: Sequence[Transition]) -> list[str]:
    return [f"{t.of.product} {t.month}: {t.loans} {t.origin}->{t.target}" for t in transitions]


@pytest.mark.parametrize(
    ("story", "told"),
    [
        pytest.param(
            [Seen(1, "2026-01", "0"), Seen(1, "2026-01", "1"), Seen(1, "2026-01", "0"), Seen(1, "2026-01", "5")],
            ["card 2026-01: 1 new->5", "card 2026-02: 1 5->5", "card 2026-03: 1 5->5"],
            id="only the last move of a month counts",
        ),
        pytest.param(
            [Seen(1, "2026-01", "5")],
            ["card 2026-01: 1 new->5", "card 2026-02: 1 5->5", "card 2026-03: 1 5->5"],
            id="a loan of which nothing is heard stays where it is",
        ),
        pytest.param(
            [Seen(1, "2026-01", "0"), Seen(1, "2026-02", "1"), Seen(1, "2026-02", "0")],
            ["card 2026-01: 1 new->0", "card 2026-02: 1 0->0", "card 2026-03: 1 0->0"],
            id="a move that is taken back within the month is a stay",
        ),
        pytest.param(
            [Seen(1, "2026-02", "1"), Seen(1, "2026-01", "0")],
            ["card 2026-02: 1 new->0", "card 2026-03: 1 0->0"],
            id="a newer fact of an earlier month counts in the month that has begun",
        ),
        pytest.param(
            [Seen(1, "2026-01", "0"), Seen(1, "2026-03", "1", "car")],
            [
                "car 2026-03: 1 transferred->1",
                "card 2026-01: 1 new->0",
                "card 2026-02: 1 0->0",
                "card 2026-03: 1 0->transferred",
            ],
            id="a loan under another product leaves one and arrives in the other",
        ),
        pytest.param(
            [Seen(1, "2026-03", "0"), Seen(1, "2026-03", "1", "car")],
            ["car 2026-03: 1 new->1"],
            id="a product that is set right in a loan's first month was always so",
        ),
        pytest.param(
            [Seen(1, "", "0"), Seen(1, "2026-03", "1")],
            ["card : 1 new->0", "card 2026-03: 1 0->1"],
            id="what is heard before any business date comes before the first month",
        ),
    ],
)
def test_moves(story: list[Seen], told: list[str]) -> None:
    assert words(folded(story, "2026-03")) == told


@pytest.mark.parametrize(
    ("origin", "target", "label"),
    [
        pytest.param("new", "0", ("new", "0"), id="new"),
        pytest.param("0", "0", ("0", "0"), id="a stay"),
        pytest.param("3", "closed:paid", ("3", "C"), id="paid off"),
        pytest.param("3", "closed:no_loan", ("3", "X"), id="no loan any more"),
        pytest.param("3", "closed:settled", ("3", "closed:settled"), id="another end keeps its name"),
        pytest.param("3", "closed:no_longer_reported", None, id="no longer reported is no transition"),
        pytest.param("closed:no_loan", "2", ("closed", "2"), id="opened again"),
        pytest.param("closed:no_loan", "closed:no_loan", None, id="staying closed is no transition"),
        pytest.param("closed:no_loan", "closed:paid", None, id="closing otherwise is no transition"),
    ],
)
def test_labels_of_a_panel(origin: str, target: str, label: tuple[str, str] | None) -> None:
    assert panel_label(Transition(Class("s", "bank", "card"), "2026-01", origin, target, 1, 1)) == label


@pytest.mark.parametrize(
    ("bucket", "closed_as", "counted_as"),
    [
        pytest.param("3", "", "3", id="a bucket"),
        pytest.param("closed", "paid", "closed:paid", id="an end with its reason"),
        pytest.param("closed", "", "closed:", id="an end without a reason is still an end"),
    ],
)
def test_the_bucket_counted(bucket: str, closed_as: str, counted_as: str) -> None:
    assert bucket_of(bucket, closed_as) == counted_as


def test_lenders_stand_in_months_of_their_own() -> None:
    rolls = [Roll("s", "2026-01", lender, "card", "new", "0", 1) for lender in ("a", "b")]
    months = [(t.of.lender_id, t.month) for t in transitions_of(rolls, {"a": "2026-02"})]
    assert months == [("a", "2026-01"), ("a", "2026-02"), ("b", "2026-01")]
