"""bytewax: batches by `collect`, psycopg 3 for the upsert, its Kafka sink for what is told, recovery once a second."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.connectors.kafka.operators as kafka
import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers import job
from benchmarks.peers.with_psycopg import Upserts


def flow_of(config: job.Config) -> Any:
    """The dataflow."""
    upserts: list[Upserts] = []

    def applied(keyed: Any) -> list[Any]:
        if not upserts:
            upserts.append(Upserts(config.dsn))
        told = upserts[0].apply([job.decode(value) for value in keyed[1]])
        return [KafkaSinkMessage(key, value) for key, value in told]

    flow = Dataflow("job")
    source = kafka.input(
        "in", flow, brokers=[config.bootstrap], topics=[config.input], batch_size=job.BATCH
    )  # resumes by its own snapshots, not by a consumer group
    keyed = op.map("key", source.oks, lambda message: ("all", message.value))
    batches = op.collect("batch", keyed, timedelta(seconds=job.LINGER_SECONDS), job.BATCH)
    told = op.flat_map("keep", batches, applied)
    kafka.output("out", told, brokers=[config.bootstrap], topic=config.output)
    return flow


def main() -> None:
    """Work until killed."""
    config = job.config()
    folder = Path(config.folder)
    if not any(folder.glob("*.sqlite3")):
        init_db_dir(folder, 1)
    cli_main(flow_of(config), epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(str(folder)))


if __name__ == "__main__":
    main()
