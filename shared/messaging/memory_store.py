"""The store in memory, under the same contract suite as PostgreSQL's: what the simulator and the stories run on.

A `MemoryDatabase` is what would survive a crash; a `MemoryStore` is one worker's connection to it. A transaction keeps
what it writes to itself until it commits, holds the actors that it has fenced, and is ended by whoever takes one over.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.messaging.broker import Lane
from shared.messaging.layout import Key, Layout, Row, State, Table
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_due import due_rows, next_instant
from shared.messaging.memory_rows import is_loaded, stored_as
from shared.messaging.renewing import incarnation_after
from shared.messaging.rows import differences, json_text, tally
from shared.messaging.store import (
    TOLD_OTHERWISE,
    WENT_BACK,
    Change,
    Command,
    CursorMove,
    DueRow,
    Effects,
    HeldError,
    Letter,
    Outlook,
    Parked,
    StaleStandingError,
    Standing,
    StoredFacts,
    StoreUnavailableError,
    UnsavableError,
)


class MemoryStore:
    """One worker's access to a memory database."""

    def __init__(self, database: MemoryDatabase, kind: str) -> None:
        """Work for one kind of actor."""
        self._database, self._kind = database, kind
        self._open: MemoryTransaction | None = None

    async def acquire(self, number: int, owner: str) -> Standing:
        """Raise the epoch; an open transaction that holds the actor is ended."""
        place = (self._kind, number)
        holder = self._database.holders.pop(place, None)
        if holder is not None:
            holder.end()
        known = self._database.standings.get(place)
        if known is None:
            known = Standing(number, 0, incarnation_after(0, self._database.clock()))
        self._database.standings[place] = dataclasses.replace(known, epoch=known.epoch + 1)
        self._database.owners[place] = owner
        return self._database.standings[place].copy()

    async def unacknowledged(self, number: int) -> Sequence[StoredFacts]:
        """What lies beyond the acknowledged sequence."""
        standing = self._database.standings[self._kind, number]
        told = self._database.outbox.get((self._kind, number), [])
        mine = [each for each in told if each.incarnation == standing.incarnation]
        return sorted(
            (each for each in mine if each.seq_to > standing.outs[each.lane].acked),
            key=lambda each: (each.lane, each.seq_from),
        )

    async def told_since(self, number: int, lane: Lane, incarnation: int, seq: int) -> Sequence[StoredFacts]:
        """The lane's outbox from a sequence to its head."""
        told = self._database.outbox.get((self._kind, number), [])
        mine = [each for each in told if each.lane == lane and (each.incarnation, each.seq_to) >= (incarnation, seq)]
        return sorted(mine, key=lambda each: (each.incarnation, each.seq_from))

    async def release(self, epochs: Mapping[int, int]) -> None:
        """Leave the actors without an owner."""
        for number, epoch in epochs.items():
            if self._database.standings[self._kind, number].epoch == epoch:
                self._database.owners[self._kind, number] = None

    async def has_work(self, layout: Layout, numbers: Collection[int], now: datetime) -> bool:
        """Look as a transaction would."""
        known = (self._database.standings.get((self._kind, number)) for number in numbers)
        if any(standing.restored for standing in known if standing is not None):
            raise StoreUnavailableError(WENT_BACK)
        return MemoryTransaction(self._database, self._kind).waits(layout, numbers, now)

    async def look_out(self, layout: Layout, numbers: Collection[int], now: datetime) -> Outlook:
        """Look at every row."""
        waits = await self.has_work(layout, numbers, now)
        return Outlook(waits, next_instant(self._database, self._kind, layout, numbers, now))

    async def begin(self) -> "MemoryTransaction":
        """Begin; a former transaction that was left open is ended."""
        if self._open is not None:
            self._open.end()
        self._open = MemoryTransaction(self._database, self._kind)
        return self._open

    async def close(self) -> None:
        """End what is open."""
        if self._open is not None:
            self._open.end()


class MemoryTransaction:
    """Keeps its writes until it commits."""

    def __init__(self, database: MemoryDatabase, kind: str) -> None:
        """Begin with nothing written."""
        self._database, self.kind = database, kind
        self._writes: list[Callable[[], None]] = []
        self._held: set[int] = set()
        self._held_owners: set[str] = set()
        self.ended = False

    def end(self) -> None:
        """Be ended by somebody who takes an actor over: whatever is tried next fails."""
        self.ended = True
        self._let_go()

    def _let_go(self) -> None:
        for number in self._held:
            if self._database.holders.get((self.kind, number)) is self:
                del self._database.holders[self.kind, number]
        for owner in self._held_owners:
            del self._database.shared_holders[owner]
        self._held.clear()
        self._held_owners.clear()

    def _alive(self) -> None:
        if self.ended:
            raise StoreUnavailableError("the transaction was ended by a successor")

    async def fence(self, epochs: Mapping[int, int]) -> set[int]:
        """Hold the actors that still stand at these epochs."""
        self._alive()
        standings = self._database.standings
        held = {n for n, epoch in epochs.items() if standings.get((self.kind, n), Standing(n, 0)).epoch == epoch}
        for number in held:
            other = self._database.holders.get((self.kind, number))
            if other is not None and other is not self:
                raise HeldError("another transaction holds the actor")
        self._database.holders |= dict.fromkeys([(self.kind, number) for number in held], self)
        self._held |= held
        return held

    async def move_cursors(self, moves: Sequence[CursorMove]) -> None:
        """Compare and set."""
        self._alive()
        stale = [move for move in moves if self._standing(move.number).cursors.get(move.lane) != move.old]
        if stale:
            raise StaleStandingError(f"{len(stale)} of {len(moves)} positions have been moved by somebody else")
        self._writes.append(lambda: self._move(moves))

    def _move(self, moves: Sequence[CursorMove]) -> None:
        for move in moves:
            self._standing(move.number).cursors[move.lane] = move.new

    def _standing(self, number: int) -> Standing:
        return self._database.standings[self.kind, number]

    def waits(self, layout: Layout, numbers: Collection[int], now: datetime) -> bool:
        """Whether a command waits for these actors, or a row of theirs is due."""
        return bool(self._pending(numbers) or due_rows(self._database, self.kind, layout, numbers, now))

    async def take_commands(self, numbers: Collection[int], limit: int) -> Sequence[Command]:
        """Return the oldest that wait."""
        self._alive()
        return sorted(self._pending(numbers), key=lambda command: (command.created_at, command.id))[:limit]

    def _pending(self, numbers: Collection[int]) -> list[Command]:
        return [
            command
            for kind, command, status, _ in self._database.commands.values()
            if kind == self.kind and status == "pending" and command.number in numbers
        ]

    async def take_due(self, layout: Layout, numbers: Collection[int], now: datetime, limit: int) -> Sequence[DueRow]:
        """Return what is due, table by table."""
        self._alive()
        return due_rows(self._database, self.kind, layout, numbers, now)[:limit]

    async def load(
        self, layout: Layout, owners: Mapping[str, int], named: Mapping[str, set[tuple[str, Key]]]
    ) -> dict[str, State]:
        """Build each owner's state from its rows; shared owners are held first."""
        self._alive()
        if layout.shared:
            self._hold_owners(owners)
        content: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
        for name, table in layout.tables.items():
            for (owner, key), (_, row) in self._database.rows.get(table.name, {}).items():
                if owner in content and is_loaded(table, row, (owner, key), named.get(name, set())):
                    if table.key:
                        content[owner].setdefault(name, {})[key] = row
                    else:
                        content[owner][name] = row
        return {
            owner: layout.state(owner, **{n: fields.get(n, layout.none_of(t)) for n, t in layout.tables.items()})
            for owner, fields in content.items()
        }

    def _hold_owners(self, owners: Collection[str]) -> None:
        known = self._database.shared_holders
        if any(known.get(owner, self) is not self for owner in owners):
            raise HeldError("another transaction holds a shared owner")
        known |= dict.fromkeys(owners, self)
        self._held_owners |= set(owners)

    async def quarantines(self, owners: Collection[str]) -> Mapping[str, set[str]]:
        """Return the open reasons."""
        self._alive()
        found: dict[str, set[str]] = {}
        for kind, owner, letter_id in self._database.quarantines:
            if kind == self.kind and owner in owners:
                found.setdefault(owner, set()).add(letter_id)
        return found

    async def parked(self, owners: Collection[str]) -> Mapping[str, Sequence[Parked]]:
        """Return what waits, in order."""
        self._alive()
        found: dict[str, list[Parked]] = {}
        for kind, parked in self._database.parked:
            if kind == self.kind and parked.owner in owners:
                found.setdefault(parked.owner, []).append(parked)
        return found

    async def letters(self, ids: Collection[str]) -> Mapping[str, Letter]:
        """Return the open ones."""
        self._alive()
        kept = self._database.letters
        return {key: kept[key][1] for key in ids if key in kept and kept[key][::2] == (self.kind, "open")}

    async def count_letters(self, numbers: Collection[int], since: datetime) -> Mapping[int, int]:
        """Count by actor."""
        self._alive()
        resumed = {
            operation.number: operation.at
            for kind, operation in self._database.operations
            if kind == self.kind and operation.operation == "resumed"
        }
        counts: dict[int, int] = {}
        for kind, letter, _ in self._database.letters.values():
            recent = letter.buried_at > max(since, resumed.get(letter.number, since))
            if kind == self.kind and letter.number in numbers and letter.offset >= 0 and recent:
                counts[letter.number] = counts.get(letter.number, 0) + 1
        return counts

    async def save(self, layout: Layout, changes: Sequence[Change]) -> None:
        """Check what a database would refuse, and keep the differences."""
        self._alive()
        for name, found in differences(layout, changes).items():
            table = layout.tables[name]
            inserts = [(shard, owner, stored_as(table, row)) for shard, owner, row in found.inserts]
            if table.use == "journal":
                self._writes.append(self._journal(table, inserts))
            elif table.use == "tally":
                self._writes.append(self._tally(table, inserts))
            else:
                updates = [(owner, stored_as(table, row)) for owner, row in found.updates]
                self._check_new(table, inserts, found.deletes)
                self._writes.append(self._rows(table, inserts, updates, found.deletes))

    def _check_new(
        self, table: Table, inserts: Sequence[tuple[int, str, Row]], deletes: Collection[tuple[str, Key]]
    ) -> None:
        known = self._database.rows.get(table.name, {})
        places = [(owner, table.key_of(row)) for _, owner, row in inserts]
        if len(set(places)) < len(places) or any(place in known and place not in deletes for place in places):
            raise UnsavableError("UniqueViolationError")

    def _journal(self, table: Table, inserts: list[tuple[int, str, Row]]) -> Callable[[], None]:
        return lambda: self._database.journals.setdefault(table.name, []).extend(inserts)

    def _tally(self, table: Table, inserts: list[tuple[int, str, Row]]) -> Callable[[], None]:
        def add() -> None:
            known = self._database.tallies.setdefault(table.name, {})
            for place, row in tally(table, inserts).items():
                former = getattr(known[place], table.amount) if place in known else 0
                known[place] = dataclasses.replace(row, **{table.amount: former + getattr(row, table.amount)})

        return add

    def _rows(
        self,
        table: Table,
        inserts: list[tuple[int, str, Row]],
        updates: list[tuple[str, Row]],
        deletes: list[tuple[str, Key]],
    ) -> Callable[[], None]:
        def write() -> None:
            known = self._database.rows.setdefault(table.name, {})
            for owner, key in deletes:
                known.pop((owner, key), None)
            for owner, row in updates:
                shard, _ = known[owner, table.key_of(row)]
                known[owner, table.key_of(row)] = (shard, row)
            for shard, owner, row in inserts:
                known[owner, table.key_of(row)] = (shard, row)

        return write

    async def write(self, effects: Effects) -> None:
        """Keep the effects."""
        self._alive()
        for row in effects.history:
            json_text(row.data)
        self._check_outs(effects)
        self._writes.append(lambda: self._write(effects))

    def _check_outs(self, effects: Effects) -> None:
        for (number, lane), moved in effects.outs.items():
            known = self._standing(number).outs.get(lane)
            if (known and known.head) != moved.old:
                raise StaleStandingError(TOLD_OTHERWISE)

    def _write(self, effects: Effects) -> None:
        database = self._database
        self._write_standings(effects)
        for stored in effects.facts:
            database.outbox.setdefault((self.kind, stored.number), []).append(stored)
        database.history += effects.history
        for letter in effects.letters:
            if letter.id not in database.letters or database.letters[letter.id][2] != "open":
                database.letters[letter.id] = (self.kind, letter, "open")
        for resolved in effects.resolved:
            kind, letter, _ = database.letters[resolved.letter_id]
            database.letters[resolved.letter_id] = (kind, letter, resolved.status)
        self._write_quarantines(effects)
        for answer in effects.answers:
            kind, command, _, _ = database.commands[answer.command_id]
            database.commands[answer.command_id] = (kind, command, answer.status, answer.response)
        database.operations += [(self.kind, operation) for operation in effects.operations]

    def _write_standings(self, effects: Effects) -> None:
        for (number, lane, source), mark in effects.marks.items():
            self._standing(number).marks[lane, source] = mark
        for (number, lane, source), gap in effects.gaps.items():
            if gap is None:
                self._standing(number).gaps.pop((lane, source), None)
            else:
                self._standing(number).gaps[lane, source] = gap
        self._write_what_lanes_go_by(effects)
        for (number, lane), moved in effects.outs.items():
            self._standing(number).outs[lane] = moved.new
        for stop in effects.stops:
            self._standing(stop.number).stopped = stop.reason
        for number, incarnation in effects.renewed.items():
            self._standing(number).incarnation, self._standing(number).restored = incarnation, False

    def _write_what_lanes_go_by(self, effects: Effects) -> None:
        for (number, lender), day in effects.clocks.items():
            self._standing(number).clocks[lender] = day
        for (number, name), fact in effects.directives.items():
            self._standing(number).directives[name] = fact

    def _write_quarantines(self, effects: Effects) -> None:
        database = self._database
        for entry in effects.quarantined:
            database.quarantines.setdefault((self.kind, entry.owner, entry.letter_id), entry)
        for owner, letter_id in effects.released:
            database.quarantines.pop((self.kind, owner, letter_id), None)
        gone = {(self.kind, *place) for place in effects.unparked}
        kept = [(kind, each) for kind, each in database.parked if (kind, each.owner, each.ordinal) not in gone]
        database.parked[:] = kept
        for parked in effects.parked:
            database.ordinals += 1
            database.parked.append((self.kind, parked._replace(ordinal=database.ordinals)))

    async def commit(self) -> None:
        """Apply everything at once."""
        self._alive()
        for write in self._writes:
            write()
        self._writes.clear()
        self._let_go()

    async def rollback(self) -> None:
        """Forget everything."""
        self._writes.clear()
        self._let_go()
