"""The one job on the product's own runtime, with all that a service of ours has: fence, marks, outbox, audit.

python -m benchmarks.our_job CONFIG-AS-JSON
"""

import asyncio
import gc
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import uvloop

from benchmarks.peers import job
from shared.clock import SystemClock
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.contracts.legal import HoldReleased
from shared.frozen import replace
from shared.messaging.broker import Record
from shared.messaging.broker_from_url import open_broker
from shared.messaging.layout import Layout, Table
from shared.messaging.leases import Leases
from shared.messaging.loop import Loop, Pace
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from shared.runtime import stop_on_signals
from shared.service import ActorKind
from shared.vault import Vault

NAME = "job"


class Snapshot(Fact, frozen=True, kw_only=True, gc=False):
    """How a loan stands."""

    dpd: int
    past_due: int
    currency: str


@dataclass(frozen=True, slots=True)
class Loan:
    """What is kept of it."""

    version: int
    dpd: int
    past_due: int
    currency: str
    bucket: str


@dataclass(frozen=True, slots=True)
class State:
    """One loan; it is its own debtor here."""

    debtor_id: str
    loan: Loan | None


def keep(state: State, event: Event[Snapshot], _now: Moment) -> tuple[State, Sequence[Told]]:
    """Keep what is newer, and tell how it is classified."""
    if state.loan is not None and event.case_version <= state.loan.version:
        return state, ()
    data, bucket = event.data, job.classify(event.data.dpd)
    loan = Loan(event.case_version, data.dpd, data.past_due, data.currency, bucket)
    told = Told(HoldReleased(hold_id=event.debtor_id, reason=bucket), case_version=event.case_version)
    return replace(state, loan=loan), (told,)


_decode = msgspec.json.Decoder(Event[Snapshot]).decode


def decode(record: Record) -> Event[Any]:
    """Read an event."""
    return _decode(record.value)


def kind_of(source: str, output: str) -> ActorKind:
    """The job as a kind of actor."""
    layout = Layout(State, {"loan": Table("job_loan", Loan)})
    return ActorKind("lane", (source,), output, layout, {Snapshot: keep}, decode=decode)


async def work(config: job.Config) -> None:
    """Work until told to stop."""
    stopping, clock = stop_on_signals(), SystemClock()
    kind = kind_of(config.input, config.output)
    broker = await open_broker(f"kafka://{config.bootstrap}")
    store, name = PostgresStore(config.dsn, kind.name), f"{socket.gethostname()}/{NAME}"
    worker = Worker(name, Turn(NAME, kind, store, Vault(bytes(32))), store, broker, clock, batch=job.BATCH)
    pace = Pace(batch=job.BATCH)
    leases = Leases(config.dsn, kind.name, name, pace.lease)
    await Loop(worker, broker, leases, clock, pace).run(stopping)
    await broker.close()


def main() -> None:
    """Run until told to stop."""
    gc.freeze()  # as `python -m services` does: events and states are acyclic
    gc.set_threshold(100_000, 50, 50)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(job.config()))


if __name__ == "__main__":
    main()
