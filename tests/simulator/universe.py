"""The five services over parts made of steps: their processes, databases and log, and whether all of it is at rest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache

from services.installed import declared
from services.outreach.contacts.domain.rows import Contact, ContactState
from services.outreach.service import with_gateway
from shared.assembly import topics_of, worker_of
from shared.contracts import core_banking
from shared.contracts.outreach import ContactPermitted
from shared.messaging.broker import Lane, TopicSpec
from shared.messaging.loop import Loop, Pace
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_store import MemoryTransaction
from shared.messaging.meter import Meter
from shared.messaging.store import Mark, Source, Standing
from shared.messaging.turn import Turned
from shared.service import ActorKind, Service
from shared.settings import SANDBOX, Settings
from tests.simulator.gateway import SIGNER, Provider, SimulatedGateway
from tests.simulator.parts import LEASE, Database, Process, SimulatedBroker, SimulatedLeases, SimulatedStore, WatchedLog
from tests.simulator.world import World

PUBLIC_PARTITIONS = 3
SOON = timedelta(seconds=16)
"""What is due by then is waited for: a contact that was put off, say, because its lane had not heard the bank."""

PACE = Pace(batch=100, wait=3.0, linger=0.0, lease=LEASE, mark=30.0)


@cache
def settings() -> Settings:
    """The demo's, with contacts: what is decided does not depend on the rest."""
    return replace(Settings.demo({}), dispatch=True).with_databases(
        {SANDBOX: "postgresql://nobody@127.0.0.1:1/nowhere"}
    )


@cache
def services() -> tuple[Service, ...]:
    """The real declarations, read once: they hold no state."""
    return tuple(declared(settings()))


@cache
def topics() -> tuple[TopicSpec, ...]:
    """Every topic, the bank's with few partitions."""
    return (TopicSpec(core_banking.TOPIC, PUBLIC_PARTITIONS), *topics_of(services())[1:])


class Unread(Meter):
    """Nobody scrapes a schedule: counting for nobody would take a tenth of its time."""

    def turned(self, turned: Turned, seconds: float) -> None:
        """Count nothing."""

    def late(self, oldest: datetime | None, due_since: datetime | None, now: datetime) -> None:
        """Count nothing."""

    def gaps(self, opened: int, repaired: int) -> None:
        """Count nothing."""

    def unrepaired(self, gaps: int) -> None:
        """Show nothing."""

    def standing(self, owned: int, stopped: int, unacknowledged: int) -> None:
        """Show nothing."""


@dataclass(eq=False)
class Universe:
    """All of it.

    lanes: those that anybody works on; the others hold nothing but business dates.
    provider: who carries messages.
    down: the servers that do not answer: a service's database by its name, or "log".
    copies, rewound: of databases that may go back in time, and those that have.
    mangled: lanes of which the log has lost something.
    unseen: sources of which a lane has lost the last, so that only their next word shows it.
    shortened: lanes that have lost their end: who had read beyond it does not see what takes those places now.
    """

    world: World
    lanes: tuple[int, ...]
    provider: Provider
    log: WatchedLog = field(init=False)
    databases: dict[str, Database] = field(init=False)
    processes: list[Process] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    copies: dict[str, MemoryDatabase] = field(default_factory=dict)
    rewound: set[str] = field(default_factory=set)
    mangled: set[Lane] = field(default_factory=set)
    unseen: set[tuple[Lane, Source]] = field(default_factory=set)
    shortened: set[Lane] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Have topics and empty databases."""
        self.log = WatchedLog(self.world.now)
        self.log.create(topics())
        self.databases = {each.name: Database(each.name, MemoryDatabase(clock=self.world.now)) for each in services()}

    def actors(self, kind: ActorKind) -> tuple[int, ...]:
        """The actors of a kind that are driven."""
        if kind.is_edge:
            return tuple(range(PUBLIC_PARTITIONS))
        return (0,) if kind.is_alone else self.lanes

    def set_down(self, name: str, *, down: bool) -> None:
        """Let a server answer, or not."""
        (self.down.add if down else self.down.discard)(name)
        if name in self.databases:
            self.databases[name].down = down

    # -- processes -----------------------------------------------------------------------------------------------

    def spawn(self, service: Service) -> Process:
        """Start a process of a service, with a worker for each of its kinds of actors."""
        name = f"{service.name}-{sum(each.service == service.name for each in self.processes) + 1}"
        process = Process(self.world, name, service.name, self.databases[service.name], self.log)
        self.processes.append(process)
        self.world.say(f"{name} starts")
        for kind in service.actors:
            process.tasks.append(self.world.start(self._loop(process, service, kind).run(process.stopping)))
        return process

    def _loop(self, process: Process, service: Service, kind: ActorKind) -> Loop:
        broker, store = SimulatedBroker(process), SimulatedStore(process, kind.name)
        if ContactPermitted in kind.errands:
            kind = with_gateway(kind, SimulatedGateway(process, self.provider), SIGNER)
        worker = worker_of(service, kind, settings(), broker, self.world, process.name, store)
        worker.meter = Unread(service.name, kind.name)
        leases = SimulatedLeases(process, kind.name, worker.name, self.actors(kind))
        return Loop(worker, broker, leases, self.world, PACE)

    def running(self, service: str | None = None) -> list[Process]:
        """The processes that are neither killed nor ended nor frozen."""
        return [
            each for each in self.processes if not each.ended and not each.frozen and service in {None, each.service}
        ]

    # -- rest ----------------------------------------------------------------------------------------------------

    def kinds(self) -> Iterator[tuple[Database, ActorKind]]:
        """Every kind of actor, with its database."""
        for service in services():
            for kind in service.actors:
                yield self.databases[service.name], kind

    def standings(self) -> Iterator[tuple[Database, ActorKind, int, Standing | None]]:
        """Every driven actor as its database knows it."""
        for database, kind in self.kinds():
            for number in self.actors(kind):
                yield database, kind, number, database.content.standings.get((kind.name, number))

    def slowest(self) -> dict[Lane, int]:
        """How far each internal lane was read by the slowest of those that read it."""
        slowest: dict[Lane, int] = {}
        for _, kind, number, standing in self.standings():
            for lane in () if kind.is_edge else self.inputs(kind, number):
                at = standing.cursors.get(lane, 0) if standing else 0
                slowest[lane] = min(at, slowest.get(lane, at))
        return slowest

    def inputs(self, kind: ActorKind, number: int) -> Iterable[Lane]:
        """What one actor reads, of which something can come."""
        return [Lane(topic, partition) for topic in kind.inputs for partition in kind.partitions(number)]

    def unrest(self) -> str:
        """What is left to be done, empty where nothing is."""
        for database, kind, number, standing in self.standings():
            who = f"{database.service}/{kind.name}/{number}"
            if standing is None:
                return f"{who} was never held"
            reason = self._unrest_of(kind, number, standing)
            if reason:
                return f"{who} {reason}"
        if any(row.state is ContactState.SENDING for row in self.contacts()):
            return "a contact has not ended"
        return next((f"{db.service}/{kind.name} has work" for db, kind in self.kinds() if self._has_work(db, kind)), "")

    def contacts(self) -> list[Contact]:
        """The ledger."""
        return [row for _, row in self.databases["outreach"].content.rows.get("contact", {}).values()]

    def hearing(self) -> Iterator[tuple[Lane, Source, str, bool]]:
        """Each consumer's mark beside what its source has told there, and whether they are the same."""
        told = [
            (f"{database.service}/{kind.name}/{number}", lane, Mark(standing.incarnation, out.seq))
            for database, kind, number, standing in self.standings()
            if standing is not None
            for lane, out in standing.outs.items()
            if out.seq
        ]
        for database, kind, number, standing in self.standings():
            lanes = set() if kind.is_edge or standing is None else set(self.inputs(kind, number))
            for source, lane, head in told:
                if lane in lanes and standing is not None:
                    mark = standing.marks.get((lane, source))
                    who = f"{database.service}/{kind.name}/{number}"
                    yield lane, source, f"{who} heard {source} to {mark}, told {head}", mark == head

    def _unrest_of(self, kind: ActorKind, number: int, standing: Standing) -> str:
        if standing.gaps:
            return f"misses {standing.gaps}"
        if standing.restored:
            return "has yet to see that its database was restored"
        if any(out.acked != out.seq for out in standing.outs.values()):
            return "has not published all"
        for lane in () if standing.stopped else self.inputs(kind, number):
            if self.log.has(lane, standing.cursors.get(lane, 0)):
                return f"has not read {lane} from {standing.cursors.get(lane, 0)} on"
        return ""

    def _has_work(self, database: Database, kind: ActorKind) -> bool:
        looking, numbers = MemoryTransaction(database.content, kind.name), self.actors(kind)
        return looking.waits(kind.layout, numbers, self.world.now() + SOON)
