"""Puts services together from their declarations: which topics they need, and the workers that run their actors."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from shared.clock import Clock
from shared.contracts import core_banking
from shared.messaging.broker import Broker, TopicSpec
from shared.messaging.control import control_topic
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import Store
from shared.messaging.turn import Limits, Turn
from shared.messaging.worker import Worker
from shared.service import SHARDS, ActorKind, Service
from shared.settings import Settings
from shared.tracing.applied import AppliedSpans
from shared.tracing.exporting import Exporter


def topics_of(services: Iterable[Service]) -> list[TopicSpec]:
    """The topics that these services read and write: ours with 32 partitions, the bank's with whatever it has."""
    kinds = [kind for service in services for kind in service.actors]
    told = {kind.output for kind in kinds if kind.output}
    names = told | {topic for kind in kinds for topic in kind.inputs} | {control_topic(topic) for topic in told}
    names.discard(core_banking.TOPIC)
    ours = [TopicSpec(name, SHARDS) for name in sorted(names)]
    return [TopicSpec(core_banking.TOPIC, None), *ours]


def worker_of(
    service: Service,
    kind: ActorKind,
    settings: Settings,
    broker: Broker,
    clock: Clock,
    name: str,
    store: Store | None = None,
) -> Worker:
    """A worker for one kind of actor; without a store it gets a connection of its own to the service's database."""
    store = store or PostgresStore(settings.database_url(service.name), kind.name)
    limits = Limits(settings.dead_letters.count, timedelta(seconds=settings.dead_letters.seconds))
    turn = Turn(service.name, kind, store, settings.vault, limits, settings.keys if kind.is_edge else None)
    return Worker(f"{name}/{service.name}/{kind.name}", turn, store, broker, clock, batch=settings.worker.batch_size)


def workers_of(
    services: Sequence[Service],
    settings: Settings,
    broker: Broker,
    clock: Clock,
    name: str,
    exporter: Exporter | None = None,
) -> list[Worker]:
    """A worker for every kind of actor, in the order of the flow; `exporter` takes the spans of what they apply."""
    workers = []
    for service in services:
        for kind in service.actors:
            worker = worker_of(service, kind, settings, broker, clock, name)
            worker.spans = AppliedSpans(exporter, service.name, kind.name) if exporter is not None else None
            workers.append(worker)
    return workers
