"""The store as a port: everything that one actor's transaction reads and writes, for one service and kind of actor.

`postgres_store` and `memory_store` are its adapters, under one contract suite. Only `turn.py` drives a transaction;
nothing else in the product commits. An actor is named by its number, since a store belongs to one kind.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, Protocol

from shared.contracts.envelope import Fact
from shared.messaging.broker import Lane
from shared.messaging.layout import Key, Layout, Row, State

Source = str
"""Who wrote a record: service/kind/number."""


class Mark(NamedTuple):
    """How far a source has been applied in one lane."""

    incarnation: int
    seq: int


class Gap(NamedTuple):
    """A source of which `from_seq` is missing, while `seen_seq` was already seen."""

    incarnation: int
    from_seq: int
    seen_seq: int


class Out(NamedTuple):
    """How far an actor has told on one lane, how much of it is acknowledged, and the head of its hash chain."""

    seq: int = 0
    acked: int = 0
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """What one transaction told on one lane: `body` is the framed facts, numbered from `seq_from` on."""

    number: int
    lane: Lane
    incarnation: int
    seq_from: int
    seq_to: int
    body: bytes


@dataclass(slots=True)
class Standing:
    """What a store knows of one actor: read when it is acquired, replaced after each commit.

    `restored` says that the database has gone back in time since the actor last told: it needs a new incarnation.
    """

    number: int
    epoch: int
    incarnation: int = 1
    cursors: dict[Lane, int] = field(default_factory=dict)
    marks: dict[tuple[Lane, Source], Mark] = field(default_factory=dict)
    gaps: dict[tuple[Lane, Source], Gap] = field(default_factory=dict)
    outs: dict[Lane, Out] = field(default_factory=dict)
    clocks: dict[str, date] = field(default_factory=dict)
    directives: dict[str, Fact] = field(default_factory=dict)
    stopped: str = ""
    restored: bool = False

    def copy(self) -> "Standing":
        """A standing of its own, with the same content."""
        return dataclasses.replace(
            self,
            cursors=dict(self.cursors),
            marks=dict(self.marks),
            gaps=dict(self.gaps),
            outs=dict(self.outs),
            clocks=dict(self.clocks),
            directives=dict(self.directives),
        )


class CursorMove(NamedTuple):
    """A compare-and-set of one read position; `old` is None where the lane was never read."""

    number: int
    lane: Lane
    old: int | None
    new: int


class OutMove(NamedTuple):
    """A compare-and-set of how far an actor has told on one lane: `old` is the head of the chain that `new` goes on.

    None where nothing was told there before. A proxy may hide that the database has gone back; the chain shows it.
    """

    old: bytes | None
    new: Out


class Change(NamedTuple):
    """One owner's state before and after a transaction; `shard` is the actor that wrote it first."""

    shard: int
    owner: str
    before: State
    after: State


class DueRow(NamedTuple):
    """A row whose time has come: `name` is the state's field that it lies in."""

    shard: int
    owner: str
    name: str
    key: Key
    row: Row


class Letter(NamedTuple):
    """A dead letter; `raw` is sealed."""

    id: str
    number: int
    lane: Lane
    offset: int
    lender_id: str
    owner: str
    event_id: str
    event_type: str
    reason: str
    field: str
    raw: bytes
    buried_at: datetime


class Resolved(NamedTuple):
    """How a dead letter ended: "replayed" or "discarded", by whom, and why."""

    letter_id: str
    status: str
    at: datetime
    by: str
    resolution: str


class Parked(NamedTuple):
    """An event that waits for its debtor's quarantine to end, in `ordinal` order; `raw` is sealed."""

    ordinal: int
    number: int
    owner: str
    lane: Lane
    offset: int
    raw: bytes


class Quarantined(NamedTuple):
    """One reason for which an owner's events are parked."""

    number: int
    owner: str
    letter_id: str
    since: datetime


class Command(NamedTuple):
    """A REST write that waits for its actor."""

    id: str
    number: int
    name: str
    owner: str
    lender_id: str
    actor: str
    body: bytes
    created_at: datetime


class Answer(NamedTuple):
    """What became of a command: "done" or "refused"."""

    command_id: str
    status: str
    response: bytes
    at: datetime


class Stop(NamedTuple):
    """An actor that stands still until an operator resumes it; an empty reason resumes it."""

    number: int
    reason: str
    at: datetime


class Operation(NamedTuple):
    """An entry of the machinery's own audit log."""

    number: int
    at: datetime
    actor: str
    operation: str
    detail: str


class HistoryRow(NamedTuple):
    """A fact as kept for ever."""

    shard: int
    debtor_id: str
    event_id: str
    type: str
    case_version: int
    actor: str
    caused_by: str
    occurred_at: datetime
    recorded_at: datetime
    data: bytes


@dataclass(slots=True)
class Effects:
    """Everything but state that a turn writes, collected by the pure part and handed to the transaction at once.

    renewed: the incarnation that an actor begins, with facts that are numbered from 1 again.
    """

    marks: dict[tuple[int, Lane, Source], Mark] = field(default_factory=dict)
    gaps: dict[tuple[int, Lane, Source], Gap | None] = field(default_factory=dict)
    clocks: dict[tuple[int, str], date] = field(default_factory=dict)
    directives: dict[tuple[int, str], Fact] = field(default_factory=dict)
    outs: dict[tuple[int, Lane], OutMove] = field(default_factory=dict)
    facts: list[StoredFacts] = field(default_factory=list)
    history: list[HistoryRow] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    resolved: list[Resolved] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    released: list[tuple[str, str]] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    unparked: list[tuple[str, int]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    renewed: dict[int, int] = field(default_factory=dict)


class Outlook(NamedTuple):
    """Whether anything waits for some actors, and the first instant to come at which a row of theirs falls due.

    No instant where none does, or only by day.
    """

    waits: bool
    next_due: datetime | None


class StoreUnavailableError(Exception):
    """The database did not answer, or an outcome is unknown: drop everything that is held and acquire it again."""


WENT_BACK = "the database has gone back in time"
TOLD_OTHERWISE = "what was told on a lane does not end where this worker believes"


class HeldError(StoreUnavailableError):
    """Another transaction holds what this one needs, and was not waited for."""


class StaleStandingError(Exception):
    """The store does not have an actor where this worker left it: somebody else has moved it. Acquire again."""


class UnsavableError(Exception):
    """The store refused the content of some row: one owner among those saved is at fault."""


class Transaction(Protocol):
    """One transaction, in the order in which a turn uses it."""

    async def fence(self, epochs: Mapping[int, int]) -> set[int]:
        """Lock the actors that still stand at these epochs, in order, and return their numbers."""

    async def move_cursors(self, moves: Sequence[CursorMove]) -> None:
        """Compare and set. Raises StaleStandingError if any position is not the old one."""

    async def take_commands(self, numbers: Collection[int], limit: int) -> Sequence[Command]:
        """Return the oldest commands that wait for these actors."""

    async def take_due(self, layout: Layout, numbers: Collection[int], now: datetime, limit: int) -> Sequence[DueRow]:
        """Return the first rows that are due, of owners not in quarantine, by table, shard, due, owner and key."""

    async def load(
        self, layout: Layout, owners: Mapping[str, int], named: Mapping[str, set[tuple[str, Key]]]
    ) -> dict[str, State]:
        """Return the state of each owner (locked first where the layout is shared); `named` are settled rows."""

    async def quarantines(self, owners: Collection[str]) -> Mapping[str, set[str]]:
        """Return the letters for which each of these owners is in quarantine; owners that are not are left out."""

    async def parked(self, owners: Collection[str]) -> Mapping[str, Sequence[Parked]]:
        """Return what is parked for these owners, in order."""

    async def letters(self, ids: Collection[str]) -> Mapping[str, Letter]:
        """Return the open letters among these."""

    async def count_letters(self, numbers: Collection[int], since: datetime) -> Mapping[int, int]:
        """Count the letters from topics that were buried since, and since the actor was last resumed."""

    async def save(self, layout: Layout, changes: Sequence[Change]) -> None:
        """Write what differs, in its last state. Raises UnsavableError."""

    async def write(self, effects: Effects) -> None:
        """Write all the rest. Raises StaleStandingError if any lane's chain does not end with the old head."""

    async def commit(self) -> None:
        """Make it durable. Raises StoreUnavailableError when the outcome is unknown."""

    async def rollback(self) -> None:
        """Forget it."""


class Store(Protocol):
    """The store of one service for one kind of actor, held by one worker."""

    async def acquire(self, number: int, owner: str) -> Standing:
        """Raise the actor's epoch, waiting for (or ending) a transaction that still holds it, and read its standing."""

    async def unacknowledged(self, number: int) -> Sequence[StoredFacts]:
        """What the actor told that no broker acknowledged, in order."""

    async def told_since(self, number: int, lane: Lane, incarnation: int, seq: int) -> Sequence[StoredFacts]:
        """What the actor told on a lane from a sequence on, later incarnations included, as far as it is retained."""

    async def release(self, epochs: Mapping[int, int]) -> None:
        """Give the actors up, where they are still held at these epochs."""

    async def has_work(self, layout: Layout, numbers: Collection[int], now: datetime) -> bool:
        """Whether a command waits for these actors, or a row of theirs is due; cheap, and binding on nobody.

        Raises StoreUnavailableError also where the database has gone back in time since they were acquired: a proxy
        between us and it may keep the connection through a fail-over.
        """

    async def look_out(self, layout: Layout, numbers: Collection[int], now: datetime) -> Outlook:
        """What `has_work` says, and when the next row of theirs falls due. Raises StoreUnavailableError as it does."""

    async def begin(self) -> Transaction: ...

    async def close(self) -> None: ...
