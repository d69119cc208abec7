"""Whom a stepped run asks for work, and when: all in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from shared.clock import VirtualClock
from shared.messaging.broker import Lane, TopicSpec
from shared.messaging.control import control_topic
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_log import MemoryLog
from shared.messaging.memory_store import MemoryStore
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from shared.service import SHARDS, ActorKind
from shared.stepped import Stepper
from tests.unit.messaging.toy import IN, KIND, NOW, OUT, VAULT, Added, outgoing

AFTERWARDS = "toy.more"


class CountingLog(MemoryLog):
    """Counts how often it was asked where the lanes of a topic end."""

    def __init__(self) -> None:
        super().__init__(lambda: NOW)
        self.asked: Counter[str] = Counter()

    async def end_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        self.asked.update({lane.topic for lane in lanes})
        return await super().end_offsets(lanes)


class Ticks:
    """A tick that nobody kills."""

    place = 0

    async def at(self, place: int) -> None:
        self.place = 0


@dataclass
class Stage:
    """Two workers, of which the first reads what the second tells."""

    log: CountingLog
    hears: Worker
    tells: Worker
    stepper: Stepper

    async def say(self, amount: int) -> None:
        await (await self.log.writer()).append({Lane(IN, 3): [outgoing(Added(amount=amount))]})

    async def asked(self) -> Mapping[str, int]:
        """How often each of the two was asked in one tick."""
        self.log.asked.clear()
        await self.stepper.settle()
        return {topic: self.log.asked[topic] for topic in (IN, OUT)}


async def staged() -> Stage:
    log, clock = CountingLog(), VirtualClock(NOW)
    topics = [topic for name in (IN, OUT, AFTERWARDS) for topic in (name, control_topic(name))]
    await log.ensure_topics([TopicSpec(topic, SHARDS) for topic in topics])

    def working(kind: ActorKind) -> Worker:
        store = MemoryStore(MemoryDatabase(), kind.name)
        return Worker(kind.name, Turn("toy", kind, store, VAULT), store, log, clock, batch=10)

    hears, tells = working(replace(KIND, name="hears", inputs=(OUT,), output=AFTERWARDS)), working(KIND)
    stepper = Stepper([hears, tells], log, cast("Any", Ticks()))
    await stepper.start()
    return Stage(log, hears, tells, stepper)


async def test_nobody_is_asked_twice_in_a_tick_in_which_nothing_was_told() -> None:
    stage = await staged()
    assert await stage.asked() == {IN: 1, OUT: 1}
    assert await stage.asked() == {IN: 1, OUT: 1}


async def test_who_comes_first_is_asked_again_once_something_is_told_on_what_it_reads() -> None:
    stage = await staged()
    for number in (1, 2):
        await stage.say(amount=number)
        assert await stage.asked() == {IN: 1, OUT: 2}
        assert stage.hears.standings[3].cursors[Lane(OUT, 3)] == number
        assert stage.tells.standings[3].cursors[Lane(IN, 3)] == number
