"""One schedule: a seed's book, said to a universe under a seed's faults until all is at rest, and what came of it."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from services.intake.connectors.sending import CHINA
from shared.contracts import core_banking
from shared.messaging.broker import BrokerUnavailableError, Lane
from shared.messaging.sharding import shard_of
from shared.messaging.store import Command as Written
from shared.messaging.store import StoreUnavailableError
from tests.simulator import bank, invariants
from tests.simulator.bank import Book, Command, Event, Morning, Said
from tests.simulator.faults import Fault, drawn
from tests.simulator.gateway import Provider
from tests.simulator.parts import SimulatedTransaction
from tests.simulator.striking import Striking
from tests.simulator.universe import PUBLIC_PARTITIONS, Universe, services
from tests.simulator.watching import Watch
from tests.simulator.world import Step, Stuck, World

FEWEST_FAULTS = 2
NIGHTS_ARE_QUIET = 0.6
"""How often a night falls only when the day's work is done: plans are then there when their steps fall due."""

QUIET_DAYS = 1
"""Days that pass at the end without a word of the bank, for what is due on them."""


@dataclass(slots=True)
class Planned:
    """A fault that will befall the n-th step that it wants."""

    fault: Fault
    left: int


@dataclass(slots=True)
class Outcome:
    """What came of one schedule: every violation, what was counted, and the trace if one was kept."""

    seed: int
    violations: list[str]
    counts: Counter[str]
    trace: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Schedule:
    """A run in the making. Without `planned` faults, those of the seed."""

    seed: int
    tracing: bool = False
    planned: list[Planned] = field(default_factory=list)
    book: Book | None = None
    draw: Callable[[random.Random], Fault] = drawn

    def __post_init__(self) -> None:
        """Draw everything that is known before it runs."""
        chance = random.Random(self.seed)
        self.said = self.book or Book.made(chance, inputs=chance.randint(20, 24))
        self.world = World(chance, bank.EPOCH, tracing=self.tracing)
        self.world.happenings = self
        self.universe = Universe(self.world, self.said.lanes, Provider(takes_once=chance.random() < 0.5))
        self.striking = Striking(self.universe, self.carry_out)
        self.watch = Watch(self.universe)
        self.unsaid = list(self.said.said)
        self.fewest = 0 if self.planned else FEWEST_FAULTS
        self.struck = self.days = 0
        if not self.planned:
            faults = [self.draw(chance) for _ in range(chance.choice((2, 2, 3, 4)))]
            self.planned = [Planned(fault, chance.randint(1, fault.within)) for fault in faults]

    # -- running -------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Run to rest, and say what does not hold."""
        try:
            self._begin()
            self.world.run()
            violations = [*self.watch.violations, *invariants.broken(self.universe, self.said, self.world.counts)]
        except Exception as error:  # noqa: BLE001  # whatever ends a schedule is a find
            violations = [*self.watch.violations, f"{type(error).__name__}: {error}; {self.universe.unrest()}"]
        finally:
            self.world.close()
        counts = self.world.counts
        counts |= Counter({"schedules": 1, "steps": self.world.happened, "inputs": self.said.inputs})
        return Outcome(self.seed, violations, counts, self.world.trace)

    def _begin(self) -> None:
        twice = self.world.chance.choice(services())
        for service in (*services(), twice):
            self.universe.spawn(service)

    # -- what the world asks -------------------------------------------------------------------------------------

    def become(self, step: Step) -> None:
        """A step happens, or a fault has it, or its server is down."""
        if self._down(step):
            return
        for planned in self.planned:
            if planned.fault.wants(self.universe, step):
                planned.left -= 1
                if planned.left <= 0 and self._strike(planned, step):
                    return
        self.carry_out(step)

    def _down(self, step: Step) -> bool:
        if step.place.startswith("gateway."):
            return False
        database = step.place.startswith(("store.", "lease."))
        if (step.actor.service if database else "log") not in self.universe.down:
            return False
        away = (
            StoreUnavailableError("the database is down") if database else BrokerUnavailableError("the broker is down")
        )
        self.world.fail(step, away)
        return True

    def _strike(self, planned: Planned, step: Step) -> bool:
        self.world.say(f"{planned.fault.name}, at {step.place} of {step.actor.name}")
        if not planned.fault.strike(self.striking, step):
            planned.left = self.world.chance.randint(1, planned.fault.within)
            return False
        self.planned.remove(planned)
        self.struck += 1
        self.world.counts[f"fault: {planned.fault.name}"] += 1
        self.world.counts[f"point {planned.fault.point}"] += 1
        return True

    def carry_out(self, step: Step) -> None:
        """Do a step, under the eyes of the watch."""
        if self.tracing:
            self.world.say(f"{step.actor.name} {step.place}{_about(step)}")
        transaction = step.about
        if not isinstance(transaction, SimulatedTransaction):
            self.world.carry_out(step)
            return
        self.world.counts[f"seen: {transaction.last} {step.place}"] += 1
        if step.place == "store.commit":
            self.watch.commits(step)
        self.world.carry_out(step)
        if step.place == "store.commit":
            self.watch.committed(step)

    def otherwise(self, *, idle: bool) -> bool:
        """Say something; more often where nothing else can happen."""
        if not self.unsaid or self.world.chance.random() > (0.5 if idle else 0.05):
            return False
        said = 0
        for _ in range(min(self.world.chance.choice((1, 1, 3, 6)), len(self.unsaid))):
            if not self._say(self.unsaid[0]):
                break
            said += bool(self.unsaid.pop(0))
        return said > 0

    def at_rest(self) -> bool:
        """Whether all is said and done; letters are resolved first, and faults that are still due strike now."""
        if self.unsaid or self.universe.down or any(each.frozen for each in self.universe.processes):
            return False
        if self.universe.unrest() or not self._all_heard():
            return False
        if self.struck < self.fewest:
            self._strike_idle()
            return False
        return not (self._resolve_letters() or self._another_day())

    def _another_day(self) -> bool:
        self.days += 1
        self.world.shift += timedelta(days=1)
        return self.days <= QUIET_DAYS

    def _all_heard(self) -> bool:
        """Whether everybody has heard all; a loss shows late only where nothing that follows could show it."""
        missing = [each for each in self.universe.hearing() if not each[3]]
        for lane, source, what, _ in missing:
            if lane not in self.universe.shortened and (lane, source) not in self.universe.unseen:
                raise Stuck(f"3 what follows a hole was not told again: {what}")
        return not missing

    def _strike_idle(self) -> None:
        """A fault that found no step that it wants becomes a process that is killed while it waits."""
        self.struck += 1
        self.world.counts["killed while idle"] += 1
        self.striking.kill(self.world.chance.choice(self.universe.running()))

    # -- saying --------------------------------------------------------------------------------------------------

    def _say(self, said: Said) -> bool:
        """Say something; False where who would hear it is down, so that it is said later."""
        if isinstance(said, Morning):
            if self.universe.unrest() and self.world.chance.random() < NIGHTS_ARE_QUIET:
                return False
            self.world.shift += said.day - self.world.now().astimezone(CHINA).date()
        elif isinstance(said, Event):
            if "log" in self.universe.down:
                return False
            lane = Lane(core_banking.TOPIC, self.world.chance.randrange(PUBLIC_PARTITIONS))
            self.universe.log.append(lane, [said.record])
        elif not self._submit("outreach", "lane", said):
            return False
        self.world.say(f"said: {said.what}")
        return True

    def _submit(self, service: str, kind: str, command: Command, number: int | None = None) -> bool:
        database = self.universe.databases[service]
        if service in self.universe.down:
            return False
        at = shard_of(command.debtor_id) if number is None else number
        written = Written(
            command.id,
            at,
            command.name,
            command.debtor_id,
            bank.LENDER,
            "operator/test",
            command.body,
            self.world.now(),
        )
        database.content.submit(kind, written)
        database.called.add(kind)
        return True

    def _resolve_letters(self) -> bool:
        """Replay or discard every open letter, as an operator would; whether there was any."""
        found = False
        for service, database in self.universe.databases.items():
            for letter_id, (kind, letter, status) in list(database.content.letters.items()):
                if status == "open":
                    found = True
                    self._resolve(service, kind, letter_id, letter.number)
        return found

    def _resolve(self, service: str, kind: str, letter_id: str, number: int) -> None:
        name = self.world.chance.choice(("replay-letter", "discard-letter"))
        self.world.counts[name] += 1
        body = f'{{"letter_id": "{letter_id}", "reason": "looked at"}}'.encode()
        self.world.say(f"said: {name} {letter_id[:6]} of {service}/{kind}/{number}")
        command = Command(f"resolve-{self.world.counts['resolved']}", name, "", body)
        self.world.counts["resolved"] += 1
        self._submit(service, kind, command, number)


def _about(step: Step) -> str:
    """What of a step helps who reads a trace: the actor, the cursors that move, the records that are appended."""
    match step.about:
        case SimulatedTransaction():
            moves = [f"{m.lane.topic}/{m.lane.partition}:{m.new}" for m in step.about.moves]
            return f" of {step.about.inner.kind} {dict(step.about.fenced)} {' '.join(moves)}".rstrip()
        case (str(kind), int(number)):
            return f" of {kind}/{number}"
        case (str(kind), _):
            return f" of {kind}"
        case dict():
            return " " + " ".join(f"{lane.topic}/{lane.partition}+{len(rs)}" for lane, rs in step.about.items())
        case _:
            return ""
