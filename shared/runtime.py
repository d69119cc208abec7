"""Runs services for real: workers and REST, in one process or in many, until told to stop.

The lists of services and roles are the only difference between the demo's single process and production.
"""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
import uvicorn
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp

from shared.assembly import topics_of, workers_of
from shared.clock import Clock, SystemClock
from shared.environment import SettingsError
from shared.http.app import create_app
from shared.http.database import engine_of
from shared.http.health import Check, Readiness
from shared.http.worker_app import create_worker_app
from shared.messaging import lag
from shared.messaging.broker import Broker, BrokerUnavailableError
from shared.messaging.leases import Leases
from shared.messaging.loop import Loop, Pace
from shared.messaging.store import StoreUnavailableError
from shared.postgres import migrate
from shared.postgres.failures import DRIVER_ERRORS
from shared.service import Service
from shared.settings import Settings
from shared.tracing.exporting import Exporter, exporting
from shared.upkeep import Upkeep
from shared.watching import keep_looking

log = structlog.get_logger(__name__)

WATCHDOG_EXIT = 70
GRACE_SECONDS = 10
"""How long what is in hand may take at the end; what waits for a broker or a database that is away is then given up."""

LAG_SECONDS = 3.0
WORKER_PORT = "FAIRDUE_WORKER_PORT"


class Role(StrEnum):
    """What a process does for its services."""

    API = "api"
    WORKER = "worker"


@dataclass(slots=True)
class Runtime:
    """One process."""

    services: Sequence[Service]
    roles: Sequence[Role]
    settings: Settings
    broker: Broker
    clock: Clock = field(default_factory=SystemClock)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    loops: dict[str, list[Loop]] = field(default_factory=dict)
    waits_for: str = ""
    exporter: Exporter | None = field(init=False)

    def __post_init__(self) -> None:
        """Export traces where the settings name a collector."""
        traces = self.settings.traces
        self.exporter = Exporter(traces.endpoint, traces.ratio) if traces.endpoint else None

    async def run(self) -> None:
        """Work until `stopping` is set, then finish what is in hand.

        Raises SchemaBehindError, PartitionMismatchError, StoreUnavailableError, SettingsError.
        """
        for service in self.services:
            await require_schema(service.name, self.settings.database_url(service.name))
        with contextlib.ExitStack() as open_sockets:
            sockets = {variable: open_sockets.enter_context(self._bound(variable)) for variable in self._ports()}
            try:
                await self._together(sockets)
            except BaseExceptionGroup as group:
                raise _first(group) from group

    async def _together(self, sockets: Mapping[str, socket.socket]) -> None:
        async with exporting(self.exporter), asyncio.TaskGroup() as tasks:
            if Role.WORKER in self.roles:
                tasks.create_task(self._work())
            for service in self.services:
                if bound := sockets.get(_port_variable(service.name)):
                    tasks.create_task(self._serve_rest(service, bound))
                for watch in service.watches:
                    tasks.create_task(keep_looking(service.name, watch, self.stopping))
            if bound := sockets.get(WORKER_PORT):
                tasks.create_task(self._serve(create_worker_app(self._all_ready), bound))

    def _ports(self) -> dict[str, int]:
        """Where this process listens, by the variable that says so: at each service's REST, or at the workers' port."""
        if Role.API in self.roles:
            return {_port_variable(service.name): self.settings.ports[service.name] for service in self.services}
        return {WORKER_PORT: self.settings.worker_port} if self.settings.worker_port is not None else {}

    def _bound(self, variable: str) -> socket.socket:
        """The socket of a port. Raises SettingsError where it is taken."""
        place = self.settings.host, self._ports()[variable]
        try:
            return socket.create_server(place, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
        except OSError as error:
            raise SettingsError(variable, f"{place[1]} cannot be used: {error.strerror}") from None

    # -- workers -------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        await self._topics()
        self._make_loops()
        loops = [loop for each in self.loops.values() for loop in each]
        _watch(loops, self.settings.worker.watchdog_seconds)
        upkeep = [self._upkeep_of(service) for service in self.services]
        for each in upkeep:
            await each.begin()
        async with asyncio.TaskGroup() as tasks:
            for each in upkeep:
                tasks.create_task(each.keep(self.stopping))
            running = [tasks.create_task(loop.run(self.stopping)) for loop in loops]
            tasks.create_task(self._bound_the_end(running))

    def _make_loops(self) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}"
        tuning = self.settings.worker
        pace = Pace(batch=tuning.batch_size, linger=tuning.linger_ms / 1000, lease=tuning.lease_seconds)
        for service in self.services:
            dsn = self.settings.database_url(service.name)
            self.loops[service.name] = [
                Loop(worker, self.broker, Leases(dsn, worker.kind.name, worker.name, pace.lease), self.clock, pace)
                for worker in workers_of([service], self.settings, self.broker, self.clock, name, self.exporter)
            ]

    def _upkeep_of(self, service: Service) -> Upkeep:
        workers = [loop.worker for loop in self.loops[service.name]]
        dsn = self.settings.database_url(service.name)
        return Upkeep(service.name, dsn, workers, self.broker, self.settings.outbox_hours)

    async def _bound_the_end(self, running: Sequence["asyncio.Task[None]"]) -> None:
        """Let the workers finish in order, for a while: nothing committed is lost by ending without them."""
        await self.stopping.wait()
        for _ in range(2):  # the first cancel ends what a worker waits for, the second its winding up
            _, late = await asyncio.wait(running, timeout=GRACE_SECONDS / 2)
            if late:
                log.warning("ending_without_answer", workers=len(late), reason="the broker or a database is away")
            for task in late:
                task.cancel()

    async def _topics(self) -> None:
        """Have the topics; a broker that is away at the start is waited for, one with other partitions is refused."""
        while not self.stopping.is_set():
            try:
                await self.broker.ensure_topics(topics_of(self.services))
            except BrokerUnavailableError as error:
                if not self.waits_for:
                    log.warning("waiting", reason=f"broker: {error}")
                self.waits_for = "the broker does not answer"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), 1)
            else:
                self.waits_for = ""
                return

    async def _ready(self, service: str) -> Readiness:
        if Role.WORKER not in self.roles:
            return Readiness()
        loops = self.loops.get(service, [])
        checks = [Check(f"worker {loop.worker.kind.name}", not _trouble(loop), _trouble(loop)) for loop in loops]
        return Readiness(tuple(checks) or (Check("workers", ok=False, detail=self.waits_for or "not started"),))

    async def _all_ready(self) -> Readiness:
        each = await asyncio.gather(*(self._ready(service.name) for service in self.services))
        return Readiness(tuple(check for one in each for check in one.checks))

    async def _lags(self, service: str) -> Mapping[tuple[str, int], int]:
        """How far behind the actors held here are; nothing where the broker does not say so in time."""
        workers = [loop.worker for loop in self.loops.get(service, [])]
        try:
            async with asyncio.timeout(LAG_SECONDS):
                return await lag.behind(workers, self.broker)
        except (BrokerUnavailableError, TimeoutError):
            return {}

    # -- HTTP ----------------------------------------------------------------------------------------------------

    async def _serve_rest(self, service: Service, bound: socket.socket) -> None:
        engine = engine_of(self.settings.database_url(service.name))
        app = create_app(
            service,
            self.settings,
            engine=engine,
            broker=self.broker,
            ready=lambda: self._ready(service.name),
            lags=(lambda: self._lags(service.name)) if Role.WORKER in self.roles else None,
            exporter=self.exporter,
        )
        try:
            await self._serve(app, bound)
        finally:
            await engine.dispose()

    async def _serve(self, app: ASGIApp, bound: socket.socket) -> None:
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
        server = _Server(config)
        stop = asyncio.create_task(self._stop(server))
        try:
            await server.serve(sockets=[bound])
        finally:
            self.stopping.set()
            await stop

    async def _stop(self, server: uvicorn.Server) -> None:
        await self.stopping.wait()
        server.should_exit = True


def _port_variable(service: str) -> str:
    return f"FAIRDUE_PORT_{service.upper()}"


class _Server(uvicorn.Server):
    """A server that leaves signals to the runtime."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _trouble(loop: Loop) -> str:
    """What a loop waits for, without addresses: anybody may ask whether we are ready."""
    return (loop.trouble or loop.unpublished).partition(":")[0]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group: the others came of it."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def require_schema(service: str, dsn: str) -> None:
    """Return where a service's database has what the code needs. Raises SchemaBehindError, StoreUnavailableError."""
    try:
        await migrate.require(dsn, service)
    except (*DRIVER_ERRORS, DBAPIError) as error:  # the latter where the server answers and refuses: it starts up, say
        raise StoreUnavailableError(f"the database of {service} does not answer: {type(error).__name__}") from error


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set, from now on."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stopping.set)
    return stopping


def _watch(loops: Sequence[Loop], seconds: float) -> None:
    """End the process when a loop stands still: a supervisor starts it again, and others take its actors meanwhile."""
    pause = threading.Event()  # nobody sets it: a sleep would end in an error where the clock is jumped about

    def watch() -> None:
        while not pause.wait(max(seconds / 4, 0.1)):
            still = [loop for loop in loops if not loop.ended and time.monotonic() - loop.moved_at > seconds]
            if still:
                log.critical("no_progress", workers=[loop.worker.name for loop in still])
                os._exit(WATCHDOG_EXIT)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
