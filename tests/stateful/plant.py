"""All five services on real databases, worker by worker: each reads, commits, publishes, dies and wakes as told."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg

from services.installed import declared
from shared.assembly import topics_of, worker_of
from shared.clock import VirtualClock
from shared.contracts import core_banking
from shared.contracts.envelope import Event, Moment
from shared.contracts.ingress import PaymentReceived
from shared.messaging.broker import BrokerUnavailableError, Lane, Outgoing, Record, TopicSpec
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.reading import Reading
from shared.messaging.store import StoreUnavailableError
from shared.messaging.worker import Worker
from shared.service import SHARDS, ActorKind, Decision, Service
from shared.settings import Settings
from shared.stepped import Stepper
from shared.ticks import Ticks
from tests.e2e.owners import Owners, Rows
from tests.integration.runtime.cutting import CountingStore, Interruption, before, cable_pulled
from tests.integration.runtime.faults import FlakyBroker
from tests.stateful.model import POISON

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
PARTITIONS = 3
ALL = 10_000
LONGEST = 120
"""Seconds after which something is taken to go on for ever."""

_TABLES = """
SELECT string_agg(format('DELETE FROM %I', relname), ';') FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN ('alembic_version', 'topic')
"""


class KeptOwners(Owners):
    """The databases, each over one connection that stays."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        super().__init__(urls)
        object.__setattr__(self, "connections", {})

    async def rows(self, owner: str, query: str, *arguments: Any) -> Rows:
        """What a query finds."""
        return [tuple(row) for row in await (await self.connection(owner)).fetch(query, *arguments)]

    async def connection(self, owner: str) -> Any:
        """The connection to a database."""
        connections: dict[str, Any] = self.__dict__["connections"]
        if owner not in connections:
            connections[owner] = await asyncpg.connect(self.urls[owner], statement_cache_size=500)
        return connections[owner]

    async def close(self) -> None:
        """Close every connection."""
        for connection in self.__dict__["connections"].values():
            await connection.close()


@dataclass
class Hand:
    """A worker with its reading, and what it has read and not applied yet."""

    worker: Worker
    store: CountingStore
    reading: Reading
    line: FlakyBroker
    fetched: list[Record] = field(default_factory=list)

    async def dies(self) -> None:
        """The process is gone: its connections end, and nothing is said."""
        self.store.cut()
        await self.reading.close()
        await self.worker.publisher.close()


@dataclass
class Release:
    """Of intake: whether it fails on poison."""

    bad: bool = True

    def applied_to(self, kind: ActorKind) -> ActorKind:
        """The kind as this release has it."""
        good = kind.handlers[PaymentReceived]

        def take_payment(state: Any, event: Event[PaymentReceived], now: Moment) -> Decision:
            if self.bad and event.data.payment.amount == POISON:
                raise ZeroDivisionError
            return good(state, event, now)

        return dataclasses.replace(kind, handlers={**kind.handlers, PaymentReceived: take_payment})


class Plant:
    """The databases, the log, and whoever works on them. `lanes` are those in which debtors live."""

    def __init__(self, owners: KeptOwners, log: EmbeddedLog, clock: VirtualClock, ticks: Ticks) -> None:
        self.owners, self.log, self.clock, self.ticks = owners, log, clock, ticks
        self.settings = replace(Settings.demo({}), database_urls=dict(owners.urls))
        self.services = {service.name: service for service in declared(self.settings)}
        self.release = Release()
        self.hands: dict[str, Hand] = {}
        self.zombies: list[tuple[str, Hand]] = []
        self.lanes: Sequence[int] = ()
        self.touched: set[str] = set()
        self._workers = 0

    @classmethod
    async def built(cls, urls: Mapping[str, str], log_dsn: str, beside: str) -> "Plant":
        """Topics that are there, and nobody at work."""
        clock = VirtualClock(START)
        log = await EmbeddedLog.open(log_dsn, clock=clock.now)
        plant = cls(KeptOwners({**urls, "broker": log_dsn}), log, clock, await Ticks.open(beside))
        await plant.ticks.begin({})
        topics = topics_of(plant.services.values())
        await log.ensure_topics([TopicSpec(core_banking.TOPIC, PARTITIONS), *topics[1:]])
        return plant

    async def emptied(self) -> None:
        """Nothing has happened yet."""
        for name in (*self.services, "broker"):
            connection = await self.owners.connection(name)
            heads = "UPDATE head SET first_offset = 0, next_offset = 0; DELETE FROM batch"
            await connection.execute(heads if name == "broker" else await connection.fetchval(_TABLES))
        self.clock.set(START)
        self.release.bad = True
        self.touched = set(self.services)

    async def close(self) -> None:
        """Close everything."""
        await self.deserted()
        await self.owners.close()
        await self.ticks.close()
        await self.log.close()

    async def deserted(self) -> None:
        """Everybody dies."""
        for hand in (*self.hands.values(), *(zombie for _, zombie in self.zombies)):
            await hand.dies()
        self.hands, self.zombies = {}, []

    # -- the bank and the operators ------------------------------------------------------------------------------

    async def say(self, partition: int, record: Outgoing) -> None:
        """Write on the bank's topic."""
        writer = await self.log.writer()
        await writer.append({Lane(core_banking.TOPIC, partition): [record]})
        await writer.close()

    async def command(self, service: str, row: Mapping[str, Any]) -> None:
        """Leave a command, as the REST API does."""
        connection = await self.owners.connection(service)
        names = ", ".join(row)
        places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        await connection.execute(
            f"INSERT INTO command ({names}, client, key, actor, body_hash) VALUES ({places}, 'test', $1, 'x', '')",
            *row.values(),
        )

    # -- workers -------------------------------------------------------------------------------------------------

    def kinds(self) -> Mapping[str, tuple[Service, ActorKind]]:
        """Every kind of actor by service and name, in the order of the flow."""
        found = {f"{each.name}/{kind.name}": (each, kind) for each in self.services.values() for kind in each.actors}
        service, lane = found["intake/lane"]
        return {**found, "intake/lane": (service, self.release.applied_to(lane))}

    def numbers(self, kind: str) -> Sequence[int]:
        """The actors of a kind that matter."""
        declared = self.kinds()[kind][1]
        if declared.is_edge:
            return range(PARTITIONS)
        return range(1) if declared.is_alone else self.lanes

    def _hand(self, name: str) -> Hand:
        self._workers += 1
        service, kind = self.kinds()[name]
        line = FlakyBroker(self.log)
        store = CountingStore(self.owners.urls[service.name], kind.name, take_over_after="100ms")
        worker = worker_of(service, kind, self.settings, line, self.clock, f"worker-{self._workers}", store)
        return Hand(worker, store, Reading(worker, line, kind.inputs), line)

    async def hand(self, kind: str) -> Hand:
        """Who works for a kind; somebody new takes over where nobody does."""
        self.touched.add(service_of(kind))
        if kind not in self.hands:
            self.hands[kind] = self._hand(kind)
            await self.hands[kind].worker.take(self.numbers(kind))
        return self.hands[kind]

    async def read(self, kind: str, limit: int = ALL) -> int:
        """Read some, as the live loop does: who hears that the connection was lost acquires anew, and reads again."""
        try:
            return await self._read(kind, limit)
        except StoreUnavailableError:
            worker = (await self.hand(kind)).worker
            await worker.take(worker.forget())
            return await self._read(kind, limit)

    async def _read(self, kind: str, limit: int = ALL) -> int:
        """Read some, apply them with whatever else waits, and commit; nothing is published. How much there was."""
        hand = await self.hand(kind)
        fetched = await hand.reading.fetch(limit, 0.0)
        turned = await hand.worker.turn(fetched, commands=limit, due=limit)
        assert turned is not None, "somebody who holds all actors was fenced"
        return len(fetched) + turned.took_commands + turned.took_due

    async def publish(self, kind: str) -> None:
        """Publish what is committed."""
        await (await self.hand(kind)).worker.flush()

    async def published_unheard(self, kind: str, *, arrives: bool) -> None:
        """What is published arrives at the log and its answer is lost; or it does not even arrive."""
        hand = await self.hand(kind)
        publisher = hand.worker.publisher
        await publisher.close()  # so that the line is cut before there is a writer
        if arrives:
            publisher._writer = await hand.line.writer()
        hand.line.away = True
        with suppress(BrokerUnavailableError):
            await hand.worker.flush()
        hand.line.away = False

    async def dies(self, kind: str) -> None:
        """Whoever works for a kind is gone."""
        hand = self.hands.pop(kind, None)
        if hand is not None:
            await hand.dies()

    async def broken_off(self, kind: str, number: int, cut: Interruption, *, survives: bool) -> bool:
        """A turn whose connection is lost before a statement (99: after COMMIT); whether it came to that."""
        hand = await self.hand(kind)
        hand.store.interruption = _after_commit if number >= ALL else before(number, cut)
        try:
            await self._read(kind)
        except StoreUnavailableError:
            if survives:
                await hand.worker.take(hand.worker.forget())
            else:
                await self.dies(kind)
            return True
        hand.store.interruption = None
        return False

    # -- zombies -------------------------------------------------------------------------------------------------

    async def superseded(self, kind: str) -> None:
        """Somebody takes over while the former one, who has just read something, is frozen."""
        hand = await self.hand(kind)
        hand.fetched += await hand.reading.fetch(ALL, 0.0)
        self.zombies.append((kind, self.hands.pop(kind)))
        await self.hand(kind)

    async def wakes(self, place: int) -> None:
        """A zombie goes on as if nothing had been: it must commit nothing. What it publishes is known already."""
        kind, zombie = self.zombies.pop(place)
        self.touched.add(service_of(kind))
        assert await zombie.worker.turn(zombie.fetched, commands=ALL, due=ALL) is None, f"a zombie of {kind} committed"
        assert not zombie.worker.standings
        await zombie.dies()

    async def speaks_late(self, place: int) -> None:
        """A zombie publishes what it had committed, long after its successor did."""
        await self.zombies[place][1].worker.flush()

    async def frozen_within(self, kind: str) -> None:
        """Frozen with a transaction open, it is ended by its successor, and learns of it when it wakes."""
        hand, reached, thawed = await self.hand(kind), asyncio.Event(), asyncio.Event()

        async def freeze(store: CountingStore) -> None:
            if len(store.said) > 1:  # the fence is locked
                store.interruption = None
                reached.set()
                await thawed.wait()

        hand.store.interruption = freeze
        fetched = await hand.reading.fetch(ALL, 0.0)
        turn = asyncio.create_task(hand.worker.turn(fetched, commands=ALL, due=ALL))
        await reached.wait()
        del self.hands[kind]
        await self.hand(kind)
        thawed.set()
        with suppress(StoreUnavailableError):
            assert await turn is None
            raise AssertionError(f"a zombie of {kind} went on")
        await hand.dies()

    # -- the end -------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Everybody who is left dies; others take every actor. What is given lets them go on until nothing is left."""
        await self.deserted()
        hands = [self._hand(kind) for kind in self.kinds()]
        stepper = Stepper([hand.worker for hand in hands], self.log, self.ticks)
        await stepper.start()

        async def settle() -> None:
            async with asyncio.timeout(LONGEST):
                await self.ticks.advance(0, 0)
                await stepper.settle()

        yield settle
        await stepper.close()
        self.touched = set(self.services)

    async def other_lanes(self) -> None:
        """The lanes in which no debtor lives hear the date too: field crews are allotted when every lane has."""
        for kind in ("intake/lane", "outreach/lane"):
            hand = self._hand(kind)
            await hand.worker.take([number for number in range(SHARDS) if number not in self.lanes])
            while fetched := await hand.reading.fetch(ALL, 0.0):
                await hand.worker.turn(fetched)
            await hand.worker.flush()
            await hand.worker.turn((), settle=True)
            await hand.dies()
            self.touched.add(service_of(kind))


def service_of(kind: str) -> str:
    """The service of a kind of actor."""
    return kind.split("/", maxsplit=1)[0]


async def _after_commit(store: CountingStore) -> None:
    if store.said[-1:] == ["COMMIT"] and len(store.said) > 1:
        await before(len(store.said), cable_pulled)(store)
