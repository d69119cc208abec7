"""End to end: overdue loans on the public topic, to the last plan and the last fact in analytics committed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.installation import Installation
from benchmarks.loans import date_of, night_of
from benchmarks.machine import Cost
from shared.messaging.broker import Outgoing

FIRST, SECOND, DATE_ONLY = "first night", "second night", "date only"
NIGHTS = (FIRST, SECOND, DATE_ONLY)
"""Every loan is new; every loan is known and owes more; nothing is reported but that a day has passed."""

PATIENCE = 120.0
SLOWEST = 20.0
"""Loans a second below which a run is given up."""


@dataclass(frozen=True, slots=True)
class Night:
    """What one night took."""

    name: str
    loans: int
    seconds: float
    cost: Cost
    wal_bytes: int
    peak_memory: dict[str, int]

    @property
    def loans_per_second(self) -> float:
        """How many loans a second went the whole way."""
        return self.loans / self.seconds

    @property
    def cpu_per_loan(self) -> float:
        """Microseconds of processor time for each loan: ours, the broker's and the database's."""
        return self.cost.total / self.loans * 1e6

    @property
    def wal_per_loan(self) -> float:
        """Bytes that the database wrote ahead for each loan."""
        return self.wal_bytes / self.loans


def records_of(name: str, loans: int) -> list[Outgoing]:
    """What the bank sends in a night."""
    number = NIGHTS.index(name)
    return [date_of(number)] if name == DATE_ONLY else night_of(loans, number)


async def warm_up(installation: Installation, loans: int) -> None:
    """A small night under names of its own, so that no figure has first times in it."""
    await installation.send(night_of(loans, 0, "warm"))
    await installation.until_idle(PATIENCE + loans / SLOWEST)


async def nights(installation: Installation, loans: int, names: Sequence[str] = NIGHTS) -> list[Night]:
    """Nights one after the other on the same installation."""
    return [await night(installation, name, loans) for name in names]


async def night(installation: Installation, name: str, loans: int) -> Night:
    """One night: from the first record written to the last consequence committed."""
    records = records_of(name, loans)
    before, wal = installation.cost(), await installation.servers.wal_bytes()
    began = time.perf_counter()
    await installation.send(records)
    await installation.until_idle(PATIENCE + loans / SLOWEST)
    seconds = time.perf_counter() - began
    used = installation.cost().since(before)
    wal = await installation.servers.wal_bytes() - wal
    return Night(name, loans, seconds, used, wal, installation.peak_memory())
