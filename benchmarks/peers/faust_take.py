"""Faust with `take`: its stream in batches, asyncpg for the upsert."""

import sys
from pathlib import Path
from typing import Any

import faust

from benchmarks.peers import job
from benchmarks.peers.with_asyncpg import Upserts

config = job.config()
app: Any = faust.App(
    config.group,
    broker=f"aiokafka://{config.bootstrap}",
    store="memory://",
    datadir=Path(config.folder),
    topic_partitions=config.partitions,
    topic_allow_declare=False,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    broker_session_timeout=job.SESSION_MS / 1000,
    broker_heartbeat_interval=0.5,
    broker_commit_interval=0.5,
    producer_compression_type="zstd",
    producer_acks=-1,
    stream_buffer_maxsize=2 * job.BATCH,
    web_enabled=False,
    autodiscover=False,
)
source = app.topic(config.input, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
sink = app.topic(config.output, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")


async def keep(stream: Any) -> None:
    """Keep batches, and tell of them."""
    upserts = await Upserts.connected(config.dsn)
    async for values in stream.take(job.BATCH, within=job.LINGER_SECONDS):
        told = await upserts.apply([job.decode(value) for value in values])
        for key, value in told:
            await sink.send(key=key, value=value)


app.agent(source)(keep)

if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()
