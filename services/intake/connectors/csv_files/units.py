"""A file's rows as units that become one event each, with what somebody has corrected in them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from services.intake.connectors.csv_files.examining import CsvFileError, Examined, examine
from services.intake.connectors.csv_files.kinds import Kind, Row
from services.intake.connectors.sending import Refused
from shared.service import Rejected

REPORT: Final = ("row", "field", "reason", "corrected")
"""The columns of a report. Whoever corrects it writes into the last one, and gives it back as `--corrections`."""

Corrections = Mapping[int, Mapping[str, str]]
_INSIDE: Final = re.compile(r"(?P<list>\w+)\[(?P<place>\d+|\.\.\.)\](\.(?P<name>\w+))?")


class Unit(NamedTuple):
    """Rows that are one event, with their numbers; `refused` where they cannot even be told apart."""

    numbers: tuple[int, ...]
    rows: tuple[Row, ...]
    refused: Refused | None = None


def units(examined: Examined, kind: Kind, corrections: Corrections) -> Iterator[Unit]:
    """The units in order. Raises CsvFileError."""
    waiting: list[Unit] = []
    for number, cells in examined.read():
        unit = _unit(examined.header, number, cells, corrections.get(number, {}))
        if not kind.grouped:
            yield unit
            continue
        if waiting and _loan(waiting[0]) != _loan(unit):
            yield _joined(waiting)
            waiting = []
        waiting.append(unit)
    if waiting:
        yield _joined(waiting)


def check_groups(examined: Examined, kind: Kind) -> None:
    """See that each loan's rows stand together: half of what is due would be a lie. Raises CsvFileError."""
    if not kind.grouped:
        return
    place, last, seen = examined.header.index("loan_id"), "", set[int]()
    for number, cells in examined.read():
        loan = cells[place] if place < len(cells) else ""
        if not loan:
            raise CsvFileError(examined.path, "names no loan, and so might belong to any", row=number)
        if loan != last and hash(loan) in seen:
            raise CsvFileError(examined.path, "is apart from the other rows of its loan: sort by loan_id", row=number)
        last = loan
        seen.add(hash(loan))


def read_corrections(path: Path, header: Sequence[str], rows: int) -> tuple[str, Corrections]:
    """The digest of a report that was given back, and what stands corrected in it. Raises CsvFileError."""
    report = examine(path, "utf-8")
    if report.header != REPORT:
        raise CsvFileError(path, f"is no report: its columns are {', '.join(REPORT)}")
    found: dict[int, dict[str, str]] = {}
    for number, cells in report.read():
        if len(cells) != len(REPORT) or not (cells[0].isascii() and cells[0].isdecimal()):
            raise CsvFileError(path, "is no row of a report", row=number)
        row, field, _, corrected = cells
        if not corrected:
            continue
        if field not in header or not 0 < int(row[:18]) <= rows:
            raise CsvFileError(path, "corrects what the file does not have", row=number)
        found.setdefault(int(row), {})[field] = corrected
    return report.digest, found


def located(unit: Unit, kind: Kind, refusal: Rejected) -> tuple[int, str]:
    """The row and the column that a refusal is about."""
    inside = _INSIDE.fullmatch(refusal.field)
    if inside is None:
        return unit.numbers[0], refusal.field
    if inside["list"] == "instalments":
        place = int(inside["place"]) if inside["place"].isdecimal() else 0
        return unit.numbers[min(place, len(unit.numbers) - 1)], inside["name"] or ""
    if inside["list"] == "contacts" and inside["place"].isdecimal():
        return unit.numbers[0], str(kind.fields(unit.rows)["contacts"][int(inside["place"])]["kind"])
    return unit.numbers[0], inside["list"]


def _unit(header: Sequence[str], number: int, cells: list[str], corrected: Mapping[str, str]) -> Unit:
    row = {**dict(zip(header, (cell.strip() for cell in cells), strict=False)), **corrected}
    if len(cells) == len(header):
        return Unit((number,), (row,))
    reason = f"has {len(cells)} columns instead of {len(header)}: put it right in the source, and send it in a new file"
    return Unit((number,), (row,), Refused(str(number), "", reason))


def _loan(unit: Unit) -> str:
    return unit.rows[0].get("loan_id", "")


def _joined(parts: Sequence[Unit]) -> Unit:
    refused = next((part.refused for part in parts if part.refused), None)
    return Unit(tuple(part.numbers[0] for part in parts), tuple(part.rows[0] for part in parts), refused)
