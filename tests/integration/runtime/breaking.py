"""Runs the same turn again and again from one situation, and breaks it off at another statement each time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import asyncpg

from shared.clock import VirtualClock
from shared.messaging.broker import Lane
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.reading import Reading
from shared.messaging.store import StoreUnavailableError
from shared.messaging.turn import Limits, Turn
from shared.messaging.worker import Worker
from shared.service import ActorKind
from shared.vault import Vault
from tests.integration.runtime.cutting import CountingStore, Interruption, backend_ended, before, cable_pulled
from tests.integration.runtime.everything import Everything, differing, records, tables

ENOUGH = 1000
ENDLESS = 60
"""Seconds after which what is due is taken to be due for ever."""

_SAVE = """
CREATE SCHEMA saved;
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('CREATE TABLE saved.%1$I AS TABLE public.%1$I', name);
    END LOOP;
END $$
"""
_RESTORE = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'saved'::regnamespace LOOP
        EXECUTE format('DELETE FROM public.%1$I', name);
        EXECUTE format('INSERT INTO public.%1$I OVERRIDING SYSTEM VALUE TABLE saved.%1$I', name);
    END LOOP;
END $$
"""


@dataclass
class Situation:
    """One service's actors before a turn: its database, the log with all that waits, and who is to act."""

    service: str
    kind: ActorKind
    dsn: str
    log_dsn: str
    numbers: Sequence[int]
    clock: VirtualClock
    vault: Vault
    limits: Limits = field(default_factory=Limits)
    _saved: bool = False

    async def undisturbed(self) -> tuple[Everything, Sequence[str]]:
        """What it comes to, and the statements of its first turn."""
        await self._begin()
        said = await self._turn()
        return await self._at_rest(), said

    async def broken_off(self, number: int, cut: Interruption) -> Everything:
        """What it comes to when the connection is lost before a statement, and another worker takes over."""
        await self._begin()
        await self._turn(before(number, cut))
        return await self._at_rest()

    async def _begin(self) -> None:
        """Save the situation, the first time; then go back to it."""
        for dsn in (self.dsn, self.log_dsn):
            connection = await asyncpg.connect(dsn)
            await connection.execute(_RESTORE if self._saved else _SAVE)
            await connection.close()
        self._saved = True

    async def _turn(self, interruption: Interruption | None = None) -> Sequence[str]:
        """A worker takes the actors and applies, in one turn, all that waits; then it is gone without a word."""
        log = await self._log()
        store, worker, reading = self._worker("first", log)
        try:
            await worker.take(self.numbers)
            fetched = await reading.fetch(ENOUGH, 0.0)
            store.interruption = interruption
            try:
                await worker.turn(fetched, commands=ENOUGH, due=ENOUGH)
            except StoreUnavailableError:
                assert interruption is not None
            else:
                assert interruption is None, "it was never cut"
        finally:
            store.cut()
            await reading.close()
            await worker.publisher.close()
            await log.close()
        return list(store.said)

    async def _at_rest(self) -> Everything:
        """Another worker takes over, and goes on until nothing is left; all that there is then."""
        log = await self._log()
        _, worker, reading = self._worker("successor", log)
        await worker.take(self.numbers)
        while fetched := await reading.fetch(ENOUGH, 0.0):
            await worker.turn(fetched, commands=ENOUGH, due=ENOUGH)
        async with asyncio.timeout(ENDLESS):
            while await worker.has_work():
                await worker.turn((), commands=ENOUGH, due=ENOUGH)
        await worker.flush()
        await worker.turn((), settle=True)
        await worker.close()
        await reading.close()
        told = await records(log, [Lane(self.kind.output, number) for number in self.numbers])
        await log.close()
        return {**await tables(self.dsn), **told}

    async def _log(self) -> EmbeddedLog:
        return await EmbeddedLog.open(self.log_dsn, clock=self.clock.now)

    def _worker(self, name: str, log: EmbeddedLog) -> tuple[CountingStore, Worker, Reading]:
        store = CountingStore(self.dsn, self.kind.name)
        turn = Turn(self.service, self.kind, store, self.vault, self.limits)
        worker = Worker(name, turn, store, log, self.clock, batch=ENOUGH)
        return store, worker, Reading(worker, log, self.kind.inputs)


async def break_off_everywhere(situation: Situation, cut_at: Callable[[int], Interruption]) -> int:
    """Cut before every statement from BEGIN to COMMIT, and after COMMIT; how many cuts there were."""
    expected, said = await situation.undisturbed()
    assert (said[0], said[-1]) == ("BEGIN", "COMMIT")
    for number in range(len(said) + 1):
        found = await situation.broken_off(number, cut_at(number))
        wrong = differing(expected, found)
        assert wrong == {}, f"cut before statement {number}: {[*said, 'the end'][number]}: {wrong}"
    return len(said) + 1


def either(number: int) -> Interruption:
    """One way to lose a connection after the other."""
    return cable_pulled if number % 2 else backend_ended
