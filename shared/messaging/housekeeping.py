"""Keeps a service's own tables from growing for ever, beside its live workers, and counts what waits for people.

The outbox has a partition for each day (UTC), made ahead. One that is older than the retention is dropped, but only
when every fact in it is acknowledged, or of an incarnation that is no more. Whichever process holds the advisory lock
does this; ages are told by the database's clock.
"""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeAlias

import asyncpg
import structlog

from shared.postgres.failures import DRIVER_ERRORS

log = structlog.get_logger(__name__)

DAYS_AHEAD: Final = 2
COMMAND_HOURS: Final = 72
LOCK: Final = 0x6661697264756F
_SESSION: Final = {"lock_timeout": "2s", "statement_timeout": "60s", "application_name": "fairdue housekeeping"}
_PARTITION: Final = re.compile(r"outbox_(\d{8})")

_DAYS = """
SELECT child.relname FROM pg_inherits i JOIN pg_class child ON child.oid = i.inhrelid
WHERE i.inhparent = 'outbox'::regclass ORDER BY child.relname
"""
# Attached, not created in its place: that would lock out every writer of the outbox for a moment. What came before its
# partition was there moves in, since a row of the same day in the default partition would refuse it.
_NEW_DAY = """
CREATE TABLE {name} (LIKE outbox INCLUDING DEFAULTS INCLUDING STORAGE);
LOCK TABLE outbox_default IN ACCESS EXCLUSIVE MODE;
WITH moved AS (DELETE FROM outbox_default WHERE created_at >= '{first}' AND created_at < '{last}' RETURNING *)
INSERT INTO {name} SELECT * FROM moved;
ALTER TABLE outbox ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{last}');
"""
_NEEDED = """
SELECT FROM {name} o LEFT JOIN actor a USING (kind, number)
LEFT JOIN lane_out l USING (kind, number, topic, partition)
WHERE coalesce(o.incarnation >= a.incarnation AND o.seq_to > coalesce(l.acked_seq, 0), true)
"""
_DROP_ACKNOWLEDGED = """
DELETE FROM outbox_default d USING actor a, lane_out l
WHERE d.created_at < $1 AND (a.kind, a.number) = (d.kind, d.number)
    AND (l.kind, l.number, l.topic, l.partition) = (d.kind, d.number, d.topic, d.partition)
    AND (d.incarnation < a.incarnation OR d.seq_to <= l.acked_seq)
"""
_DROP_COMMANDS = "DELETE FROM command WHERE created_at < now() - make_interval(hours => $1) AND status <> 'pending'"
_QUARANTINED = "SELECT kind, number, count(DISTINCT owner)::int FROM quarantine GROUP BY kind, number"
_PARKED = "SELECT kind, number, count(*)::int FROM parked GROUP BY kind, number"

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Counts: TypeAlias = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for people, by kind and number of the actor: debtors in quarantine, and events parked behind them."""

    quarantined: Counts
    parked: Counts


class Housekeeping:
    """The housekeeping of one service's database."""

    def __init__(self, service: str, dsn: str, *, outbox_hours: int = 72) -> None:
        """Open nothing yet; `outbox_hours` is how long acknowledged facts are kept."""
        self._service, self._dsn, self._outbox_hours = service, dsn, outbox_hours
        self._connection: Connection | None = None

    async def tend(self) -> bool:
        """Make partitions ahead and drop what is old; False where another process is at it.

        Raises asyncpg's errors and OSError.
        """
        async with self._alone() as connection:
            if connection is None:
                return False
            await self._make_days(connection)
            await self._drop_days(connection)
            done = await connection.execute(_DROP_COMMANDS, COMMAND_HOURS)
            if not done.endswith(" 0"):
                log.info("commands_pruned", service=self._service, commands=int(done.rsplit(" ", 1)[1]))
        return True

    async def waiting(self) -> Waiting:
        """Count what waits for people."""
        connection = await self._connected()
        quarantined = {(kind, number): many for kind, number, many in await connection.fetch(_QUARANTINED)}
        parked = {(kind, number): many for kind, number, many in await connection.fetch(_PARKED)}
        return Waiting(quarantined, parked)

    async def now(self) -> datetime:
        """The database's clock."""
        now: datetime = await (await self._connected()).fetchval("SELECT now()")
        return now

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*DRIVER_ERRORS):
                await connection.close(timeout=2)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._dsn, timeout=10, command_timeout=60, server_settings=_SESSION
            )
        return self._connection

    @asynccontextmanager
    async def _alone(self) -> "AsyncIterator[Connection | None]":
        """The connection while it holds the lock, None where somebody else does."""
        connection = await self._connected()
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            yield None
            return
        try:
            yield connection
        finally:
            with contextlib.suppress(*DRIVER_ERRORS):
                await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)

    # -- the outbox ----------------------------------------------------------------------------------------------

    async def _make_days(self, connection: Connection) -> None:
        today = (await connection.fetchval("SELECT now()")).astimezone(UTC).date()
        present = {name for (name,) in await connection.fetch(_DAYS)}
        for day in (today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)):
            if partition(day) not in present:
                statement = _NEW_DAY.format(
                    name=partition(day), first=_start(day), last=_start(day + timedelta(days=1))
                )
                async with connection.transaction():
                    await connection.execute(statement)

    async def _drop_days(self, connection: Connection) -> None:
        now: datetime = await connection.fetchval("SELECT now()")
        before = now - timedelta(hours=self._outbox_hours)
        for (name,) in await connection.fetch(_DAYS):
            day = _day(name)
            if day is not None and _start(day + timedelta(days=1)) <= before:
                await self._drop_day(connection, name)
        await connection.execute(_DROP_ACKNOWLEDGED, before)

    async def _drop_day(self, connection: Connection, name: str) -> None:
        if await connection.fetchval(f"SELECT EXISTS ({_NEEDED.format(name=name)})"):
            log.warning("outbox_kept", service=self._service, partition=name, reason="not everything is acknowledged")
            return
        await connection.execute(f"DROP TABLE {name}")
        log.info("outbox_dropped", service=self._service, partition=name)


def partition(day: date) -> str:
    """The name of a day's partition of the outbox."""
    return f"outbox_{day:%Y%m%d}"


def _day(name: str) -> date | None:
    found = _PARTITION.fullmatch(name)
    return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date() if found else None


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
