"""confluent-kafka and psycopg 3 with COPY, as one writes it for speed: a batch, a transaction, a flush, a commit."""

from typing import Any

from confluent_kafka import Consumer, Producer

from benchmarks.peers import job
from benchmarks.peers.with_psycopg import Upserts


def main() -> None:
    """Work until killed."""
    config = job.config()
    common = {"bootstrap.servers": config.bootstrap}
    consumer: Any = Consumer(
        {
            **common,
            "group.id": config.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": job.SESSION_MS,
            "heartbeat.interval.ms": 500,
        }
    )
    producer: Any = Producer(
        {**common, "acks": "all", "enable.idempotence": True, "compression.type": "zstd", "linger.ms": 5,
         "queue.buffering.max.messages": 500_000}
    )  # fmt: skip
    upserts = Upserts(config.dsn)
    consumer.subscribe([config.input])
    while True:
        messages = [each for each in consumer.consume(job.BATCH, job.LINGER_SECONDS) if each.error() is None]
        if not messages:
            continue
        for key, value in upserts.apply([job.decode(each.value()) for each in messages]):
            producer.produce(config.output, value, key)
        producer.flush()
        consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
