"""What is done in the world outside for facts that are committed, and what comes of it.

An errand begins only after the commit of the fact that asks for it, and only in the process that committed it; what
comes of it is applied by the same actor in a later turn. Nothing of this is remembered: whoever dies with an errand in
hand, or with its answer, leaves it to due work of the owner's to find out what became of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog

from shared.clock import Clock
from shared.contracts import catalogue
from shared.contracts.envelope import Event, derived_id
from shared.messaging.frames import records_of
from shared.messaging.sequence import header
from shared.messaging.store import StoredFacts
from shared.service import ActorKind

log = structlog.get_logger(__name__)

AT_ONCE = 256
"""Errands of one room that run beside each other; the others wait for their turn."""

MOST_IN_HAND = 4096
"""Errands with which a worker has enough in hand: it takes up no more due work before some have come to an end."""


class Answered(NamedTuple):
    """What came of an errand, for the actor that asked for it; `place` is where it was asked in."""

    number: int
    event: Event[Any]
    place: int = 0


class Call(NamedTuple):
    """A committed fact that asks for an errand."""

    number: int
    event: Event[Any]


def calls_of(kind: ActorKind, number: int, stored: Iterable[StoredFacts]) -> list[Call]:
    """The errands that stored facts ask for."""
    wanted = {catalogue.wire_name(fact) for fact in kind.errands}
    records = [record for each in stored for record in records_of("", each)]
    asking = [record.value for record in records if header(record.headers, "type") in wanted]
    decoded = [catalogue.decode(value) for value in asking]
    return [Call(number, event) for event in decoded if event is not None]


@dataclass(slots=True)
class Errands:
    """Those of one worker. What the kind keeps in rooms of their own does not wait for each other."""

    kind: ActorKind
    clock: Clock
    most: int = MOST_IN_HAND
    _answers: list[Answered] = field(default_factory=list)
    _asked: int = 0
    _running: set["asyncio.Task[None]"] = field(default_factory=set)
    _rooms: dict[str, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
    )

    def start(self, calls: Iterable[Call]) -> None:
        """Begin errands; nobody waits for them."""
        for call in calls:
            self._asked += 1
            task = asyncio.create_task(self._run(call, self._asked))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, call: Call, place: int) -> None:
        errand = self.kind.errands[type(call.event.data)]
        try:
            async with self._rooms[self.kind.room_of(call.event)]:
                answer = await errand(call.event, self.clock)
        except Exception as error:  # noqa: BLE001  # as if nobody had answered: due work finds out what came of it
            log.warning("errand_failed", fact=call.event.type, reason=type(error).__name__)
            return
        if answer is not None:
            self._answers.append(Answered(call.number, self._told(call.event, answer), place))

    def _told(self, asked: Event[Any], answer: Any) -> Event[Any]:
        now = self.clock.now()
        return Event(
            id=derived_id(asked.id, f"answer/{type(answer).__name__}"),
            type=f"answer:{asked.type}",
            lender_id=asked.lender_id,
            debtor_id=asked.debtor_id,
            case_version=asked.case_version,
            caused_by=asked.id,
            occurred_at=now,
            recorded_at=now,
            trace=asked.trace,
            data=answer,
        )

    @property
    def enough(self) -> bool:
        """Whether so many run that due work, which may ask for more, has to wait."""
        return len(self._running) >= self.most

    @property
    def waiting(self) -> bool:
        """Whether an answer waits to be applied, or an errand still runs."""
        return bool(self._answers or self._running)

    def take(self, held: Collection[int]) -> list[Answered]:
        """The answers for actors that are held, in the order in which they were asked for.

        Those for others are dropped, since their holder looks for itself.
        """
        taken, self._answers = sorted(self._answers, key=lambda each: each.place), []
        return [each for each in taken if each.number in held]

    def give_back(self, answers: Iterable[Answered]) -> None:
        """Keep answers for another turn, since the one that took them was not committed."""
        self._answers = [*answers, *self._answers]

    async def settle(self, seconds: float | None = None) -> None:
        """Wait until none runs, or for so long."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def close(self) -> None:
        """Leave those that still run to whoever comes next, and let go of what they hold open."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self.kind.let_go is not None:
            await self.kind.let_go()
