"""A toy layout with every kind of table and column, and the two places where a store keeps it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Protocol

import asyncpg
import msgspec

from shared.messaging.broker import Lane
from shared.messaging.layout import Layout, Table
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_store import MemoryStore
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import Change, Command, Effects, Letter, Parked, Store, Transaction

NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
TODAY = date(2031, 5, 6)
IN = Lane("toy.in", 3)
OUT = Lane("toy.out", 3)
KIND = "lane"


class Mood(StrEnum):
    CALM = "calm"
    CROSS = "cross"


class Place(msgspec.Struct, frozen=True):
    """A struct inside a column."""

    street: str
    floor: int | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """A dataclass inside a column, with a column type of each kind inside."""

    on: date
    place: Place
    mood: Mood


@dataclass(frozen=True, slots=True)
class Card:
    """At most one per owner: a column of each type, filled."""

    mood: Mood
    amount: int
    active: bool
    since: date
    at: datetime
    raw: bytes
    visits: tuple[Visit, ...]
    extra: dict[str, int]
    note: str | None = None
    until: date | None = None
    last: Visit | None = None
    other_mood: Mood | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """Settled once closed."""

    item_id: str
    amount: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """With a key of two columns."""

    item_id: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class DayDue:
    """Due on a business date."""

    lender_id: str
    due_on: date


@dataclass(frozen=True, slots=True)
class InstantDue:
    """Due at an instant, or never."""

    number: int
    lender_id: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """Appended."""

    text: str
    amount: int


@dataclass(frozen=True, slots=True)
class Sum:
    """Summed up over owners."""

    month: str
    mood: Mood
    amount: int


@dataclass(frozen=True, slots=True)
class File:
    """The state of one owner."""

    debtor_id: str
    card: Card | None
    items: dict[str, Item]
    parts: dict[tuple[str, int], Part]
    day: DayDue | None
    instants: dict[int, InstantDue]
    entries: tuple[Entry, ...]
    sums: tuple[Sum, ...]


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A state that several actors may write."""

    loan_key: str
    card: Card | None


LAYOUT = Layout(
    File,
    {
        "card": Table("toy_card", Card),
        "items": Table("toy_item", Item, key=("item_id",), settled="closed"),
        "parts": Table("toy_part", Part, key=("item_id", "number")),
        "day": Table("toy_day", DayDue, due="due_on"),
        "instants": Table("toy_instant", InstantDue, key=("number",), due="due_at"),
        "entries": Table("toy_entry", Entry, use="journal"),
        "sums": Table("toy_sum", Sum, key=("month", "mood"), use="tally", amount="amount"),
    },
)
SHARED = Layout(SharedFile, {"card": Table("toy_shared_card", Card)}, owner="loan_key", shared=True)

_CARD = """
    mood text NOT NULL, amount bigint NOT NULL, active boolean NOT NULL, since date NOT NULL, at timestamptz NOT NULL,
    raw bytea NOT NULL, visits json NOT NULL, extra json NOT NULL, note text, until date, last json, other_mood text
"""
SCHEMA = f"""
CREATE TABLE toy_card (shard smallint NOT NULL, debtor_id text PRIMARY KEY, {_CARD});
CREATE TABLE toy_shared_card (shard smallint NOT NULL, loan_key text PRIMARY KEY, {_CARD});
CREATE TABLE toy_item (shard smallint NOT NULL, debtor_id text NOT NULL, amount bigint NOT NULL,
    closed boolean NOT NULL, item_id text NOT NULL, PRIMARY KEY (debtor_id, item_id));
CREATE TABLE toy_part (shard smallint NOT NULL, debtor_id text NOT NULL, item_id text NOT NULL, number bigint NOT NULL,
    text text NOT NULL, PRIMARY KEY (debtor_id, item_id, number));
CREATE TABLE toy_day (shard smallint NOT NULL, debtor_id text PRIMARY KEY, lender_id text NOT NULL,
    due_on date NOT NULL);
CREATE TABLE toy_instant (shard smallint NOT NULL, debtor_id text NOT NULL, number bigint NOT NULL,
    lender_id text NOT NULL, due_at timestamptz, PRIMARY KEY (debtor_id, number));
CREATE TABLE toy_entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL,
    debtor_id text NOT NULL, text text NOT NULL, amount bigint NOT NULL);
CREATE TABLE toy_sum (shard smallint NOT NULL, month text NOT NULL, mood text NOT NULL, amount bigint NOT NULL,
    PRIMARY KEY (shard, month, mood));
CREATE INDEX ON toy_day (shard, due_on);
CREATE INDEX ON toy_instant (shard, due_at);
"""

CARD = Card(
    mood=Mood.CROSS,
    amount=-(2**63),
    active=True,
    since=TODAY,
    at=NOW,
    raw=b"\x00\xff",
    visits=(Visit(TODAY, Place("Am „Markt“ 1\n", 4), Mood.CALM), Visit(date(1999, 1, 1), Place("x"), Mood.CROSS)),
    extra={"a": 1, "ü": -2},
    last=Visit(TODAY, Place("y"), Mood.CALM),
)


class Site(Protocol):
    """A database: stores on it, and what the port writes but never reads."""

    def store(self, kind: str = KIND) -> Store:
        """A worker's store of its own."""

    async def submit(self, command: Command) -> None:
        """Leave a command for its actor, as the API does."""

    async def journal(self) -> list[tuple[int, str, str, int]]: ...

    async def sums(self) -> dict[tuple[int, str, str], int]: ...

    async def history(self) -> list[tuple[Any, ...]]: ...

    async def answers(self) -> dict[str, tuple[str, Any]]: ...

    async def operations(self) -> list[tuple[int, str, str, str]]: ...

    async def letter_status(self, letter_id: str) -> str: ...

    async def close(self) -> None: ...


class MemorySite:
    """In memory."""

    def __init__(self) -> None:
        self.database = MemoryDatabase()

    def store(self, kind: str = KIND) -> Store:
        return MemoryStore(self.database, kind)

    async def submit(self, command: Command) -> None:
        self.database.submit(KIND, command)

    async def journal(self) -> list[tuple[int, str, str, int]]:
        found = self.database.journals.get("toy_entry", [])
        return [(shard, owner, row.text, row.amount) for shard, owner, row in found]

    async def sums(self) -> dict[tuple[int, str, str], int]:
        found = self.database.tallies.get("toy_sum", {})
        return {(shard, row.month, row.mood): row.amount for (shard, _), row in found.items()}

    async def history(self) -> list[tuple[Any, ...]]:
        return [(*row[:-1], msgspec.json.decode(row.data)) for row in self.database.history]

    async def answers(self) -> dict[str, tuple[str, Any]]:
        found = self.database.commands.items()
        return {key: (status, msgspec.json.decode(answer or b"null")) for key, (_, _, status, answer) in found}

    async def operations(self) -> list[tuple[int, str, str, str]]:
        return [(each.number, each.actor, each.operation, each.detail) for _, each in self.database.operations]

    async def letter_status(self, letter_id: str) -> str:
        return self.database.letters[letter_id][2]

    async def close(self) -> None:
        """Nothing is open."""


class PostgresSite:
    """On the real server, with the runtime's own migrations and the toy's tables."""

    def __init__(self, dsn: str, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._dsn, self._connection = dsn, connection
        self._stores: list[PostgresStore] = []

    @classmethod
    async def on(cls, dsn: str) -> "PostgresSite":
        connection = await asyncpg.connect(dsn)
        await connection.execute(SCHEMA)
        return cls(dsn, connection)

    def store(self, kind: str = KIND) -> Store:
        self._stores.append(PostgresStore(self._dsn, kind, take_over_after="200ms"))
        return self._stores[-1]

    async def submit(self, command: Command) -> None:
        await self._connection.execute(
            "INSERT INTO command (id, number, name, owner, lender_id, actor, body, created_at, client, key, kind, "
            "body_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'test', $1, $9, '')",
            *(*command[:6], command.body.decode(), command.created_at, KIND),
        )

    async def journal(self) -> list[tuple[int, str, str, int]]:
        return await self._rows("SELECT shard, debtor_id, text, amount FROM toy_entry ORDER BY id")

    async def sums(self) -> dict[tuple[int, str, str], int]:
        return {(shard, *key): amount for shard, *key, amount in await self._rows("SELECT * FROM toy_sum")}

    async def history(self) -> list[tuple[Any, ...]]:
        rows = await self._rows("SELECT * FROM history ORDER BY id")
        return [(*row[1:-1], msgspec.json.decode(row[-1])) for row in rows]

    async def answers(self) -> dict[str, tuple[str, Any]]:
        rows = await self._rows("SELECT id, status, response::text FROM command")
        return {key: (status, msgspec.json.decode(answer or "null")) for key, status, answer in rows}

    async def operations(self) -> list[tuple[int, str, str, str]]:
        return await self._rows("SELECT number, actor, operation, detail FROM operation_log ORDER BY id")

    async def letter_status(self, letter_id: str) -> str:
        return str((await self._rows("SELECT status FROM dead_letter WHERE id = $1", letter_id))[0][0])

    async def _rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self._connection.fetch(query, *arguments)]

    async def close(self) -> None:
        await asyncio.gather(*(store.close() for store in self._stores))
        await self._connection.close()


def a_file(owner: str, **fields: Any) -> File:
    """A state with some of its fields filled."""
    return File(**{**{name: getattr(LAYOUT.empty(owner), name) for name in File.__slots__}, **fields})


def a_letter(letter_id: str, *, number: int = 3, offset: int = 7, owner: str = "d1", **fields: Any) -> Letter:
    """A dead letter from a topic."""
    plain = Letter(letter_id, number, IN, offset, "bank", owner, "e1", "toy.happened", "bad", "data.x", b"\x01raw", NOW)
    return plain._replace(**fields)


def a_parked(owner: str, raw: bytes, offset: int = 1) -> Parked:
    """A parked event, not numbered yet."""
    return Parked(0, 3, owner, IN, offset, raw)


def a_command(command_id: str, *, number: int = 3, at: datetime = NOW) -> Command:
    """A command as the API leaves it."""
    return Command(command_id, number, "place-hold", "d1", "bank", "operator/x", b'{"days": 3}', at)


async def save(store: Store, *states: Any, before: Any = None, shard: int = 3, layout: Layout = LAYOUT) -> None:
    """Write states in a transaction of their own, over `before` or nothing."""
    transaction = await store.begin()
    owner = layout.owner
    changes = [Change(shard, getattr(s, owner), before or layout.empty(getattr(s, owner)), s) for s in states]
    await finishing(transaction, transaction.save(layout, changes))


async def write(store: Store, effects: Effects) -> None:
    """Write effects in a transaction of their own."""
    transaction = await store.begin()
    await finishing(transaction, transaction.write(effects))


async def finishing(transaction: Transaction, doing: Any) -> None:
    """Do and commit, or take back."""
    try:
        await doing
        await transaction.commit()
    except BaseException:
        await transaction.rollback()
        raise


async def load(store: Store, owner: str, named: Any = None, layout: Layout = LAYOUT) -> Any:
    """One owner's state as another transaction finds it."""
    transaction = await store.begin()
    try:
        return (await transaction.load(layout, {owner: 3}, named or {}))[owner]
    finally:
        await transaction.rollback()
