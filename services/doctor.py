"""Says what is wrong with a running system, a line each, from its databases and its log alone: no process is asked.

So it works where processes hang, and what it finds is what is there and not what somebody remembers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

import asyncpg

from shared.contracts import intake
from shared.messaging.broker import Broker, BrokerUnavailableError, Lane
from shared.messaging.broker_from_url import open_broker
from shared.messaging.control import watermark_of
from shared.messaging.kafka_clients import KafkaOptions
from shared.messaging.loop import actors_of
from shared.postgres import migrate
from shared.postgres.failures import DRIVER_ERRORS
from shared.service import SHARDS, ActorKind, Service
from shared.settings import Settings

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

CONNECT_SECONDS: Final = 5.0
BROKER_SECONDS: Final = 10.0
TAIL: Final = 200
"""How many of the last records of a lane are looked at for a watermark."""

_HELD = """
SELECT count(*) FROM actor a JOIN worker w ON w.id = a.owner
WHERE a.kind = $1 AND w.beat > now() - make_interval(secs => $2)
"""
_CURSORS = "SELECT topic, partition, min(next_offset) AS at FROM cursor_in WHERE kind = $1 GROUP BY 1, 2"
_TROUBLES: Final[Mapping[str, str]] = {
    """SELECT kind, number, stopped_reason AS why FROM actor WHERE stopped_reason IS NOT NULL ORDER BY 1, 2""": (
        "shard {kind}/{number} has stopped: {why}"
    ),
    """SELECT kind, count(*) AS many, min(opened_at)::timestamptz(0) AS since FROM gap
    WHERE opened_at < now() - interval '10 seconds' GROUP BY 1 ORDER BY 1""": (
        "{kind}: {many} gaps are open, the oldest since {since}"
    ),
    """SELECT kind, count(DISTINCT owner) AS many, min(since)::timestamptz(0) AS since FROM quarantine
    GROUP BY 1 ORDER BY 1""": "{kind}: {many} debtors are in quarantine, the first since {since}",
    """SELECT kind, count(*) AS many, min(reason) AS why FROM dead_letter WHERE status = 'open'
    GROUP BY 1 ORDER BY 1""": "{kind}: {many} dead letters are open, one because: {why}",
    """SELECT kind, count(*) AS many FROM command
    WHERE status = 'pending' AND created_at < now() - interval '1 minute' GROUP BY 1 ORDER BY 1""": (
        "{kind}: {many} commands have waited for more than a minute"
    ),
}
"""What a service's tables say of trouble, and the line for each row."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is not worth a line: so many records unread or not acknowledged, a watermark so many seconds old."""

    lag: int = 1000
    stale: float = 60.0


@dataclass(frozen=True, slots=True)
class Doctor:
    """Looks at everything that the settings name."""

    settings: Settings
    services: Sequence[Service]
    broker_url: str
    limits: Limits = Limits()

    async def findings(self) -> list[str]:
        """A line for each thing that is wrong."""
        found: list[str] = []
        async with self._broker(found) as broker:
            for service in self.services:
                found += [f"{service.name}: {line}" for line in await self._of_service(service, broker)]
            if broker is not None and any(service.name == "intake" for service in self.services):
                found += await _answered(self._stale(broker))
        return found

    @asynccontextmanager
    async def _broker(self, found: list[str]) -> "AsyncIterator[Broker | None]":
        options = KafkaOptions(security=self.settings.kafka, deadline_seconds=BROKER_SECONDS)
        try:
            broker = await open_broker(self.broker_url, kafka=options)
        except (BrokerUnavailableError, *DRIVER_ERRORS) as error:
            found.append(f"broker: does not answer ({type(error).__name__})")
            yield None
            return
        try:
            yield broker
        finally:
            await broker.close()

    async def _of_service(self, service: Service, broker: Broker | None) -> list[str]:
        dsn = self.settings.database_url(service.name)
        try:
            connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, command_timeout=60)
        except DRIVER_ERRORS as error:
            return [f"the database does not answer ({type(error).__name__})"]
        try:
            if pending := await migrate.pending(dsn, service.name):
                return [f"migrations are pending: {', '.join(pending)}"]
            return await self._of_tables(connection) + await self._of_kinds(service, connection, broker)
        finally:
            await connection.close()

    async def _of_tables(self, connection: Connection) -> list[str]:
        lines = [line.format(**row) for query, line in _TROUBLES.items() for row in await connection.fetch(query)]
        waiting: int = await connection.fetchval("SELECT coalesce(sum(out_seq - acked_seq), 0)::bigint FROM lane_out")
        if waiting > self.limits.lag:
            lines.append(f"{waiting} facts are committed and not on their topic")
        return lines

    async def _of_kinds(self, service: Service, connection: Connection, broker: Broker | None) -> list[str]:
        if broker is None:
            return []
        looks = [look(kind, connection, broker) for kind in service.actors for look in (self._unheld, self._behind)]
        return [line for look in looks for line in await _answered(look)]

    async def _unheld(self, kind: ActorKind, connection: Connection, broker: Broker) -> list[str]:
        lease = self.settings.worker.lease_seconds
        actors = await actors_of(kind, broker)
        held: int = await connection.fetchval(_HELD, kind.name, float(lease))
        return [f"{kind.name}: {actors - held} of {actors} shards have no worker"] if held < actors else []

    async def _behind(self, kind: ActorKind, connection: Connection, broker: Broker) -> list[str]:
        lanes = [Lane(topic, n) for topic in kind.inputs for n in range(await broker.partitions(topic))]
        read = {Lane(row["topic"], row["partition"]): row["at"] for row in await connection.fetch(_CURSORS, kind.name)}
        starts, ends = await broker.earliest_offsets(lanes), await broker.end_offsets(lanes)
        unread = sum(max(ends[lane] - max(read.get(lane, 0), starts[lane]), 0) for lane in lanes)
        return [f"{kind.name}: {unread} records are unread"] if unread > self.limits.lag else []

    async def _stale(self, broker: Broker) -> list[str]:
        """Lanes in which intake has not said for a while that it knows what the bank has said."""
        lanes = [Lane(intake.TOPIC, number) for number in range(SHARDS)]
        last = await _last_watermarks(broker, lanes)
        ages = [(datetime.now(UTC) - at).total_seconds() for at in last.values()]
        stale = [age for age in ages if age > self.limits.stale]
        if not stale:
            return []
        return [f"intake: {len(stale)} lanes are stale, the stalest for {max(stale):.0f} seconds: nobody is contacted"]


async def _answered(look: Awaitable[list[str]]) -> list[str]:
    """What a look at the broker finds; a topic that is not there, or a broker that goes away, is a finding too."""
    try:
        async with asyncio.timeout(BROKER_SECONDS):
            return await look
    except (BrokerUnavailableError, TimeoutError) as error:
        return [f"the broker does not say ({type(error).__name__})"]


async def _last_watermarks(broker: Broker, lanes: Sequence[Lane]) -> dict[Lane, datetime]:
    """The instant of the last watermark near the end of each lane; lanes without one there are left out."""
    starts, ends = await broker.earliest_offsets(lanes), await broker.end_offsets(lanes)
    at = {lane: max(starts[lane], ends[lane] - TAIL) for lane in lanes if ends[lane] > starts[lane]}
    found: dict[Lane, datetime] = {}
    reader = await broker.reader()
    try:
        await reader.assign(at)
        while any(at[lane] < ends[lane] for lane in at):
            records = await reader.fetch(TAIL * SHARDS, 1.0)
            for record in records:
                at[record.lane] = record.offset + 1
                if watermark := watermark_of(record):
                    found[record.lane] = watermark.at
            if not records:
                break
    finally:
        await reader.close()
    return found
