"""Quix Streams with a sink of our own that writes what was read between two commits at once, over all partitions."""

from typing import Any

from confluent_kafka import Producer
from quixstreams import Application
from quixstreams.sinks.base.sink import BatchingSink

from benchmarks.peers import job
from benchmarks.peers.with_psycopg import Upserts


class Sink(BatchingSink):  # type: ignore[misc]  # its package publishes no types
    """Upserts and tells."""

    def __init__(self, config: job.Config) -> None:
        """Connect."""
        super().__init__()
        self._upserts, self._output = Upserts(config.dsn), config.output
        self._producer: Any = Producer(
            {"bootstrap.servers": config.bootstrap, "acks": "all", "enable.idempotence": True,
             "compression.type": "zstd", "linger.ms": 5, "queue.buffering.max.messages": 500_000}
        )  # fmt: skip

    def flush(self) -> None:
        """Write every partition's records in one transaction."""
        items = [item for batch in self._batches.values() for chunk in batch.iter_chunks(job.BATCH) for item in chunk]
        if items:
            for key, value in self._upserts.apply([job.decode(item.value) for item in items]):
                self._producer.produce(self._output, value, key)
            self._producer.flush()
        self._batches.clear()

    def write(self, batch: Any) -> None:
        """Not used: `flush` writes all."""


def main() -> None:
    """Work until killed."""
    config = job.config()
    app = Application(
        broker_address=config.bootstrap,
        consumer_group=config.group,
        auto_offset_reset="earliest",
        commit_every=job.BATCH,
        commit_interval=job.LINGER_SECONDS,
        consumer_poll_timeout=job.LINGER_SECONDS,
        state_dir=config.folder,
        auto_create_topics=False,
        loglevel="ERROR",
        consumer_extra_config={"session.timeout.ms": job.SESSION_MS, "heartbeat.interval.ms": 500},
    )
    source = app.topic(config.input, value_deserializer="bytes", key_deserializer="bytes")
    app.dataframe(source).sink(Sink(config))
    app.run()


if __name__ == "__main__":
    main()
