"""The one path from input to effects: everything that changes state goes through `Turn.run`, in one transaction.

1. fence the actors and move their cursors by compare-and-set, 2. drop duplicates and detect gaps by dense sequence,
3. load the states in bulk, 4. apply event by event, 5. save in bulk, 6. append the facts to the outbox, 7. commit.
Publishing comes after, from memory (`publisher.py`); standings in memory change only when the commit has succeeded.
"""

import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.keys import KeyStore
from shared.messaging.admitting import Admitted, Batch, Work, admit, standings_after
from shared.messaging.applying import Condemned
from shared.messaging.broker import Lane, Record
from shared.messaging.deciding import Deciding
from shared.messaging.errands import Call
from shared.messaging.halving import Rehearsal, first_failure, guilty
from shared.messaging.inputs import DUE_TOPIC, Input, due_since
from shared.messaging.loading import Loading
from shared.messaging.lookout import first_due
from shared.messaging.renewing import renewal
from shared.messaging.store import (
    Change,
    Effects,
    Gap,
    Operation,
    OutMove,
    Source,
    Standing,
    Stop,
    Store,
    StoredFacts,
    Transaction,
    UnsavableError,
)
from shared.service import ActorKind
from shared.vault import Vault

__all__ = ["Batch", "FencedError", "Limits", "Turn", "Turned"]


class FencedError(Exception):
    """Some actors are no longer this worker's."""

    def __init__(self, lost: Collection[int]) -> None:
        super().__init__(f"no longer ours: {sorted(lost)}")
        self.lost = set(lost)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many dead letters from topics an actor may bury within a window before it stops for an operator."""

    letters: int = 100
    window: timedelta = timedelta(minutes=5)


@dataclass(slots=True)
class Turned:
    """What a committed turn did."""

    standings: dict[int, Standing]
    facts: list[StoredFacts]
    counts: Counter[str]
    failures: list[str]
    gaps: list[tuple[int, Lane, Source, Gap]]
    stopped: list[Stop]
    took_commands: int = 0
    took_due: int = 0
    took_answers: int = 0
    due_since: datetime | None = None
    next_due: datetime | None = None
    """The first instant at which something falls due of what was saved."""
    wrote: bool = True
    effects: Effects = field(default_factory=Effects)
    calls: list[Call] = field(default_factory=list)
    applied: list[Input] = field(default_factory=list)
    words: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class Turn:
    """Runs the turns of one kind of actor of one service."""

    service: str
    kind: ActorKind
    store: Store
    vault: Vault
    limits: Limits = field(default_factory=Limits)
    keys: KeyStore | None = None

    @property
    def source(self) -> str:
        """The name under which this kind tells, but for the actor's number."""
        return f"{self.service}/{self.kind.name}"

    async def run(self, standings: Mapping[int, Standing], batch: Batch, now: datetime) -> Turned:
        """Apply a batch and commit.

        Raises FencedError, StaleStandingError, StoreUnavailableError, TryLater: in each case nothing was applied.
        """
        work = Work(standings, batch, now)
        condemned: dict[str, Condemned] = {}
        while True:
            try:
                return await self._attempt(work, condemned)
            except UnsavableError as error:
                condemned |= await self._culprits(work, condemned, error)

    async def renew(self, standing: Standing, by: str, now: datetime) -> None:
        """Begin a new incarnation of an actor whose database went back in time: what it tells is numbered from 1 again.

        Raises FencedError, StoreUnavailableError.
        """
        async with self._transaction() as transaction:
            await self._fence(transaction, {standing.number: standing})
            await transaction.write(renewal(f"{self.source}/{standing.number}", standing, by, now))
            await transaction.commit()

    async def _attempt(self, work: Work, condemned: Mapping[str, Condemned]) -> Turned:
        async with self._transaction() as transaction:
            turned = await self._within(transaction, work, condemned)
            if turned.wrote:
                await transaction.commit()
            else:
                await transaction.rollback()
        return turned

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        transaction = await self.store.begin()
        try:
            yield transaction
        except BaseException:
            await transaction.rollback()
            raise

    async def _within(
        self,
        transaction: Transaction,
        work: Work,
        condemned: Mapping[str, Condemned],
        rehearsal: Rehearsal | None = None,
    ) -> Turned:
        """All steps but the commit; a rehearsal takes the inputs of some owners only."""
        await self._fence(transaction, work.standings)
        admitted = admit(self.kind, work)
        if admitted.moves:
            await transaction.move_cursors(admitted.moves)
        inputs, taken = await self._loading.inputs(transaction, work, admitted)
        if rehearsal is not None:
            inputs = await self._loading.of_owners(transaction, work, inputs, rehearsal.owners)
        loaded = await self._loading.load(transaction, work, inputs)
        at_most = rehearsal.at_most if rehearsal else None
        deciding = Deciding(self.service, self.kind, work.now, loaded, self._loading.seal, condemned, at_most)
        deciding.decide(inputs)
        changes = _changes(deciding)
        if changes:
            await transaction.save(self.kind.layout, changes)
        turned = self._turned(work, admitted, deciding, taken)
        turned.due_since = due_since(self.kind.layout, inputs)
        turned.next_due = first_due(self.kind.layout, changes)
        await self._stop_the_poisoned(transaction, deciding, turned, work.now)
        await transaction.write(deciding.effects)
        turned.wrote = bool(changes or admitted.moves or _has_content(deciding.effects))
        return turned

    @property
    def _loading(self) -> Loading:
        return Loading(self.kind, self.vault, self.keys)

    async def _fence(self, transaction: Transaction, standings: Mapping[int, Standing]) -> None:
        held = await transaction.fence({number: standing.epoch for number, standing in standings.items()})
        if len(held) < len(standings):
            raise FencedError(set(standings) - held)

    # -- steps 6 and 7 -------------------------------------------------------------------------------------------

    def _turned(self, work: Work, admitted: Admitted, deciding: Deciding, taken: tuple[int, int]) -> Turned:
        effects = deciding.effects
        effects.outs |= {place: OutMove(out.head, out) for place, out in work.batch.acknowledged.items()}
        for number, admission in admitted.admissions.items():
            effects.marks |= {(number, *key): mark for key, mark in admission.marks.items()}
            effects.gaps |= {(number, *key): gap for key, gap in admission.gaps.items()}
        for stored, moved in deciding.telling.stored(self.source, work.standings):
            effects.facts.append(stored)
            effects.outs[stored.number, stored.lane] = moved
        effects.history = deciding.telling.history
        after = standings_after(work, admitted.moves, effects)
        counts = admitted.counts + deciding.counts
        counts["applied"] = len(deciding.applied)
        gaps = [(n, lane, source, gap) for n, each in after.items() for (lane, source), gap in each.gaps.items()]
        return Turned(
            after,
            effects.facts,
            counts,
            deciding.failures,
            gaps,
            effects.stops,
            *taken,
            len(work.batch.answers),
            effects=effects,
            calls=deciding.telling.calls,
            applied=deciding.applied,
            words=admitted.words,
        )

    async def _stop_the_poisoned(
        self, transaction: Transaction, deciding: Deciding, turned: Turned, now: datetime
    ) -> None:
        """Stop each actor that buries too much: a bad deploy must not empty a topic into the dead letters."""
        fresh = Counter(letter.number for letter in deciding.effects.letters if letter.lane.topic != DUE_TOPIC)
        if not fresh:
            return
        before = await transaction.count_letters(list(fresh), now - self.limits.window)
        for number, count in fresh.items():
            total = count + before.get(number, 0)
            if total > self.limits.letters:
                reason = f"{total} dead letters within {self.limits.window}"
                deciding.effects.stops.append(Stop(number, reason, now))
                deciding.effects.operations.append(Operation(number, now, "system", "stopped", reason))
                turned.standings[number] = dataclasses.replace(turned.standings[number], stopped=reason)

    # -- one owner that cannot be saved --------------------------------------------------------------------------

    async def _culprits(
        self, work: Work, condemned: Mapping[str, Condemned], error: UnsavableError
    ) -> dict[str, Condemned]:
        """The owners whose state the store refuses, since which application, and why.

        Raises the error where it was nobody's fault.
        """

        async def saves(rehearsal: Rehearsal) -> bool:
            return await self._saves(work, rehearsal)

        suspects = sorted(await self._owners(work) - set(condemned))
        found = await guilty(suspects, saves)
        if not found:
            raise error
        reason = f"cannot be saved: {error}"
        return {owner: Condemned(await first_failure(owner, saves), reason) for owner in found}

    async def _owners(self, work: Work) -> set[str]:
        transaction = await self.store.begin()
        try:
            await self._fence(transaction, work.standings)
            inputs, _ = await self._loading.inputs(transaction, work, admit(self.kind, work))
            letters = await self._loading.letters(transaction, work, inputs)
            return {item.owner for item in (*inputs, *letters.values()) if item.owner}
        finally:
            await transaction.rollback()

    async def _saves(self, work: Work, rehearsal: Rehearsal) -> bool:
        """Rehearse the turn, and take it back."""
        transaction = await self.store.begin()
        try:
            await self._within(transaction, work, {}, rehearsal)
        except UnsavableError:
            return False
        finally:
            await transaction.rollback()
        return True


def _changes(deciding: Deciding) -> list[Change]:
    before, after = deciding.loaded.states, deciding.states
    return [
        Change(shard, owner, before[owner], after[owner])
        for owner, shard in deciding.shards.items()
        if after[owner] is not before[owner]
    ]


def _has_content(effects: Effects) -> bool:
    return any(getattr(effects, each.name) for each in dataclasses.fields(effects))
