"""How faults reach into a universe: processes killed or frozen, servers lost, appends done in part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.messaging.broker import BrokerUnavailableError, Lane, Outgoing
from shared.messaging.store import StoreUnavailableError
from tests.simulator.parts import Process, append
from tests.simulator.universe import Universe, services
from tests.simulator.world import Step


def no_answer() -> StoreUnavailableError:
    """A database that does not answer; a new one each time, since an error keeps every frame that it passes."""
    return StoreUnavailableError("no answer from the database")


def no_broker() -> BrokerUnavailableError:
    """A broker that does not answer."""
    return BrokerUnavailableError("no answer from the broker")


@dataclass(slots=True)
class Striking:
    """How faults reach into a universe; `carry_out` does a step as if nothing had happened."""

    universe: Universe
    carry_out: Callable[[Step], Any]

    @property
    def chance(self) -> Any:
        """The schedule's chance."""
        return self.universe.world.chance

    def later(self, least: float, most: float, act: Callable[[], None]) -> None:
        """Do something after a while."""
        self.universe.world.loop.call_later(self.chance.uniform(least, most), act)

    # -- processes -----------------------------------------------------------------------------------------------

    def kill(self, process: Process, *, restart: bool = True) -> None:
        """End a process as SIGKILL does: nothing of it is done any more, and its server takes back what was open."""
        world = self.universe.world
        world.say(f"{process.name} is killed")
        process.alive = False
        process.disconnect()
        world.drop(lambda step: step.actor is process)
        if restart or not self.universe.running(process.service):
            self.later(0.1, 5, lambda: self.restart(process.service))

    def restart(self, service: str) -> None:
        """Start another process of a service."""
        self.universe.spawn(next(each for each in services() if each.name == service))

    def freeze(self, process: Process, seconds: float) -> None:
        """Stop a process as SIGSTOP does, for a while; who watches over it starts another meanwhile."""
        world = self.universe.world
        world.say(f"{process.name} is frozen for {seconds:.1f}s")
        process.frozen = True
        world.frozen += 1
        world.loop.call_later(seconds, lambda: self._thaw(process))
        if not self.universe.running(process.service):
            self.later(0.1, 2, lambda: self.restart(process.service))

    def _thaw(self, process: Process) -> None:
        self.universe.world.say(f"{process.name} is thawed")
        process.frozen = False
        self.universe.world.frozen -= 1

    # -- servers -------------------------------------------------------------------------------------------------

    def lose_database(self, service: str, seconds: float = 4) -> None:
        """End every connection to a database, and refuse new ones for a while; a COMMIT under way is done or not."""
        universe = self.universe
        universe.world.say(f"the database of {service} is killed")
        for step in universe.world.drop(lambda step: step.actor.service == service and to_database(step)):
            if step.place == "store.commit" and self.chance.random() < 0.5:
                self.in_silence(step)
            universe.world.fail(step, no_answer())
        for process in universe.processes:
            if process.service == service:
                process.disconnect()
        self._down(service, seconds)

    def lose_broker(self) -> None:
        """The broker dies and comes back with all it had; what was being appended may be there or not."""
        world = self.universe.world
        world.say("the broker is killed")
        for step in world.drop(lambda step: step.place.startswith("log.")):
            if step.place == "log.append":
                append(self.universe.log, self.some_of(step.about))
            world.fail(step, no_broker())
        self._down("log")

    def _down(self, name: str, seconds: float = 4) -> None:
        self.universe.set_down(name, down=True)
        self.later(seconds / 40, seconds, lambda: self.universe.set_down(name, down=False))

    def in_silence(self, step: Step) -> None:
        """Do a step, and let nobody hear of it."""
        self.carry_out(Step(step.actor, step.place, step.act, self.universe.world.loop.create_future(), step.about))

    def some_of(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> Mapping[Lane, Sequence[Outgoing]]:
        """A part of an append: of each lane nothing, all, or the records up to some point."""
        part: dict[Lane, Sequence[Outgoing]] = {}
        for lane, records in batches.items():
            part[lane] = records[: self.chance.choice((0, len(records), self.chance.randint(0, len(records))))]
        return part


def to_database(step: Step) -> bool:
    """Whether a step asks a database."""
    return step.place.startswith(("store.", "lease."))
