"""Who does the one job: ours and the peers, each a program that works until it is killed."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.environments import python_of

OURS, PLAIN = "ours", "plain, a message at a time"


@dataclass(frozen=True, slots=True)
class Contender:
    """One design. `environment` is where its packages are, ours if it is empty; `single`: it takes one at a time."""

    name: str
    module: str
    environment: str = ""
    single: bool = False

    def command(self, config: str) -> list[str]:
        """How it is started. Blocks while its environment is made. Raises NotInstalledError."""
        python = python_of(self.environment) if self.environment else Path(sys.executable)
        return [str(python), "-m", f"benchmarks.{self.module}", config]


CONTENDERS: Final = (
    Contender(OURS, "our_job"),
    Contender("confluent-kafka, psycopg COPY", "peers.confluent_copy", "common"),
    Contender("FastStream, batches", "peers.faststream_batch", "common"),
    Contender("Quix Streams", "peers.quix", "quix"),
    Contender("bytewax", "peers.bytewax_collect", "bytewax"),
    Contender("Faust", "peers.faust_take", "faust"),
    Contender("FastStream, single", "peers.faststream_single", "common", single=True),
    Contender(PLAIN, "peers.plain", "common", single=True),
)
