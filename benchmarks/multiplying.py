"""More debtors than a night is played for: what services keep of each is copied under new names, in the same lane.

A morning wants more debtors than a night can bring in the time that a run has, and does not ask how they came.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Final

import asyncpg

from benchmarks.installation import Installation
from shared.messaging.sharding import shard_of

KNOWING: Final = ("segmentation", "outreach", "legal", "analytics")
"""The services that hear of what is done on a morning; intake does not."""

# What is only appended has a number of its own in each row, and is what happened: that did not happen to the copies.
_TABLES = """
SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns
WHERE table_schema = 'public' AND table_name NOT IN (
    SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND is_identity = 'YES')
GROUP BY table_name HAVING array_agg(column_name::text) @> ARRAY['shard', 'debtor_id']
"""
_MADE = "CREATE TABLE copied (original text NOT NULL, debtor_id text NOT NULL)"


async def multiply(installation: Installation, times: int) -> None:
    """Have `times` as many debtors as outreach knows now, in every service that hears of them; the workers are idle."""
    known = [name for (name,) in await installation.rows("outreach", "SELECT debtor_id FROM debtor_guard")]
    copies = copies_of(known, times - 1)
    for service in KNOWING:
        connection = await asyncpg.connect(installation.servers.postgres.dsn(service))
        try:
            await _copy(connection, copies)
        finally:
            await connection.close()


async def _copy(connection: Any, copies: Sequence[tuple[str, str]]) -> None:
    await connection.execute(_MADE)
    await connection.copy_records_to_table("copied", records=copies)
    await connection.execute("ANALYZE copied")
    for table, columns in await connection.fetch(_TABLES):
        names = ", ".join(f'"{column}"' for column in columns)
        values = ", ".join("m.debtor_id" if column == "debtor_id" else f't."{column}"' for column in columns)
        found = f'"{table}" t JOIN copied m ON m.original = t.debtor_id'
        await connection.execute(f'INSERT INTO "{table}" ({names}) SELECT {values} FROM {found}')  # names of ours
        await connection.execute(f'ANALYZE "{table}"')
    await connection.execute("DROP TABLE copied")


def copies_of(names: Sequence[str], times: int) -> list[tuple[str, str]]:
    """So many new names for each, paired with it, that fall into the same lane."""
    lanes: dict[int, list[str]] = defaultdict(list)
    for name in names:
        lanes[shard_of(name)] += [name] * times
    return list(_paired(lanes, (hashlib.sha256(b"copy %d" % number).hexdigest()[:32] for number in count())))


def _paired(lanes: dict[int, list[str]], new: Iterable[str]) -> Iterator[tuple[str, str]]:
    left = sum(map(len, lanes.values()))
    for name in new:
        if not left:
            return
        wanted = lanes.get(shard_of(name))
        if wanted:
            left -= 1
            yield wanted.pop(), name
