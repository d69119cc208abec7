"""The broker port on PostgreSQL: a durable log in a database of its own, for demos and tests.

One row holds one appended batch of one lane. The head row of a lane is locked while somebody appends to it, so offsets
are dense and become visible in their order; a committed append is an acknowledged one. Idle readers sleep on NOTIFY.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg

from shared.messaging import embedded_log_queries as queries
from shared.messaging.arrays import by_column
from shared.messaging.broker import BrokerUnavailableError, Lane, OffsetGoneError, Outgoing, Record, TopicSpec
from shared.messaging.embedded_log_rows import records_of, rows_of
from shared.messaging.topics import refuse_mismatch

_CHANNEL: Final = "fairdue_log"
_LONGEST_NOTE: Final = 7_000
_ALL: Final = 2**63 - 1
_CONNECT_SECONDS: Final = 10.0
_COMMAND_SECONDS: Final = 30.0

_SETTINGS: Final = {
    "application_name": "fairdue embedded log",
    "jit": "off",
    "synchronous_commit": "on",
    # Every query goes by key; plans made while the tables were empty would scan them for ever.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

_UNREACHABLE: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)


def utc_now() -> datetime:
    """The present instant by the machine's clock."""
    return datetime.now(UTC)


@contextmanager
def _answering() -> Iterator[None]:
    """Everything that means "no answer, outcome unknown" becomes the port's one error."""
    try:
        yield
    except _UNREACHABLE as error:
        if isinstance(error, ValueError):  # a wrong argument, which asyncpg also calls an interface error
            raise
        raise BrokerUnavailableError(f"embedded log: {type(error).__name__}: {error}") from error


class _Link:
    """One connection, opened when it is needed and thrown away after any trouble."""

    def __init__(self, dsn: str, *, listener: Callable[..., None] | None = None) -> None:
        self._dsn, self._listener = dsn, listener
        self._connection: Any = None

    async def get(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            self._connection = await self._open()
        return self._connection

    async def _open(self) -> Any:
        connection: Any = await asyncpg.connect(
            self._dsn, timeout=_CONNECT_SECONDS, command_timeout=_COMMAND_SECONDS, server_settings=_SETTINGS
        )
        try:
            if self._listener is not None:
                connection.add_termination_listener(self._listener)
                await connection.add_listener(_CHANNEL, self._listener)
        except BaseException:
            connection.terminate()
            raise
        return connection

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await connection.close(timeout=_CONNECT_SECONDS)
        except _UNREACHABLE:
            connection.terminate()


class EmbeddedLog:
    """The broker. Open it with `await EmbeddedLog.open(dsn)`; tables are created where they are missing."""

    def __init__(self, dsn: str, clock: Callable[[], datetime]) -> None:
        """Use `open` instead: it also makes the tables."""
        self._dsn, self._clock = dsn, clock
        self._link = _Link(dsn)
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, dsn: str, *, clock: Callable[[], datetime] = utc_now) -> "EmbeddedLog":
        """Connect and create the tables. `clock` gives the records' timestamps. Raises BrokerUnavailableError."""
        log = cls(dsn, clock)
        await log._ask(lambda connection: connection.execute(queries.SCHEMA))  # one message, so one transaction
        return log

    async def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create what is missing and check the rest. Raises PartitionMismatchError, BrokerUnavailableError."""
        wanted = {spec.name: spec.partitions or spec.default_partitions for spec in topics}
        refuse_mismatch(topics, await self._topics(list(wanted)))
        await self._ask(
            lambda connection: connection.execute(queries.CREATE_TOPICS, list(wanted), list(wanted.values()))
        )
        refuse_mismatch(topics, await self._topics(list(wanted)))

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises BrokerUnavailableError where there is no such topic."""
        known = await self._topics([topic])
        if topic not in known:
            raise BrokerUnavailableError(f"embedded log: there is no topic {topic}")
        return known[topic]

    async def end_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The offset that the next record of each lane will get."""
        return await self._heads(lanes, "next_offset")

    async def earliest_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The first offset still held, per lane."""
        return await self._heads(lanes, "first_offset")

    async def prune(self, older_than: datetime, read: Mapping[Lane, int] | None = None) -> int:
        """Remove the batches appended before an instant; returns how many. Raises BrokerUnavailableError.

        read: how far lanes were read; then nothing beyond that is removed, and nothing of other lanes.
        """
        if read is None:
            heads = await self._ask(lambda connection: connection.fetch("SELECT topic, partition FROM head"))
            read = {Lane(topic, partition): _ALL for topic, partition in heads}
        removed = 0
        for lane, offset in read.items():  # one transaction per lane: an append waits for one lane at most
            removed += await self._prune_lane(lane, older_than, offset)
        return removed

    async def reader(self) -> "LogReader":
        """A reader with a connection of its own."""
        return LogReader(self._dsn)

    async def writer(self) -> "LogWriter":
        """A writer with a connection of its own, opened at once. Raises BrokerUnavailableError."""
        writer = LogWriter(self._dsn, self._clock)
        await writer.connect()
        return writer

    async def close(self) -> None:
        """Let go of the broker's own connection; readers and writers have theirs."""
        await self._link.close()

    async def _prune_lane(self, lane: Lane, older_than: datetime, read: int) -> int:
        status = await self._ask(lambda connection: connection.execute(queries.PRUNE, *lane, older_than, read))
        return int(status.split()[-1])

    async def _topics(self, names: list[str]) -> dict[str, int]:
        return dict(await self._ask(lambda connection: connection.fetch(queries.TOPICS, names)))

    async def _heads(self, lanes: Sequence[Lane], column: str) -> Mapping[Lane, int]:
        rows = await self._ask(lambda connection: connection.fetch(queries.HEADS, *_columns(lanes)))
        found = {lanes[row["lane"]]: row[column] for row in rows}
        if len(found) != len(set(lanes)):
            raise BrokerUnavailableError(f"embedded log: there is no lane {_first_missing(lanes, found)}")
        return found

    async def _ask(self, question: Callable[[Any], Any]) -> Any:
        async with self._turn:
            try:
                with _answering():
                    return await question(await self._link.get())
            except BaseException:
                self._link.drop()
                raise


class LogReader:
    """Reads lanes from the log; after an error the next call connects again and goes on where it was."""

    def __init__(self, dsn: str) -> None:
        """Nothing is connected before the first fetch."""
        self._news = asyncio.Event()
        self._link = _Link(dsn, listener=self._hear)
        self._positions: dict[Lane, int] = {}
        self._first_in_turn = 0
        self._heard = 0

    async def assign(self, positions: Mapping[Lane, int]) -> None:
        """Read exactly these lanes from these offsets on."""
        self._positions, self._first_in_turn = dict(positions), 0
        self._news.set()

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        """Up to about `limit` records, lane by lane as assigned. Raises BrokerUnavailableError, OffsetGoneError."""
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            self._news.clear()
            records = await self._read(limit)
            if records or not await self._hears_by(deadline):
                return records

    def heard(self) -> int:
        """How often it was told of records in its lanes."""
        return self._heard

    async def close(self) -> None:
        """Let go of the connection."""
        await self._link.close()

    async def _read(self, limit: int) -> Sequence[Record]:
        try:
            with _answering():
                lagging = await self._lagging() if self._positions else {}
                return await self._read_lagging(lagging, limit) if lagging else ()
        except OffsetGoneError:
            raise
        except BaseException:
            self._link.drop()
            raise

    async def _lagging(self) -> dict[Lane, int]:
        """How many records each lane is behind, for those that are."""
        connection, lanes = await self._link.get(), list(self._positions)
        rows = await connection.fetch(queries.NEWS, *_columns(lanes), list(self._positions.values()))
        behind = {}
        for lane_number, first_offset, next_offset in rows:
            lane = lanes[lane_number]
            if next_offset is None:
                raise BrokerUnavailableError(f"embedded log: there is no lane {lane.topic}/{lane.partition}")
            if not first_offset <= self._positions[lane] <= next_offset:
                raise OffsetGoneError(lane, self._positions[lane], first_offset, next_offset)
            behind[lane] = next_offset - self._positions[lane]
        return behind

    async def _read_lagging(self, behind: Mapping[Lane, int], limit: int) -> Sequence[Record]:
        order = {lane: number for number, lane in enumerate(self._positions)}
        lanes = sorted(behind, key=lambda lane: (order[lane] < self._first_in_turn, order[lane]))
        shares = fair_shares([behind[lane] for lane in lanes], limit)
        starts = [self._positions[lane] for lane in lanes]
        ends = [start + share - 1 for start, share in zip(starts, shares, strict=True)]
        rows = await (await self._link.get()).fetch(queries.READ, *_columns(lanes), starts, ends, limit)
        served: dict[Lane, list[Any]] = {}
        for row in rows:
            served.setdefault(lanes[row["lane"]], []).append(row)
        if not served:  # retention took everything between the two queries
            raise OffsetGoneError(lanes[0], starts[0], starts[0] + behind[lanes[0]], starts[0] + behind[lanes[0]])
        left_out = (order[lane] for lane in lanes if lane not in served)
        self._first_in_turn = next(left_out, 0)
        return self._take(sorted(served.items(), key=lambda item: order[item[0]]))

    def _take(self, served: Sequence[tuple[Lane, list[Any]]]) -> Sequence[Record]:
        records: list[Record] = []
        positions = dict(self._positions)
        for lane, rows in served:
            for row in rows:
                records += records_of(lane, positions[lane], row)
                positions[lane] = row["last_offset"] + 1
        self._positions = positions
        return records

    async def _hears_by(self, deadline: float) -> bool:
        remaining = deadline - asyncio.get_running_loop().time()
        if remaining <= 0:
            return False
        try:
            async with asyncio.timeout(remaining):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _hear(self, *message: Any) -> None:
        """Wake for news of an assigned lane, and for the end of the connection, whose message has no note."""
        note = message[-1] if isinstance(message[-1], str) else "{}"
        told: dict[str, list[int]] = json.loads(note)
        mine = not told or any(Lane(topic, n) in self._positions for topic, numbers in told.items() for n in numbers)
        if mine:
            self._heard += 1
            self._news.set()


class LogWriter:
    """Appends to the log; after any error it refuses, and another one takes its place."""

    def __init__(self, dsn: str, clock: Callable[[], datetime]) -> None:
        """Call `connect` before the first append."""
        self._link, self._clock, self._broken = _Link(dsn), clock, False

    async def connect(self) -> None:
        """Open the connection. Raises BrokerUnavailableError."""
        with _answering():
            await self._link.get()

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        """Append each lane's records in order, all in one transaction. Raises BrokerUnavailableError."""
        if self._broken:
            raise BrokerUnavailableError("embedded log: this writer failed before and must be replaced")
        filled = {lane: batch for lane, batch in batches.items() if batch}
        if not filled:
            return
        try:
            with _answering():
                await self._append(filled)
        except BaseException:
            self._broken = True
            self._link.drop()
            raise

    async def close(self) -> None:
        """Let go of the connection."""
        await self._link.close()

    async def _append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        connection, lanes = await self._link.get(), list(batches)
        await connection.execute("BEGIN")
        moved = await connection.fetch(queries.MOVE_HEADS, *_columns(lanes), [len(batches[lane]) for lane in lanes])
        firsts = {lanes[row["lane"]]: row["first_offset"] for row in moved}
        if len(firsts) != len(lanes):
            raise BrokerUnavailableError(f"embedded log: there is no lane {_first_missing(lanes, firsts)}")
        rows = [row for lane in lanes for row in rows_of(lane, firsts[lane], batches[lane])]
        await connection.execute(queries.APPEND, *by_column(rows), self._clock())
        # Told after the commit, in the same message: a NOTIFY inside would make all commits of the server queue up.
        await connection.execute("COMMIT; " + "; ".join(f"NOTIFY {_CHANNEL}, '{note}'" for note in _notes(lanes)))


def fair_shares(behind: Sequence[int], limit: int) -> list[int]:
    """Split `limit` records over lanes by how far each is behind: small lags whole, the rest alike, none below one."""
    shares = [0] * len(behind)
    remaining = limit
    for done, lane in enumerate(sorted(range(len(behind)), key=lambda lane: behind[lane])):
        shares[lane] = max(1, min(behind[lane], remaining // (len(behind) - done)))
        remaining -= shares[lane]
    return shares


def _columns(lanes: Sequence[Lane]) -> tuple[list[str], list[int]]:
    return [lane.topic for lane in lanes], [lane.partition for lane in lanes]


def _first_missing(lanes: Sequence[Lane], found: Mapping[Lane, int]) -> str:
    return next(f"{lane.topic}/{lane.partition}" for lane in lanes if lane not in found)


def _notes(lanes: Sequence[Lane]) -> Iterator[str]:
    """Which lanes grew, as JSON that fits a NOTIFY and an SQL literal."""
    told: dict[str, list[int]] = {}
    for lane in lanes:
        told.setdefault(lane.topic, []).append(lane.partition)
        if len(text := _quoted(told)) > _LONGEST_NOTE:
            yield text
            told = {}
    if told:
        yield _quoted(told)


def _quoted(told: Mapping[str, Sequence[int]]) -> str:
    return json.dumps(told, separators=(",", ":")).replace("'", "''")
