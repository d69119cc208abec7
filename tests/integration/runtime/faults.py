"""A store and a broker that fail where a test wants them to."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, Outgoing, Reader, Record, TopicSpec, Writer
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import Standing, StoreUnavailableError, Transaction

Commit = Callable[[], Awaitable[None]]


class FaultyStore(PostgresStore):
    """A store whose commits pass through the test's hands."""

    def __init__(self, dsn: str, kind: str) -> None:
        super().__init__(dsn, kind, take_over_after="500ms")
        self.at_commit: Callable[[Commit], Awaitable[None]] | None = None

    async def begin(self) -> Any:
        """Begin, with a commit that the test may bend."""
        transaction = await super().begin()
        return _Bent(transaction, self)

    def spent(self) -> bool:
        """Whether the bent commit has been."""
        return self.at_commit is None

    @property
    def backend(self) -> int:
        """The server's process at the other end of the connection."""
        connection = self._line._connection
        return 0 if connection is None else connection.get_server_pid()

    def cut(self) -> None:
        """Lose the connection, as when a cable is pulled."""
        self._line.terminate()


class SlowStore(PostgresStore):
    """A store that needs a while for every actor that is taken."""

    async def acquire(self, number: int, owner: str) -> Standing:
        """Acquire, slowly."""
        await asyncio.sleep(0.15)
        return await super().acquire(number, owner)


class _Bent:
    def __init__(self, transaction: Transaction, store: FaultyStore) -> None:
        self._transaction, self._store = transaction, store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transaction, name)

    async def commit(self) -> None:
        """Commit as the test wants it."""
        bend, self._store.at_commit = self._store.at_commit, None
        await (bend(self._transaction.commit) if bend else self._transaction.commit())


def commit_lost(store: FaultyStore) -> Callable[[Commit], Awaitable[None]]:
    """The connection dies before COMMIT arrives."""

    async def bend(commit: Commit) -> None:
        store.cut()
        await commit()

    return bend


def reply_lost(store: FaultyStore) -> Callable[[Commit], Awaitable[None]]:
    """COMMIT is done, and the connection dies before the answer comes."""

    async def bend(commit: Commit) -> None:
        await commit()
        store.cut()
        raise StoreUnavailableError("no answer to COMMIT")

    return bend


class Frozen:
    """A commit that waits until it is thawed, and says when it has been reached."""

    def __init__(self) -> None:
        self.reached, self.thawed = asyncio.Event(), asyncio.Event()

    async def __call__(self, commit: Commit) -> None:
        """Wait, then commit."""
        self.reached.set()
        await self.thawed.wait()
        await commit()


class FlakyBroker:
    """The log behind a line that can be cut."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self.away = broker, False

    def check(self) -> None:
        """Raise where the line is cut."""
        if self.away:
            raise BrokerUnavailableError("the line is cut")

    async def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        self.check()
        await self._broker.ensure_topics(topics)

    async def partitions(self, topic: str) -> int:
        self.check()
        return await self._broker.partitions(topic)

    async def end_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        self.check()
        return await self._broker.end_offsets(lanes)

    async def earliest_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        self.check()
        return await self._broker.earliest_offsets(lanes)

    async def reader(self) -> Reader:
        self.check()
        return _FlakyReader(await self._broker.reader(), self)

    async def writer(self) -> Writer:
        self.check()
        return _FlakyWriter(await self._broker.writer(), self)

    async def close(self) -> None:
        """The log is somebody else's."""


class _FlakyReader:
    def __init__(self, reader: Reader, line: FlakyBroker) -> None:
        self._reader, self._line = reader, line
        self.assign, self.close, self.heard = reader.assign, reader.close, reader.heard

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        self._line.check()
        return await self._reader.fetch(limit, wait)


class _FlakyWriter:
    """Cut in the middle of an append, it has appended all the same: the outcome is unknown."""

    def __init__(self, writer: Writer, line: FlakyBroker) -> None:
        self._writer, self._line = writer, line
        self.close = writer.close

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        await self._writer.append(batches)
        self._line.check()
