"""Reading a panel file: a `.csv`, or a `.zip` that holds one, with a row per account and month in any order.

Its columns are ID, MONTHS_BALANCE (0 is the newest month, -1 the one before) and STATUS: 0 for 1-29 days past due at
the month's end, 1 for 30-59, 2 for 60-89, 3 for 90-119, 4 for 120-149, 5 for 150 and more, C for paid off in that
month, X for no loan in it. Everything is checked before anything is made of it; rows lie in compact columns by month.
"""

import csv
import re
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Final, NamedTuple

COLUMNS: Final = ("ID", "MONTHS_BALANCE", "STATUS")
STATUSES: Final = "012345CX"
OLDEST_MONTH: Final = -600
LONGEST_LINE: Final = 10_000
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ACCOUNT = re.compile(r"[A-Za-z0-9._:/@+\-]{1,100}", re.ASCII)
_MONTH = re.compile(r"0|-[1-9][0-9]{0,8}", re.ASCII)


class PanelFileError(ValueError):
    """The file cannot be used; the text is one line that names the place, for the person who gave it."""

    def __init__(self, path: Path, problem: str, *, line: int = 0, column: str = "") -> None:
        place = (f", line {line}" if line else "") + (f", column {column}" if column else "")
        super().__init__(f"{path.name}{place}: {problem}")
        self.line, self.column = line, column


class Rows(NamedTuple):
    """The rows of one month, column by column: accounts by number, statuses as bytes, and lines for messages."""

    accounts: "array[int]"
    statuses: bytearray
    lines: "array[int]"


NO_ROWS = Rows(array("I"), bytearray(), array("I"))


class Columns(NamedTuple):
    """All rows by month, the accounts' ids by number, and the newest month of each account."""

    months: dict[int, Rows]
    accounts: list[str]
    last: "array[int]"


def read(path: Path) -> Columns:
    """All rows of a file, checked. Raises PanelFileError."""
    columns = Columns({}, [], array("h"))
    numbers: dict[str, int] = {}
    with _one_line_errors(path), _opened(path) as file:
        reader = csv.reader(_short_lines(path, file), strict=True)
        places = _places(path, next(reader, []))
        for row in reader:
            if row:
                _take(columns, numbers, _checked(path, reader.line_num, places, row), reader.line_num)
    if not columns.months:
        raise PanelFileError(path, "has no rows")
    _refuse_doubles(path, columns)
    return columns


class _Row(NamedTuple):
    account: str
    month: int
    status: str


def _take(columns: Columns, numbers: dict[str, int], row: _Row, line: int) -> None:
    number = numbers.setdefault(row.account, len(numbers))
    if number == len(columns.accounts):
        columns.accounts.append(row.account)
        columns.last.append(row.month)
    columns.last[number] = max(columns.last[number], row.month)
    rows = columns.months.get(row.month)
    if rows is None:
        rows = columns.months[row.month] = Rows(array("I"), bytearray(), array("I"))
    rows.accounts.append(number)
    rows.statuses.append(ord(row.status))
    rows.lines.append(line)


def _places(path: Path, header: list[str]) -> tuple[int, int, int]:
    names = [name.strip() for name in header]
    for column in COLUMNS:
        if names.count(column) != 1:
            raise PanelFileError(path, "is missing" if column not in names else "occurs twice", line=1, column=column)
    account, month, status = (names.index(column) for column in COLUMNS)
    return account, month, status


def _checked(path: Path, line: int, places: tuple[int, int, int], row: list[str]) -> _Row:
    try:
        account, month, status = (row[place] for place in places)
    except IndexError:
        missing = next(column for column, place in zip(COLUMNS, places, strict=True) if place >= len(row))
        raise PanelFileError(path, "is missing", line=line, column=missing) from None
    if not _ACCOUNT.fullmatch(account):
        raise PanelFileError(path, "is no account id of letters, digits and ._:/@+-", line=line, column="ID")
    if not _MONTH.fullmatch(month) or int(month) < OLDEST_MONTH:
        problem = f"is no whole number from {OLDEST_MONTH} to 0"
        raise PanelFileError(path, problem, line=line, column="MONTHS_BALANCE")
    if len(status) != 1 or status not in STATUSES:
        raise PanelFileError(path, "is none of 0, 1, 2, 3, 4, 5, C, X", line=line, column="STATUS")
    return _Row(account, int(month), status)


def _refuse_doubles(path: Path, columns: Columns) -> None:
    for rows in columns.months.values():
        seen = bytearray(len(columns.accounts))
        for number, line in zip(rows.accounts, rows.lines, strict=True):
            if seen[number]:
                raise PanelFileError(path, "the account has another row for this month", line=line, column="ID")
            seen[number] = 1


@contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise PanelFileError(path, "is not UTF-8 text") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise PanelFileError(path, "is not a whole .zip file that can be read") from error
    except csv.Error as error:
        raise PanelFileError(path, f"is not a CSV file: {error}") from error
    except OSError as error:
        raise PanelFileError(path, f"cannot be read: {error.strerror or type(error).__name__}") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    if path.suffix.lower() != ".zip":
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".csv") and "__MACOSX" not in name]
        if len(names) != 1:
            raise PanelFileError(path, f"holds {len(names)} .csv files instead of one")
        if archive.getinfo(names[0]).compress_type not in METHODS:
            raise PanelFileError(path, "is packed in a way other than stored or deflated")
        with archive.open(names[0]) as packed, TextIOWrapper(packed, encoding="utf-8-sig", newline="") as file:
            yield file


def _short_lines(path: Path, file: IO[str]) -> Iterator[str]:
    """The lines of a file; one that never ends is refused before it fills the memory."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), start=1):
        if len(line) == LONGEST_LINE:
            raise PanelFileError(path, "is too long for this kind of file", line=number)
        yield line
