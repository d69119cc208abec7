"""Applies events to the states of their owners, with the handlers of one kind of actor, and tells what they return.

An event that cannot be applied leaves its owner's state as it was (but for the due row that it came from, which is
taken out) and is handed back as `Rejected`, whatever its handler raised.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from shared.contracts.envelope import Event, Fact, Moment
from shared.frozen import replace
from shared.messaging.inputs import Input
from shared.messaging.layout import State
from shared.messaging.store import DueRow, Effects, Parked, Standing
from shared.messaging.telling import Telling
from shared.service import ActorKind, Handler, Rejected, TryLater

TRIES = 3
"""How often a handler that fails unexpectedly is tried before its event is buried."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """All that a turn's inputs may touch, as it stood when the transaction began."""

    standings: Mapping[int, Standing]
    states: Mapping[str, State]
    quarantines: Mapping[str, set[str]]
    parked: Mapping[str, list[tuple[Parked, Input]]]
    letters: Mapping[str, Input]
    heard: Mapping[int, datetime] = field(default_factory=dict)


class Condemned(NamedTuple):
    """The application (the first of a turn is 1) after which an owner's state cannot be saved, and why."""

    application: int
    reason: str


@dataclass(slots=True)
class Applying:
    """The states of a turn's owners as they become.

    condemned: owners whose state the store refused after so many applications of this turn, and why: that one is
        rejected. at_most: in a rehearsal, how many events are applied to an owner.
    """

    kind: ActorKind
    now: datetime
    loaded: Loaded
    condemned: Mapping[str, Condemned]
    effects: Effects
    at_most: int | None = None
    service: str = ""
    states: dict[str, State] = field(init=False)
    shards: dict[str, int] = field(default_factory=dict)
    telling: Telling = field(init=False)
    counts: Counter[str] = field(default_factory=Counter)
    applied: list[Input] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    _applied: Counter[str] = field(default_factory=Counter)
    _moments: dict[tuple[int, str], Moment] = field(default_factory=dict)
    _directed: dict[int, dict[str, Fact]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start from what was loaded."""
        self.states = dict(self.loaded.states)
        self.telling = Telling(self.kind, self.now, self.service)

    def to_owner(self, item: Input, event: Event[Any]) -> None:
        """Apply one event to its owner; a type without a handler changes nothing. Raises Rejected, TryLater."""
        if item.due is not None and not self._take_out(item, item.due):
            return
        handler = self.kind.handlers.get(type(event.data))
        if handler is not None:
            self._handle(item, event, handler)

    def to_lane(self, item: Input, event: Event[Any]) -> None:
        """Apply one event that has no owner. Raises Rejected, TryLater."""
        named = self.kind.directives.get(type(event.data))
        if named is not None:
            self._direct(item.number, self._tried(named, event.data), event.data)
        handler = self.kind.on_lane.get(type(event.data))
        if handler is not None:
            told = self._tried(handler, event, self.moment(item.number, event.lender_id))
            wrapped = self._tried(self.telling.wrap, item.number, event, told)
            self.telling.put(wrapped)
            self.applied.append(item)

    def command(self, item: Input, event: Event[Any]) -> list[Event[Any]]:
        """Apply a command, and return the facts that it led to. Raises Rejected, TryLater."""
        return self._handle(item, event, self.kind.handlers[type(event.data)])

    def _handle(self, item: Input, event: Event[Any], handler: Handler) -> list[Event[Any]]:
        if (self.condemned or self.at_most is not None) and self._is_beyond(item.owner):
            return []
        now = self.moment(item.number, event.lender_id)
        after, told = self._tried(handler, self.states[item.owner], event, now)
        wrapped = self._tried(self.telling.wrap, item.number, event, told) if told else ()
        self._keep(item, after)
        self.applied.append(item)
        return self.telling.put(wrapped)

    def _is_beyond(self, owner: str) -> bool:
        """Count an application, and see whether a rehearsal leaves it out. Raises Rejected for the condemned one."""
        self._applied[owner] += 1
        if self.at_most is not None and self._applied[owner] > self.at_most:
            return True
        condemned = self.condemned.get(owner)
        if condemned is not None and condemned.application == self._applied[owner]:
            raise Rejected(condemned.reason)
        return False

    def _keep(self, item: Input, state: State) -> None:
        self.states[item.owner] = state
        self.shards.setdefault(item.owner, item.number)

    def _tried(self, handler: Callable[..., Any], *arguments: Any) -> Any:
        for _ in range(TRIES - 1):
            try:
                return handler(*arguments)
            except (Rejected, TryLater):
                raise
            except Exception:  # noqa: BLE001, S112  # tried again below; the last failure is the one that is told
                continue
        return self._last_try(handler, *arguments)

    def _last_try(self, handler: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return handler(*arguments)
        except (Rejected, TryLater):
            raise
        except Exception as error:  # whatever a handler raises must cost one debtor, not the lane
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.failures.append(f"{type(error).__name__} at {where.name}:{where.lineno}")
            raise Rejected(f"{type(error).__name__} in {where.name}") from error

    # -- due rows ------------------------------------------------------------------------------------------------

    def _take_out(self, item: Input, due: DueRow) -> bool:
        """Take a due row out of its owner's state; False where an earlier input of the turn has already moved it."""
        state = self.states[item.owner]
        rows = self.kind.layout.rows(state, due.name)
        if rows.get(due.key) != due.row:
            return False
        left = dict(rows)
        del left[due.key]
        self._keep(item, self._with_rows(state, due.name, left))
        return True

    def put_back(self, item: Input, due: DueRow) -> None:
        """Put a due row back into its owner's state, for a letter that is tried again."""
        state = self.states[item.owner]
        rows = {**self.kind.layout.rows(state, due.name), due.key: due.row}
        self.states[item.owner] = self._with_rows(state, due.name, rows)

    def _with_rows(self, state: State, name: str, rows: Mapping[Any, Any]) -> State:
        content = rows if self.kind.layout.tables[name].key else rows.get(None)
        return replace(state, **{name: content})

    # -- clocks and directives -----------------------------------------------------------------------------------

    def moment(self, number: int, lender_id: str) -> Moment:
        """The instant, and the lender's business date in this actor's lane."""
        moment = self._moments.get((number, lender_id))
        if moment is None:
            moment = self._moments[number, lender_id] = self._moment(number, lender_id)
        return moment

    def _moment(self, number: int, lender_id: str) -> Moment:
        known = self.effects.clocks.get((number, lender_id))
        standing = self.loaded.standings[number]
        day = known or standing.clocks.get(lender_id, date.min)
        directives = self._directed.get(number, standing.directives)
        return Moment(self.now, day, self.loaded.heard.get(number), directives)

    def _direct(self, number: int, name: str, fact: Fact) -> None:
        """Have the lane go by a fact from here on."""
        before = self._directed.get(number, self.loaded.standings[number].directives)
        self._directed[number] = {**before, name: fact}
        self.effects.directives[number, name] = fact
        self._moments.clear()

    def advances(self, number: int, event: Event[Any]) -> bool:
        """Move the lender's clock in this lane; a date that is not newer was said before, and is not said again."""
        day = event.data.business_date
        if day <= self.moment(number, event.lender_id).business_date:
            return False
        self.effects.clocks[number, event.lender_id] = day
        self._moments.clear()
        return True
