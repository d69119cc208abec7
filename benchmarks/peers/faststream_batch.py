"""FastStream with batches: raw bytes decoded by msgspec, one upsert, one `publish_batch` (which has no keys)."""

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from benchmarks.peers import job
from benchmarks.peers.with_asyncpg import Upserts

config = job.config()
broker = KafkaBroker(
    config.bootstrap,
    acks="all",
    enable_idempotence=True,
    compression_type="zstd",
    linger_ms=5,
    max_batch_size=512 << 10,
)
app = FastStream(broker)
connections: list[Upserts] = []


async def connect() -> None:
    """Have a connection."""
    connections.append(await Upserts.connected(config.dsn))


async def raw(message: Any) -> Any:
    """Leave decoding to us."""
    return message.body


async def handle(body: list[Any]) -> None:
    """Keep a batch, and tell of it."""
    told = await connections[0].apply([job.decode(value) for value in body])
    if told:
        await broker.publish_batch(*(value for _, value in told), topic=config.output)


app.on_startup(connect)
broker.subscriber(
    config.input,
    batch=True,
    max_records=job.BATCH,
    batch_timeout_ms=int(job.LINGER_SECONDS * 1000),
    group_id=config.group,
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.NACK_ON_ERROR,
    decoder=raw,
    session_timeout_ms=job.SESSION_MS,
    heartbeat_interval_ms=500,
)(handle)

if __name__ == "__main__":
    asyncio.run(app.run())
