"""A toy service: counters by debtor, with every way in which an event can fail; and a bench to play turns on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from shared.contracts import catalogue
from shared.contracts.envelope import BusinessDateFact, Event, Fact, Moment, Told
from shared.contracts.ingress import EventRefused, RefusalResolved
from shared.contracts.outreach import HoldReleased
from shared.messaging.broker import Lane, Outgoing, Record
from shared.messaging.frames import records_of
from shared.messaging.layout import Layout, Table
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_store import MemoryStore
from shared.messaging.sequence import Position, header, position_header
from shared.messaging.store import Command, Standing, StoredFacts
from shared.messaging.turn import Batch, Limits, Turn, Turned
from shared.service import ActorKind, Decision, Rejected, TryLater
from shared.vault import Vault

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
TODAY = date(2031, 5, 6)
IN, OUT = "toy.in", "toy.out"
VAULT = Vault(bytes(32))
BROKEN, LATER, TOO_MUCH = 13, 99, 2**63 - 1
"""Amounts at which the handler raises, asks for later, and makes a state that no database takes."""


class Added(Fact, frozen=True, kw_only=True, gc=False):
    """Add to a debtor's counter."""

    amount: int


class Greeted(Fact, frozen=True, kw_only=True, gc=False):
    """A fact about a whole lender."""

    name: str


class Day(BusinessDateFact, frozen=True, kw_only=True, gc=False):
    """The books stand on a new day."""


class Refused(EventRefused, frozen=True, kw_only=True, gc=False):
    """An edge has refused an event of this debtor."""


class Resolved(RefusalResolved, frozen=True, kw_only=True, gc=False):
    """That was resolved."""


class Add(msgspec.Struct, frozen=True):
    """The command to add."""

    amount: int


TYPES: Mapping[str, type[Fact]] = {
    "toy.added": Added,
    "toy.greeted": Greeted,
    "toy.day": Day,
    "toy.refused": Refused,
    "toy.resolved": Resolved,
}
NAMES = {fact: name for name, fact in TYPES.items()}


@dataclass(frozen=True, slots=True)
class Total:
    """What was added up, and how often."""

    amount: int
    times: int


@dataclass(frozen=True, slots=True)
class Applied:
    """A trace of each event, in the order of application."""

    event_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """Due on a business date; its amount decides how it ends."""

    lender_id: str
    due_on: date
    amount: int


@dataclass(frozen=True, slots=True)
class Ring:
    """Due at an instant."""

    number: int
    lender_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Counter:
    """The state of one debtor."""

    debtor_id: str
    total: Total | None
    applied: tuple[Applied, ...]
    alarm: Alarm | None
    rings: Mapping[int, Ring]


LAYOUT = Layout(
    Counter,
    {
        "total": Table("counter_total", Total),
        "applied": Table("counter_applied", Applied, use="journal"),
        "alarm": Table("counter_alarm", Alarm, due="due_on"),
        "rings": Table("counter_ring", Ring, key=("number",), due="due_at"),
    },
)
SCHEMA = """
CREATE TABLE counter_total (shard smallint NOT NULL, debtor_id text PRIMARY KEY, amount bigint NOT NULL,
    times bigint NOT NULL);
CREATE TABLE counter_applied (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shard smallint NOT NULL,
    debtor_id text NOT NULL, event_id text NOT NULL, amount bigint NOT NULL);
CREATE TABLE counter_alarm (shard smallint NOT NULL, debtor_id text PRIMARY KEY, lender_id text NOT NULL,
    due_on date NOT NULL, amount bigint NOT NULL);
CREATE TABLE counter_ring (shard smallint NOT NULL, debtor_id text NOT NULL, number bigint NOT NULL,
    lender_id text NOT NULL, due_at timestamptz NOT NULL, PRIMARY KEY (debtor_id, number));
"""


def on_amount(state: Counter, event: Event[Any], now: Moment) -> Decision:
    """Add, or fail as the amount says; 1000 and more also sets an alarm for tomorrow, 2000 and more a ring."""
    amount = event.data.amount
    if amount < 0:
        raise Rejected("must not be negative", field="data.amount")
    if amount == LATER:
        raise TryLater("not yet")
    former = state.total or Total(0, 0)
    total = Total(former.amount + amount, former.times + 1 // (amount != BROKEN))
    after = replace(state, total=total, applied=(*state.applied, Applied(event.id, amount)))
    if 1000 <= amount < TOO_MUCH:
        after = replace(after, alarm=Alarm(event.lender_id, TODAY + timedelta(days=1), amount - 1000))
    if 2000 <= amount < TOO_MUCH:
        after = replace(after, rings={**state.rings, amount: Ring(amount, event.lender_id, now.instant)})
    return after, (Told(HoldReleased(hold_id=event.id, reason=str(amount))),)


def on_ring(state: Counter, event: Event[Ring], _now: Moment) -> Decision:
    """Stop the alarm."""
    after = replace(state, alarm=None)
    return after, (Told(HoldReleased(hold_id=event.id, reason=f"ring {event.data.number}")),)


def on_lane(event: Event[Any], _now: Moment) -> Sequence[Told]:
    """Say something for the whole lane; a greeting without a name cannot be."""
    if isinstance(event.data, Greeted) and event.data.name == "broken":
        return [Told(HoldReleased(hold_id="", reason=str(1 // 0)))]
    reason = event.data.name if isinstance(event.data, Greeted) else str(event.data.business_date)
    return [Told(HoldReleased(hold_id=event.id, reason=reason), debtor_id="")]


def decode(record: Record) -> Event[Any] | None:
    """Read a toy event. Raises Rejected, as real decoders do."""
    known = TYPES.get(header(record.headers, "type") or "")
    if known is None:
        return None
    try:
        event: Event[Any] = msgspec.json.decode(record.value, type=Event[known])  # type: ignore[valid-type]
    except msgspec.DecodeError as error:
        raise Rejected("cannot be read", field=str(error).rsplit("`", 2)[-2] if "`" in str(error) else "") from None
    return event


KIND = ActorKind(
    name="lane",
    inputs=(IN,),
    output=OUT,
    layout=LAYOUT,
    handlers={Added: on_amount, Add: on_amount, Alarm: on_amount, Ring: on_ring},
    on_lane={Greeted: on_lane, Day: on_lane},
    commands={"add": Add},
    decode=decode,
    keeps_history=True,
)

_ids = count(1)


def value_of(data: Fact, debtor_id: str = "d1", *, event_id: str = "", lender_id: str = "bank") -> bytes:
    """An event as bytes."""
    event = Event(
        id=event_id or f"e{next(_ids)}",
        type=NAMES[type(data)],
        lender_id=lender_id,
        debtor_id=debtor_id,
        occurred_at=NOW,
        recorded_at=NOW,
        data=data,
    )
    return catalogue.encode(event)


def type_header(data: Fact) -> tuple[str, bytes]:
    """The transport's header for the type."""
    return "type", NAMES[type(data)].encode()


def outgoing(data: Fact, debtor_id: str = "d1") -> Outgoing:
    """An event as it is written to a topic."""
    return Outgoing(debtor_id.encode(), value_of(data, debtor_id), (type_header(data),))


@dataclass
class Bench:
    """Plays the turns of one toy actor, number 3, on a database in memory."""

    kind: ActorKind = KIND
    limits: Limits = field(default_factory=Limits)
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    now: datetime = NOW
    standings: dict[int, Standing] = field(default_factory=dict)
    turned: list[Turned] = field(default_factory=list)
    _offsets: Any = field(default_factory=count)
    _commands: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        """Take a store for the database."""
        self.store = MemoryStore(self.database, self.kind.name)
        self.turn = Turn("toy", self.kind, self.store, VAULT, self.limits)

    async def ready(self) -> "Bench":
        """Hold the actor."""
        self.standings[3] = await self.store.acquire(3, "bench")
        return self

    def record(self, data: Fact | bytes, debtor_id: str = "d1", *, position: Position | None = None) -> Record:
        """A record as it would be fetched next; bytes are one of type "toy.added" that is taken as it is."""
        value = data if isinstance(data, bytes) else value_of(data, debtor_id)
        headers = (("type", b"toy.added") if isinstance(data, bytes) else type_header(data),)
        numbered = (*headers, position_header(position)) if position else headers
        return Record(Lane(self.kind.inputs[0], 3), next(self._offsets), debtor_id.encode(), value, numbered, self.now)

    def added(self, *amounts: int, debtor_id: str = "d1") -> list[Record]:
        """Records of these amounts."""
        return [self.record(Added(amount=amount), debtor_id) for amount in amounts]

    def command(self, name: str, body: object, *, owner: str = "d1") -> str:
        """Leave a command for the actor; its id."""
        command_id = f"c{next(self._commands)}"
        command = Command(command_id, 3, name, owner, "bank", "operator/x", msgspec.json.encode(body), self.now)
        self.database.submit(self.kind.name, command)
        return command_id

    async def play(self, *records: Record) -> Turned:
        """One turn, with whatever commands and due work wait."""
        turned = await self.turn.run(self.standings, Batch({3: records} if records else {}, 100, 100), self.now)
        self.standings = dict(turned.standings)
        self.turned.append(turned)
        return turned

    # -- what is there -------------------------------------------------------------------------------------------

    def total(self, debtor_id: str = "d1") -> tuple[int, int] | None:
        """A debtor's counter: amount and times."""
        found = self.database.rows.get("counter_total", {}).get((debtor_id, None))
        return None if found is None else (found[1].amount, found[1].times)

    def applied(self, debtor_id: str = "d1") -> list[int]:
        """The amounts applied to a debtor, in order."""
        return [row.amount for _, owner, row in self.database.journals.get("counter_applied", []) if owner == debtor_id]

    def letters(self) -> list[tuple[str, str, str, str]]:
        """Reason, field, owner and status of every dead letter."""
        return [(each.reason, each.field, each.owner, status) for _, each, status in self.database.letters.values()]

    def letter_ids(self) -> list[str]:
        """The ids of the letters that are open."""
        return [key for key, (_, _, status) in self.database.letters.items() if status == "open"]

    def parked(self, debtor_id: str = "d1") -> list[int]:
        """The offsets of what is parked, in order."""
        return [each.offset for _, each in self.database.parked if each.owner == debtor_id]

    def in_quarantine(self) -> set[str]:
        """The debtors whose events are parked."""
        return {owner for _, owner, _ in self.database.quarantines}

    def answer(self, command_id: str) -> tuple[str, Any]:
        """How a command ended."""
        _, _, status, response = self.database.commands[command_id]
        return status, msgspec.json.decode(response or b"null")

    def facts(self) -> list[tuple[str, str]]:
        """The debtor and the text of all that was told, in order."""
        stored = self.database.outbox.get((self.kind.name, 3), [])
        return [_short(record.value) for each in stored for record in records_of("toy/lane/3", each)]


def _short(value: bytes) -> tuple[str, str]:
    event = catalogue.decode(value)
    data: Any = event.data if event else None
    text = data.reason if isinstance(data, HoldReleased) else type(data).__name__
    return event.debtor_id if event else "", text


def lanes_of(facts: Sequence[StoredFacts]) -> list[tuple[Lane, int, int]]:
    """Where facts went, and with which numbers."""
    return [(each.lane, each.seq_from, each.seq_to) for each in facts]
