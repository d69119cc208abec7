"""Which fault comes when: one of each kind in a fixed order, or a seeded shuffle that several hands draw from."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.chaos.faults import FAULTS
from tests.chaos.process_faults import FREEZE
from tests.chaos.stage import Clock, Fault, Stage
from tests.chaos.waiting import AWAY, NeverCameTrueError, NoEffectError, NotHereError, TakenError

HANDS = 2
"""Faults that are on at the same time."""

ONCE_MORE = 4
"""How often a worker is frozen again where none was fenced so far: some let go of their actors before they work."""

Say = Callable[[str], None]


@dataclass
class Plan:
    """Does faults, says each with its time, and counts those whose effect was seen."""

    stage: Stage
    seed: int
    say: Say
    clock: Clock
    done: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    not_overcome: list[str] = field(default_factory=list)

    async def one_of_each(self) -> None:
        """Every kind of fault once, in the order of the table."""
        chance = random.Random(self.seed)
        for fault in FAULTS:
            await self._do(fault, chance)
        for _ in range(ONCE_MORE):
            if all((await self.stage.coverage.counters()).values()):
                return
            await self._do(FREEZE, chance)

    async def for_minutes(self, minutes: float) -> None:
        """Several hands at once draw faults until the time is over."""
        until = time.monotonic() + minutes * 60
        async with asyncio.TaskGroup() as hands:
            for hand in range(HANDS):
                hands.create_task(self._hand(random.Random(f"{self.seed}/{hand}"), until))

    async def _hand(self, chance: random.Random, until: float) -> None:
        for fault in drawn(chance):
            if time.monotonic() >= until:
                return
            if not await self._do(fault, chance):
                await asyncio.sleep(0.5)  # another hand is at it; the next one is drawn

    async def _do(self, fault: Fault, chance: random.Random) -> bool:
        """Do one fault; whether it could be done. One that is never overcome breaks the run."""
        began = self.clock.seconds
        try:
            seen = await fault.act(self.stage, chance)
        except TakenError:
            return False
        except (NoEffectError, *AWAY) as error:  # another fault may have been quicker
            self.say(f"{began:7.1f}  no effect  {fault.name}: {type(error).__name__}: {str(error)[:200]}")
            return True
        except NeverCameTrueError as error:
            self.not_overcome.append(f"{fault.name}: {error}")
            self.say(f"{began:7.1f}  FAILED  {self.not_overcome[-1]}")
            return True
        except NotHereError as error:
            if fault.name not in self.skipped:
                self.say(f"{began:7.1f}  skipped  {fault.name}: {error}")
            self.skipped[fault.name] = str(error)
            return False
        self.done[fault.name] += 1
        self.say(f"{began:7.1f}  {self.clock.seconds - began:5.1f} s  {fault.name}: {seen}")
        return True


def drawn(chance: random.Random) -> Iterator[Fault]:
    """Faults without end: the table as often as the weights say, shuffled, again and again."""
    while True:
        bag = [fault for fault in FAULTS for _ in range(fault.weight)]
        chance.shuffle(bag)
        yield from bag
