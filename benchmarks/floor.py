"""The floor: a night of ours again, the same hops, records and rows, with nothing but `getmany`, decode and `COPY`."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.children import Child
from benchmarks.end_to_end import PATIENCE, Night, records_of
from benchmarks.floor_stage import BATCH, FLOOR
from benchmarks.installation import AT_ONCE
from benchmarks.loans import by_lane
from benchmarks.machine import cost, peak_memory
from benchmarks.recording import Recording
from benchmarks.servers import Servers
from services.flow import BANK
from shared.messaging.broker import Lane, Outgoing, TopicSpec
from shared.messaging.broker_from_url import open_broker
from shared.postgres import databases
from shared.settings import SERVICES

ROOT: Final = Path(__file__).parents[1]


@dataclass
class Floor:
    """The stages of five services, ready to run a night."""

    servers: Servers
    recording: Recording
    stages: list[Child]

    async def night(self, name: str, loans: int) -> Night:
        """Write the bank's records, and wait until every stage has done its part."""
        records = records_of(name, loans)
        groups = self.servers.groups({stage.name: stage.process.pid for stage in self.stages})
        before, wal = cost(groups), await self.servers.wal_bytes()
        began = time.perf_counter()
        await self._send(records)
        await asyncio.gather(*(stage.says("done", PATIENCE + loans / BATCH) for stage in self.stages))
        seconds = time.perf_counter() - began
        used, memory = cost(groups).since(before), peak_memory(groups.ours)
        return Night(name, loans, seconds, used, await self.servers.wal_bytes() - wal, memory)

    async def _send(self, records: Sequence[Outgoing]) -> None:
        broker = await open_broker(f"kafka://{self.servers.bootstrap}")
        writer = await broker.writer()
        partitions = len(self.recording.starts[BANK])
        for first in range(0, len(records), AT_ONCE):
            lanes = by_lane(records[first : first + AT_ONCE], partitions)
            await writer.append({Lane(FLOOR + lane.topic, lane.partition): some for lane, some in lanes.items()})
        await writer.close()
        await broker.close()


async def replayed(servers: Servers, recording: Recording, name: str, loans: int) -> Night:
    """One night on the floor; the product's workers have to have ended."""
    await _topics(servers, recording)
    urls = await databases.provide(servers.postgres)
    file = servers.folder / "recording.json"
    await asyncio.to_thread(file.write_bytes, msgspec.json.encode(recording))
    stages = [await _started(servers, service, file, urls[service]) for service in SERVICES]
    try:
        await asyncio.gather(*(stage.says("ready", PATIENCE) for stage in stages))
        return await Floor(servers, recording, stages).night(name, loans)
    finally:
        await asyncio.gather(*(stage.end() for stage in stages))


async def _started(servers: Servers, service: str, file: Path, dsn: str) -> Child:
    command = [sys.executable, "-m", "benchmarks.floor_stage", service, str(file)]
    command += ["--bootstrap", servers.bootstrap, "--dsn", dsn]
    return await Child.start(f"floor-{service}", command, servers.folder, ROOT)


async def _topics(servers: Servers, recording: Recording) -> None:
    broker = await open_broker(f"kafka://{servers.bootstrap}")
    await broker.ensure_topics([TopicSpec(FLOOR + topic, len(starts)) for topic, starts in recording.starts.items()])
    await broker.close()
