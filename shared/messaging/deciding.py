"""The pure middle of a turn: apply each input to its owner's state, and collect what is told, buried and parked.

Nothing here reads a clock, a table or a topic: all that is needed was loaded before, all that follows is in `Effects`.
An input that cannot be applied is buried with its reason; its debtor is then in quarantine: what comes later for that
debtor is parked in order, and the quarantine is told, so that nobody is contacted on stale facts.
"""

import dataclasses
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec

from shared.contracts.envelope import BusinessDateFact, Event, Moment, Told, derived_id
from shared.contracts.quarantine import DebtorQuarantined, DebtorReleased, Refusal, Resolution
from shared.messaging.broker import Lane
from shared.messaging.frames import pack_due, pack_record
from shared.messaging.inputs import DUE_TOPIC, Input, due_content, without_nul
from shared.messaging.layout import State
from shared.messaging.store import (
    Answer,
    Effects,
    Letter,
    Operation,
    Parked,
    Quarantined,
    Resolved,
    Standing,
    Stop,
)
from shared.messaging.telling import Telling
from shared.service import ActorKind, Rejected, TryLater

TRIES = 3
"""How often a handler that fails unexpectedly is tried before its event is buried."""

Seal = Callable[[bytes, str], bytes]


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that a turn's inputs may touch, as it stood when the transaction began."""

    standings: Mapping[int, Standing]
    states: Mapping[str, State]
    quarantines: Mapping[str, set[str]]
    parked: Mapping[str, list[tuple[Parked, Input]]]
    letters: Mapping[str, Input]


@dataclass(slots=True)
class Deciding:
    """One pass over a turn's inputs."""

    service: str
    kind: ActorKind
    now: datetime
    loaded: Loaded
    seal: Seal
    condemned: Mapping[str, str] = field(default_factory=dict)
    states: dict[str, State] = field(init=False)
    shards: dict[str, int] = field(default_factory=dict)
    quarantines: dict[str, set[str]] = field(init=False)
    effects: Effects = field(default_factory=Effects)
    telling: Telling = field(init=False)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    _waiting: dict[str, list[Input]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start from what was loaded."""
        self.states = dict(self.loaded.states)
        self.quarantines = {owner: set(letters) for owner, letters in self.loaded.quarantines.items()}
        self.telling = Telling(self.kind, self.now)

    def decide(self, inputs: Iterable[Input]) -> None:
        """Apply every input in order. Raises TryLater, after which nothing of this pass may be used."""
        for item in inputs:
            self._one(item)
        self._park_what_waits()

    def _one(self, item: Input) -> None:
        if item.command is not None:
            self._command(item)
        elif item.refused is not None:
            self._bury(item, item.refused)
        elif item.event is not None:
            self._event(item, item.event)

    def _event(self, item: Input, event: Event[Any]) -> None:
        if isinstance(event.data, BusinessDateFact) and not self._advances(item.number, event):
            self.counts["repeated_dates"] += 1
        elif isinstance(event.data, Refusal):
            self._quarantine(item.number, item.owner, event.data.letter_id, event)
        elif isinstance(event.data, Resolution):
            self._release(item.number, item.owner, event.data.letter_id, event)
        elif not item.owner:
            self._without_owner(item, event)
        elif self.quarantines.get(item.owner):
            self._park(item)
        else:
            self._apply(item, event)

    # -- applying ------------------------------------------------------------------------------------------------

    def _apply(self, item: Input, event: Event[Any]) -> bool:
        """Apply one event to its owner; False if it was buried instead."""
        if item.owner in self.condemned:
            return self._bury(item, Rejected(self.condemned[item.owner]))
        handler = self.kind.handlers.get(type(event.data))
        state = self.states[item.owner]
        if item.due is not None:
            if not self._still_due(item, state):
                return True
            state = self._without_row(item, state)
            self._keep(item, state)
        if handler is None:
            return True
        try:
            after, told = self._tried(handler, state, event, self.moment(item.number, event.lender_id))
        except Rejected as refusal:
            return self._bury(item, refusal)
        self._keep(item, after)
        self._tell(item.number, event, told)
        self.counts["applied"] += 1
        return True

    def _keep(self, item: Input, state: State) -> None:
        self.states[item.owner] = state
        self.shards.setdefault(item.owner, item.number)

    def _tried(self, handler: Callable[..., Any], *arguments: Any) -> Any:
        for attempt in range(1, TRIES + 1):
            try:
                return handler(*arguments)
            except (Rejected, TryLater):
                raise
            except Exception as error:  # noqa: BLE001  # whatever a handler raises must cost one debtor, not the lane
                failure = error
                if attempt == TRIES:
                    break
        where = traceback.extract_tb(failure.__traceback__)[-1]
        self.failures.append(f"{type(failure).__name__} at {where.name}:{where.lineno}")
        raise Rejected(f"{type(failure).__name__} in {where.name}") from failure

    def _tell(self, number: int, event: Event[Any], told: Iterable[Told]) -> list[Event[Any]]:
        return [self.telling.tell(number, event, each, ordinal) for ordinal, each in enumerate(told)]

    def _without_owner(self, item: Input, event: Event[Any]) -> None:
        handler = self.kind.on_lane.get(type(event.data))
        if handler is None:
            return
        try:
            told = self._tried(handler, event, self.moment(item.number, event.lender_id))
        except Rejected as refusal:
            self._bury(item, refusal)
            return
        self._tell(item.number, event, told)
        self.counts["applied"] += 1

    def _still_due(self, item: Input, state: State) -> bool:
        due = item.due
        return due is not None and self.kind.layout.rows(state, due.name).get(due.key) == due.row

    def _without_row(self, item: Input, state: State) -> State:
        due = item.due
        if due is None:
            return state
        rows = {key: row for key, row in self.kind.layout.rows(state, due.name).items() if key != due.key}
        return dataclasses.replace(state, **{due.name: rows if self.kind.layout.tables[due.name].key else None})

    def moment(self, number: int, lender_id: str) -> Moment:
        """The instant, and the lender's business date in this actor's lane."""
        known = self.effects.clocks.get((number, lender_id))
        return Moment(self.now, known or self.loaded.standings[number].clocks.get(lender_id, date.min))

    def _advances(self, number: int, event: Event[Any]) -> bool:
        """Move the lender's clock in this lane; a date that is not newer was said before, and is not said again."""
        day = event.data.business_date
        if day <= self.moment(number, event.lender_id).business_date:
            return False
        self.effects.clocks[number, event.lender_id] = day
        return True

    # -- dead letters and quarantine -----------------------------------------------------------------------------

    def _bury(self, item: Input, refusal: Rejected) -> bool:
        """Keep what cannot be applied, and put its owner in quarantine; False, for the caller to hand on."""
        self.counts["buried"] += 1
        if item.letter is not None or (item.record is None and item.due is None):
            raise refusal
        letter = self._letter(item, refusal)
        self.effects.letters.append(letter)
        cause = item.event or self._cause(item, refusal, letter)
        if self.kind.refusal is not None:
            self._tell_edge(item.number, cause, letter, self.kind.refusal(letter_id=letter.id))
        elif letter.owner:
            self._quarantine(item.number, letter.owner, letter.id, cause)
        return False

    def _letter(self, item: Input, refusal: Rejected) -> Letter:
        event, record = item.event, item.record
        lane = record.lane if record else Lane(DUE_TOPIC, item.number)
        offset = record.offset if record else -1
        event_id = event.id if event else ""
        place = f"letter/{self.service}/{self.kind.name}/{lane.topic}/{lane.partition}/{offset}/{event_id}"
        letter_id = derived_id(place, 0)
        raw = pack_record(record) if record else pack_due(due_content(item.due) if item.due else {})
        return Letter(
            id=letter_id,
            number=item.number,
            lane=lane,
            offset=offset,
            lender_id=refusal.lender_id or (event.lender_id if event else ""),
            owner=self._refused_owner(item, refusal),
            event_id=event_id,
            event_type=event.type if event else "",
            reason=without_nul(refusal.reason),
            field=without_nul(refusal.field),
            raw=self.seal(raw, letter_id),
            buried_at=self.now,
        )

    def _refused_owner(self, item: Input, refusal: Rejected) -> str:
        """The debtor to be set apart: at an edge, whom the refusal or else the event itself names."""
        if self.kind.refusal is None:
            return item.owner
        return refusal.owner or (item.event.debtor_id if item.event else "")

    def _cause(self, item: Input, refusal: Rejected, letter: Letter) -> Event[Any]:
        """What stands in for an event that could not be read, as the cause of what is told about it."""
        return Event(
            id=letter.id,
            type="unreadable",
            lender_id=refusal.lender_id,
            debtor_id=letter.owner,
            occurred_at=item.record.timestamp if item.record else self.now,
            recorded_at=self.now,
            data=None,
        )

    def _tell_edge(self, number: int, cause: Event[Any], letter: Letter, data: Any) -> None:
        if letter.owner:
            told = Told(data, debtor_id=letter.owner, lender_id=letter.lender_id)
            self.telling.tell(number, cause, told, f"{type(data).__name__}/{letter.id}")

    def _quarantine(self, number: int, owner: str, letter_id: str, cause: Event[Any]) -> None:
        self.quarantines.setdefault(owner, set()).add(letter_id)
        self.effects.quarantined.append(Quarantined(number, owner, letter_id, self.now))
        if self.kind.output:
            told = Told(DebtorQuarantined(service=self.service, letter_id=letter_id), debtor_id=owner)
            self.telling.tell(number, cause, told, f"quarantined/{letter_id}")

    def _release(self, number: int, owner: str, letter_id: str, cause: Event[Any]) -> None:
        """Lift one reason; with the last one, what is parked is applied in order, before anything newer."""
        self.effects.released.append((owner, letter_id))
        self.quarantines.setdefault(owner, set()).discard(letter_id)
        parked = [(each.ordinal, item) for each, item in self.loaded.parked.get(owner, [])]
        waiting = [(ordinal, item) for ordinal, item in parked if (owner, ordinal) not in self.effects.unparked]
        waiting += [(0, item) for item in self._waiting.pop(owner, [])]
        for ordinal, item in waiting:
            self._unpark(owner, ordinal, item)
        if self.kind.output:
            told = Told(DebtorReleased(service=self.service, letter_id=letter_id), debtor_id=owner)
            self.telling.tell(number, cause, told, f"released/{letter_id}")

    def _unpark(self, owner: str, ordinal: int, item: Input) -> None:
        if self.quarantines.get(owner):
            if not ordinal:
                self._park(item)
            return
        if ordinal:
            self.effects.unparked.append((owner, ordinal))
        self._one(item)

    def _park(self, item: Input) -> None:
        if item.record is not None:
            self._waiting.setdefault(item.owner, []).append(item)
            self.counts["parked"] += 1

    def _park_what_waits(self) -> None:
        for owner, items in self._waiting.items():
            self.effects.parked += [self._parked(owner, item) for item in items if item.record is not None]

    def _parked(self, owner: str, item: Input) -> Parked:
        record = item.record
        if record is None:
            raise ValueError(owner)
        return Parked(0, item.number, owner, record.lane, record.offset, self.seal(pack_record(record), owner))

    # -- commands ------------------------------------------------------------------------------------------------

    def _command(self, item: Input) -> None:
        command = item.command
        if command is None:
            return
        try:
            response = self._answered(item)
        except Rejected as refusal:
            content = {"detail": refusal.reason, "field": refusal.field}
            self.effects.answers.append(Answer(command.id, "refused", msgspec.json.encode(content), self.now))
        else:
            self.effects.answers.append(Answer(command.id, "done", msgspec.json.encode(response), self.now))

    def _answered(self, item: Input) -> Mapping[str, Any]:
        match item.command.name if item.command else "":
            case "replay-letter":
                return self._replay(item)
            case "discard-letter":
                return self._discard(item)
            case "resume-shard":
                return self._resume(item)
            case _:
                return self._business_command(item)

    def _business_command(self, item: Input) -> Mapping[str, Any]:
        event = item.event
        if item.refused is not None or event is None:
            raise item.refused or Rejected("not understood")
        if self.quarantines.get(item.owner):
            raise Rejected("the debtor is in quarantine: resolve its dead letter first", field="debtor_id")
        if item.owner in self.condemned:
            raise Rejected(self.condemned[item.owner])
        state = self.states[item.owner]
        now = self.moment(item.number, event.lender_id)
        after, told = self._tried(self.kind.handlers[type(event.data)], state, event, now)
        self._keep(item, after)
        facts = self._tell(item.number, event, told)
        self.counts["applied"] += 1
        return {"id": event.id, "facts": [{"id": fact.id, "type": fact.type, "data": fact.data} for fact in facts]}

    def _letter_of(self, item: Input) -> tuple[Letter, Input]:
        wanted = text_of(item, "letter_id")
        tried = self.loaded.letters.get(wanted)
        gone = any(resolved.letter_id == wanted for resolved in self.effects.resolved)
        if tried is None or tried.letter is None or gone:
            raise Rejected("no open dead letter has this id", field="letter_id")
        return tried.letter, tried

    def _replay(self, item: Input) -> Mapping[str, Any]:
        letter, tried = self._letter_of(item)
        if tried.refused is not None:
            raise tried.refused
        if tried.event is not None:
            self._apply_letter(tried, tried.event)
        self._resolve(item, letter, "replayed", "")
        return {"letter_id": letter.id, "status": "replayed"}

    def _apply_letter(self, tried: Input, event: Event[Any]) -> None:
        if tried.due is not None:
            state = self.states[tried.owner]
            table = self.kind.layout.tables[tried.due.name]
            rows = {**self.kind.layout.rows(state, tried.due.name), tried.due.key: tried.due.row}
            content = rows if table.key else tried.due.row
            self.states[tried.owner] = dataclasses.replace(state, **{tried.due.name: content})
        if tried.owner:
            self._apply(tried, event)
        else:
            self._without_owner(tried, event)

    def _discard(self, item: Input) -> Mapping[str, Any]:
        letter, _ = self._letter_of(item)
        self._resolve(item, letter, "discarded", text_of(item, "reason"))
        return {"letter_id": letter.id, "status": "discarded"}

    def _resolve(self, item: Input, letter: Letter, status: str, reason: str) -> None:
        actor = item.command.actor if item.command else ""
        self.effects.resolved.append(Resolved(letter.id, status, self.now, actor, reason))
        self.effects.operations.append(Operation(item.number, self.now, actor, f"letter {status}", letter.id))
        cause = self._command_event(item)
        if self.kind.resolution is not None:
            self._tell_edge(item.number, cause, letter, self.kind.resolution(letter_id=letter.id))
        elif letter.owner:
            self._release(item.number, letter.owner, letter.id, cause)

    def _resume(self, item: Input) -> Mapping[str, Any]:
        actor = item.command.actor if item.command else ""
        self.effects.stops.append(Stop(item.number, "", self.now))
        self.effects.operations.append(Operation(item.number, self.now, actor, "resumed", text_of(item, "reason")))
        return {"number": item.number, "status": "resumed"}

    def _command_event(self, item: Input) -> Event[Any]:
        command = item.command
        if command is None:
            raise ValueError(item.number)
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


def text_of(item: Input, name: str) -> str:
    """A text field of a command's body, empty where there is none."""
    content = msgspec.json.decode(item.command.body) if item.command else {}
    return str(content.get(name, "")) if isinstance(content, dict) else ""
