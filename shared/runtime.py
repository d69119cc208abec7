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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
import uvicorn

from shared.assembly import topics_of, workers_of
from shared.clock import Clock, SystemClock
from shared.http.app import create_app
from shared.http.database import engine_of
from shared.http.health import Check, Readiness
from shared.messaging.broker import Broker, BrokerUnavailableError
from shared.messaging.leases import Leases
from shared.messaging.loop import Loop, Pace
from shared.postgres import migrate
from shared.service import Service
from shared.settings import Settings

log = structlog.get_logger(__name__)

WATCHDOG_EXIT = 70
GRACE_SECONDS = 10


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

    async def run(self) -> None:
        """Work until SIGTERM or Ctrl-C, then finish what is in hand. Raises SchemaBehindError, PartitionMismatchError."""
        for service in self.services:
            await migrate.require(self.settings.database_url(service.name), service.name)
        self._hear_signals()
        async with asyncio.TaskGroup() as tasks:
            if Role.WORKER in self.roles:
                tasks.create_task(self._work())
            if Role.API in self.roles:
                for service in self.services:
                    tasks.create_task(self._serve(service))

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self.stopping.set)

    # -- workers -------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        await self._topics()
        name = f"{socket.gethostname()}-{os.getpid()}"
        tuning = self.settings.worker
        pace = Pace(batch=tuning.batch_size, linger=tuning.linger_ms / 1000, lease=tuning.lease_seconds)
        for service in self.services:
            dsn = self.settings.database_url(service.name)
            self.loops[service.name] = [
                Loop(worker, self.broker, Leases(dsn, worker.kind.name, worker.name, pace.lease), pace)
                for worker in workers_of([service], self.settings, self.broker, self.clock, name)
            ]
        loops = [loop for each in self.loops.values() for loop in each]
        _watch(loops, tuning.watchdog_seconds)
        async with asyncio.TaskGroup() as tasks:
            for loop in loops:
                tasks.create_task(loop.run(self.stopping))

    async def _topics(self) -> None:
        """Have the topics; a broker that is away at the start is waited for, one with other partitions is refused."""
        while not self.stopping.is_set():
            try:
                await self.broker.ensure_topics(topics_of(self.services))
            except BrokerUnavailableError as error:
                log.warning("waiting", reason=f"broker: {error}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), 1)
            else:
                return

    async def _ready(self, service: str) -> Readiness:
        if Role.WORKER not in self.roles:
            return Readiness()
        loops = self.loops.get(service, [])
        checks = [Check(f"worker {loop.worker.kind.name}", not _trouble(loop), _trouble(loop)) for loop in loops]
        return Readiness(tuple(checks) or (Check("workers", ok=False, detail="not started"),))

    # -- REST ----------------------------------------------------------------------------------------------------

    async def _serve(self, service: Service) -> None:
        engine = engine_of(self.settings.database_url(service.name))
        app = create_app(
            service, self.settings, engine=engine, broker=self.broker, ready=lambda: self._ready(service.name)
        )
        config = uvicorn.Config(
            app,
            host=self.settings.host,
            port=self.settings.ports[service.name],
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config)
        stop = asyncio.create_task(self._stop(server))
        try:
            await server.serve()
        finally:
            self.stopping.set()
            await stop
            await engine.dispose()

    async def _stop(self, server: uvicorn.Server) -> None:
        await self.stopping.wait()
        server.should_exit = True


class _Server(uvicorn.Server):
    """A server that leaves signals to the runtime."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _trouble(loop: Loop) -> str:
    return loop.trouble or loop.unpublished


def _watch(loops: Sequence[Loop], seconds: float) -> None:
    """End the process when a loop stands still: a supervisor starts it again, and others take its actors meanwhile."""

    def watch() -> None:
        while True:
            time.sleep(max(seconds / 4, 0.1))
            still = [loop for loop in loops if not loop.ended and time.monotonic() - loop.moved_at > seconds]
            if still:
                log.critical("no_progress", workers=[loop.worker.name for loop in still])
                os._exit(WATCHDOG_EXIT)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
