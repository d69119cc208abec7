"""What a night of ours was made of: how many records each hop had and how many rows each table got, for a replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from benchmarks.installation import Installation
from services.flow import BANK, FLOW, Stop
from shared.messaging.broker import Broker, Lane
from shared.service import SHARDS, ActorKind
from shared.settings import SERVICES

WRITTEN_SINCE = "xmin::text::bigint >= {since}"
"""Which rows a night has written: those whose last version is of one of its transactions."""

HISTORY = "history"


class Written(msgspec.Struct, frozen=True):
    """How many rows of a table were written."""

    table: str
    rows: int


class Hop(msgspec.Struct, frozen=True):
    """One kind of actor's part: how many records it read of each topic, told, and how many rows it wrote."""

    service: str
    actor: str
    read: dict[str, int]
    tells: str
    told: int
    written: tuple[Written, ...]


class Recording(msgspec.Struct, frozen=True):
    """A night: its hops, the transaction at which it began, and where its records begin on each lane."""

    since: int
    starts: dict[str, list[int]]
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where everything stood when a night began."""

    since: int
    offsets: Mapping[Lane, int]


async def mark(installation: Installation) -> Mark:
    """Look where everything stands."""
    since = await installation.servers.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
    return Mark(int(since), await _ends(installation.broker))


async def recorded(installation: Installation, began: Mark) -> Recording:
    """What was read, told and written since a mark."""
    ends = await _ends(installation.broker)
    counts: dict[str, int] = {}
    starts: dict[str, list[int]] = {}
    for lane, end in sorted(ends.items()):
        counts[lane.topic] = counts.get(lane.topic, 0) + end - began.offsets[lane]
        starts.setdefault(lane.topic, []).append(began.offsets[lane])
    rows = {service: await _written(installation, service, began.since) for service in SERVICES}
    hops = tuple(_hop(stop, counts, rows[stop.service], installation) for stop in FLOW)
    return Recording(began.since, starts, hops)


def _hop(stop: Stop, counts: Mapping[str, int], rows: Mapping[str, int], installation: Installation) -> Hop:
    kind = installation.kinds[stop.service, stop.actor]
    written = tuple(Written(table, rows[table]) for table in tables_of(kind) if rows.get(table))
    read = {topic: counts[topic] for topic in stop.reads}
    return Hop(stop.service, stop.actor, read, stop.tells, counts.get(stop.tells, 0), written)


def tables_of(kind: ActorKind) -> Sequence[str]:
    """The tables that a kind of actor writes, without those of the runtime."""
    tables = [table.name for table in kind.layout.tables.values()]
    return [*tables, HISTORY] if kind.keeps_history else tables


async def _written(installation: Installation, service: str, since: int) -> dict[str, int]:
    kinds = [kind for (name, _), kind in installation.kinds.items() if name == service]
    connection: Any = await asyncpg.connect(installation.urls[service])
    try:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table} WHERE {WRITTEN_SINCE.format(since=since)}")
            for kind in kinds
            for table in tables_of(kind)
        }
    finally:
        await connection.close()


async def _ends(broker: Broker) -> Mapping[Lane, int]:
    topics = {topic for stop in FLOW for topic in (*stop.reads, stop.tells) if topic}
    lanes = [
        Lane(topic, number)
        for topic in sorted(topics)
        for number in range(await broker.partitions(BANK) if topic == BANK else SHARDS)
    ]
    return await broker.end_offsets(lanes)
