"""What a fault acts on: the installation under load, and what other faults are busy with meanwhile."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from shared.settings import SERVICES
from tests.chaos.bank import Bank
from tests.chaos.coverage import Coverage
from tests.chaos.installation import Installation
from tests.chaos.parts import Part
from tests.chaos.topics import Topics
from tests.chaos.waiting import Found, NeverCameTrueError, NoEffectError, TakenError, eventually

PATIENCE = 120.0
"""Seconds after which an effect that has not come is a failure of the run: other faults may be on meanwhile."""


@dataclass
class Stage:
    """Where faults play. `busy` names what one of them holds: parts, and "postgres", "broker", "line"."""

    installation: Installation
    bank: Bank
    topics: Topics
    coverage: Coverage
    busy: set[str] = field(default_factory=set)

    @contextmanager
    def holding(self, *names: str) -> Iterator[None]:
        """Keep others from what a fault is at. Raises TakenError where another is at it already."""
        if taken := self.busy & set(names):
            raise TakenError(", ".join(sorted(taken)))
        self.busy |= set(names)
        try:
            yield
        finally:
            self.busy -= set(names)

    def choose(self, chance: random.Random, among: Sequence[Part]) -> Part:
        """One that lives and that no other fault is at. Raises TakenError where there is none."""
        free = [part for part in among if part.name not in self.busy and part.is_alive() and not part.frozen]
        if not free:
            raise TakenError("all of them")
        return chance.choice(free)

    def workers_of(self, service: str) -> list[Part]:
        """A service's worker processes."""
        return [part for part in self.installation.workers if part.service == service]

    @property
    def shared_workers(self) -> list[Part]:
        """Workers that have another one beside them."""
        return [part for part in self.installation.workers if len(self.workers_of(part.service)) > 1]

    @property
    def lone_workers(self) -> list[Part]:
        """Workers that are the only ones of their service."""
        return [part for part in self.installation.workers if len(self.workers_of(part.service)) == 1]

    async def until(self, what: str, ask: Callable[[], Awaitable[Found]], within: float = PATIENCE) -> Found:
        """Wait for what the product must come to, and return it. Raises NeverCameTrueError, which breaks the run."""
        return await eventually(what, ask, within)

    async def until_felt(self, what: str, ask: Callable[[], Awaitable[Found]], within: float = PATIENCE) -> Found:
        """Wait for a fault to hit something, and return that. Raises NoEffectError; then it does not count."""
        try:
            return await eventually(what, ask, within)
        except NeverCameTrueError as error:
            raise NoEffectError(str(error)) from error

    async def until_started(self, what: str, start: Callable[[], None]) -> None:
        """Start a server, again where it does not come up in its time."""

        async def started() -> bool:
            await asyncio.to_thread(start)
            return True

        await self.until(f"{what} has started", started)

    async def until_ready(self, part: Part, starts: int = 0) -> None:
        """Wait until a part has been started more often than that, and says that it is ready."""

        async def ready() -> bool:
            return part.starts > starts and await part.is_ready()

        await self.until(f"{part.name} is ready again", ready)

    async def until_held(self, *services: str) -> None:
        """Wait until every actor has a living worker."""

        async def held() -> bool:
            return await self.installation.is_held(*(services or SERVICES))

        await self.until("every actor is held", held)

    async def until_accepted(self, more: int) -> None:
        """Wait until the bank has had so many more events acknowledged."""
        before = len(self.bank.acknowledged)

        async def accepted() -> bool:
            return self.bank.stopping or len(self.bank.acknowledged) >= before + more

        await self.until(f"{more} more events are accepted", accepted)


Act: TypeAlias = Callable[[Stage, random.Random], Awaitable[str]]


class Fault(NamedTuple):
    """A kind of fault: what it does, in a sentence; how often it comes beside the others; and what does it."""

    name: str
    sentence: str
    weight: int
    act: Act


@dataclass
class Clock:
    """Seconds since a run began."""

    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began
