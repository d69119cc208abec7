"""The store on PostgreSQL 18: one dedicated connection per worker, arrays over all its actors in each statement.

Joins other than index look-ups are switched off for these connections: the event path only ever finds rows by key, and
a plan made while a table was empty must not scan it once it is full.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import asyncpg
import msgspec

from shared.contracts import catalogue
from shared.messaging import statements
from shared.messaging.arrays import by_column
from shared.messaging.broker import Lane
from shared.messaging.layout import Key, Layout, State
from shared.messaging.packing import unpacked
from shared.messaging.postgres_line import Connection, PostgresLine
from shared.messaging.rows import json_text
from shared.messaging.store import (
    TOLD_OTHERWISE,
    WENT_BACK,
    Change,
    Command,
    CursorMove,
    DueRow,
    Effects,
    Gap,
    Letter,
    Mark,
    Out,
    Outlook,
    Parked,
    StaleStandingError,
    Standing,
    StoredFacts,
    StoreUnavailableError,
)
from shared.messaging.table_access import anything_waits, claim_due, load_rows, next_to_fall_due, save_tables
from shared.postgres.failures import DRIVER_ERRORS

SESSION = {
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "15s",
    "tcp_user_timeout": "15s",
}


class PostgresStore:
    """The store of one service for one kind of actor."""

    def __init__(self, dsn: str, kind: str, *, take_over_after: str = "10s") -> None:
        """Hold no connection yet; `take_over_after` is how long a zombie's lock is waited for before it is ended."""
        self._kind = kind
        session = SESSION | {"lock_timeout": take_over_after, "application_name": f"fairdue {kind}"}
        self._line = PostgresLine(dsn, session)

    async def acquire(self, number: int, owner: str) -> Standing:
        """Raise the epoch; a backend that holds the row beyond the lock time-out is ended."""
        async with self._line.asked() as connection:
            try:
                row = await connection.fetchrow(statements.ACQUIRE, self._kind, number, owner)
            except asyncpg.LockNotAvailableError:
                await connection.execute(statements.END_ZOMBIE, self._kind, number)
                row = await connection.fetchrow(statements.ACQUIRE, self._kind, number, owner)
            if row is None:
                raise StoreUnavailableError("the actor's row was not there")
            return await self._standing(connection, number, row)

    async def _standing(self, connection: Connection, number: int, row: asyncpg.Record) -> Standing:
        place = (self._kind, number)
        standing = Standing(number, row["epoch"], row["incarnation"], stopped=row["stopped_reason"] or "")
        standing.restored = bool(row["restored"])
        for topic, partition, offset in await connection.fetch(statements.CURSORS, *place):
            standing.cursors[Lane(topic, partition)] = offset
        for topic, partition, source, incarnation, seq in await connection.fetch(statements.MARKS, *place):
            standing.marks[Lane(topic, partition), source] = Mark(incarnation, seq)
        for topic, partition, source, *gap in await connection.fetch(statements.GAPS, *place):
            standing.gaps[Lane(topic, partition), source] = Gap(*gap)
        for topic, partition, *out in await connection.fetch(statements.OUTS, *place):
            standing.outs[Lane(topic, partition)] = Out(*out)
        for lender, day in await connection.fetch(statements.CLOCKS, *place):
            standing.clocks[lender] = day
        for name, wire_name, data in await connection.fetch(statements.DIRECTIVES, *place):
            fact = catalogue.fact_type(wire_name)
            if fact is not None:
                standing.directives[name] = msgspec.json.decode(data, type=fact)
        return standing

    async def unacknowledged(self, number: int) -> Sequence[StoredFacts]:
        """Read from the outbox what lies beyond the acknowledged sequence."""
        async with self._line.asked() as connection:
            return [_stored(row) for row in await connection.fetch(statements.UNACKNOWLEDGED, self._kind, number)]

    async def told_since(self, number: int, lane: Lane, incarnation: int, seq: int) -> Sequence[StoredFacts]:
        """Read the lane's outbox from a sequence to its head."""
        async with self._line.asked() as connection:
            rows = await connection.fetch(statements.TOLD_SINCE, self._kind, number, *lane, incarnation, seq)
            return [_stored(row) for row in rows]

    async def release(self, epochs: Mapping[int, int]) -> None:
        """Leave the actors without an owner, for others to take."""
        async with self._line.asked() as connection:
            await connection.execute(statements.RELEASE, self._kind, list(epochs), list(epochs.values()))

    async def has_work(self, layout: Layout, numbers: Collection[int], now: datetime) -> bool:
        """Ask outside any transaction."""
        async with self._line.asked() as connection:
            return (await self._looked(connection, layout, numbers, now, next_due="NULL")).waits

    async def look_out(self, layout: Layout, numbers: Collection[int], now: datetime) -> Outlook:
        """Ask outside any transaction, with one question."""
        async with self._line.asked() as connection:
            return await self._looked(connection, layout, numbers, now, next_due=next_to_fall_due(layout))

    async def _looked(
        self, connection: Connection, layout: Layout, numbers: Collection[int], now: datetime, *, next_due: str
    ) -> Outlook:
        query = f"SELECT {statements.WENT_BACK}, {anything_waits(layout)}, {next_due}"
        [(went_back, *found)] = await connection.fetch(query, self._kind, list(numbers), now)
        if went_back:
            raise StoreUnavailableError(WENT_BACK)
        return Outlook(*found)

    async def begin(self) -> "PostgresTransaction":
        """Begin on the one connection; a former transaction that was left open is rolled back."""
        async with self._line.asked() as connection:
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK")
            await connection.execute("BEGIN")
            return PostgresTransaction(self._line, connection, self._kind)

    async def close(self) -> None:
        """Close the connection."""
        await self._line.close()

    async def __aenter__(self) -> Self:
        """Nothing to do: the connection is made when it is first needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()


class PostgresTransaction:
    """One open transaction."""

    def __init__(self, line: PostgresLine, connection: Connection, kind: str) -> None:
        """Work on a connection of the line on which BEGIN was said."""
        self._line, self._connection, self._kind = line, connection, kind

    async def fence(self, epochs: Mapping[int, int]) -> set[int]:
        """Lock the rows of the actors that still stand at these epochs."""
        async with self._line.sorted():
            rows = await self._connection.fetch(statements.FENCE, self._kind, list(epochs), list(epochs.values()))
            return {row[0] for row in rows}

    async def move_cursors(self, moves: Sequence[CursorMove]) -> None:
        """Insert new positions, and compare-and-set known ones."""
        fresh = [(move.number, *move.lane, move.new) for move in moves if move.old is None]
        known = [(move.number, *move.lane, move.new, move.old) for move in moves if move.old is not None]
        async with self._line.sorted():
            moved = 0
            if fresh:
                moved += await self._count(statements.NEW_CURSORS, *by_column(fresh))
            if known:
                moved += await self._count(statements.MOVE_CURSORS, *by_column(known))
        if moved < len(moves):
            raise StaleStandingError(f"{len(moves) - moved} of {len(moves)} positions have been moved by somebody else")

    async def _count(self, statement: str, *arguments: Any) -> int:
        status: str = await self._connection.execute(statement, self._kind, *arguments)
        return int(status.rsplit(" ", 1)[1])

    async def take_commands(self, numbers: Collection[int], limit: int) -> Sequence[Command]:
        """Read the oldest pending commands."""
        async with self._line.sorted():
            rows = await self._connection.fetch(statements.PENDING_COMMANDS, self._kind, list(numbers), limit)
            return [Command(**{**row, "body": row["body"].encode()}) for row in rows]

    async def take_due(self, layout: Layout, numbers: Collection[int], now: datetime, limit: int) -> Sequence[DueRow]:
        """Claim from every table that has a due column."""
        async with self._line.sorted():
            return await claim_due(self._connection, self._kind, layout, numbers, now, limit)

    async def load(
        self, layout: Layout, owners: Mapping[str, int], named: Mapping[str, set[tuple[str, Key]]]
    ) -> dict[str, State]:
        """Lock shared owners in sorted order, then read table by table."""
        async with self._line.sorted():
            if layout.shared:
                await self._connection.execute(statements.NEW_SHARED_OWNERS, sorted(owners))
                await self._connection.execute(statements.LOCK_SHARED_OWNERS, sorted(owners))
            return await load_rows(self._connection, layout, owners, named)

    async def quarantines(self, owners: Collection[str]) -> Mapping[str, set[str]]:
        """Read the open reasons."""
        async with self._line.sorted():
            found: dict[str, set[str]] = {}
            for owner, letter_id in await self._connection.fetch(
                statements.QUARANTINES, *statements.joined(owners), self._kind
            ):
                found.setdefault(owner, set()).add(letter_id)
            return found

    async def parked(self, owners: Collection[str]) -> Mapping[str, Sequence[Parked]]:
        """Read what waits, in order."""
        async with self._line.sorted():
            found: dict[str, list[Parked]] = {}
            for row in await self._connection.fetch(statements.PARKED, self._kind, list(owners)):
                ordinal, number, owner, topic, partition, offset, raw = row
                parked = Parked(ordinal, number, owner, Lane(topic, partition), offset, raw)
                found.setdefault(owner, []).append(parked)
            return found

    async def letters(self, ids: Collection[str]) -> Mapping[str, Letter]:
        """Read open letters."""
        async with self._line.sorted():
            rows = await self._connection.fetch(statements.OPEN_LETTERS, self._kind, list(ids))
            return {row["id"]: _letter(row) for row in rows}

    async def count_letters(self, numbers: Collection[int], since: datetime) -> Mapping[int, int]:
        """Count by actor."""
        async with self._line.sorted():
            rows = await self._connection.fetch(statements.COUNT_LETTERS, self._kind, list(numbers), since)
            return {row["number"]: row["count"] for row in rows}

    async def save(self, layout: Layout, changes: Sequence[Change]) -> None:
        """Write table by table what differs, sorted by key."""
        async with self._line.sorted():
            await save_tables(self._connection, layout, changes)

    async def write(self, effects: Effects) -> None:
        """Compare and set the ends of what was told, then write each kind of effect with one statement."""
        async with self._line.sorted():
            await self._move_outs(effects)
            for statement, arrays in statements.writes(self._kind, effects):
                await self._connection.execute(statement, *arrays)
            if effects.history:
                rows = [(*row[:-1], json_text(row.data)) for row in effects.history]
                await self._connection.copy_records_to_table(
                    "history", records=rows, columns=statements.HISTORY_COLUMNS
                )
            if effects.answers:
                await self._connection.execute("SELECT pg_notify('command_done', '')")

    async def _move_outs(self, effects: Effects) -> None:
        fresh, known = statements.outs(effects)
        moved = 0
        if fresh:
            moved += await self._count(statements.NEW_OUTS, *by_column(fresh))
        if known:
            moved += await self._count(statements.MOVE_OUTS, *by_column(known))
        if moved < len(effects.outs):
            raise StaleStandingError(TOLD_OTHERWISE)

    async def commit(self) -> None:
        """Say COMMIT; if no answer comes, the outcome is unknown and the caller acquires again."""
        async with self._line.sorted():
            await self._connection.execute("COMMIT")

    async def rollback(self) -> None:
        """Say ROLLBACK where there is still something to take back."""
        if self._connection.is_closed() or not self._connection.is_in_transaction():
            return
        try:
            await self._connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            self._connection.terminate()


def _stored(row: asyncpg.Record) -> StoredFacts:
    number, topic, partition, incarnation, seq_from, seq_to, body = row
    return StoredFacts(number, Lane(topic, partition), incarnation, seq_from, seq_to, unpacked(body))


def _letter(row: asyncpg.Record) -> Letter:
    return Letter(
        id=row["id"],
        number=row["number"],
        lane=Lane(row["topic"], row["partition"]),
        offset=row["log_offset"],
        lender_id=row["lender_id"],
        owner=row["owner"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        reason=row["reason"],
        field=row["field"],
        raw=row["raw"],
        buried_at=row["buried_at"],
    )
