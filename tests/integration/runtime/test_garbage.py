"""Records that nobody can read, on a real database: what it cannot hold must not come near it."""

from collections.abc import Callable

import asyncpg
import msgspec
import pytest

from shared.messaging.postgres_store import PostgresStore
from tests.unit.fuzz.garbage import KINDS, Played, stream


@pytest.mark.parametrize("place", sorted(KINDS), ids="/".join)
async def test_garbage_costs_dead_letters_alone_and_survives_being_tried_again(
    place: tuple[str, str], database_of: Callable[[str], str]
) -> None:
    service, kind = place[0], KINDS[place]
    records, bad = stream(kind)
    dsn = database_of(service)
    async with PostgresStore(dsn, kind.name) as store, asyncpg.create_pool(dsn, min_size=1) as connection:
        played = await Played(service, kind, store).play(records)
        assert [letter.offset for letter in played.letters] == bad
        assert played.applied == len(bad)
        assert played.position(records[0].lane) == len(records)
        await _ask_for_replays(connection, kind.name)
        await played.play([])
        statuses = await connection.fetch("SELECT status, count(*)::int FROM dead_letter GROUP BY status")
        assert [tuple(row) for row in statuses] == [("open", len(bad))]
        answers = await connection.fetch("SELECT status, count(*)::int FROM command GROUP BY status")
        assert [tuple(row) for row in answers] == [("refused", len(bad))]


async def _ask_for_replays(connection: "asyncpg.Pool[asyncpg.Record]", kind: str) -> None:
    """A command for each letter, as the API would write it."""
    for row in await connection.fetch("SELECT id, owner, lender_id FROM dead_letter"):
        await connection.execute(
            "INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash)"
            " VALUES ($1, 'test', $1, $2, 3, 'replay-letter', $3, $4, 'operator/x', $5, '')",
            row["id"], kind, row["owner"], row["lender_id"],
            msgspec.json.encode({"letter_id": row["id"]}).decode(),
        )  # fmt: skip
