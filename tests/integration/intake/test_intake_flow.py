"""Intake as it runs: the bank's events on any of seven partitions, in any order, through both kinds of actor."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from services.intake.connectors.cloud_events import outgoing
from services.intake.service import declare
from shared.assembly import topics_of, workers_of
from shared.clock import VirtualClock
from shared.contracts.core_banking import TOPIC, BusinessDateAdvanced, DebtorUpdated
from shared.messaging.broker import Lane, Outgoing
from shared.messaging.embedded_log import EmbeddedLog
from shared.settings import Settings, WorkerTuning
from shared.stepped import Stepper
from shared.ticks import Ticks
from tests.conftest import BlankDatabase, DatabaseOf
from tests.unit.intake.play import closing, instalment, payment, reversal, snapshot

AT = datetime(2024, 3, 5, 6, tzinfo=UTC)
DEBTORS = 30


class Bank:
    """Writes to the public topic wherever chance will have it, and lets intake catch up."""

    def __init__(self, dsn: str, log: EmbeddedLog, stepper: Stepper, seed: int) -> None:
        self.dsn, self._log, self._stepper, self._chance, self._written = dsn, log, stepper, random.Random(seed), 0

    async def tells(self, *facts: Any) -> None:
        """Events in an order and on partitions of chance; then everything runs until nothing moves."""
        batches: dict[Lane, list[Outgoing]] = {}
        for fact in self._chance.sample(facts, len(facts)):
            self._written += 1
            lane = Lane(TOPIC, self._chance.randrange(7))
            batches.setdefault(lane, []).append(
                outgoing(fact, source="/bank", event_id=str(self._written), time=AT, key=b"any")
            )
        await self.writes(batches)

    async def writes(self, *appends: Mapping[Lane, Sequence[Outgoing]]) -> None:
        """Records on the partitions that a test has chosen; then everything runs until nothing moves."""
        writer = await self._log.writer()
        for batches in appends:
            await writer.append(batches)
        await writer.close()
        await self._stepper.settle()

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.dsn)
        found = [tuple(row) for row in await connection.fetch(query)]
        await connection.close()
        return found


@pytest.fixture(params=[1, 2])
async def bank(
    database_of: DatabaseOf, blank_database: BlankDatabase, request: pytest.FixtureRequest
) -> AsyncIterator[Bank]:
    async with bank_of(database_of("intake"), blank_database(), request.param) as found:
        yield found


@asynccontextmanager
async def bank_of(dsn: str, beside: str, seed: int, batch: int = 2000) -> AsyncIterator[Bank]:
    """A bank, and an intake that takes so many records at once."""
    settings = replace(Settings.demo(), database_urls={"intake": dsn}, worker=WorkerTuning(batch_size=batch))
    clock = VirtualClock(AT)
    log = await EmbeddedLog.open(beside, clock=clock.now)
    service = declare(settings)
    await log.ensure_topics(topics_of([service]))
    ticks = await Ticks.open(beside)
    await ticks.begin({})
    stepper = Stepper(workers_of([service], settings, log, clock, "test"), log, ticks)
    await stepper.start()
    yield Bank(dsn, log, stepper, seed)
    await stepper.close()
    await ticks.close()
    await log.close()


def of(debtor: int, fact: Any, *, named: bool) -> Any:
    """A fact about a debtor's loan, with or without the party."""
    return msgspec.structs.replace(fact, loan_id=f"loan-{debtor}", party_id=f"party-{debtor}" if named else "")


def told_of(debtor: int) -> list[Any]:
    paid, second = payment("2024-03-06", 300), payment("2024-03-07", 100, name="payment-2")
    return [
        of(debtor, snapshot("2024-03-05", instalment("2024-02-20", 900)).loan, named=True),
        of(debtor, paid.payment, named=False),
        of(debtor, second.payment, named=False),
        of(debtor, reversal(paid, "2024-03-08").reversal, named=False),
    ]


def advanced(to: str) -> BusinessDateAdvanced:
    return BusinessDateAdvanced(lender_id="demo-bank", business_date=date.fromisoformat(to))


async def test_the_same_events_on_any_partition_in_any_order_give_the_same_cases(bank: Bank) -> None:
    facts = [fact for debtor in range(DEBTORS) for fact in told_of(debtor)]
    await bank.tells(advanced("2024-03-08"))
    await bank.tells(*facts, *facts)
    assert await bank.rows("SELECT reason FROM dead_letter") == []
    loan = "loans -> 0 ->> 'bucket', loans -> 0 ->> 'past_due'"
    found = f"SELECT status, {loan}, count(*) FROM collection_case GROUP BY 1, 2, 3"
    assert await bank.rows(found) == [("open", "M1", "800", DEBTORS)]
    await bank.tells(advanced("2024-03-25"))
    assert await bank.rows(found) == [("open", "M2", "800", DEBTORS)]
    await bank.tells(*(of(debtor, closing("2024-03-26").closing, named=False) for debtor in range(DEBTORS)))
    assert await bank.rows("SELECT status, disposition, count(*) FROM collection_case GROUP BY 1, 2") == [
        ("closed", "paid", DEBTORS)
    ]
    told = dict(await bank.rows("SELECT type, count(*) FROM history GROUP BY 1"))
    assert {
        name: told[f"intake.{name}.v1"]
        for name in ("case-opened", "payment-posted", "payment-reversed", "delinquency-range-changed", "case-closed")
    } == {
        "case-opened": DEBTORS,
        "payment-posted": 2 * DEBTORS,
        "payment-reversed": DEBTORS,
        "delinquency-range-changed": DEBTORS,
        "case-closed": DEBTORS,
    }
    gaps = "SELECT debtor_id FROM history WHERE case_version > 0 GROUP BY 1 HAVING max(case_version) <> count(*)"
    assert await bank.rows(gaps) == []


@pytest.mark.parametrize("batch", [1, 2, 2000])
async def test_the_order_between_partitions_does_not_depend_on_how_they_are_cut(
    database_of: DatabaseOf, blank_database: BlankDatabase, batch: int
) -> None:
    async with bank_of(database_of("intake"), blank_database(), 1, batch) as bank:
        await bank.tells(told_of(1)[0])
        appends: list[dict[Lane, list[Outgoing]]] = []
        for number in range(9):
            paid = of(1, payment("2024-03-06", 10, name=f"payment-{number}").payment, named=False)
            record = outgoing(paid, source="/bank", event_id=f"paid-{number}", time=AT, key=b"any")
            appends.append({Lane(TOPIC, number % 3): [record]})
        await bank.writes(*appends)
        told = await bank.rows("SELECT data->>'payment_id' FROM history WHERE type LIKE '%payment%' ORDER BY id")
        assert [int(name.removeprefix("payment-")) for (name,) in told] == [0, 3, 6, 1, 4, 7, 2, 5, 8]


async def test_a_bad_event_holds_its_debtor_and_nobody_else(bank: Bank) -> None:
    await bank.tells(advanced("2024-03-08"), *told_of(1), *told_of(2))
    bad = msgspec.structs.replace(of(1, payment("2024-03-09", 50, name="bad").payment, named=True), currency="no code")
    await bank.tells(bad)
    await bank.tells(*(of(debtor, closing("2024-03-10").closing, named=True) for debtor in (1, 2)))
    anna = Settings.demo().vault.pseudonym("demo-bank", "party-1")
    assert await bank.rows("SELECT owner, field FROM dead_letter") == [(anna, "currency")]
    assert await bank.rows("SELECT owner FROM quarantine") == [(anna,)]
    assert set(await bank.rows("SELECT debtor_id = '" + anna + "', status FROM collection_case")) == {
        (True, "open"),
        (False, "closed"),
    }


async def test_personal_data_is_nowhere_in_clear(bank: Bank) -> None:
    profile = DebtorUpdated(lender_id="demo-bank", party_id="party-1", updated_at=AT, name="Rumpelstilzchen")
    await bank.tells(profile, *told_of(1))
    assert await bank.rows("SELECT count(*) FROM profile") == [(1,)]
    for (table,) in await bank.rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"):
        for word in ("Rumpelstilzchen", "party-1"):
            forms = f"t::text LIKE '%{word}%' OR t::text LIKE '%{word.encode().hex()}%'"
            hits = f"SELECT count(*) FROM {table} t WHERE {forms}"
            assert await bank.rows(hits) == [(0,)], table
