"""How long a change takes at half of the maximum rate: from the bank's record to the case, from a payment to the stop.

Nothing is asked of the services meanwhile: each fact's record says when it was published, which is after its commit.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from benchmarks import end_to_end
from benchmarks.figures import percentile, percentiles
from benchmarks.installation import Installation, installed
from benchmarks.loans import EVENING, date_of, payment_of, record_of, snapshots
from benchmarks.plan import Plan
from benchmarks.results import Results
from benchmarks.servers import servers
from benchmarks.tables import table
from shared.contracts import intake, outreach
from shared.contracts.core_banking import LoanOverdue
from shared.contracts.envelope import Event
from shared.messaging.broker import Broker, Lane, Outgoing
from shared.service import SHARDS, decode_fact

PAYMENTS: Final = 10
"""One in so many events is a payment."""

HALF: Final = 0.5
TICK: Final = 0.05
TO_CASE, TO_STOP = "event to case", "payment to stop"


@dataclass
class Traffic:
    """What was sent, loan by loan, and what came of it: milliseconds by the name of the way."""

    sent_at: dict[str, float] = field(default_factory=dict)
    payers: dict[str, str] = field(default_factory=dict)
    took: dict[str, list[float]] = field(default_factory=lambda: {TO_CASE: [], TO_STOP: []})

    def heard_of_case(self, event: Event[Any], at: float) -> None:
        """The first fact of intake about a loan is what its event came to."""
        loans = [each.loan_id for each in event.data.case.loans] if event.data.case else []
        if isinstance(event.data, intake.PaymentPosted):
            loans = [event.data.loan_id]
            self.payers[event.debtor_id] = event.data.loan_id
        for loan_id in loans:
            if loan_id in self.sent_at and (TO_CASE, loan_id) not in self._seen:
                self._seen.add((TO_CASE, loan_id))
                self.took[TO_CASE].append((at - self.sent_at[loan_id]) * 1000)

    def heard_of_stop(self, event: Event[Any], at: float) -> None:
        """The first stop of a payer's plan is what the payment came to."""
        loan_id = self.payers.get(event.debtor_id)
        if loan_id is not None and (TO_STOP, loan_id) not in self._seen:
            self._seen.add((TO_STOP, loan_id))
            self.took[TO_STOP].append((at - self.sent_at[loan_id]) * 1000)

    _seen: set[tuple[str, str]] = field(default_factory=set)


async def run(plan: Plan, results: Results) -> None:
    """A night, so that everybody has a plan; then events at half of the rate at which it went."""
    async with servers(fast=not plan.durable) as running, installed(running) as installation:
        await end_to_end.warm_up(installation, plan.warm_up)
        night = await end_to_end.night(installation, end_to_end.FIRST, plan.loans)
        await installation.send([date_of(1)])
        await installation.until_idle(end_to_end.PATIENCE)
        rate = HALF * (results.headline["loans_per_second"] or night.loans_per_second)
        loans = list(islice(snapshots(plan.loans, night=1), int(rate * plan.latency_seconds)))
        starts = await _ends(installation.broker)
        traffic = await _sent(installation, loans, rate)
        await installation.until_idle(end_to_end.PATIENCE)
        await _followed(installation.broker, starts, traffic)
    results.sections["latency"] = {"events": len(loans), "events_per_second": rate, "ways": ways(traffic)}
    if traffic.took[TO_STOP]:
        results.found("payment_to_stop_p99_ms", percentile(traffic.took[TO_STOP], 99.0))


async def _sent(installation: Installation, loans: Sequence[LoanOverdue], rate: float) -> Traffic:
    traffic, began, step = Traffic(), time.perf_counter(), max(int(rate * TICK), 1)
    for first in range(0, len(loans), step):
        await asyncio.sleep(began + first / rate - time.perf_counter())
        some = loans[first : first + step]
        records = [_event(loan, first + place) for place, loan in enumerate(some)]
        traffic.sent_at |= dict.fromkeys((loan.loan_id for loan in some), time.time())
        await installation.send(records)
    return traffic


def _event(loan: LoanOverdue, number: int) -> Outgoing:
    if number % PAYMENTS == 0:
        return payment_of(loan, number, EVENING)
    return record_of(loan, f"latency/{loan.loan_id}", EVENING)


# -- what came of it ---------------------------------------------------------------------------------------------------


async def _ends(broker: Broker) -> Mapping[Lane, int]:
    return await broker.end_offsets(
        [Lane(topic, number) for topic in (intake.TOPIC, outreach.TOPIC) for number in range(SHARDS)]
    )


async def _followed(broker: Broker, starts: Mapping[Lane, int], traffic: Traffic) -> None:
    async for event, at in _facts(broker, starts, intake.TOPIC):
        if isinstance(event.data, intake.OfCase | intake.PaymentPosted):
            traffic.heard_of_case(event, at)
    async for event, at in _facts(broker, starts, outreach.TOPIC):
        if isinstance(event.data, outreach.PlanStopped):
            traffic.heard_of_stop(event, at)


async def _facts(broker: Broker, starts: Mapping[Lane, int], topic: str) -> AsyncIterator[tuple[Event[Any], float]]:
    """The facts told on a topic since, each with the moment at which it was published."""
    mine = {lane: at for lane, at in starts.items() if lane.topic == topic}
    left = sum((await broker.end_offsets(list(mine))).values()) - sum(mine.values())
    reader = await broker.reader()
    await reader.assign(mine)
    try:
        while left > 0:
            for record in await reader.fetch(5_000, 1.0):
                left -= 1
                event = decode_fact(record)
                if event is not None:
                    yield event, record.timestamp.timestamp()
    finally:
        await reader.close()


def ways(traffic: Traffic) -> list[dict[str, Any]]:
    """The percentiles of each way."""
    return [{"way": way, "measured": len(took), **percentiles(took)} for way, took in traffic.took.items() if took]


def shown(results: Results) -> str:
    """The ways with their percentiles."""
    found = results.sections.get("latency")
    if not found:
        return ""
    return table(f"Latency at {found['events_per_second']:,.0f} events a second", found["ways"])
