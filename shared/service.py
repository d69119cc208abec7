"""The declaration of a service: what it hears, what it tells, how it decides, and where its state lies.

A service's `service.py` holds one function, `declare(settings) -> Service`, around one literal. Handlers are pure:

    def on_payment(state: DebtorFile, event: Event[PaymentReceived], now: Moment) -> tuple[DebtorFile, Sequence[Told]]

registered in a dict literal by the type of the payload (or of the due row). A handler that can never accept an event
raises `Rejected` with the field and the reason; one that cannot accept it yet raises `TryLater`.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from fastapi import APIRouter

from shared.clock import Clock
from shared.contracts import catalogue
from shared.contracts.envelope import BusinessDateFact, Event, Fact, Moment, Told
from shared.contracts.quarantine import Refusal, Resolution
from shared.contracts.reading import UnreadableError, check_event, parsed
from shared.http.auth import Machines
from shared.messaging.broker import Record, header_value
from shared.messaging.layout import Layout, State

SHARDS = 32
"""One number for ever: lanes, keys and rows depend on it."""

FOR_THE_RUNTIME: tuple[type[Fact], ...] = (BusinessDateFact, Refusal, Resolution)
"""What the runtime itself takes note of, whatever a kind of actor handles."""

Decision: TypeAlias = tuple[State, Sequence[Told]]
Handler: TypeAlias = Callable[[Any, Event[Any], Moment], Decision]
LaneHandler: TypeAlias = Callable[[Event[Any], Moment], Sequence[Told]]
Errand: TypeAlias = Callable[[Event[Any], Clock], Awaitable[Any]]
"""Does something in the world outside for a committed fact; what it returns, if anything, is applied like an event."""


class Rejected(Exception):  # noqa: N818  # the name is the decision, read aloud: the event is rejected
    """This event can never be applied: it goes to the dead letter with its reason, and the rest goes on."""

    def __init__(self, reason: str, *, field: str = "", owner: str = "", lender_id: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason, self.field, self.owner, self.lender_id = reason, field, owner, lender_id


class TryLater(Exception):  # noqa: N818  # the name is the decision: nothing is committed, the batch comes again
    """This event cannot be applied yet: nothing of the batch is committed, and it is tried again after a pause."""


def decode_fact(record: Record) -> Event[Any] | None:
    """Decode a record of our own topics, None where its type is not known here. Raises Rejected."""
    read = _reader_of(told_type(record))
    if read is None:
        return None
    try:
        event = parsed(read, record.value)
        if event is not None:
            check_event(event, record.value)
    except UnreadableError as error:
        raise Rejected(error.reason, field=error.field) from None
    return event


@lru_cache(maxsize=1024)  # every record names one of a few types
def _reader_of(told: bytes) -> Callable[[bytes], Event[Any] | None] | None:
    """What reads a record of a type that the transport tells, None where that is unknown. Raises Rejected."""
    try:
        return catalogue.decoder_of(told.decode()) if told else catalogue.decode
    except UnicodeDecodeError:
        raise Rejected("is not UTF-8", field="type") from None


def told_type(record: Record) -> bytes:
    """The type as the transport tells it, empty where it does not."""
    return header_value(record.headers, "type") or b""


class Reach(StrEnum):
    """What of its inputs one actor reads.

    own_lane: the partition of its number; there are as many actors as partitions. every_lane: all of them; there is one
    actor. first_lane: the first, where the one actor needs only what every lane is told, such as the business date.
    """

    OWN_LANE = "own_lane"
    EVERY_LANE = "every_lane"
    FIRST_LANE = "first_lane"


@dataclass(frozen=True, slots=True)
class ActorKind:
    """One kind of actor of a service: who reads what, decides how, and writes where.

    name: under which its service keeps what it knows.
    inputs: topics in the order in which stepped mode drains them.
    reach: which partitions of its inputs one actor reads, and so how many actors there are.
    output: the topic that it tells on, "" for none. Lane actors write their own partition; others route by debtor.
    handlers: by type of payload or of due row. Types that are not listed are skipped.
    on_lane: for events without an owner (business dates, say): `(event, now) -> facts`, pure, without state. A fact
        told with `debtor_id=""` by an actor that writes many lanes goes to all of them.
    directives: by type of a fact without an owner that each lane keeps, and goes by: under which name; a later one
        takes the place of an earlier one of that name. Handlers find them in `Moment.directives`.
    commands: by type of the command's body; applied like events.
    decode: bytes to an event, or None to skip. Raises Rejected.
    owner_of: whose state an event changes; the debtor's by default.
    errands: by type of a fact of its own: what is done outside once the fact is committed (`messaging/errands.py`).
    room_of: which errands wait for each other where many are to be done; by default those of one type.
    let_go: called when its worker ends, for what the errands hold open.
    keeps_history: each fact is also kept as a row of `history`, for ever.
    relays_watermarks: says on its output how fresh its input is.
    heeds_freshness: its handlers are told how fresh their lane is (`Moment.heard`) though it has no errands.
    patient: nobody waits for what it tells, or hardly any record is its affair: its turns lie further apart.
    refusal, resolution: for an edge: what to tell the debtor's lane when an event of a known debtor is dead-lettered
        (`Rejected.owner` is then the debtor), and when that letter is replayed or discarded.
    """

    name: str
    inputs: tuple[str, ...]
    output: str
    layout: Layout
    handlers: Mapping[type, Handler]
    reach: Reach = Reach.OWN_LANE
    on_lane: Mapping[type, LaneHandler] = field(default_factory=dict)
    directives: Mapping[type, Callable[[Any], str]] = field(default_factory=dict)
    commands: Mapping[str, type] = field(default_factory=dict)
    decode: Callable[[Record], Event[Any] | None] = decode_fact
    owner_of: Callable[[Event[Any]], str] = lambda event: event.debtor_id
    errands: Mapping[type, Errand] = field(default_factory=dict)
    room_of: Callable[[Event[Any]], str] = lambda event: event.type
    let_go: Callable[[], Awaitable[None]] | None = None
    keeps_history: bool = False
    relays_watermarks: bool = False
    heeds_freshness: bool = False
    patient: bool = False
    refusal: type[Refusal] | None = None
    resolution: type[Resolution] | None = None
    passed_over: frozenset[bytes] = field(init=False, compare=False)
    """The types of its inputs that are not its affair, as the transport tells them: these are not even decoded."""

    def __post_init__(self) -> None:
        """See what is not its affair; who decodes otherwise says so there."""
        passed_over = _not_the_affair_of(self) if self.decode is decode_fact else ()
        object.__setattr__(self, "passed_over", frozenset(name.encode() for name in passed_over))

    @property
    def is_edge(self) -> bool:
        """Whether this kind reads the bank's topic, where nothing is numbered and debtors are yet to be found."""
        return self.refusal is not None

    @property
    def is_alone(self) -> bool:
        """Whether there is one actor of this kind, and not one per lane."""
        return self.reach is not Reach.OWN_LANE

    def partitions(self, number: int) -> Sequence[int]:
        """Which partitions of each input an actor reads."""
        return range(SHARDS) if self.reach is Reach.EVERY_LANE else (number,)


def _not_the_affair_of(kind: ActorKind) -> Iterator[str]:
    for name, fact in (each for topic in kind.inputs for each in catalogue.TOPICS.get(topic, {}).items()):
        heard = fact in kind.handlers or fact in kind.on_lane or fact in kind.directives
        if not heard and not issubclass(fact, FOR_THE_RUNTIME):
            yield name


class Watch(Protocol):
    """Something of a service that every live process of it looks at every few seconds, whatever its role."""

    def begin(self) -> None:
        """Show every series of its metrics."""

    async def look(self) -> None:
        """Look once, and show what is found. Raises the driver's errors."""

    async def close(self) -> None:
        """Let go of what it holds open."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its actors, its REST routes and its migrations, and what is watched beside them.

    machines: who else than the callers of the settings is known by a token.
    """

    name: str
    actors: tuple[ActorKind, ...]
    routes: Callable[[], APIRouter]
    migrations: Path
    watches: tuple[Watch, ...] = ()
    machines: Machines | None = None
