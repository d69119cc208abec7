"""The product as it is measured: the worker processes of five services, and a way to see that nothing is left to do."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import asyncpg
import yaml

from benchmarks.clock import EveningClock
from benchmarks.loans import EVENING, by_lane
from benchmarks.machine import Cost, cost, peak_memory
from benchmarks.servers import Servers
from services.flow import BANK, FLOW
from services.installed import declared
from services.outreach.sending import providers
from shared.assembly import topics_of
from shared.carriers import CHANNELS
from shared.messaging.broker import Broker, Outgoing, Writer
from shared.messaging.broker_from_url import open_broker
from shared.messaging.loop import actors_of
from shared.messaging.table_access import anything_waits
from shared.postgres import databases, migrate
from shared.service import SHARDS, ActorKind, Reach
from shared.settings import SERVICES, Settings

ROOT: Final = Path(__file__).parents[1]
OUTREACH_SPEED: Final = 30.0
"""The minute for which outreach waits before it makes a plan takes two seconds."""

A_MOMENT: Final = timedelta(minutes=2)
LOOK_EVERY: Final = 0.03
AT_ONCE: Final = 5_000


class NotDoneError(Exception):
    """What was to be measured did not come to its end; its text says what was left."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Who had not heard all that was told on a topic when it was looked at."""

    service: str
    actor: str
    topic: str
    expected: int
    heard: int

    def __str__(self) -> str:
        """One line."""
        return f"{self.service}/{self.actor} has heard {self.heard} of {self.expected} on {self.topic}"


@dataclass
class Installation:
    """Five services at work on a broker; `copies` worker processes of each.

    pace: how many messages of a channel the provider takes in a second; nobody is contacted where it is None.
    evening, speeds: what the processes' clocks show at the machine's instant `began`, and how fast they go.
    """

    servers: Servers
    broker: Broker
    broker_url: str
    urls: Mapping[str, str]
    copies: int = 1
    profiles: Path | None = None
    batch: int | None = None
    pace: int | None = None
    evening: datetime = EVENING
    speeds: Mapping[str, float] = field(default_factory=lambda: {"outreach": OUTREACH_SPEED})
    began: float = field(default_factory=time.time)
    sent: int = 0
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _connections: dict[str, Any] = field(default_factory=dict)
    _partitions: int = 0
    _writer: Writer | None = None
    _lag: Lag | None = None

    # -- processes -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every process."""
        EveningClock(self.evening, self.began).hang(self._clock)
        for service in SERVICES:
            for copy in range(1, self.copies + 1):
                self._start(service, copy)

    def _start(self, service: str, copy: int) -> None:
        name = f"{service}-{copy}"
        command = [sys.executable, "-m", "benchmarks.worker", service, "--broker", self.broker_url]
        command += ["--clock", str(self._clock), "--speed", str(self.speeds.get(service, 1.0))]
        if self.profiles is not None:
            command += ["--profile", str(self.profiles / f"{name}.prof")]
        with (self.servers.folder / f"{name}.log").open("ab") as output:
            self.processes[name] = subprocess.Popen(  # noqa: S603  # our own program
                command, cwd=ROOT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def _clock(self) -> Path:
        return self.servers.folder / "clock"

    def move(self, at: datetime) -> None:
        """Move the clock of every process, while they work."""
        self.evening, self.began = at, time.time()
        EveningClock(self.evening, self.began).hang(self._clock)

    def now(self, service: str) -> datetime:
        """What a service's clock shows."""
        return EveningClock(self.evening, self.began, self.speeds.get(service, 1.0)).now()

    def _environment(self) -> dict[str, str]:
        ours = ("FAIRDUE_", "DATABASE_URL_", "BROKER_URL", "KAFKA_")
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            **{f"DATABASE_URL_{name.upper()}": url for name, url in self.urls.items()},
            "FAIRDUE_MODE": "demo",
            "FAIRDUE_KEY_FILE": str(self.servers.folder / "data-keys"),
            **({"FAIRDUE_BATCH_SIZE": str(self.batch)} if self.batch is not None else {}),
            **({} if self.pace is None else {"FAIRDUE_DISPATCH": "on", "FAIRDUE_PROVIDERS": str(self._providers())}),
        }

    def _providers(self) -> Path:
        """The shipped file of providers, with the sandbox at our pace."""
        told: dict[str, Any] = yaml.safe_load(providers.FILE.read_text())
        pace = {"per_second": self.pace, "per_minute": 60 * (self.pace or 0)}
        paces = [{"channel": channel, **pace} for channel in CHANNELS]
        told["providers"].append({"provider": "sandbox", "failures": 5, "seconds": 1, "paces": paces})
        file = self.servers.folder / "providers.yaml"
        file.write_text(yaml.safe_dump(told))
        return file

    @property
    def pids(self) -> dict[str, int]:
        """The processes by name."""
        return {name: process.pid for name, process in self.processes.items()}

    def cost(self) -> Cost:
        """What was used so far."""
        return cost(self.servers.groups(self.pids))

    def peak_memory(self) -> dict[str, int]:
        """The most memory that each of ours and the broker has held."""
        broker = self.servers.broker_pid
        return peak_memory({**self.pids, **({"broker": broker} if broker is not None else {})})

    def check_alive(self) -> None:
        """Raise NotDoneError with the last words of a process that has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                said = (self.servers.folder / f"{name}.log").read_text(errors="replace")
                raise NotDoneError(f"{name} has ended: {said[-2000:]}")

    async def wake(self, at: datetime) -> None:
        """End every process, and start it again at another instant; its clock goes as the machine's from there."""
        await self._end()
        self.evening, self.began, self.speeds = at, time.time(), {}
        self.start()
        await self.until_held()

    async def _end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            await asyncio.to_thread(process.wait)

    async def stop(self) -> None:
        """End the processes in order, and let go of what is open."""
        await self._end()
        for connection in self._connections.values():
            await connection.close()
        if self._writer is not None:
            await self._writer.close()
        await self.broker.close()

    # -- the bank ------------------------------------------------------------------------------------------------

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Write the bank's records, and return when all are acknowledged."""
        if self._writer is None:
            self._writer, self._partitions = await self.broker.writer(), await self.broker.partitions(BANK)
        for first in range(0, len(records), AT_ONCE):
            some = records[first : first + AT_ONCE]
            await self._writer.append(by_lane(some, self._partitions))
            self.sent += len(some)

    # -- rest ----------------------------------------------------------------------------------------------------

    async def until_held(self, within: float = 120.0) -> None:
        """Wait until the processes work for every actor. Raises NotDoneError."""
        await self._until(self._unheld, within)

    async def until_idle(self, within: float) -> None:
        """Wait until all that was sent, and all that follows from it, is committed. Raises NotDoneError."""
        await self._until(self._left, within)

    async def _until(self, ask: Any, within: float) -> None:
        began = time.monotonic()
        while left := await ask():
            self.check_alive()
            waited = time.monotonic() - began
            if waited > within:
                raise NotDoneError(f"not within {within:g} s: {left}")
            await asyncio.sleep(LOOK_EVERY + waited / 200)  # to ask costs what is measured

    async def _unheld(self) -> str:
        expected: dict[str, dict[str, int]] = {service: {} for service in SERVICES}
        for (service, name), kind in self.kinds.items():
            expected[service][name] = await actors_of(kind, self.broker)
        for service in SERVICES:
            held = await self.rows(service, "SELECT kind, count(owner) FROM actor GROUP BY kind")
            if dict(held) != expected[service]:
                return f"{service} holds {dict(held)}"
        return ""

    async def _left(self) -> str:
        """What is still to be done, "" for nothing; as long as one lags, nobody else is asked."""
        if self._lag is None or await self._has_caught_up(self._lag):
            self._lag = await self._found_lagging()
        return str(self._lag) if self._lag is not None else await self._waiting()

    async def _has_caught_up(self, lag: Lag) -> bool:
        heard = await self._heard(lag.service)
        return heard.get((lag.service, lag.actor, lag.topic), 0) >= lag.expected

    async def _heard(self, service: str) -> dict[tuple[str, str, str], int]:
        """How much each kind of a service has heard on each topic."""
        return {(service, kind, topic): seq for kind, topic, seq in await self.rows(service, _HEARD)}

    async def _found_lagging(self) -> Lag | None:
        """One that has not heard all that was told.

        The services are asked against the flow: had one told anything after it was asked, those after it would lag.
        """
        told: dict[str, int] = {}
        heard: dict[tuple[str, str, str], int] = {}
        for service in reversed(SERVICES):
            heard |= await self._heard(service)
            told |= {topic: told.get(topic, 0) + seq for topic, seq in await self.rows(service, _TOLD)}
        for stop in (each for each in FLOW if each.reach is not Reach.FIRST_LANE):
            for topic in stop.reads:
                expected = self.sent if topic == BANK else told.get(topic, 0)
                found = heard.get((stop.service, stop.actor, topic), 0)
                if found != expected:
                    return Lag(stop.service, stop.actor, topic, expected, found)
        return None

    async def _waiting(self) -> str:
        for (service, _), kind in self.kinds.items():
            question = f"SELECT {anything_waits(kind.layout)}"
            ((waits,),) = await self.rows(
                service, question, kind.name, list(range(SHARDS)), self.now(service) + A_MOMENT
            )
            if waits:
                return f"{service}/{kind.name} has due work"
        return ""

    @cached_property
    def kinds(self) -> dict[tuple[str, str], ActorKind]:
        """Every kind of actor, by its service and name."""
        services = declared(Settings.demo({"FAIRDUE_KEY_FILE": str(self.servers.folder / "data-keys")}))
        return {(service.name, kind.name): kind for service in services for kind in service.actors}

    async def rows(self, service: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """What a query finds in a service's database, asked as that service."""
        if service not in self._connections:
            self._connections[service] = await asyncpg.connect(self.urls[service])
        return [tuple(row) for row in await self._connections[service].fetch(query, *arguments)]


_HEARD: Final = f"""
SELECT kind, topic, sum(last_seq)::bigint FROM source_mark GROUP BY kind, topic
UNION ALL
SELECT kind, topic, sum(next_offset)::bigint FROM cursor_in WHERE topic = '{BANK}' GROUP BY kind, topic
"""
_TOLD: Final = "SELECT topic, sum(out_seq)::bigint FROM lane_out GROUP BY topic"


@asynccontextmanager
async def installed(
    servers: Servers,
    *,
    copies: int = 1,
    profiles: Path | None = None,
    batch: int | None = None,
    pace: int | None = None,
    evening: datetime = EVENING,
    speed: float = OUTREACH_SPEED,
) -> AsyncIterator[Installation]:
    """The services at work on these servers, with empty databases; without Kafka, on the log in the database."""
    await databases.drop(servers.postgres)
    urls = await databases.provide(servers.postgres)
    for service in SERVICES:
        await migrate.upgrade(urls[service], service)
    broker_url = urls[databases.BROKER] if servers.kafka is None else f"kafka://{servers.bootstrap}"
    clock = None if pace is None else EveningClock(EVENING, time.time()).now
    broker = await open_broker(broker_url, clock=clock)
    await broker.ensure_topics(topics_of(declared(Settings.demo({}))))
    made = Installation(servers, broker, broker_url, urls, copies, profiles, batch, pace, evening, {"outreach": speed})
    made.start()
    try:
        await made.until_held()
        yield made
    finally:
        await made.stop()
