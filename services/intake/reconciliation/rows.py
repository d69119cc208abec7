"""The rows of the bank's book, each read by itself: a wrong one is known by its line and field, and costs no other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.intake.connectors import drafting
from services.intake.connectors.csv_files.examining import CsvFileError, Examined
from services.intake.connectors.iso20022.money import IDENTIFIER
from services.intake.connectors.money import LARGEST, minor_units
from services.intake.reconciliation.domain import Account, AccountStatus
from shared.service import Rejected

NEEDED: Final = ("loan_id", "as_of", "past_due", "outstanding", "currency", "status")
LONGEST_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the account that it says, or which field of it is wrong and why."""

    number: int
    loan_id: str
    account: Account | None = None
    field: str = ""
    reason: str = ""


def as_of_in(book: Examined) -> date:
    """The day of which the book is: the one that its first readable row names. Raises CsvFileError."""
    missing = [name for name in NEEDED if name not in book.header]
    if missing:
        raise CsvFileError(book.path, f"lacks the columns {', '.join(missing)}")
    if len(set(book.header)) < len(book.header):
        raise CsvFileError(book.path, "has two columns of one name")
    place = book.header.index("as_of")
    for _, cells in book.read():
        try:
            return drafting.day(cells[place].strip() if place < len(cells) else "", "as_of")
        except Rejected:
            continue
    raise CsvFileError(book.path, "as_of: no row says of which day the book is")


def lines(book: Examined, as_of: date) -> Iterator[Line]:
    """Every row in order. Raises CsvFileError where the file itself cannot be read on."""
    for number, cells in book.read():
        yield _line(book.header, number, cells, as_of)


def _line(header: Sequence[str], number: int, cells: list[str], as_of: date) -> Line:
    row = dict(zip(header, (cell.strip() for cell in cells), strict=False))
    loan_id = row.get("loan_id", "")
    if not IDENTIFIER.fullmatch(loan_id) or len(loan_id) > LONGEST_ID:
        return Line(number, "", field="loan_id", reason="is no identifier of letters, digits and ._:/@+-")
    if len(cells) != len(header):
        return Line(number, loan_id, reason=f"has {len(cells)} columns instead of {len(header)}")
    try:
        return Line(number, loan_id, _account(row, as_of))
    except Rejected as refusal:
        return Line(number, loan_id, field=refusal.field, reason=refusal.reason)


def _account(row: dict[str, str], as_of: date) -> Account:
    """The account that a row says; of one that has ended, no amount counts. Raises Rejected."""
    if drafting.day(row["as_of"], "as_of") != as_of:
        raise Rejected(f"is another day than {as_of}, of which the book is", field="as_of")
    if row["status"] not in set(AccountStatus):
        raise Rejected(f"is none of {', '.join(AccountStatus)}", field="status")
    status, past_due = AccountStatus(row["status"]), _amount(row, "past_due")
    outstanding = _amount(row, "outstanding") if row["outstanding"] else None
    if status is AccountStatus.CLOSED:
        return Account(0, None, row["currency"], status)
    if (past_due > 0) != (status is AccountStatus.OVERDUE):
        raise Rejected("contradicts what is past due", field="status")
    return Account(past_due, outstanding, row["currency"], status)


def _amount(row: dict[str, str], name: str) -> int:
    amount = minor_units(row[name], row["currency"], name)
    if not 0 <= amount <= LARGEST:
        raise Rejected("is below nought or too large", field=name)
    return amount
