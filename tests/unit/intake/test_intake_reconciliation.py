"""The bank's book against ours: what is found of an account, what is summed up, and which rows are refused."""

from pathlib import Path

import pytest

from services.intake.cases.domain.facts import Loan, Payment
from services.intake.connectors.csv_files.examining import CsvFileError, examine
from services.intake.reconciliation.domain import Account, AccountStatus, Kind, Ours, Tally, compared, ours_at
from services.intake.reconciliation.rows import Line, as_of_in, lines
from tests.unit.intake.play import SCHEMES, Play, closing, day, instalment, instant, payment, reversal, snapshot

OVERDUE, CURRENT, CLOSED = AccountStatus.OVERDUE, AccountStatus.CURRENT, AccountStatus.CLOSED


def bank(past_due: int = 500, outstanding: int | None = 9_000, currency: str = "EUR", status: str = "") -> Account:
    return Account(past_due, outstanding, currency, AccountStatus(status or ("overdue" if past_due else "current")))


def here(account: Account, *, corrected: bool = False, newer: bool = False) -> Ours:
    return Ours(account, corrected, newer)


ENDED = Account(0, None, "EUR", CLOSED)
FOUND = [
    ("both books agree", bank(), here(bank()), []),
    ("the bank does not say what is outstanding", bank(outstanding=None), here(bank()), []),
    ("less is past due here", bank(), here(bank(400)), [("amount_differs", "past_due", 500, 400)]),
    ("both amounts differ", bank(), here(bank(1, 2)),
     [("amount_differs", "past_due", 500, 1), ("amount_differs", "outstanding", 9_000, 2)]),
    ("nothing is past due any more here", bank(), here(bank(0)),
     [("amount_differs", "past_due", 500, 0), ("status_differs", "status", "overdue", "current")]),
    ("amounts of two currencies are not compared", bank(), here(bank(1, 2, "USD")),
     [("currency_differs", "currency", "EUR", "USD")]),
    ("it has ended there and goes on here", ENDED, here(bank()),
     [("amount_differs", "past_due", 0, 500), ("status_differs", "status", "closed", "overdue")]),
    ("it has ended in both", ENDED, here(Account(0, 0, "USD", CLOSED)), []),
    ("an overdue loan that nobody knows here", bank(), None, [("missing_here", "past_due", 500, None)]),
    ("a loan that is up to date need not be known", bank(0), None, []),
    ("nor one that has ended", ENDED, None, []),
    ("the bank does not have it any more", None, here(bank()), [("missing_there", "past_due", None, 500)]),
    ("it has ended here, and is not in the book", None, here(ENDED), []),
    ("a person has corrected it", bank(), here(bank(400), corrected=True), [("corrected_here", "past_due", 500, 400)]),
    ("corrected, and the bank says so by now", bank(), here(bank(), corrected=True), []),
    ("ours is of later", bank(), here(bank(1), newer=True), [("newer_here", "", None, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("there", "ours", "found"), [pytest.param(*row, id=name) for name, *row in FOUND])
def test_this_is_found_of_an_account(
    there: Account | None, ours: Ours | None, found: list[tuple[str, str, object, object]]
) -> None:
    assert [(each.kind, each.field, each.bank, each.ours) for each in compared(there, ours)] == found


def test_each_account_counts_once_and_sums_are_by_currency() -> None:
    tally = Tally()
    for _, there, ours, _ in FOUND:
        tally.take(there, ours, compared(there, ours))
    assert tally.compared == len(FOUND) - 1, "an account of which ours is newer is not compared"
    assert tally.drifting == 7
    assert tally.kinds[Kind.STATUS_DIFFERS] == 2
    euro, dollar = tally.sums["EUR"], tally.sums["USD"]
    assert euro.bank == 9 * 500
    assert (dollar.bank, dollar.ours, dollar.difference) == (0, 1, 1)
    assert euro.difference == 100 + 499 + 500 + 500 + 500 + 500 + 500, "an account of two currencies counts in both"


def test_nothing_is_drift_that_a_person_has_made_or_nobody_can_know() -> None:
    tally = Tally()
    for ours in (here(bank(1), corrected=True), here(bank(1), newer=True)):
        tally.take(bank(), ours, compared(bank(), ours))
    assert (tally.compared, tally.drifting) == (1, 0)


# -- our book as of a day ----------------------------------------------------------------------------------------


def loan_of(play: Play) -> tuple[Loan, list[Payment]]:
    return play.file.loans["loan-1"], list(play.file.payments.values())


def stands(play: Play, as_of: str, cut_off: str = "") -> tuple[int, int | None, AccountStatus]:
    found = ours_at(*loan_of(play), day(as_of), instant(cut_off or as_of), SCHEMES)
    assert found is not None
    return found.account.past_due, found.account.outstanding, found.account.status


def played() -> Play:
    play = Play()
    play.at("2024-03-05")
    play.hear(snapshot("2024-03-05", instalment("2024-03-01", 500), instalment("2024-03-10", 300), outstanding=9_000))
    return play


def test_our_book_stands_on_the_day_of_the_banks() -> None:
    play = played()
    assert stands(play, "2024-03-05") == (500, 9_000, OVERDUE)
    assert stands(play, "2024-03-11") == (800, 9_000, OVERDUE), "an instalment has fallen due since"


def test_what_came_after_the_cut_off_is_in_neither_book() -> None:
    play = played()
    paid = payment("2024-03-07T10:00:00", 500)
    play.hear(paid)
    play.hear(reversal(paid, "2024-03-09"))
    play.hear(closing("2024-03-12"))
    assert stands(play, "2024-03-06") == (500, 9_000, OVERDUE), "before it was paid"
    assert stands(play, "2024-03-07", "2024-03-07T09:59:59") == (500, 9_000, OVERDUE)
    assert stands(play, "2024-03-08") == (0, 8_500, CURRENT), "before it was taken back"
    assert stands(play, "2024-03-09") == (500, 9_000, OVERDUE), "before the loan ended"
    assert stands(play, "2024-03-12") == (0, 0, CLOSED)


def test_a_book_of_before_our_snapshot_is_not_held_against_it() -> None:
    loan, payments = loan_of(played())
    for as_of, newer in (("2024-03-04", True), ("2024-03-05", False)):
        found = ours_at(loan, payments, day(as_of), instant(as_of), SCHEMES)
        assert found is not None
        assert found.newer is newer


def test_a_loan_that_only_payments_are_known_of_is_in_no_book() -> None:
    assert ours_at(Loan("loan-1"), [], day("2024-03-05"), instant("2024-03-05"), SCHEMES) is None


# -- the rows of the file ----------------------------------------------------------------------------------------

HEADER = "loan_id,as_of,past_due,outstanding,currency,status\n"


def read(folder: Path, *rows: str, header: str = HEADER) -> list[Line]:
    file = folder / "book.csv"
    file.write_text(header + "".join(f"{row}\n" for row in rows))
    book = examine(file, "utf-8")
    return list(lines(book, as_of_in(book)))


GOOD = "L-1,2024-03-05,5.00,90.00,EUR,overdue"


def test_amounts_are_in_units_of_the_currency(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD, "L-2,2024-03-05,500,,JPY,overdue", "L-3,2024-03-05,0,90,EUR,current",
                 "L-4,2024-03-05,7,,EUR,closed")  # fmt: skip
    assert [line.account for line in found] == [
        bank(),
        bank(500, None, "JPY"),
        bank(0),
        Account(0, None, "EUR", CLOSED),
    ]


WRONG = [
    ("no loan", ",2024-03-05,5,90,EUR,overdue", "loan_id"),
    ("a loan with a blank", "L 1,2024-03-05,5,90,EUR,overdue", "loan_id"),
    ("no amount", "L-2,2024-03-05,,90,EUR,overdue", "past_due"),
    ("an amount in words", "L-2,2024-03-05,five,90,EUR,overdue", "past_due"),
    ("a part of a cent", "L-2,2024-03-05,5.001,90,EUR,overdue", "past_due"),
    ("an amount below nought", "L-2,2024-03-05,-5,90,EUR,overdue", "past_due"),
    ("an outstanding amount that is none", "L-2,2024-03-05,5,x,EUR,overdue", "outstanding"),
    ("a currency that is none", "L-2,2024-03-05,5,90,XXX,overdue", "currency"),
    ("a status that is none", "L-2,2024-03-05,5,90,EUR,bad", "status"),
    ("a status that contradicts the amount", "L-2,2024-03-05,5,90,EUR,current", "status"),
    ("overdue by nothing", "L-2,2024-03-05,0,90,EUR,overdue", "status"),
    ("another day", "L-2,2024-03-06,5,90,EUR,overdue", "as_of"),
    ("no day", "L-2,today,5,90,EUR,overdue", "as_of"),
    ("a column too few", "L-2,2024-03-05,5,90,EUR", ""),
]


@pytest.mark.parametrize(("row", "field"), [pytest.param(*row, id=name) for name, *row in WRONG])
def test_a_wrong_row_names_its_field_and_costs_no_other(tmp_path: Path, row: str, field: str) -> None:
    first, wrong, last = read(tmp_path, GOOD, row, GOOD.replace("L-1", "L-3"))
    assert first.account == last.account == bank()
    assert (wrong.number, wrong.account, wrong.field) == (2, None, field)
    assert wrong.reason


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        pytest.param("loan_id,as_of\n", [], "lacks the columns past_due, outstanding, currency, status", id="columns"),
        pytest.param(HEADER.replace("status", "as_of,status"), [], "has two columns of one name", id="twice"),
        pytest.param(HEADER, [], "as_of: no row says of which day the book is", id="no row"),
    ],
)
def test_a_file_that_is_no_book_is_refused_in_one_line(tmp_path: Path, header: str, rows: list[str], told: str) -> None:
    with pytest.raises(CsvFileError) as refused:
        read(tmp_path, *rows, header=header)
    assert str(refused.value) == f"book.csv: {told}"
