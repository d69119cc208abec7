"""Sends a file in batches, each acknowledged before the position moves.

A batch that was sent and not yet noted is sent again by the next run, under the same names: nothing is lost, and
nothing counts twice.
"""

import csv
import io
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final

import msgspec

from services.intake.connectors.cloud_events import outgoing
from services.intake.connectors.csv_files.examining import CsvFileError, Encoding, Examined, examine
from services.intake.connectors.csv_files.kinds import Kind, kind_of
from services.intake.connectors.csv_files.units import (
    REPORT,
    Corrections,
    Unit,
    check_groups,
    located,
    read_corrections,
    units,
)
from services.intake.connectors.positions import PositionFile
from services.intake.connectors.sending import Sent, key_of
from shared.messaging.broker import Outgoing
from shared.service import Rejected

AT_ONCE: Final = 500
Append = Callable[[Sequence[Outgoing]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """What the user asked for. The position lies beside the report."""

    file: Path
    lender_id: str
    report: Path
    encoding: Encoding = "utf-8"
    zone: tzinfo = UTC
    corrections: Path | None = None

    @property
    def position(self) -> Path:
        """Where it is noted how far the file was sent."""
        return self.report.with_name(f"{self.report.name}.position")


class Position(msgspec.Struct, frozen=True):
    """How far a file was sent: everything up to `row` is acknowledged, and its refusals are in the report."""

    digest: str
    lender_id: str
    row: int = 0
    sent: int = 0
    refused: int = 0
    report_bytes: int = 0
    finished: bool = False


async def run(job: Job, append: Append, *, at_once: int = AT_ONCE) -> Position:
    """Send what of the file was not sent yet. Raises CsvFileError, PositionError, and what `append` raises."""
    examined = examine(job.file, job.encoding)
    kind = _kind(examined)
    check_groups(examined, kind)
    digest, corrections = examined.digest, None
    if job.corrections is not None:
        corrected, corrections = read_corrections(job.corrections, examined.header, examined.rows)
        digest = f"{digest}/{corrected}"
    kept = PositionFile(job.position, Position)
    position = _begun(job, kept.read(), digest)
    if position.finished:
        return position
    run_ = _Run(job, examined, kind, append, kept, corrections)
    return await run_.go(position, at_once)


def _kind(examined: Examined) -> Kind:
    try:
        return kind_of(examined.header)
    except Rejected as refusal:
        raise CsvFileError(examined.path, str(refusal)) from None


def _begun(job: Job, kept: Position | None, digest: str) -> Position:
    """Where to go on. Raises CsvFileError where another run would be overwritten."""
    if kept is not None and (kept.digest, kept.lender_id) == (digest, job.lender_id):
        return kept
    if kept is not None and not kept.finished:
        raise CsvFileError(job.position, "belongs to another file that was not sent to its end")
    if kept is None and job.report.exists():
        raise CsvFileError(job.report, "exists already, and is not overwritten")
    return Position(digest, job.lender_id)


class _Run:
    """One run: units become events or lines of the report, batch by batch."""

    def __init__(
        self,
        job: Job,
        examined: Examined,
        kind: Kind,
        append: Append,
        kept: PositionFile[Position],
        corrections: Corrections | None,
    ) -> None:
        self._job, self._examined, self._kind = job, examined, kind
        self._append, self._kept, self._corrections = append, kept, corrections
        self._sent: list[Outgoing] = []
        self._refused: list[tuple[int, str, str, str]] = []

    async def go(self, position: Position, at_once: int) -> Position:
        """Send what comes after a position, to the end."""
        if not position.report_bytes:
            position = self._write(position, [REPORT], anew=True)
        for unit in units(self._examined, self._kind, self._corrections or {}):
            if unit.numbers[0] <= position.row or not self._is_wanted(unit):
                continue
            self._take(unit)
            if len(self._sent) + len(self._refused) >= at_once:
                position = await self._settle(position, unit.numbers[-1])
        position = msgspec.structs.replace(await self._settle(position, self._examined.rows), finished=True)
        self._kept.keep(position)
        return position

    def _is_wanted(self, unit: Unit) -> bool:
        return self._corrections is None or any(number in self._corrections for number in unit.numbers)

    def _take(self, unit: Unit) -> None:
        try:
            self._sent.append(self._event(unit))
        except Rejected as refusal:
            row, field = located(unit, self._kind, refusal)
            self._refused.append((row, field, refusal.reason, ""))

    def _event(self, unit: Unit) -> Outgoing:
        if unit.refused is not None:
            raise Rejected(unit.refused.reason, field=unit.refused.field)
        event_id = f"{self._examined.digest[:32]}/{unit.numbers[0]}"
        sent = self._kind.event_of(unit.rows, event_id, self._job.lender_id, self._job.zone)
        return _outgoing(sent, self._job.lender_id)

    async def _settle(self, position: Position, row: int) -> Position:
        """Have a batch acknowledged, then its refusals in the report, then the position noted."""
        await self._append(self._sent)
        position = msgspec.structs.replace(
            position, row=row, sent=position.sent + len(self._sent), refused=position.refused + len(self._refused)
        )
        position = self._write(position, self._refused)
        self._sent, self._refused = [], []
        return position

    def _write(self, position: Position, lines: Sequence[Sequence[object]], *, anew: bool = False) -> Position:
        """Write on after what the position knows of: what a killed run wrote beyond it is written again."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        with self._job.report.open("wb" if anew else "r+b") as file:
            file.truncate(position.report_bytes)
            file.seek(position.report_bytes)
            file.write(text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())
            position = msgspec.structs.replace(position, report_bytes=file.tell())
        self._kept.keep(position)
        return position


def _outgoing(sent: Sent, lender_id: str) -> Outgoing:
    return outgoing(
        sent.fact, source=f"/csv/{lender_id}", event_id=sent.event_id, time=sent.time, key=key_of(sent.fact)
    )
