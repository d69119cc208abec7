"""The ports of the runtime, made of steps: each call waits until the world picks it, and may then meet a fault."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from shared.messaging.broker import Lane, Outgoing, Record
from shared.messaging.leases import Wanted, share
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_log import MemoryLog, MemoryReader
from shared.messaging.memory_store import MemoryStore, MemoryTransaction
from shared.messaging.store import Effects, StoreUnavailableError
from tests.simulator.world import World

LEASE = 10.0
"""Seconds after which a worker that does not beat is taken for dead."""


def result_of(call: Callable[..., Awaitable[Any]], *arguments: Any) -> Callable[[], Any]:
    """A coroutine of the parts in memory, as a plain call: none of them waits for anything."""

    def act() -> Any:
        coroutine: Any = call(*arguments)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            return stop.value
        coroutine.close()
        raise AssertionError(f"{call} waits for something")

    return act


@dataclass(eq=False)
class Process:
    """One process of one service: it can be killed, frozen, and told to stop in order."""

    world: World
    name: str
    service: str
    database: "Database"
    log: MemoryLog
    alive: bool = True
    frozen: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    open: set["SimulatedTransaction"] = field(default_factory=set)
    stores: list["SimulatedStore"] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def step(self, place: str, act: Callable[[], Any], about: Any = None) -> Awaitable[Any]:
        """Wait for a step of this process."""
        return self.world.step(self, place, act, about)

    def disconnect(self) -> None:
        """The database loses this process's connections: what was open is rolled back."""
        for transaction in self.open:
            transaction.inner.end()
        self.open.clear()
        for store in self.stores:
            store.lost = True

    @property
    def ended(self) -> bool:
        """Whether it was killed, or has stopped in order."""
        return not self.alive or all(task.done() for task in self.tasks)


@dataclass(eq=False)
class Database:
    """A service's database server: what it has committed, who beats there, and whether it answers."""

    service: str
    content: MemoryDatabase
    beats: dict[str, tuple[str, float]] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    down: bool = False


class WatchedLog(MemoryLog):
    """A log that shows each append to whoever watches."""

    watch: Callable[[Lane, Sequence[Outgoing]], None] = staticmethod(lambda _lane, _records: None)

    def append(self, lane: Lane, records: Sequence[Outgoing]) -> None:
        self.watch(lane, records)
        super().append(lane, records)


class SimulatedStore:
    """A worker's store, each call a step."""

    def __init__(self, process: Process, kind: str) -> None:
        self.process, self.kind, self.lost = process, kind, False
        process.stores.append(self)

    def _inner(self) -> MemoryStore:
        return MemoryStore(self.process.database.content, self.kind)

    async def _ask(self, name: str, *arguments: Any) -> Any:
        return await self.process.step(f"store.{name}", lambda: self._act(name, arguments), (self.kind, arguments[0]))

    def _check(self) -> None:
        """As the real store does it: whoever has lost the connection is told so once, and is to acquire anew."""
        lost, self.lost = self.lost, False
        if lost:
            raise StoreUnavailableError("the connection was lost")

    def _act(self, name: str, arguments: Any) -> Any:
        self._check()
        return result_of(getattr(self._inner(), name), *arguments)()

    async def acquire(self, number: int, owner: str) -> Any:
        return await self._ask("acquire", number, owner)

    async def unacknowledged(self, number: int) -> Any:
        return await self._ask("unacknowledged", number)

    async def told_since(self, *arguments: Any) -> Any:
        return await self._ask("told_since", *arguments)

    async def release(self, epochs: Mapping[int, int]) -> None:
        await self._ask("release", epochs)

    async def has_work(self, *arguments: Any) -> Any:
        return await self._ask("has_work", *arguments)

    async def look_out(self, *arguments: Any) -> Any:
        return await self._ask("look_out", *arguments)

    async def begin(self) -> "SimulatedTransaction":
        return await self.process.step("store.begin", self._begin, self)  # type: ignore[no-any-return]

    def _begin(self) -> "SimulatedTransaction":
        self._check()
        transaction = SimulatedTransaction(self.process, MemoryTransaction(self.process.database.content, self.kind))
        self.process.open.add(transaction)
        return transaction

    async def close(self) -> None:
        """Nothing is held."""


class SimulatedTransaction:
    """A transaction, each statement a step; `last` is the statement before."""

    def __init__(self, process: Process, inner: MemoryTransaction) -> None:
        self.process, self.inner = process, inner
        self.last = "begin"
        self.fenced: Mapping[int, int] = {}
        self.moves: Sequence[Any] = ()
        self.effects = Effects()

    async def _ask(self, name: str, *arguments: Any) -> Any:
        answer = await self.process.step(f"store.{name}", result_of(getattr(self.inner, name), *arguments), self)
        self.last = name
        return answer

    async def fence(self, epochs: Mapping[int, int]) -> Any:
        self.fenced = epochs
        return await self._ask("fence", epochs)

    async def move_cursors(self, moves: Sequence[Any]) -> None:
        self.moves = moves
        await self._ask("move_cursors", moves)

    async def take_commands(self, *arguments: Any) -> Any:
        return await self._ask("take_commands", *arguments)

    async def take_due(self, *arguments: Any) -> Any:
        return await self._ask("take_due", *arguments)

    async def load(self, *arguments: Any) -> Any:
        return await self._ask("load", *arguments)

    async def quarantines(self, *arguments: Any) -> Any:
        return await self._ask("quarantines", *arguments)

    async def parked(self, *arguments: Any) -> Any:
        return await self._ask("parked", *arguments)

    async def letters(self, *arguments: Any) -> Any:
        return await self._ask("letters", *arguments)

    async def count_letters(self, *arguments: Any) -> Any:
        return await self._ask("count_letters", *arguments)

    async def save(self, *arguments: Any) -> None:
        await self._ask("save", *arguments)

    async def write(self, *arguments: Any) -> None:
        await self._ask("write", *arguments)

    async def commit(self) -> None:
        await self._ask("commit")
        self.process.open.discard(self)

    async def rollback(self) -> None:
        """What was already ended needs no word to the server."""
        if self in self.process.open:
            await self._ask("rollback")
            self.process.open.discard(self)


class SimulatedBroker:
    """The log, each call a step."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def partitions(self, topic: str) -> int:
        """Known from the start, and for ever."""
        return await self.process.log.partitions(topic)

    async def ensure_topics(self, topics: Any) -> None:
        """They are there."""

    async def end_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        return await self._ask("end_offsets", lanes)  # type: ignore[no-any-return]

    async def earliest_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        return await self._ask("earliest_offsets", lanes)  # type: ignore[no-any-return]

    async def _ask(self, name: str, lanes: Sequence[Lane]) -> Any:
        return await self.process.step(f"log.{name}", result_of(getattr(self.process.log, name), lanes))

    async def reader(self) -> "SimulatedReader":
        return SimulatedReader(self.process)

    async def writer(self) -> "SimulatedWriter":
        return SimulatedWriter(self.process)

    async def close(self) -> None:
        """Nothing is held."""


class SimulatedReader:
    """Reads the log: some of the lanes that have something, and some of each; so topics and lanes mix anyhow."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._positions: dict[Lane, int] = {}

    async def assign(self, positions: Mapping[Lane, int]) -> None:
        self._positions = dict(positions)

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        if wait and not any(self.process.log.has(*position) for position in self._positions.items()):
            await self.process.log.wait(tuple(self._positions), wait)
        return await self.process.step("log.fetch", lambda: self._take(limit), self)  # type: ignore[no-any-return]

    def _take(self, limit: int) -> Sequence[Record]:
        chance, log = self.process.world.chance, self.process.log
        full = {lane: offset for lane, offset in self._positions.items() if log.has(lane, offset)}
        some = {lane: offset for lane, offset in full.items() if chance.random() < 0.7} or full
        reader = MemoryReader(log)
        reader.positions = some
        records = reader.take(chance.choice((2, limit, limit)) * max(len(some), 1))
        self._positions |= reader.positions
        return records

    def heard(self) -> int:
        return sum(map(self.process.log.end, self._positions))

    async def close(self) -> None:
        """Nothing is held."""


class SimulatedWriter:
    """Appends to the log: one step for a whole append, of which a fault may do a part."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        await self.process.step("log.append", lambda: append(self.process.log, batches), batches)

    async def close(self) -> None:
        """Nothing is held."""


def append(log: MemoryLog, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
    """Append all of it."""
    for lane, records in batches.items():
        log.append(lane, records)


class SimulatedLeases:
    """Leases on virtual time, over those actors that the schedule drives."""

    def __init__(self, process: Process, kind: str, me: str, actors: Sequence[int]) -> None:
        self._process, self._kind, self._me, self._actors = process, kind, me, actors

    async def beat(self) -> None:
        await self._at_once("lease.beat", self._beat)

    async def _at_once(self, place: str, act: Callable[[], Any]) -> Any:
        """Leases only say who tries: where nothing hinders, they need no place among the steps."""
        process = self._process
        if process.alive and not process.frozen and not process.database.down:
            return act()
        return await process.step(place, act)

    def _beat(self) -> None:
        self._process.database.beats[self._me] = (self._kind, self._process.world.seconds)

    async def wanted(self, actors: int, mine: Collection[int]) -> Wanted:
        return await self._at_once("lease.wanted", lambda: self._wanted(mine))  # type: ignore[no-any-return]

    def _wanted(self, mine: Collection[int]) -> Wanted:
        database, now = self._process.database, self._process.world.seconds
        live = {name for name, (kind, at) in database.beats.items() if kind == self._kind and at > now - LEASE}
        places = {number: place for place, number in enumerate(self._actors)}
        held = {
            places[number]: owner
            for (kind, number), owner in database.content.owners.items()
            if kind == self._kind and owner in live and number in places
        }
        found = share(len(self._actors), [places[number] for number in mine], held, self._me, len(live))
        for place in found.disown:
            database.content.owners[self._kind, self._actors[place]] = None
        return Wanted(self._numbers(found.take), self._numbers(found.give_up))

    def _numbers(self, places: Iterable[int]) -> tuple[int, ...]:
        return tuple(self._actors[place] for place in places)

    def called(self) -> bool:
        """Whether a command came; each kind is called once."""
        called = self._kind in self._process.database.called
        self._process.database.called.discard(self._kind)
        return called

    async def leave(self) -> None:
        with suppress(StoreUnavailableError):
            await self._process.step("lease.leave", lambda: self._process.database.beats.pop(self._me, None))
