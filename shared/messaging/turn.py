"""The one path from input to effects: everything that changes state goes through `Turn.run`, in one transaction.

1. fence the actors and move their cursors by compare-and-set, 2. drop duplicates and detect gaps by dense sequence,
3. load the states in bulk, 4. apply event by event, 5. save in bulk, 6. append the facts to the outbox, 7. commit.
Publishing comes after, from memory (`publisher.py`); standings in memory change only when the commit has succeeded.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.contracts.quarantine import Resolution
from shared.messaging.broker import Lane, Record
from shared.messaging.deciding import TRIES, Deciding, Loaded, text_of
from shared.messaging.frames import unpack_record
from shared.messaging.inputs import DUE_TOPIC, Input, from_command, from_due, from_letter, from_record
from shared.messaging.layout import Key
from shared.messaging.sequence import WATERMARK_HEADER, Admission, Verdict, position_of
from shared.messaging.store import (
    Change,
    CursorMove,
    Effects,
    Gap,
    Operation,
    Out,
    Parked,
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


class FencedError(Exception):
    """Some actors are no longer this worker's."""

    def __init__(self, lost: Collection[int]) -> None:
        super().__init__(f"no longer ours: {sorted(lost)}")
        self.lost = set(lost)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one turn is to apply: the records of each actor in the order of its inputs, and how much else to look for.

    `acknowledged` are counters whose acknowledgements are to be kept; `jumps` move cursors over what the log has lost.
    """

    records: Mapping[int, Sequence[Record]]
    commands: int = 0
    due: int = 0
    acknowledged: Mapping[tuple[int, Lane], Out] = field(default_factory=dict)
    jumps: Sequence[CursorMove] = ()


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
    wrote: bool = True


@dataclass(slots=True)
class _Admitted:
    """The outcome of steps 1 and 2 for all actors."""

    admissions: dict[int, Admission]
    fresh: dict[int, list[Record]]
    moves: list[CursorMove]
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Turn:
    """Runs the turns of one kind of actor of one service."""

    service: str
    kind: ActorKind
    store: Store
    vault: Vault
    limits: Limits = field(default_factory=Limits)

    @property
    def source(self) -> str:
        """The name under which this kind tells, but for the actor's number."""
        return f"{self.service}/{self.kind.name}"

    async def run(self, standings: Mapping[int, Standing], batch: Batch, now: datetime) -> Turned:
        """Apply a batch and commit.

        Raises FencedError, StaleCursorError, StoreUnavailableError, TryLater: in each case nothing was applied.
        """
        condemned: dict[str, str] = {}
        while True:
            try:
                return await self._attempt(standings, batch, now, condemned)
            except UnsavableError as error:
                condemned |= await self._culprits(standings, batch, now, condemned, error)

    async def _attempt(
        self, standings: Mapping[int, Standing], batch: Batch, now: datetime, condemned: Mapping[str, str]
    ) -> Turned:
        transaction = await self.store.begin()
        try:
            turned = await self._within(transaction, standings, batch, now, condemned, None)
            if turned.wrote:
                await transaction.commit()
            else:
                await transaction.rollback()
        except BaseException:
            await transaction.rollback()
            raise
        return turned

    async def _within(
        self,
        transaction: Transaction,
        standings: Mapping[int, Standing],
        batch: Batch,
        now: datetime,
        condemned: Mapping[str, str],
        only: Collection[str] | None,
    ) -> Turned:
        await self._fence(transaction, standings)
        admitted = self._admit(standings, batch)
        if admitted.moves:
            await transaction.move_cursors(admitted.moves)
        inputs, taken = await self._inputs(transaction, standings, batch, admitted, now)
        if only is not None:
            letters = await self._letters(transaction, inputs, now)
            inputs = [item for item in inputs if item.owner in only or _tried_owner(item, letters) in only]
        loaded = await self._load(transaction, standings, inputs, now)
        deciding = Deciding(self.service, self.kind, now, loaded, self._seal, condemned)
        deciding.decide(inputs)
        changes = [
            Change(deciding.shards[owner], owner, loaded.states[owner], deciding.states[owner])
            for owner in deciding.shards
            if deciding.states[owner] is not loaded.states[owner]
        ]
        if changes:
            await transaction.save(self.kind.layout, changes)
        deciding.effects.outs |= batch.acknowledged
        turned = self._turned(standings, admitted, deciding, taken)
        await self._stop_the_poisoned(transaction, deciding, turned, now)
        await transaction.write(deciding.effects)
        turned.wrote = bool(changes or admitted.moves or any(_contents(deciding.effects)))
        return turned

    async def _fence(self, transaction: Transaction, standings: Mapping[int, Standing]) -> None:
        held = await transaction.fence({number: standing.epoch for number, standing in standings.items()})
        if len(held) < len(standings):
            raise FencedError(set(standings) - held)

    # -- steps 1 and 2 -------------------------------------------------------------------------------------------

    def _admit(self, standings: Mapping[int, Standing], batch: Batch) -> _Admitted:
        admitted = _Admitted({}, {}, list(batch.jumps))
        for number, records in batch.records.items():
            standing = standings[number]
            admission = admitted.admissions.setdefault(number, Admission(standing))
            numbered = not self.kind.is_edge  # the bank's headers are its own affair
            admitted.fresh[number] = [
                each for each in records if not numbered or _is_fresh(admission, each, admitted.counts)
            ]
            ends = {record.lane: record.offset + 1 for record in records}
            admitted.moves += [
                CursorMove(number, lane, standing.cursors.get(lane), end) for lane, end in ends.items()
            ]
        return admitted

    async def _inputs(
        self,
        transaction: Transaction,
        standings: Mapping[int, Standing],
        batch: Batch,
        admitted: _Admitted,
        now: datetime,
    ) -> tuple[list[Input], tuple[int, int]]:
        inputs: list[Input] = []
        for number, records in admitted.fresh.items():
            decoded = (from_record(self.kind, number, record) for record in records)
            inputs += [item for item in decoded if item is not None]
        running = [number for number, standing in standings.items() if not standing.stopped]
        commands = await transaction.take_commands(list(standings), batch.commands) if batch.commands else ()
        due = await transaction.take_due(self.kind.layout, running, now, batch.due) if batch.due and running else ()
        inputs += [from_command(self.kind, command) for command in commands]
        inputs += [from_due(self.kind, row, now) for row in due]
        return inputs, (len(commands), len(due))

    # -- step 3 --------------------------------------------------------------------------------------------------

    async def _load(
        self, transaction: Transaction, standings: Mapping[int, Standing], inputs: Sequence[Input], now: datetime
    ) -> Loaded:
        letters = await self._letters(transaction, inputs, now)
        owners = {item.owner: item.number for item in (*inputs, *letters.values()) if item.owner}
        owners |= {
            item.letter.owner: item.number for item in letters.values() if item.letter and self._quarantines(item)
        }
        quarantines = await transaction.quarantines(owners) if owners else {}
        releasing = _released_by(inputs, letters) & set(quarantines)
        waiting = await transaction.parked(releasing) if releasing else {}
        parked = {owner: self._unsealed(owner, rows) for owner, rows in waiting.items()}
        items = [*inputs, *letters.values(), *(item for rows in parked.values() for _, item in rows)]
        states = await transaction.load(self.kind.layout, owners, self._named(items)) if owners else {}
        return Loaded(standings, states, quarantines, parked, letters)

    def _quarantines(self, item: Input) -> bool:
        return self.kind.refusal is None and item.letter is not None and bool(item.letter.owner)

    async def _letters(
        self, transaction: Transaction, inputs: Sequence[Input], now: datetime
    ) -> dict[str, Input]:
        wanted = {_letter_id(item) for item in inputs if item.command and item.command.name in _ABOUT_LETTERS}
        if not wanted:
            return {}
        found = await transaction.letters(wanted)
        opened = {key: (letter, self._open(letter.raw, key)) for key, letter in found.items()}
        tried = {key: from_letter(self.kind, letter, raw, now) for key, (letter, raw) in opened.items()}
        return {
            key: item or Input(found[key].number, letter=found[key])
            for key, item in tried.items()
        }

    def _unsealed(self, owner: str, rows: Sequence[Parked]) -> list[tuple[Parked, Input]]:
        opened = [(row, from_record(self.kind, row.number, unpack_record(self._open(row.raw, owner)))) for row in rows]
        return [(row, item or Input(row.number, owner)) for row, item in opened]

    def _named(self, items: Iterable[Input]) -> dict[str, set[tuple[str, Key]]]:
        named: dict[str, set[tuple[str, Key]]] = {}
        for item in items:
            if item.event is not None and item.owner:
                for name, key in self.kind.layout.named(item.event):
                    named.setdefault(name, set()).add((item.owner, key))
        return named

    # -- steps 6 and 7 -------------------------------------------------------------------------------------------

    def _turned(
        self,
        standings: Mapping[int, Standing],
        admitted: _Admitted,
        deciding: Deciding,
        taken: tuple[int, int],
    ) -> Turned:
        effects = deciding.effects
        for number, admission in admitted.admissions.items():
            effects.marks |= {(number, *key): mark for key, mark in admission.marks.items()}
            effects.gaps |= {(number, *key): gap for key, gap in admission.gaps.items()}
        for stored, out in deciding.telling.stored(self.source, standings):
            effects.facts.append(stored)
            effects.outs[stored.number, stored.lane] = out
        effects.history = deciding.telling.history
        after = _moved(standings, admitted.moves, effects)
        counts = admitted.counts + deciding.counts
        gaps = [(n, lane, source, gap) for n, each in after.items() for (lane, source), gap in each.gaps.items()]
        return Turned(after, effects.facts, counts, deciding.failures, gaps, effects.stops, *taken)

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
        self,
        standings: Mapping[int, Standing],
        batch: Batch,
        now: datetime,
        condemned: Mapping[str, str],
        error: UnsavableError,
    ) -> dict[str, str]:
        """Find by halving the owners whose state the store refuses; each is tried on its own before it is condemned."""
        suspects = sorted(await self._owners(standings, batch, now))
        suspects = [owner for owner in suspects if owner not in condemned]
        guilty = await self._guilty(standings, batch, now, suspects)
        if not guilty:
            raise error
        return dict.fromkeys(guilty, f"cannot be saved: {error}")

    async def _owners(self, standings: Mapping[int, Standing], batch: Batch, now: datetime) -> set[str]:
        transaction = await self.store.begin()
        try:
            await self._fence(transaction, standings)
            inputs, _ = await self._inputs(transaction, standings, batch, self._admit(standings, batch), now)
            letters = await self._letters(transaction, inputs, now)
            return {item.owner for item in (*inputs, *letters.values()) if item.owner}
        finally:
            await transaction.rollback()

    async def _guilty(
        self, standings: Mapping[int, Standing], batch: Batch, now: datetime, suspects: Sequence[str]
    ) -> list[str]:
        if not suspects or await self._saves(standings, batch, now, suspects):
            return []
        if len(suspects) == 1:
            tries = [await self._saves(standings, batch, now, suspects) for _ in range(TRIES - 1)]
            return [] if any(tries) else list(suspects)
        middle = len(suspects) // 2
        first = await self._guilty(standings, batch, now, suspects[:middle])
        return first + await self._guilty(standings, batch, now, suspects[middle:])

    async def _saves(
        self, standings: Mapping[int, Standing], batch: Batch, now: datetime, only: Sequence[str]
    ) -> bool:
        """Rehearse the turn with these owners alone, and take it back."""
        transaction = await self.store.begin()
        try:
            await self._within(transaction, standings, batch, now, {}, set(only))
        except UnsavableError:
            return False
        finally:
            await transaction.rollback()
        return True

    def _seal(self, raw: bytes, owner: str) -> bytes:
        return self.vault.seal(raw, table="raw", column="raw", owner=owner)

    def _open(self, sealed: bytes, owner: str) -> bytes:
        return self.vault.open(sealed, table="raw", column="raw", owner=owner)


_ABOUT_LETTERS = ("replay-letter", "discard-letter")


def _letter_id(item: Input) -> str:
    return text_of(item, "letter_id")


def _tried_owner(item: Input, letters: Mapping[str, Input]) -> str:
    """Whose event a command about a dead letter would apply."""
    about = item.command is not None and item.command.name in _ABOUT_LETTERS
    return letters[_letter_id(item)].owner if about and _letter_id(item) in letters else ""


def _released_by(inputs: Iterable[Input], letters: Mapping[str, Input]) -> set[str]:
    """Whose parked events this turn may release."""
    resolved = {item.owner for item in inputs if item.event is not None and isinstance(item.event.data, Resolution)}
    return resolved | {item.letter.owner for item in letters.values() if item.letter is not None}


def _is_fresh(admission: Admission, record: Record, counts: Counter[str]) -> bool:
    position = position_of(record.headers)
    if position is None:
        return _is_unnumbered(admission, record, counts)
    verdict = admission.judge(record.lane, position)
    counts[verdict.value] += 1
    return verdict is Verdict.NEW


def _is_unnumbered(admission: Admission, record: Record, counts: Counter[str]) -> bool:
    """A bank's record is always new to us; a watermark is no event, but may show that something is missing."""
    told = position_of(record.headers, WATERMARK_HEADER)
    if told is not None:
        admission.seen(record.lane, told)
        return False
    counts[Verdict.NEW.value] += 1
    return True


def _moved(standings: Mapping[int, Standing], moves: Sequence[CursorMove], effects: Effects) -> dict[int, Standing]:
    """The standings as they are once the transaction has committed; what was not touched stays the same object."""
    after = dict(standings)

    def of(number: int) -> Standing:
        if after[number] is standings[number]:
            after[number] = standings[number].copy()
        return after[number]

    for move in moves:
        of(move.number).cursors[move.lane] = move.new
    for (number, lane, source), mark in effects.marks.items():
        of(number).marks[lane, source] = mark
    for (number, lane, source), gap in effects.gaps.items():
        _set_gap(of(number), (lane, source), gap)
    for (number, lane), out in effects.outs.items():
        of(number).outs[lane] = out
    for (number, lender), day in effects.clocks.items():
        of(number).clocks[lender] = day
    for stop in effects.stops:
        of(stop.number).stopped = stop.reason
    return after


def _contents(effects: Effects) -> Iterator[bool]:
    return (bool(getattr(effects, each.name)) for each in dataclasses.fields(effects))


def _set_gap(standing: Standing, key: tuple[Lane, Source], gap: Gap | None) -> None:
    if gap is None:
        standing.gaps.pop(key, None)
    else:
        standing.gaps[key] = gap
