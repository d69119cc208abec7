"""What a dead letter is made of, and what stands in for an event that could not even be read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.envelope import Event, derived_id
from shared.messaging.broker import Lane
from shared.messaging.frames import pack_due, pack_record
from shared.messaging.inputs import DUE_TOPIC, Input, due_content, without_nul
from shared.messaging.store import Command, Letter, Parked
from shared.service import ActorKind, Rejected

Seal = Callable[[bytes, str, str], bytes]
"""Seals raw content for a place (a letter, a debtor's parking) and, where it is known, for the debtor whom it names."""


@dataclass(frozen=True, slots=True)
class Undertaker:
    """Makes letters and parking entries of one kind of actor; raw content is sealed with `seal`."""

    service: str
    kind: ActorKind
    now: datetime
    seal: Seal

    def letter(self, item: Input, refusal: Rejected) -> Letter:
        """The dead letter of an input, named from where it came, so that it is buried only once."""
        event, record = item.event, item.record
        lane = record.lane if record else Lane(DUE_TOPIC, item.number)
        offset = record.offset if record else -1
        event_id = event.id if event else ""
        place = f"letter/{self.service}/{self.kind.name}/{lane.topic}/{lane.partition}/{offset}/{event_id}"
        letter_id, owner = derived_id(place, 0), self._owner(item, refusal)
        return Letter(
            id=letter_id,
            number=item.number,
            lane=lane,
            offset=offset,
            lender_id=refusal.lender_id or (event.lender_id if event else ""),
            owner=owner,
            event_id=event_id,
            event_type=event.type if event else "",
            reason=without_nul(refusal.reason),
            field=without_nul(refusal.field),
            raw=self.seal(_raw(item), letter_id, owner),
            buried_at=self.now,
        )

    def _owner(self, item: Input, refusal: Rejected) -> str:
        """The debtor to be set apart: at an edge, whom the refusal or else the event itself names."""
        if not self.kind.is_edge:
            return item.owner
        return refusal.owner or (item.event.debtor_id if item.event else "")

    def unreadable(self, item: Input, letter: Letter) -> Event[Any]:
        """What stands in for an event that could not be read, as the cause of what is told about it."""
        return Event(
            id=letter.id,
            type="unreadable",
            lender_id=letter.lender_id,
            debtor_id=letter.owner,
            occurred_at=item.record.timestamp if item.record else self.now,
            recorded_at=self.now,
            data=None,
        )

    def parked(self, owner: str, item: Input) -> list[Parked]:
        """The parking entry of a record; nothing else is parked."""
        record = item.record
        if record is None:
            return []
        return [Parked(0, item.number, owner, record.lane, record.offset, self.seal(pack_record(record), owner, owner))]


def _raw(item: Input) -> bytes:
    if item.record is not None:
        return pack_record(item.record)
    return pack_due(due_content(item.due) if item.due else {})


def command_event(command: Command) -> Event[Any]:
    """A command about the machinery, as the cause of what is told about it."""
    return Event(
        id=command.id,
        type=f"command:{command.name}",
        lender_id=command.lender_id,
        debtor_id=command.owner,
        actor=command.actor,
        occurred_at=command.created_at,
        recorded_at=command.created_at,
        data=None,
    )
