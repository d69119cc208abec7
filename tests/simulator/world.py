"""Steps, the order in which they happen, and virtual time.

The event loop is asyncio's own but for one thing: when every task is stuck it does not wait for a socket or a timer,
but asks the world to let something happen. So the real coroutines run unchanged, and one place decides between them.
"""

import asyncio
import random
from asyncio.base_events import BaseEventLoop
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop
from typing import Any, Protocol

from shared.messaging.store import HeldError

PATIENCE = 25
"""How often a step that is held up by another transaction is tried before it is given up, as a lock time-out does."""

LONGEST = 3_600.0
MOST = 60_000
"""Virtual seconds and steps after which a schedule that is not at rest counts as stuck: a provider whose word is lost
again and again is asked again after ever longer, for an hour in all.
"""


class Stuck(Exception):  # noqa: N818  # the name says what has become of the schedule
    """Nothing can happen any more, and yet the system is not at rest; or it never comes to rest."""


class Ended(BaseException):
    """The schedule is over, or the process is dead: whatever still runs is to end without doing anything."""


class Actor(Protocol):
    """Who makes a step: a process, which may be dead or frozen."""

    name: str
    service: str
    alive: bool
    frozen: bool


@dataclass(slots=True, eq=False)
class Step:
    """One call to the outside that waits to happen. `place` is its name, `about` what a fault may want to know."""

    actor: Actor
    place: str
    act: Callable[[], Any]
    done: "asyncio.Future[Any]"
    about: Any = None
    tries: int = 0


class Happenings(Protocol):
    """What the world asks: what a step becomes, and what else may happen."""

    def become(self, step: Step) -> None:
        """Carry a step out, or let a fault have it."""

    def otherwise(self, *, idle: bool) -> bool:
        """Perhaps let something else happen than a step; `idle`: no step can. Whether anything has."""

    def at_rest(self) -> bool:
        """Whether nothing is left to be done."""


class _Loop(BaseEventLoop):
    """asyncio's loop on virtual time: where it would wait for a socket or a timer, it asks the world."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def time(self) -> float:
        return self._world.seconds

    def _run_once(self) -> None:
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        while not ready and not self._stopping:  # type: ignore[attr-defined]
            self._ask(ready)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _ask(self, ready: deque[asyncio.Handle]) -> None:
        """Let the world do something or let time pass, and see which timers that makes due."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0].cancelled():
            heappop(timers)
        due_in = timers[0].when() - self._world.seconds if timers else None
        if due_in is None or due_in > 0:
            self._world.next(due_in)
        while timers and timers[0].when() <= self._world.seconds:
            ready.append(heappop(timers))

    def _write_to_self(self) -> None:
        """No other thread calls."""


@dataclass(eq=False)
class World:
    """One schedule's steps, time and chance."""

    chance: random.Random
    epoch: datetime
    tracing: bool = False
    seconds: float = 0.0
    shift: timedelta = timedelta()
    happened: int = 0
    steps: list[Step] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    frozen: int = 0
    over: bool = False
    error: BaseException | None = None

    def __post_init__(self) -> None:
        """Have a loop of its own."""
        self.loop = _Loop(self)
        self.happenings: Happenings | None = None

    # -- the clock port ------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The wall clock: the virtual seconds, and what was shifted."""
        return self.epoch + self.shift + timedelta(seconds=self.seconds)

    def elapsed(self) -> float:
        """Virtual seconds."""
        return self.seconds

    # -- steps ---------------------------------------------------------------------------------------------------

    async def step(self, actor: Actor, place: str, act: Callable[[], Any], about: Any = None) -> Any:
        """Wait until a step happens, and return what came of it; the dead wait for ever."""
        if self.over:
            raise Ended
        done = self.loop.create_future()
        if actor.alive:
            self.steps.append(Step(actor, place, act, done, about))
        return await done

    def carry_out(self, step: Step) -> Any:
        """Do what a step wants, and let its caller hear what came of it; returns that where it went well."""
        try:
            result = step.act()
        except HeldError as error:
            self._hold_up(step, error)
            return None
        except Exception as error:  # noqa: BLE001  # it is the caller's to sort
            self.fail(step, error)
            return None
        self.answer(step, result)
        return result

    def _hold_up(self, step: Step, error: HeldError) -> None:
        step.tries += 1
        if step.tries < PATIENCE:
            self.steps.append(step)
        else:
            self.fail(step, error)

    @staticmethod
    def answer(step: Step, result: Any) -> None:
        """Let the caller have an answer."""
        if not step.done.done():
            step.done.set_result(result)

    @staticmethod
    def fail(step: Step, error: Exception) -> None:
        """Let the caller have an error."""
        if not step.done.done():
            step.done.set_exception(error)
            step.done.exception()  # whoever has died meanwhile does not hear of it, and asyncio need not say so

    def drop(self, wanted: Callable[[Step], bool]) -> list[Step]:
        """Take steps out of the waiting ones."""
        taken = [step for step in self.steps if wanted(step)]
        self.steps = [step for step in self.steps if not wanted(step)]
        return taken

    # -- what happens next ---------------------------------------------------------------------------------------

    def next(self, timeout: float | None) -> None:
        """Every task is stuck: let one step happen, or something else, or time pass. Called by the loop."""
        try:
            self._next(timeout)
        except BaseException as error:  # noqa: BLE001  # the loop would swallow it
            self.error = error
            self.loop.stop()

    def _next(self, timeout: float | None) -> None:
        assert self.happenings is not None
        ready = [step for step in self.steps if not step.actor.frozen] if self.frozen else self.steps
        if self.happenings.otherwise(idle=not ready):
            return
        if ready and (timeout is None or self.chance.random() > 0.02):
            step = ready[int(self.chance.random() * len(ready))]
            self.steps.remove(step)
            self.happened += 1
            if self.happened > MOST:
                raise Stuck(f"not at rest after {MOST} steps")
            self.happenings.become(step)
        elif not ready and self.happenings.at_rest():
            self.loop.stop()
        else:
            self._pass(timeout)

    def _pass(self, timeout: float | None) -> None:
        if timeout is None:
            raise Stuck("nothing can happen any more")
        self.seconds += timeout
        if self.seconds > LONGEST:
            raise Stuck(f"not at rest after {LONGEST:.0f} virtual seconds")

    def say(self, text: str) -> None:
        """Put a line into the trace."""
        if self.tracing:
            self.trace.append(f"{self.happened:6d} {self.seconds:8.2f}s  {text}")

    # -- running -------------------------------------------------------------------------------------------------

    def start(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run a coroutine beside the others."""
        task = self.loop.create_task(work)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # the dead are left as they lie
        return task

    def run(self) -> None:
        """Let everything happen until the system is at rest. Raises what went wrong, Stuck among it."""
        self.loop.run_forever()
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """End whatever still runs, none of which may do anything more."""
        self.over = True
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _end(task.get_coro())
        self.steps.clear()
        self.loop._ready.clear()  # type: ignore[attr-defined]
        self.loop._scheduled.clear()  # type: ignore[attr-defined]
        self.loop.close()


def _end(coroutine: Any) -> None:
    """Close a suspended coroutine; what its `finally` wants of the outside meets `Ended`, or is not waited for."""
    for _ in range(5):
        try:
            coroutine.close()
        except (Ended, RuntimeError):
            continue
        return
