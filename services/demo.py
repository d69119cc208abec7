"""`make demo`: a made-up bank's loans through all five services, business day by business day, in a few minutes."""

import sys
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from pathlib import Path

from services import stepping, summary
from services.intake.connectors.sending import CHINA
from services.intake.connectors.synthetic import SLOTS, SyntheticBank
from services.progress import Progress
from shared.settings import Settings

FIRST_DAY = date(2026, 1, 5)
SLOT_ENDS = (time(6, 0), time(12, 0), time(18, 0), time(23, 0))
"""When the four slots of a day are processed, in China: each after the last event that the bank sends in it."""

TIDY_EVERY = 20
"""Days after which what everybody has read is dropped."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What the user chose."""

    loans: int
    days: int
    seed: int


async def run(demo: Demo, settings: Settings, summary_file: Path | None, *, fast: bool = False) -> None:
    """Run to the end, or resume the unfinished run with the same numbers, and print the summary.

    fast: give up durability; for tests only.
    """
    bank = SyntheticBank(demo.seed, demo.loans, FIRST_DAY)
    parameters = {"run": "demo", **asdict(demo)}
    folder = settings.data_directory / "demo"
    progress = Progress(demo.days, "events applied")
    start = _instant(bank.day(0), 0)
    async with stepping.opened(settings, folder, "synthetic-bank", parameters, start, fast=fast) as running:
        if running.resumed:
            sys.stderr.write(f"resuming at {bank.day(running.ticks.day)}\n")
        for day in range(running.ticks.day, demo.days):
            await _day(running, bank, day)
            progress.show(day + 1, bank.day(day), running.stepper.applied)
        progress.close()
        urls = running.local.urls
        result = {
            **await summary.read(urls["analytics"]),
            "red_lines": await summary.red_lines_of(urls),
            "exposure": await summary.exposure_of(urls),
        }
        if summary_file is not None:
            summary.write(result, summary_file)
        await running.ticks.finish()
    sys.stdout.write(summary.told(result))


async def _day(running: stepping.Run, bank: SyntheticBank, day: int) -> None:
    for slot in range(SLOTS):
        events = bank.events(day, slot)
        now = _instant(bank.day(day), slot)
        if slot == 0:
            await running.tick(day, 0, now, events[:1])
            events = events[1:]
        await running.tick(day, slot + 1, now, events)
    if day % TIDY_EVERY == TIDY_EVERY - 1:
        await running.tidy()


def _instant(day: date, slot: int) -> datetime:
    return datetime.combine(day, SLOT_ENDS[slot], CHINA)
