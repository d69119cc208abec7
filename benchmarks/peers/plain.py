"""The plain design: a message, a transaction, an acknowledged answer, a committed offset; then the next one."""

import asyncio
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import BaseModel

from benchmarks.peers import job


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


async def main() -> None:
    """Work until killed."""
    config = job.config()
    consumer: Any = AIOKafkaConsumer(
        config.input,
        bootstrap_servers=config.bootstrap,
        group_id=config.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=job.SESSION_MS,
        heartbeat_interval_ms=500,
    )
    producer: Any = AIOKafkaProducer(bootstrap_servers=config.bootstrap, acks="all", enable_idempotence=True)
    connection: Any = await asyncpg.connect(config.dsn)
    await consumer.start()
    await producer.start()
    async for message in consumer:
        read = Snapshot.model_validate_json(message.value)
        data = job.Data(read.data.dpd, read.data.past_due, read.data.currency)
        snapshot = job.Snapshot(read.debtor_id, read.case_version, data)
        async with connection.transaction():
            applied = await connection.fetchval(job.UPSERT_ONE, *job.row_of(snapshot))
        if applied:
            key, value = job.message_of(snapshot)
            await producer.send_and_wait(config.output, value, key)
        await consumer.commit()


if __name__ == "__main__":
    asyncio.run(main())
