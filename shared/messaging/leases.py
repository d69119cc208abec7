"""Who holds which actors: leases in PostgreSQL, on the database's clock.

Each worker beats; one whose beat is older than the time to live is dead. Each live worker aims at an equal share of the
actors, gives back what it has beyond that, and takes what nobody alive holds. A lease decides only who tries; what
keeps two holders apart is the epoch.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import asyncpg

from shared.postgres.failures import DRIVER_ERRORS

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

BEAT = """
INSERT INTO worker (id, kind) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET beat = now()
"""
LIVE = "SELECT count(*) FROM worker WHERE kind = $1 AND beat > now() - make_interval(secs => $2)"
HELD = """
SELECT a.number, a.owner
FROM actor a JOIN worker w ON w.id = a.owner
WHERE a.kind = $1 AND w.beat > now() - make_interval(secs => $2)
"""
FORGET_DEAD = "DELETE FROM worker WHERE kind = $1 AND beat < now() - make_interval(secs => 10 * $2)"
DISOWN = "UPDATE actor SET owner = NULL WHERE kind = $1 AND number = ANY ($2::int[]) AND owner = $3"
LEAVE = "DELETE FROM worker WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker is to do to come to its share; `disown` bears its name, but it neither holds nor wants it."""

    take: tuple[int, ...]
    give_up: tuple[int, ...]
    disown: tuple[int, ...] = ()


def share(actors: int, mine: Collection[int], held: Mapping[int, str], me: str, workers: int) -> Wanted:
    """Aim at ⌈actors / live workers⌉: give up what was lost and the surplus, take what is free, lowest number first.

    A worker that forgot what it held, since an outcome was unknown, may find its name on more than its share.
    Two that begin together may take the same actors: the later one holds them, and the earlier one learns it here, even
    where the later one has given them up again since: a lane in which nothing comes has no turn to tell it by.
    """
    aim = math.ceil(actors / max(workers, 1))
    lost = sorted(number for number in mine if held.get(number) != me)
    kept = sorted(set(mine) - set(lost))
    free = [number for number in range(actors) if number not in kept and held.get(number, me) == me]
    take = tuple(free[: max(aim - len(kept), 0)])
    left = tuple(number for number in free[len(take) :] if held.get(number) == me)
    return Wanted(take, (*lost, *kept[aim:]), left)


class Lessor(Protocol):
    """Who says which actors a worker may try to hold."""

    async def beat(self) -> None:
        """Say that this worker lives."""

    async def wanted(self, actors: int, mine: Collection[int]) -> Wanted:
        """What to take and what to give up now."""

    def called(self) -> bool:
        """Whether a command has come for this kind of actor since this was last asked."""

    async def leave(self) -> None:
        """Say that this worker is gone, and close."""


class Leases:
    """One worker's part in sharing the actors of one kind."""

    def __init__(self, dsn: str, kind: str, me: str, ttl: float) -> None:
        """Open nothing yet; `ttl` is in seconds."""
        self._dsn, self._kind, self._me, self._ttl = dsn, kind, me, ttl
        self._connection: Connection | None = None
        self._called = False

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=10)
            await self._connection.add_listener(f"command_{self._kind}", self._hear)
        return self._connection

    def _hear(self, *_: object) -> None:
        self._called = True

    def called(self) -> bool:
        """Whether a command has come for this kind of actor since this was last asked."""
        called, self._called = self._called, False
        return called

    async def beat(self) -> None:
        """Say that this worker lives."""
        connection = await self._connected()
        await connection.execute(BEAT, self._me, self._kind)
        await connection.execute(FORGET_DEAD, self._kind, self._ttl)

    async def wanted(self, actors: int, mine: Collection[int]) -> Wanted:
        """What to take and what to give up now; what is neither held nor wanted is left to others at once."""
        connection = await self._connected()
        workers = await connection.fetchval(LIVE, self._kind, self._ttl)
        rows = await connection.fetch(HELD, self._kind, self._ttl)
        held: dict[int, str] = {row["number"]: row["owner"] for row in rows}
        wanted = share(actors, mine, held, self._me, workers)
        if wanted.disown:
            await connection.execute(DISOWN, self._kind, wanted.disown, self._me)
        return wanted

    async def leave(self) -> None:
        """Say that this worker is gone, and close."""
        if self._connection is None or self._connection.is_closed():
            return
        try:
            await self._connection.execute(LEAVE, self._me)
            await self._connection.close(timeout=5)
        except DRIVER_ERRORS:
            self._connection.terminate()
