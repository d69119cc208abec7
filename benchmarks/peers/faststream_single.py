"""FastStream, a message at a time, acknowledged after its handler: as its documentation shows it, with asyncpg."""

import asyncio
from typing import Any

import asyncpg
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

from benchmarks.peers import job

config = job.config()
broker = KafkaBroker(config.bootstrap, acks="all", enable_idempotence=True)
app = FastStream(broker)
connections: list[Any] = []


class Data(BaseModel):
    """How a loan stands."""

    dpd: int
    past_due: int
    currency: str


class Snapshot(BaseModel):
    """What is needed of an event."""

    debtor_id: str
    case_version: int
    data: Data


async def connect() -> None:
    """Have a connection."""
    connections.append(await asyncpg.connect(config.dsn))


async def handle(body: Snapshot) -> None:
    """Keep one, and tell of it."""
    data = job.Data(body.data.dpd, body.data.past_due, body.data.currency)
    snapshot = job.Snapshot(body.debtor_id, body.case_version, data)
    async with connections[0].transaction():
        applied = await connections[0].fetchval(job.UPSERT_ONE, *job.row_of(snapshot))
    if applied:
        key, value = job.message_of(snapshot)
        await broker.publish(value, config.output, key=key)


app.on_startup(connect)
broker.subscriber(
    config.input,
    group_id=config.group,
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.NACK_ON_ERROR,
    session_timeout_ms=job.SESSION_MS,
    heartbeat_interval_ms=500,
)(handle)

if __name__ == "__main__":
    asyncio.run(app.run())
