"""`make replay`: a real card panel through all five services, month by month."""

import csv
import sys
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

import asyncpg

from services import stepping, summary
from services.analytics import store
from services.intake.connectors.card_panel import CardPanel
from services.intake.connectors.sending import CHINA
from services.progress import Progress
from shared.settings import Settings

NIGHT, EVENING = time(6, 0), time(22, 0)


@dataclass(frozen=True, slots=True)
class Replay:
    """What the user chose; `own_kafka` runs a real broker of our own instead of the embedded log."""

    file: Path
    accounts: int | None
    own_kafka: bool
    out: Path | None


async def run(replay: Replay, settings: Settings, *, fast: bool = False) -> None:
    """Replay every month, or resume the unfinished replay of the same file, and write the transitions.

    fast: give up durability; for tests only.
    """
    panel = CardPanel(replay.file, replay.accounts)
    parameters = _parameters(replay)
    folder = settings.data_directory / "replay"
    months = list(panel.business_dates())
    progress = Progress(len(months), "events applied")
    start = instant_of(months[0], NIGHT)
    async with stepping.opened(
        settings, folder, "card-panel", parameters, start, own_kafka=replay.own_kafka, fast=fast
    ) as running:
        for number, month in enumerate(panel.months()):
            if number < running.ticks.day:
                continue
            await running.tick(number, 0, instant_of(month.business_date, NIGHT), [next(month.events)])
            await running.tick(number, 1, instant_of(month.business_date, EVENING), month.events)
            await running.tidy()
            progress.show(number + 1, month.business_date, running.stepper.applied)
        progress.close()
        analytics = running.local.urls["analytics"]
        await _write_transitions(analytics, replay.out)
        result = await summary.read(analytics)
        await running.ticks.finish()
    sys.stdout.write(f"{panel.accounts:,} accounts, {len(months)} months, {running.sent:,} events sent\n")
    sys.stdout.write(summary.told(result))


def _parameters(replay: Replay) -> dict[str, object]:
    stat = replay.file.stat()
    return {
        "run": "replay",
        "file": str(replay.file.resolve()),
        "size": stat.st_size,
        "changed": stat.st_mtime_ns,
        "accounts": replay.accounts,
        "kafka": replay.own_kafka,
    }


def instant_of(day: date, hour: time) -> datetime:
    """When it is that hour of a day at the bank."""
    return datetime.combine(day, hour, CHINA)


async def _write_transitions(url: str, out: Path | None) -> None:
    """Write `from,to,accounts`: the month-end transitions of the whole replay, as analytics knows them."""
    if out is None:
        return
    connection = await asyncpg.connect(url)
    try:
        rows = await store.transition_totals(connection)
    finally:
        await connection.close()
    with out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["from", "to", "accounts"])
        writer.writerows(rows)
