"""A real card panel through all five services: month after month, each as far as it goes before the next one begins.

As `make replay` sends it, but to the processes that production runs, on Kafka. On a month's last morning the books move
to that day; in the evening the month's payments, snapshots and closings are told, and what has fallen due meanwhile is
done. What came of it is held against the file: every account that was ever past due, and how many are in the end.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final

from benchmarks.end_to_end import PATIENCE, SLOWEST
from benchmarks.installation import AT_ONCE, Installation, NotDoneError, installed
from benchmarks.loans import SOURCE, record_of
from benchmarks.machine import Cost
from benchmarks.plan import Plan
from benchmarks.results import Results, plain
from benchmarks.servers import servers
from benchmarks.tables import table
from services.intake.connectors.card_panel import LENDER, CardPanel, Month
from services.intake.connectors.cloud_events import outgoing
from services.intake.connectors.sending import Sent
from services.replay import EVENING, NIGHT, instant_of
from shared.contracts.core_banking import LoanClosed, LoanOverdue, OfLoan
from shared.messaging.broker import Outgoing
from shared.settings import SERVICES

SPEED: Final = 480.0
"""Of outreach's clock: the minute for which it waits before it makes a plan takes an eighth of a second."""

_CASES: Final = "SELECT count(*), count(*) FILTER (WHERE status = 'open') FROM collection_case"
_LETTERS: Final = "SELECT count(*) FROM dead_letter"


@dataclass
class Book:
    """What the panel has told so far: of which accounts, and which of them are past due."""

    told: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)

    def heard(self, events: Iterable[Sent]) -> Iterator[Sent]:
        """Follow events on their way."""
        for sent in events:
            if isinstance(sent.fact, LoanOverdue):
                self.told.add(sent.fact.loan_id)
                self.open.add(sent.fact.loan_id)
            elif isinstance(sent.fact, LoanClosed):
                self.open.discard(sent.fact.loan_id)
            yield sent


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a panel took."""

    accounts: int
    months: int
    events: int
    seconds: float
    cost: Cost
    wal_bytes: int
    peak_memory: dict[str, int]

    @property
    def events_per_second(self) -> float:
        """How many events of the bank a second went the whole way."""
        return self.events / self.seconds

    @property
    def cpu_per_event(self) -> float:
        """Microseconds of processor time for each event: ours, the broker's and the database's."""
        return self.cost.total / self.events * 1e6


async def run(plan: Plan, results: Results) -> None:
    """Every month of the panel that was named."""
    if plan.panel is None:
        results.not_run["card-panel"] = (
            "is a part of the full run, where a panel's file is named (PANEL=credit_record.zip)"
        )
        return
    panel = CardPanel(plan.panel, plan.panel_accounts)
    first = instant_of(panel.business_dates()[0], NIGHT)
    async with (
        servers(fast=not plan.durable) as running,
        installed(running, evening=first, speed=SPEED) as installation,
    ):
        replayed = await _replayed(installation, panel)
    results.sections["card_panel"] = [plain(replayed)]


async def _replayed(installation: Installation, panel: CardPanel) -> Replayed:
    book = Book()
    before, wal = installation.cost(), await installation.servers.wal_bytes()
    began = time.perf_counter()
    for month in panel.months():
        await _month(installation, month, book)
    seconds = time.perf_counter() - began
    used, wal = installation.cost().since(before), await installation.servers.wal_bytes() - wal
    await _check(installation, book)
    months, memory = len(panel.business_dates()), installation.peak_memory()
    return Replayed(panel.accounts, months, installation.sent, seconds, used, wal, memory)


async def _month(installation: Installation, month: Month, book: Book) -> None:
    await _day(installation, instant_of(month.business_date, NIGHT), islice(month.events, 1))
    await _day(installation, instant_of(month.business_date, EVENING), book.heard(month.events))


async def _day(installation: Installation, at: datetime, events: Iterator[Sent]) -> None:
    """What the bank says at an hour, and all that follows from it."""
    installation.move(at)
    before = installation.sent
    while some := [_record(sent) for sent in islice(events, AT_ONCE)]:
        await installation.send(some)
    await installation.until_idle(PATIENCE + (installation.sent - before) / SLOWEST)


def _record(sent: Sent) -> Outgoing:
    if isinstance(sent.fact, OfLoan):
        return record_of(sent.fact, sent.event_id, sent.time)
    return outgoing(sent.fact, source=SOURCE, event_id=sent.event_id, time=sent.time, key=LENDER.encode())


async def _check(installation: Installation, book: Book) -> None:
    """Raise NotDoneError where an account is missing, or stands otherwise than the file says."""
    [(told, still_open)] = await installation.rows("intake", _CASES)
    if (told, still_open) != (len(book.told), len(book.open)):
        wanted = f"{len(book.told)} accounts, {len(book.open)} of them open"
        raise NotDoneError(f"there are cases of {told} accounts, {still_open} of them open, and not of {wanted}")
    for service in SERVICES:
        [(letters,)] = await installation.rows(service, _LETTERS)
        if letters:
            raise NotDoneError(f"{service} has {letters} dead letters")


def shown(results: Results) -> str:
    """One line for the panel."""
    return table(
        "Card panel: processor time in µs an event", [_line(row) for row in results.sections.get("card_panel", [])]
    )


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "accounts": row["accounts"],
        "months": row["months"],
        "events": row["events"],
        "minutes": row["seconds"] / 60,
        "events/s": row["events_per_second"],
        **{name: row["cost"][name] / row["events"] * 1e6 for name in ("ours", "broker", "database")},
        "WAL B/event": row["wal_bytes"] / row["events"],
        "largest MiB": max(row["peak_memory"].values()) >> 20,
    }
