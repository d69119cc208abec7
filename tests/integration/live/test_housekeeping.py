"""The outbox's partitions and the old rows, on a real database with rows planted in the past."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from shared.messaging.broker import Lane
from shared.messaging.housekeeping import LOCK, Housekeeping, partition
from shared.messaging.postgres_store import PostgresStore

TOPIC = "legal.facts"


def today() -> date:
    """Asked by each test for itself: a run of all tests may go on beyond midnight."""
    return datetime.now(UTC).date()


@pytest.fixture
def dsn(database_of: Callable[[str], str]) -> str:
    return database_of("legal")


@pytest.fixture
async def database(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[Housekeeping]:
    found = Housekeeping("legal", dsn)
    yield found
    await found.close()


class Outbox:
    """Plants what an actor told some hours ago, and says where it lies."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def told(self, hours_ago: int, *, seq: int, number: int = 3, incarnation: int = 1) -> None:
        await self._connection.execute(
            "INSERT INTO outbox VALUES (now() - make_interval(hours => $1), 'lane', $2, $3, $2, $4, $5, $5, $6)",
            hours_ago, number, TOPIC, incarnation, seq, b"facts",
        )  # fmt: skip

    async def acknowledged(self, seq: int, *, number: int = 3, incarnation: int = 1) -> None:
        await self._connection.execute(
            "INSERT INTO actor (kind, number, incarnation) VALUES ('lane', $1, $2) ON CONFLICT DO NOTHING",
            number, incarnation,
        )  # fmt: skip
        await self._connection.execute(
            "INSERT INTO lane_out VALUES ('lane', $1, $2, $1, $3, $3, '') "
            "ON CONFLICT (kind, number, topic, partition) DO UPDATE SET acked_seq = excluded.acked_seq",
            number, TOPIC, seq,
        )  # fmt: skip

    async def places(self) -> dict[int, str]:
        rows = await self._connection.fetch(
            "SELECT seq_from, tableoid::regclass::text AS place FROM outbox ORDER BY seq_from"
        )
        return {row["seq_from"]: row["place"] for row in rows}

    async def day_of(self, hours_ago: int) -> str:
        """Have the partition of that instant's day, as it was made then."""
        at = datetime.now(UTC) - timedelta(hours=hours_ago)
        await self._connection.execute(
            f"CREATE TABLE {partition(at.date())} PARTITION OF outbox "
            f"FOR VALUES FROM ('{at.date()} 00:00Z') TO ('{at.date() + timedelta(days=1)} 00:00Z')"
        )
        return partition(at.date())

    async def days(self) -> set[str]:
        rows = await self._connection.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'outbox'::regclass"
        )
        return {name for (name,) in rows} - {"outbox_default"}


@pytest.fixture
def outbox(database: "asyncpg.Connection[asyncpg.Record]") -> Outbox:
    return Outbox(database)


def days_from(first: date, many: int) -> set[str]:
    return {partition(first + timedelta(days=number)) for number in range(many)}


async def test_today_and_two_days_on_have_a_partition_and_rows_land_there(house: Housekeeping, outbox: Outbox) -> None:
    assert await house.tend()
    assert await outbox.days() == days_from(today(), 3)
    await outbox.told(0, seq=1)
    await outbox.told(-47, seq=2)
    assert set((await outbox.places()).values()) <= days_from(today(), 3)
    await house.tend()
    assert await outbox.days() == days_from(today(), 3)


async def test_rows_told_before_the_partition_was_there_move_into_it(house: Housekeeping, outbox: Outbox) -> None:
    await outbox.told(0, seq=1)
    assert await outbox.places() == {1: "outbox_default"}
    await house.tend()
    assert await outbox.places() == {1: partition(today())}


async def test_an_old_partition_goes_when_all_in_it_is_acknowledged(house: Housekeeping, outbox: Outbox) -> None:
    old = await outbox.day_of(120)
    await outbox.told(120, seq=1)
    await outbox.acknowledged(1)
    await house.tend()
    assert old not in await outbox.days()
    assert await outbox.places() == {}


async def test_an_old_partition_with_an_unacknowledged_row_stays(house: Housekeeping, outbox: Outbox) -> None:
    old = await outbox.day_of(120)
    await outbox.told(120, seq=1)
    await outbox.told(120, seq=2)
    await outbox.acknowledged(1)
    await house.tend()
    assert await outbox.places() == {1: old, 2: old}
    await outbox.acknowledged(2)
    await house.tend()
    assert await outbox.places() == {}


async def test_what_nobody_knows_to_be_acknowledged_stays(house: Housekeeping, outbox: Outbox) -> None:
    old = await outbox.day_of(120)
    await outbox.told(120, seq=1, number=9)
    await house.tend()
    assert await outbox.places() == {1: old}


async def test_an_unacknowledged_row_of_a_former_incarnation_does_not_keep_a_partition(
    house: Housekeeping, outbox: Outbox
) -> None:
    old = await outbox.day_of(120)
    await outbox.told(120, seq=7, incarnation=1)
    await outbox.acknowledged(0, incarnation=2)
    await house.tend()
    assert old not in await outbox.days()


async def test_a_partition_within_the_retention_stays(dsn: str, outbox: Outbox) -> None:
    recent = await outbox.day_of(48)
    await outbox.told(48, seq=1)
    await outbox.acknowledged(1)
    house = Housekeeping("legal", dsn, outbox_hours=72)
    await house.tend()
    assert recent in await outbox.days()
    await house.close()
    shorter = Housekeeping("legal", dsn, outbox_hours=1)
    await shorter.tend()
    assert recent not in await outbox.days()
    await shorter.close()


async def test_acknowledged_rows_leave_the_default_partition_and_others_stay(
    house: Housekeeping, outbox: Outbox
) -> None:
    await outbox.told(120, seq=1)
    await outbox.told(120, seq=2)
    await outbox.acknowledged(1)
    await house.tend()
    assert await outbox.places() == {2: "outbox_default"}


async def test_what_was_told_is_found_over_the_borders_of_days(dsn: str, house: Housekeeping, outbox: Outbox) -> None:
    await outbox.day_of(48)
    await outbox.day_of(24)
    for seq, hours_ago in ((1, 90), (2, 48), (3, 24), (4, 0)):
        await outbox.told(hours_ago, seq=seq)
    await outbox.acknowledged(2)
    await house.tend()
    store = PostgresStore(dsn, "lane")
    assert [facts.seq_from for facts in await store.told_since(3, Lane(TOPIC, 3), 1, 2)] == [2, 3, 4]
    assert [facts.seq_from for facts in await store.unacknowledged(3)] == [3, 4]
    await store.close()


async def test_answered_commands_are_forgotten_after_72_hours_and_pending_ones_never(
    house: Housekeeping, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    for hours_ago, status in ((100, "done"), (100, "refused"), (100, "pending"), (70, "done")):
        await database.execute(
            "INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash,"
            " status, created_at)"
            " VALUES ($1, 'c', $1, 'lane', 0, 'n', '', '', '', '{}', '', $2, now() - make_interval(hours => $3))",
            f"{hours_ago} {status}", status, hours_ago,
        )  # fmt: skip
    await house.tend()
    kept = {name for (name,) in await database.fetch("SELECT id FROM command")}
    assert kept == {"100 pending", "70 done"}


async def test_one_process_does_it_at_a_time(
    house: Housekeeping, outbox: Outbox, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await database.execute("SELECT pg_advisory_lock($1)", LOCK)
    assert not await house.tend()
    assert await outbox.days() == set()
    await database.execute("SELECT pg_advisory_unlock($1)", LOCK)
    assert await house.tend()


async def test_it_counts_debtors_in_quarantine_and_events_parked(
    house: Housekeeping, database: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await database.executemany(
        "INSERT INTO quarantine VALUES ('lane', $1, $2, $3, now())",
        [(4, "anna", "one"), (4, "anna", "two"), (4, "ben", "three"), (5, "carl", "four")],
    )
    await database.executemany(
        "INSERT INTO parked (kind, number, owner, topic, partition, log_offset, raw)"
        " VALUES ('lane', 4, $1, 't', 4, $2, '')",
        [("anna", 1), ("anna", 2), ("ben", 3)],
    )
    waiting = await house.waiting()
    assert waiting.quarantined == {("lane", 4): 2, ("lane", 5): 1}
    assert waiting.parked == {("lane", 4): 3}
