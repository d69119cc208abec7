"""What falls due in the store in memory: the rows whose time has come, and the next instant at which one's will."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from shared.messaging.layout import Layout, Table
from shared.messaging.lookout import timed
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.store import DueRow


def due_rows(
    database: MemoryDatabase, kind: str, layout: Layout, numbers: Collection[int], now: datetime
) -> list[DueRow]:
    """The rows of these actors that are due, of owners not in quarantine, table by table, by shard, due, owner, key."""
    found: list[DueRow] = []
    for name, table in layout.tables.items():
        reached = [
            each for each in _waiting(database, kind, name, table, numbers) if _reached(database, kind, *each, now)
        ]
        reached.sort(key=lambda each: (each[1].shard, each[0], each[1].owner, each[1].key))
        found += [row for _, row in reached]
    return found


def next_instant(
    database: MemoryDatabase, kind: str, layout: Layout, numbers: Collection[int], after: datetime
) -> datetime | None:
    """The first instant after this one at which a row of these actors falls due."""
    waiting = (each for name, table in timed(layout) for each in _waiting(database, kind, name, table, numbers))
    return min((at for at, _ in waiting if at is not None and at > after), default=None)


def _waiting(
    database: MemoryDatabase, kind: str, name: str, table: Table, numbers: Collection[int]
) -> list[tuple[Any, DueRow]]:
    if table.due is None:
        return []
    quarantined = {owner for of_kind, owner, _ in database.quarantines if of_kind == kind}
    return [
        (getattr(row, table.due), DueRow(shard, owner, name, key, row))
        for (owner, key), (shard, row) in database.rows.get(table.name, {}).items()
        if shard in numbers and owner not in quarantined
    ]


def _reached(database: MemoryDatabase, kind: str, at: Any, due: DueRow, now: datetime) -> bool:
    if at is None or isinstance(at, datetime):
        return at is not None and at <= now
    reached = database.standings[kind, due.shard].clocks.get(due.row.lender_id)
    return reached is not None and bool(at <= reached)
