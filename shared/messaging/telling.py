"""From what handlers return to numbered, framed facts on output lanes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from shared.contracts import catalogue
from shared.contracts.envelope import Event, Told, derived_id
from shared.messaging.broker import Lane
from shared.messaging.errands import Call
from shared.messaging.frames import FramedFact, chained, frame
from shared.messaging.sharding import shard_of
from shared.messaging.store import HistoryRow, Out, OutMove, Source, Standing, StoredFacts
from shared.service import SHARDS, ActorKind
from shared.tracing.identity import onward, salt_of, span_of

_data = msgspec.json.Encoder().encode


class Wrapped(msgspec.Struct, frozen=True, gc=False):
    """A fact in its envelope, with the lane that it is for."""

    number: int
    partition: int
    event: Event[Any]
    fact: FramedFact


@dataclass(slots=True)
class Telling:
    """Collects the facts of one turn of one kind of actor."""

    kind: ActorKind
    now: datetime
    service: str = ""
    lanes: dict[tuple[int, int], list[FramedFact]] = field(default_factory=dict)
    """What each actor tells on each partition of its output."""
    history: list[HistoryRow] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    _salt: int = field(init=False)

    def __post_init__(self) -> None:
        """See under which name spans are told."""
        self._salt = salt_of(f"{self.service}/{self.kind.name}")

    def tell(self, number: int, cause: Event[Any], told: Told, ordinal: int | str) -> None:
        """Tell one payload of the runtime's own, under an ordinal that no handler's fact has."""
        self.put(self._wrap(number, cause, told, ordinal, self._trace(cause)))

    def wrap(self, number: int, cause: Event[Any], told: Iterable[Told]) -> list["Wrapped"]:
        """Put what a handler returned into envelopes and bytes; nothing is told yet. Raises what cannot be encoded."""
        wrapped: list[Wrapped] = []
        ordinals: dict[str, int] = {}
        trace = self._trace(cause)
        for each in told:
            of = each.cause or cause.id
            ordinal = ordinals.get(of, 0)
            wrapped += self._wrap(number, cause, each, ordinal, trace)
            ordinals[of] = ordinal + 1
        return wrapped

    def _trace(self, cause: Event[Any]) -> str:
        return onward(cause, span_of(self._salt, cause.id))

    def put(self, wrapped: Iterable["Wrapped"]) -> list[Event[Any]]:
        """Put wrapped facts on their lanes, and return them."""
        events: list[Event[Any]] = []
        kind = self.kind
        for each in wrapped:
            event = each.event
            self.lanes.setdefault((each.number, each.partition), []).append(each.fact)
            events.append(event)
            if type(event.data) in kind.errands:
                self.calls.append(Call(each.number, event))
            if kind.keeps_history and event.debtor_id:
                self.history.append(_history(each.number, event))
        return events

    def _wrap(self, number: int, cause: Event[Any], told: Told, ordinal: int | str, trace: str) -> list["Wrapped"]:
        debtor_id = cause.debtor_id if told.debtor_id is None else told.debtor_id
        if not debtor_id and self.kind.name != "lane":
            return self._for_every_lane(number, cause, told, ordinal, trace)
        event = self._envelope(cause, told, debtor_id, derived_id(told.cause or cause.id, ordinal), trace)
        partition = number if self.kind.name == "lane" else shard_of(debtor_id)
        return [Wrapped(number, partition, event, _framed(event))]

    def _for_every_lane(
        self, number: int, cause: Event[Any], told: Told, ordinal: int | str, trace: str
    ) -> list["Wrapped"]:
        """The same payload on every lane, under an id of its own on each."""
        ids = [derived_id(f"{cause.id}/{partition}", ordinal) for partition in range(SHARDS)]
        events = [self._envelope(cause, told, "", event_id, trace) for event_id in ids]
        return [Wrapped(number, partition, event, _framed(event)) for partition, event in enumerate(events)]

    def _envelope(self, cause: Event[Any], told: Told, debtor_id: str, event_id: str, trace: str) -> Event[Any]:
        return Event(
            id=event_id,
            type=catalogue.wire_name(type(told.data)),
            lender_id=cause.lender_id if told.lender_id is None else told.lender_id,
            debtor_id=debtor_id,
            case_version=told.case_version,
            actor=cause.actor,
            caused_by=told.cause or cause.id,
            occurred_at=told.occurred_at or cause.occurred_at,
            recorded_at=self.now,
            trace=trace,
            data=told.data,
        )

    def stored(self, source: Source, standings: Mapping[int, Standing]) -> list[tuple[StoredFacts, OutMove]]:
        """Number and frame what was told, and move each lane's counter and hash chain on."""
        return [
            self._stored(source, standings[number], Lane(self.kind.output, partition), facts)
            for (number, partition), facts in self.lanes.items()
        ]

    @staticmethod
    def _stored(source: Source, standing: Standing, lane: Lane, facts: list[FramedFact]) -> tuple[StoredFacts, OutMove]:
        known = standing.outs.get(lane)
        out = known or Out()
        first, last = out.seq + 1, out.seq + len(facts)
        body = frame(facts)
        head = chained(out.head, f"{source}/{standing.number}", lane, first, body)
        stored = StoredFacts(standing.number, lane, standing.incarnation, first, last, body)
        return stored, OutMove(known and known.head, Out(last, out.acked, head))


def _framed(event: Event[Any]) -> FramedFact:
    return FramedFact(event.debtor_id.encode(), event.type, event.trace, catalogue.encode(event))


def _history(number: int, event: Event[Any]) -> HistoryRow:
    return HistoryRow(
        number,
        event.debtor_id,
        event.id,
        event.type,
        event.case_version,
        event.actor,
        event.caused_by,
        event.occurred_at,
        event.recorded_at,
        _data(event.data),
    )
