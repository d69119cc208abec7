"""The protocol, broken on purpose: each mutant takes one safeguard away, and the simulator has to see it.

A mutant is a context in which the real code, or a port, is changed. `draw` picks the faults under which the safeguard
matters, so that few schedules are needed to see it missing.
"""

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from shared.messaging.broker import Lane, Outgoing
from shared.messaging.frames import records_of
from shared.messaging.memory_store import MemoryStore, MemoryTransaction
from shared.messaging.publisher import Publisher
from shared.messaging.store import Effects, Standing
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from tests.simulator import contact_mutants
from tests.simulator.faults import FAULTS, INSIDE, Fault
from tests.simulator.parts import SimulatedTransaction, append


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safeguard less; `points` are the crash points whose faults show it."""

    name: str
    change: Callable[[], Sequence[tuple[Any, str, Any]]]
    points: frozenset[str]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run with the safeguard taken away."""
        changes = self.change()
        former = [(owner, name, owner.__dict__[name]) for owner, name, _ in changes]
        try:
            for owner, name, value in changes:
                setattr(owner, name, value)
            yield
        finally:
            for owner, name, value in former:
                setattr(owner, name, value)

    def draw(self, chance: random.Random) -> Fault:
        """A fault under which the safeguard matters."""
        return chance.choice([each for each in (*FAULTS, *INSIDE) if each.point in self.points])


def _no_fence() -> Sequence[tuple[type, str, Any]]:
    async def fence(_self: Turn, _transaction: Any, _standings: Mapping[int, Standing]) -> None:
        """Lock nothing, and ask nothing."""

    return [(Turn, "_fence", fence)]


def _no_cursor_check() -> Sequence[tuple[type, str, Any]]:
    async def move_cursors(self: MemoryTransaction, moves: Sequence[Any]) -> None:
        """Set, and compare nothing."""
        self._alive()
        self._writes.append(lambda: self._move(moves))

    return [(MemoryTransaction, "move_cursors", move_cursors)]


def _no_chain_check() -> Sequence[tuple[type, str, Any]]:
    def check_outs(_self: MemoryTransaction, _effects: Effects) -> None:
        """Go on from wherever the worker believes to be."""

    return [(MemoryTransaction, "_check_outs", check_outs)]


def _acknowledge_early() -> Sequence[tuple[type, str, Any]]:
    real = Publisher._append

    async def early(self: Publisher, batches: dict[Lane, list[Outgoing]]) -> None:
        """What is about to be sent counts as acknowledged."""
        for facts in self._pending:
            place, reached = (facts.number, facts.lane), (facts.incarnation, facts.seq_to)
            self.acknowledged[place] = max(self.acknowledged.get(place, reached), reached)
        await real(self, batches)

    return [(Publisher, "_append", early)]


def _publish_before_commit() -> Sequence[tuple[type, str, Any]]:
    real_write, real_commit = SimulatedTransaction.write, SimulatedTransaction.commit

    async def write(self: SimulatedTransaction, effects: Effects) -> None:
        """Remember what will be told."""
        self.effects = effects
        await real_write(self, effects)

    async def commit(self: SimulatedTransaction) -> None:
        """Tell first."""
        batches: dict[Lane, list[Outgoing]] = {}
        for facts in self.effects.facts:
            source = f"{self.process.service}/{self.inner.kind}/{facts.number}"
            batches.setdefault(facts.lane, []).extend(records_of(source, facts))
        await self.process.step("log.append", lambda: append(self.process.log, batches), batches)
        await real_commit(self)

    return [(SimulatedTransaction, "write", write), (SimulatedTransaction, "commit", commit)]


def _mark_after_commit() -> Sequence[tuple[type, str, Any]]:
    real_write, real_commit = SimulatedTransaction.write, SimulatedTransaction.commit

    async def move_cursors(self: SimulatedTransaction, moves: Sequence[Any]) -> None:
        """Later."""
        self.moves = moves

    async def write(self: SimulatedTransaction, effects: Effects) -> None:
        """The marks come later."""
        self.effects = Effects(marks=effects.marks)
        await real_write(self, dataclasses.replace(effects, marks={}))

    async def commit(self: SimulatedTransaction) -> None:
        """In a transaction of its own."""
        await real_commit(self)
        after = MemoryTransaction(self.process.database.content, self.inner.kind)
        await self.process.step("store.mark", lambda: _marked(after, self))

    return [
        (SimulatedTransaction, "move_cursors", move_cursors),
        (SimulatedTransaction, "write", write),
        (SimulatedTransaction, "commit", commit),
    ]


def _marked(after: MemoryTransaction, of: SimulatedTransaction) -> None:
    after._move(of.moves)
    after._write_standings(of.effects)


def _skip_incarnation() -> Sequence[tuple[type, str, Any]]:
    async def renew(self: Turn, standing: Standing, _by: str, _now: Any) -> None:
        """Go on under the old numbers."""
        transaction = await self.store.begin()
        await transaction.write(Effects(renewed={standing.number: standing.incarnation}))
        await transaction.commit()

    return [(Turn, "renew", renew)]


def _reemit_only_the_hole() -> Sequence[tuple[type, str, Any]]:
    real = Worker._tell_again

    async def tell_again(self: Worker, request: Any) -> None:
        """What follows the hole was told before, and need not be told again."""
        submit = self.publisher.submit
        self.publisher.submit = lambda facts: submit(list(facts)[:1])  # type: ignore[method-assign]
        try:
            await real(self, request)
        finally:
            self.publisher.submit = submit  # type: ignore[method-assign]

    return [(Worker, "_tell_again", tell_again)]


def _two_writers_per_lane() -> Sequence[tuple[type, str, Any]]:
    async def acquire(self: MemoryStore, number: int, owner: str) -> Standing:
        """Whoever comes holds the lane too; what was told is not compared, since that alone would keep them apart."""
        place = (self._kind, number)
        known = self._database.standings.setdefault(place, Standing(number, 1))
        self._database.owners[place] = owner
        return known.copy()

    return [(MemoryStore, "acquire", acquire), *_no_chain_check()]


def _rollback_keeps_state() -> Sequence[tuple[type, str, Any]]:
    real_save, real_end = MemoryTransaction.save, MemoryTransaction.end
    state: dict[MemoryTransaction, Sequence[Callable[[], None]]] = {}

    async def save(self: MemoryTransaction, layout: Any, changes: Any) -> None:
        """Remember which of the writes are state."""
        first = len(self._writes)
        await real_save(self, layout, changes)
        state[self] = self._writes[first:]

    def end(self: MemoryTransaction) -> None:
        """Forget everything, but for the state."""
        if self._writes:
            for write in state.pop(self, ()):
                write()
        real_end(self)

    return [(MemoryTransaction, "save", save), (MemoryTransaction, "end", end)]


MUTANTS: Sequence[Mutant] = (
    Mutant("no fence", _no_fence, frozenset({"7", "8", "13"})),
    Mutant("no cursor check", _no_cursor_check, frozenset({"12 unseen"})),
    Mutant("no chain check", _no_chain_check, frozenset({"12 unseen"})),
    Mutant("acknowledge early", _acknowledge_early, frozenset({"4", "5", "6", "10"})),
    Mutant("publish before commit", _publish_before_commit, frozenset({"2", "3", "9"})),
    Mutant("mark after commit", _mark_after_commit, frozenset({"1", "3", "4", "9", "13"})),
    Mutant("skip incarnation", _skip_incarnation, frozenset({"15", "12 unseen"})),
    Mutant("re-emit only the hole", _reemit_only_the_hole, frozenset({"11"})),
    Mutant("two writers per lane", _two_writers_per_lane, frozenset({"7", "8", "13"})),
    Mutant("a rollback that keeps state", _rollback_keeps_state, frozenset({"2", "9"})),
    Mutant("resend an unknown contact", contact_mutants.resend_an_unknown_contact, frozenset({"23 unanswered"})),
    Mutant("forget the reservation", contact_mutants.forget_the_reservation, frozenset({"24 after", "23 not taken"})),
    Mutant("SENDING after the call", contact_mutants.sending_after_the_call, frozenset({"24 after", "3"})),
    Mutant("permit reused", contact_mutants.permit_reused, frozenset({"23 not taken"})),
    Mutant("stale treatment accepted", contact_mutants.stale_treatment_accepted, frozenset({"late"})),
)
