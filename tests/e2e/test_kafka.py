"""On a real Kafka broker: the card panel, and the order of facts from random partitions to every consumer."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.intake.connectors.sending import CHINA
from shared.clock import VirtualClock
from shared.contracts.core_banking import BusinessDateAdvanced, Instalment, LoanOverdue, PaymentPosted
from shared.contracts.envelope import Fact
from shared.embedded.kafka_server import KafkaServer, missing
from shared.messaging.broker import Lane
from shared.messaging.broker_from_url import open_broker
from shared.messaging.reading import Reading
from shared.service import SHARDS
from shared.settings import SERVICES
from tests.conftest import BlankDatabase, DatabaseOf
from tests.e2e.invariants import broken, by_debtor
from tests.e2e.owners import after_the_run
from tests.e2e.panel import compare, counted, transitions_of
from tests.e2e.running import LONGEST, QUICK, data_directory, done
from tests.e2e.system import PUBLIC_PARTITIONS, System
from tests.real_data import card_panel

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(LONGEST)]

ACCOUNTS, DEBTORS = 500, 300
BANK, TODAY = "kafka-bank", date(2026, 3, 2)


async def test_five_hundred_real_accounts_come_out_as_the_file_has_them() -> None:
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    expected = counted(ACCOUNTS, card_panel())
    with data_directory("replay") as data:
        out = data / "roll.csv"
        command = ("replay", "--file", card_panel(), "--accounts", ACCOUNTS, "--broker", "kafka", "--out", out)
        said, _ = done(data, QUICK, *command)
        assert f"{ACCOUNTS:,} accounts" in said
        assert transitions_of(out) == expected.transitions
        async with after_the_run(data / "replay") as held:
            await compare(held, expected)
            assert await broken(held) == {}


@pytest.fixture
async def system(kafka: KafkaServer, database_of: DatabaseOf, blank_database: BlankDatabase) -> AsyncIterator[System]:
    clock = VirtualClock(datetime(2026, 3, 2, 6, tzinfo=CHINA))
    log = await open_broker(f"kafka://{kafka.bootstrap}", clock=clock.now)
    urls = {name: database_of(name) for name in SERVICES}
    system = await System.made(urls, log, clock, blank_database(), seed=3)
    yield system
    await system.close()
    await log.close()


def told_of(debtor: int) -> list[Fact]:
    """A debtor's life in one night: snapshots and payments that go to partitions of chance, in any order."""
    due = Instalment(number=1, due_on=TODAY - timedelta(days=8 + debtor % 40), principal=10_000)
    who: dict[str, Any] = {"lender_id": BANK, "loan_id": f"loan-{debtor}", "party_id": f"party-{debtor}"}
    midnight = datetime(2026, 3, 2, tzinfo=CHINA)
    snapshot = LoanOverdue(
        **who, as_of=TODAY, posting_cut_off=midnight, currency="CNY", instalments=(due,), outstanding=10_000
    )
    payments = [
        PaymentPosted(
            **who, payment_id=f"{debtor}/{n}", amount=1_000, currency="CNY", posted_at=midnight + timedelta(minutes=n)
        )
        for n in range(1, 8)
    ]
    return [snapshot, *payments]


async def some_of_it(system: System, records: int) -> dict[str, int]:
    """Have fresh workers apply a part of what waits, in small batches, and then go away; how much each applied."""
    applied: dict[str, int] = {}
    workers = system.workers(batch=records)
    for worker in workers:
        others = 1 if worker.kind.is_alone else SHARDS
        await worker.take(range(PUBLIC_PARTITIONS if worker.kind.is_edge else others))
        reading = Reading(worker, system.log, worker.kind.inputs)
        for _ in range(3):
            turned = await worker.turn(await reading.fetch(records, 5.0), due=records)
            applied[worker.name] = applied.get(worker.name, 0) + (turned.counts["applied"] if turned else 0)
            await worker.flush()
        await reading.close()
    for worker in workers:
        await worker.close()  # without a last turn: what was acknowledged is not written down
    return applied


async def test_every_consumer_applies_each_debtors_facts_in_the_order_of_their_commits(system: System) -> None:
    await system.write([BusinessDateAdvanced(lender_id=BANK, business_date=TODAY)], system.clock.now())
    await system.settle()
    facts = [fact for debtor in range(DEBTORS) for fact in told_of(debtor)]
    system.chance.shuffle(facts)
    half = len(facts) // 2
    await system.write(facts[:half], system.clock.now())
    await system.give_up()
    applied = await some_of_it(system, 150)
    assert 0 < applied["test/intake/ingress"] < half
    assert [applied[f"test/{consumer}/lane"] > 0 for consumer in SERVICES] == [True] * len(SERVICES)
    await system.write(facts[half:], system.clock.now())
    await system.take()
    await system.settle()
    system.clock.set(datetime(2026, 3, 4, tzinfo=UTC))
    await system.settle()
    await system.give_up()
    await each_event_was_heard_once(system, len(facts))
    await the_order_is_the_producers(system)
    assert await broken(system.owners, system.log) == {}


async def each_event_was_heard_once(system: System, written: int) -> None:
    public = [Lane("core-banking.loan-events.v1", number) for number in range(PUBLIC_PARTITIONS)]
    ends = await system.log.end_offsets(public)
    assert sum(ends.values()) == written + 1
    assert min(ends.values()) > 0
    lanes = await system.log.end_offsets([Lane("intake.events", number) for number in range(SHARDS)])
    assert sum(end > 1 for end in lanes.values()) >= 8  # more than the business date lies there
    payments = "SELECT count(*) FILTER (WHERE heard), count(DISTINCT payment_id) FROM payment"
    assert await system.owners.rows("intake", payments) == [(7 * DEBTORS, 7 * DEBTORS)]
    posted = "SELECT count(*), count(DISTINCT data->>'payment_id') FROM {} WHERE type = 'intake.payment-posted.v1'"
    assert await system.owners.rows("intake", posted.format("history")) == [(7 * DEBTORS, 7 * DEBTORS)]
    assert await system.owners.rows("analytics", posted.format("fact")) == [(7 * DEBTORS, 7 * DEBTORS)]
    assert await system.owners.rows(
        "intake", "SELECT count(*), min(loans->0->>'past_due'), max(loans->0->>'past_due') FROM collection_case"
    ) == [(DEBTORS, "3000", "3000")]


async def the_order_is_the_producers(system: System) -> None:
    """Analytics keeps what it applies; segmentation's order shows in what its own facts were caused by."""
    told = by_debtor(
        await system.owners.rows("intake", "SELECT debtor_id, event_id FROM history WHERE debtor_id <> '' ORDER BY id")
    )
    assert len(told) == DEBTORS
    applied = await system.owners.rows(
        "analytics", "SELECT debtor_id, event_id FROM fact WHERE type LIKE 'intake.%' ORDER BY id"
    )
    assert by_debtor(applied) == told
    answered = by_debtor(
        await system.owners.rows("segmentation", "SELECT debtor_id, caused_by FROM history ORDER BY id")
    )
    places = {debtor: [told[debtor].index(cause) for cause in causes] for debtor, causes in answered.items()}
    assert sum(len(set(of_one)) > 1 for of_one in places.values()) > DEBTORS // 2
    assert places == {debtor: sorted(of_one) for debtor, of_one in places.items()}
