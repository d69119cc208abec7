"""The pure middle of a turn: apply each input to its owner's state, and collect what is told, buried and parked.

Nothing here reads a clock, a table or a topic: all that is needed was loaded before, all that follows is in `Effects`.
An input that cannot be applied is buried with its reason; its debtor is then in quarantine: what comes later for that
debtor is parked in order, and the quarantine is told, so that nobody is contacted on stale facts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from shared.contracts.envelope import BusinessDateFact, Event, Told
from shared.contracts.quarantine import DebtorQuarantined, DebtorReleased, Refusal, Resolution
from shared.messaging.applying import TRIES, Applying, Condemned, Loaded
from shared.messaging.burying import Seal, Undertaker, command_event
from shared.messaging.inputs import Input
from shared.messaging.layout import State
from shared.messaging.store import Answer, Command, Effects, Letter, Operation, Quarantined, Resolved, Stop
from shared.messaging.telling import Telling
from shared.service import FOR_THE_RUNTIME, ActorKind, Rejected

__all__ = ["TRIES", "Deciding", "Loaded", "text_of"]


@dataclass(slots=True)
class Deciding:
    """One pass over a turn's inputs."""

    service: str
    kind: ActorKind
    now: datetime
    loaded: Loaded
    seal: Seal
    condemned: Mapping[str, Condemned] = field(default_factory=dict)
    at_most: int | None = None
    effects: Effects = field(default_factory=Effects)
    quarantines: dict[str, set[str]] = field(init=False)
    _applying: Applying = field(init=False)
    _undertaker: Undertaker = field(init=False)
    _waiting: dict[str, list[Input]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start from what was loaded."""
        self.quarantines = {owner: set(letters) for owner, letters in self.loaded.quarantines.items()}
        self._applying = Applying(
            self.kind, self.now, self.loaded, self.condemned, self.effects, self.at_most, self.service
        )
        self._undertaker = Undertaker(self.service, self.kind, self.now, self.seal)

    @property
    def states(self) -> Mapping[str, State]:
        """Each owner's state, as it has become."""
        return self._applying.states

    @property
    def shards(self) -> Mapping[str, int]:
        """The owners whose state may have changed, with the actor that changed it."""
        return self._applying.shards

    @property
    def telling(self) -> Telling:
        """What is told."""
        return self._applying.telling

    @property
    def counts(self) -> Counter[str]:
        """How many inputs were buried, parked."""
        return self._applying.counts

    @property
    def applied(self) -> list[Input]:
        """The inputs that a handler has accepted, in order."""
        return self._applying.applied

    @property
    def failures(self) -> list[str]:
        """Where handlers failed unexpectedly: types and places, no values."""
        return self._applying.failures

    def decide(self, inputs: Iterable[Input]) -> None:
        """Apply every input in order. Raises TryLater, after which nothing of this pass may be used."""
        for item in inputs:
            self._one(item)
        for owner, items in self._waiting.items():
            for item in items:
                self.effects.parked += self._undertaker.parked(owner, item)

    def _one(self, item: Input) -> None:
        if item.command is not None:
            self._command(item, item.command)
        elif item.answer and item.event is not None:
            self._answer(item, item.event)
        elif item.refused is not None:
            self._bury(item, item.refused)
        elif item.event is not None:
            self._event(item, item.event)

    def _event(self, item: Input, event: Event[Any]) -> None:
        if isinstance(event.data, FOR_THE_RUNTIME) and self._note(item, event):
            return
        if self.quarantines.get(item.owner):
            self._park(item)
        else:
            self._apply(item, event)

    def _note(self, item: Input, event: Event[Any]) -> bool:
        """Take note of what is the runtime's own affair; whether it is nobody else's."""
        data = event.data
        if isinstance(data, BusinessDateFact):
            repeated = not self._applying.advances(item.number, event)
            self.counts["repeated_dates"] += repeated
            return repeated
        if isinstance(data, Refusal):
            self._quarantine(item.number, item.owner, data.letter_id, event)
        else:
            self._release(item.number, item.owner, data.letter_id, event)
        return True

    def _answer(self, item: Input, event: Event[Any]) -> None:
        """Apply what came of an errand; where it cannot be, it is as if nobody had answered: due work asks again."""
        try:
            if not self.quarantines.get(item.owner):
                self._applying.to_owner(item, event)
        except Rejected:
            self.counts["answers_refused"] += 1

    def _apply(self, item: Input, event: Event[Any]) -> None:
        try:
            self._apply_or_raise(item, event)
        except Rejected as refusal:
            self._bury(item, refusal)

    def _apply_or_raise(self, item: Input, event: Event[Any]) -> None:
        if item.owner:
            self._applying.to_owner(item, event)
        else:
            self._applying.to_lane(item, event)

    # -- dead letters and quarantine -----------------------------------------------------------------------------

    def _bury(self, item: Input, refusal: Rejected) -> None:
        """Keep what cannot be applied, and put its owner in quarantine."""
        self.counts["buried"] += 1
        letter = self._undertaker.letter(item, refusal)
        self.effects.letters.append(letter)
        cause = item.event or self._undertaker.unreadable(item, letter)
        if self.kind.refusal is not None:
            self._tell_debtor(item.number, cause, letter, self.kind.refusal(letter_id=letter.id))
        elif letter.owner:
            self._quarantine(item.number, letter.owner, letter.id, cause)

    def _tell_debtor(self, number: int, cause: Event[Any], letter: Letter, data: Refusal | Resolution) -> None:
        """At an edge, tell the debtor's lane about a letter, where the debtor is known."""
        if letter.owner:
            told = Told(data, debtor_id=letter.owner, lender_id=letter.lender_id)
            self.telling.tell(number, cause, told, f"{type(data).__name__}/{letter.id}")

    def _quarantine(self, number: int, owner: str, letter_id: str, cause: Event[Any]) -> None:
        self.quarantines.setdefault(owner, set()).add(letter_id)
        if (
            owner,
            letter_id,
        ) in self.effects.released:  # a database that went back in time may hear it all again at once
            self.effects.released.remove((owner, letter_id))
        self.effects.quarantined.append(Quarantined(number, owner, letter_id, self.now))
        if self.kind.output:
            told = Told(DebtorQuarantined(service=self.service, letter_id=letter_id), debtor_id=owner)
            self.telling.tell(number, cause, told, f"quarantined/{letter_id}")

    def _release(self, number: int, owner: str, letter_id: str, cause: Event[Any]) -> None:
        """Lift one reason; with the last one, what is parked is applied in order, and only then is the release told."""
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
        """Apply one parked event, unless its debtor is in quarantine still, or again."""
        if not self.quarantines.get(owner):
            if ordinal:
                self.effects.unparked.append((owner, ordinal))
            self._one(item)
        elif not ordinal:
            self._park(item)

    def _park(self, item: Input) -> None:
        if item.record is not None:
            self._waiting.setdefault(item.owner, []).append(item)
            self.counts["parked"] += 1

    # -- commands ------------------------------------------------------------------------------------------------

    def _command(self, item: Input, command: Command) -> None:
        try:
            status, response = "done", self._answered(item, command)
        except Rejected as refusal:
            status, response = "refused", {"detail": refusal.reason, "field": refusal.field}
        self.effects.answers.append(Answer(command.id, status, msgspec.json.encode(response), self.now))

    def _answered(self, item: Input, command: Command) -> Mapping[str, Any]:
        match command.name:
            case "replay-letter":
                return self._replay(item.number, command)
            case "discard-letter":
                return self._discard(item.number, command)
            case "resume-shard":
                return self._resume(item.number, command)
            case _:
                return self._business_command(item)

    def _business_command(self, item: Input) -> Mapping[str, Any]:
        event = item.event
        if item.refused is not None or event is None:
            raise item.refused or Rejected("not understood")
        if self.quarantines.get(item.owner):
            raise Rejected("the debtor is in quarantine: resolve its dead letter first", field="debtor_id")
        facts = self._applying.command(item, event)
        return {"id": event.id, "facts": [{"id": fact.id, "type": fact.type, "data": fact.data} for fact in facts]}

    def _letter_of(self, command: Command) -> tuple[Letter, Input]:
        wanted = text_of(command, "letter_id")
        tried = self.loaded.letters.get(wanted)
        gone = any(resolved.letter_id == wanted for resolved in self.effects.resolved)
        if tried is None or tried.letter is None or gone:
            raise Rejected("no open dead letter has this id", field="letter_id")
        return tried.letter, tried

    def _replay(self, number: int, command: Command) -> Mapping[str, Any]:
        """Try a letter again; if it is rejected again, it stays open, and the command is refused with the reason."""
        letter, tried = self._letter_of(command)
        if tried.refused is not None:
            raise tried.refused
        if tried.due is not None:
            self._applying.put_back(tried, tried.due)
        if tried.event is not None:
            self._apply_or_raise(tried, tried.event)
        return self._resolve(number, command, letter, "replayed")

    def _discard(self, number: int, command: Command) -> Mapping[str, Any]:
        letter, _ = self._letter_of(command)
        return self._resolve(number, command, letter, "discarded")

    def _resolve(self, number: int, command: Command, letter: Letter, status: str) -> Mapping[str, Any]:
        reason = text_of(command, "reason")
        self.effects.resolved.append(Resolved(letter.id, status, self.now, command.actor, reason))
        self.effects.operations.append(Operation(number, self.now, command.actor, f"letter {status}", letter.id))
        cause = command_event(command)
        if self.kind.resolution is not None:
            self._tell_debtor(number, cause, letter, self.kind.resolution(letter_id=letter.id))
        elif letter.owner:
            self._release(number, letter.owner, letter.id, cause)
        return {"letter_id": letter.id, "status": status}

    def _resume(self, number: int, command: Command) -> Mapping[str, Any]:
        reason = text_of(command, "reason")
        self.effects.stops.append(Stop(number, "", self.now))
        self.effects.operations.append(Operation(number, self.now, command.actor, "resumed", reason))
        return {"number": number, "status": "resumed"}


def text_of(command: Command, name: str) -> str:
    """A text field of a command's body, empty where there is none."""
    content = msgspec.json.decode(command.body)
    return str(content.get(name, "")) if isinstance(content, dict) else ""
