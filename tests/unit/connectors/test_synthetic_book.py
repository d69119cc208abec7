"""The made-up book on its first day, and what its due days are for."""

from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Hashable
from datetime import date

import pytest

from services.intake.connectors.roll_rates import rates
from services.intake.connectors.sending import DISTRICTS
from services.intake.connectors.synthetic import SLOTS, SyntheticBank
from services.intake.connectors.synthetic_book import (
    AT_LEAST,
    CERTAIN,
    DUE_DAYS,
    PRODUCTS,
    PUNCTUAL,
    BookLoan,
    Dice,
    loans_of,
)
from shared.contracts.core_banking import LoanOverdue, OfLoan

FIRST_DAY = date(2026, 1, 5)
LOANS = 5_000
SEEDS = range(1, 6)


def book_of(seed: int) -> list[BookLoan]:
    return list(loans_of(Dice(seed), LOANS, FIRST_DAY))


# -- seasoned ----------------------------------------------------------------------------------------------------------


def status_at_the_end_of_december(snapshot: LoanOverdue) -> str:
    days = (date(2025, 12, 31) - min(instalment.due_on for instalment in snapshot.instalments)).days
    return str(min(days // 30, 5)) if days > 0 else "X"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_night_tells_of_loans_in_every_status_in_the_panels_proportions(seed: int) -> None:
    night = [sent.fact for sent in SyntheticBank(seed, LOANS, FIRST_DAY).events(0, 0)]
    told = Counter(status_at_the_end_of_december(fact) for fact in night if isinstance(fact, LoanOverdue))
    standing = {status: count for status, count in rates().standing.items() if status in "012345"}
    followed = sum(told[status] for status in standing)
    assert followed > LOANS // 10
    for status, count in standing.items():
        assert told[status] >= AT_LEAST * LOANS // CERTAIN - 2 > 0
        assert told[status] / followed == pytest.approx(count / sum(standing.values()), abs=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_punctual_loan_is_overdue_on_the_first_night(seed: int) -> None:
    book = {loan.loan_id: loan for loan in book_of(seed)}
    night = [sent.fact for sent in SyntheticBank(seed, LOANS, FIRST_DAY).events(0, 0)]
    punctual = [f for f in night if isinstance(f, LoanOverdue) and book[f.loan_id].status == PUNCTUAL]
    # Whose instalment is due on the weekend before it, and who is to miss it or to pay it late or all at once.
    assert len(punctual) <= LOANS // 500


# -- stratified --------------------------------------------------------------------------------------------------------


def quarter(loan: BookLoan) -> int:
    product = PRODUCTS[loan.product]
    return 4 * (loan.principal - product.smallest) // (product.largest - product.smallest)


STRATA: dict[str, tuple[Callable[[BookLoan], Hashable], int]] = {
    "status": (lambda loan: loan.status, 4),
    "product": (lambda loan: loan.product, 4),
    "amount": (quarter, 6),
    "due day": (lambda loan: loan.due_day, 6),
    "district": (lambda loan: loan.district, 16),
    "status and product": (lambda loan: (loan.status, loan.product), 14),
    "status and amount": (lambda loan: (loan.status, quarter(loan)), 22),
    "status and district": (lambda loan: (loan.status, loan.district), 22),
    "product and amount": (lambda loan: (loan.product, quarter(loan)), 14),
}
"""By what, and how far two books may lie from each other; chance would put dozens or hundreds of loans between them."""


@pytest.mark.parametrize("by", STRATA)
def test_another_seed_changes_no_proportion(by: str) -> None:
    stratum, tolerance = STRATA[by]
    books = [Counter(map(stratum, book_of(seed))) for seed in SEEDS]
    for of in set().union(*books):
        counts = [book[of] for book in books]
        assert max(counts) - min(counts) <= tolerance, (of, counts)


def test_products_amounts_and_districts_have_their_shares() -> None:
    book = book_of(1)
    for name, product in PRODUCTS.items():
        assert sum(loan.product == name for loan in book) == pytest.approx(LOANS * product.share / CERTAIN, abs=4)
    for district in DISTRICTS:
        assert sum(loan.district == district for loan in book) == pytest.approx(LOANS / len(DISTRICTS), abs=10)
    for part in range(4):
        assert sum(quarter(loan) == part for loan in book) == pytest.approx(LOANS / 4, abs=6)


def test_another_seed_changes_the_individuals() -> None:
    one, other = ({loan.number for loan in book_of(seed) if loan.status in "012345"} for seed in (1, 2))
    assert len(one & other) < len(one) / 4


# -- each for itself ---------------------------------------------------------------------------------------------------


def test_chosen_loans_live_as_in_the_whole_book() -> None:
    def events(bank: SyntheticBank) -> list[OfLoan]:
        sent = (sent for n in range(45) for slot in range(SLOTS) for sent in bank.events(n, slot))
        return [each.fact for each in sent if isinstance(each.fact, OfLoan)]

    chosen = events(SyntheticBank(1, 500, FIRST_DAY, lambda loan: loan.number % 3 == 0))
    whole = events(SyntheticBank(1, 500, FIRST_DAY))
    assert chosen == [fact for fact in whole if int(fact.loan_id.removeprefix("L-")) % 3 == 0]
    assert len(chosen) < len(whole) / 2


# -- due days ----------------------------------------------------------------------------------------------------------


def unpaid_for(due_day: int, month: int) -> list[str]:
    """The statuses at a month's end of a loan with 1, 2, … instalments unpaid, the newest one due in that month."""

    def due_on(age: int) -> date:
        year, index = divmod(month - age, 12)
        return date(year, index + 1, due_day)

    year, index = divmod(month, 12)
    end = date(year, index + 1, monthrange(year, index + 1)[1])
    return [str(min((end - due_on(age)).days // 30, 5)) if due_on(age) < end else "X" for age in range(8)]


def test_on_its_due_days_a_status_is_a_number_of_unpaid_instalments_at_any_months_end() -> None:
    months = range(12 * 2023, 12 * 2032)
    agree = [day for day in range(1, 29) if all(unpaid_for(day, month) == list("01234555") for month in months)]
    assert agree == list(range(DUE_DAYS[0], DUE_DAYS[1] + 1))
