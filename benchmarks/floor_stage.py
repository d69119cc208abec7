"""A service with nothing in it: `getmany`, decode, `COPY`, publish, with the records and rows of a night of ours.

python -m benchmarks.floor_stage SERVICE RECORDING.json --bootstrap HOST:PORT --dsn URL

It says `ready` when it could begin and `done` when everything is written and acknowledged, and ends with its input.
"""

import argparse
import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.recording import WRITTEN_SINCE, Hop, Recording
from services.flow import BANK
from shared.contracts import catalogue, core_banking
from shared.messaging.broker import Broker, Lane, Outgoing, Writer
from shared.messaging.broker_from_url import open_broker
from shared.messaging.kafka_clients import CONSUMER, KafkaOptions
from shared.messaging.sequence import header

FLOOR: Final = "floor."
"""Before the name of each topic of ours, and the schema of its tables: bare ones, without keys or indexes."""

SCHEMA: Final = "floor"
BATCH: Final = 2000
KEPT: Final = 20_000
"""Records and rows that are held and repeated until there were as many as in the night."""


@dataclass
class Portion:
    """A number of things given out in step with what was read, from a smaller number that are held."""

    total: int
    held: Sequence[Any]
    given: int = 0
    _next: Any = None

    def __post_init__(self) -> None:
        """Begin with the first."""
        self._next = cycle(self.held)

    def until(self, share: float) -> list[Any]:
        """What is to be given out by the time at which that share of the input was read."""
        due = int(self.total * share) if self.held else 0
        some = list(islice(self._next, due - self.given))
        self.given = max(due, self.given)
        return some


@dataclass
class Stage:
    """One hop's consumer, connection and writer."""

    hop: Hop
    consumer: Any
    connection: Any
    writer: Writer
    rows: dict[str, Portion]
    told: Portion
    read: dict[str, int] = field(default_factory=dict)
    _publishing: "asyncio.Task[None] | None" = None

    async def run(self) -> None:
        """Read, decode, copy and publish until all of the night was."""
        while self.read != self.hop.read:
            fetched = await self.consumer.getmany(timeout_ms=250, max_records=BATCH)
            for partition, messages in fetched.items():
                decode_all(partition.topic.removeprefix(FLOOR), messages)
                topic = partition.topic.removeprefix(FLOOR)
                self.read[topic] = self.read.get(topic, 0) + len(messages)
            await self._write()
        await self._acknowledged()

    @property
    def share(self) -> float:
        """How much was read of the first input that has anything: what else is read comes of what is told here.

        Nothing is told of nothing: a stage that told before the night begins would do so before its readers look on.
        """
        first, total = next(((topic, total) for topic, total in self.hop.read.items() if total), ("", 1))
        return self.read.get(first, 0) / total

    async def _write(self) -> None:
        due = [(table, rows) for table, portion in self.rows.items() if (rows := portion.until(self.share))]
        if due:
            async with self.connection.transaction():
                for table, rows in due:
                    await self.connection.copy_records_to_table(table, records=rows, schema_name=SCHEMA)
        told = self.told.until(self.share)
        if told:
            await self._acknowledged()
            self._publishing = asyncio.create_task(self.writer.append(by_lane(told)))

    async def _acknowledged(self) -> None:
        if self._publishing is not None:
            await self._publishing


def decode_all(topic: str, messages: Iterable[Any]) -> None:
    """Decode every message as its consumers do."""
    for message in messages:
        if topic == BANK:
            _bank[header(message.headers, "ce_type") or ""](message.value)
        elif name := header(message.headers, "type"):
            catalogue.decode(message.value, name)


_bank: dict[str, Callable[[bytes], Any]] = {
    name: msgspec.json.Decoder(fact).decode for name, fact in core_banking.EVENTS.items()
}


def by_lane(records: Iterable[tuple[Lane, Outgoing]]) -> dict[Lane, list[Outgoing]]:
    """Records by where they go."""
    lanes: dict[Lane, list[Outgoing]] = {}
    for lane, record in records:
        lanes.setdefault(lane, []).append(record)
    return lanes


# -- before it begins --------------------------------------------------------------------------------------------------


async def prepared(hop: Hop, recording: Recording, broker: Broker, bootstrap: str, dsn: str) -> Stage:
    """A stage with all that it needs in memory, and empty tables to write to."""
    connection: Any = await asyncpg.connect(dsn)
    rows = {each.table: await _rows(connection, each.table, each.rows, recording.since) for each in hop.written}
    told = Portion(hop.told, await _told(broker, hop, recording))
    consumer = AIOKafkaConsumer(**KafkaOptions().client([bootstrap]), **CONSUMER)
    await consumer.start()
    lanes = [TopicPartition(FLOOR + topic, number) for topic in hop.read for number in range(_lanes(topic, recording))]
    consumer.assign(lanes)
    for lane, at in (await consumer.end_offsets(lanes)).items():
        consumer.seek(lane, at)
    return Stage(hop, consumer, connection, await broker.writer(), rows, told, dict.fromkeys(hop.read, 0))


def _lanes(topic: str, recording: Recording) -> int:
    return len(recording.starts[topic])


async def _rows(connection: Any, table: str, rows: int, since: int) -> Portion:
    written = f"SELECT * FROM public.{table} WHERE {WRITTEN_SINCE.format(since=since)} LIMIT {KEPT}"
    held = [tuple(row) for row in await connection.fetch(written)]
    await connection.execute(f"DROP TABLE IF EXISTS {SCHEMA}.{table}")
    await connection.execute(f"CREATE TABLE {SCHEMA}.{table} (LIKE public.{table})")
    return Portion(rows, held)


async def _told(broker: Broker, hop: Hop, recording: Recording) -> list[tuple[Lane, Outgoing]]:
    if not hop.told:
        return []
    reader = await broker.reader()
    starts = recording.starts[hop.tells]
    await reader.assign({Lane(hop.tells, number): at for number, at in enumerate(starts)})
    held: list[tuple[Lane, Outgoing]] = []
    while len(held) < min(hop.told, KEPT):
        for record in await reader.fetch(BATCH, 1.0):
            lane = Lane(FLOOR + hop.tells, record.lane.partition)
            held.append((lane, Outgoing(record.key, record.value, record.headers)))
    await reader.close()
    return held


async def work(service: str, recording: Recording, bootstrap: str, dsn: str) -> None:
    """Prepare, say so, run, and say so."""
    broker = await open_broker(f"kafka://{bootstrap}")
    connection: Any = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    await connection.close()
    hops = [hop for hop in recording.hops if hop.service == service]
    stages = [await prepared(hop, recording, broker, bootstrap, dsn) for hop in hops]
    print("ready", flush=True)
    await asyncio.gather(*(stage.run() for stage in stages))
    print("done", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for stage in stages:
        await stage.consumer.stop()
        await stage.writer.close()
        await stage.connection.close()
    await broker.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one service's stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--dsn", required=True)
    chosen = parser.parse_args(arguments)
    recording = msgspec.json.decode(chosen.recording.read_bytes(), type=Recording)
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(chosen.service, recording, chosen.bootstrap, chosen.dsn))
    return 0


if __name__ == "__main__":
    sys.exit(main())
