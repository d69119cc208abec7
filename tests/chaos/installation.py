"""A whole installation of the product: PostgreSQL, Kafka behind proxies, and the processes of five services."""

import asyncio
import base64
import hashlib
import json
import random
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncpg

from services.installed import declared
from shared.assembly import topics_of
from shared.contracts import core_banking
from shared.messaging.broker import Broker, TopicSpec
from shared.messaging.broker_from_url import open_broker
from shared.messaging.kafka_clients import KafkaOptions
from shared.ports import free_port
from shared.postgres import databases, migrate
from shared.postgres.server import PostgresServer
from shared.settings import SANDBOX, SERVICES, Settings
from tests.chaos.brokers import Brokers
from tests.chaos.clocks import WallClock, clock_library
from tests.chaos.disk import SmallDisk
from tests.chaos.parts import Part, clean_environment, supervise
from tests.chaos.waiting import eventually
from tests.e2e.owners import Owners

LEASE_SECONDS = 3
WATCHDOG_SECONDS = 45
PUBLIC_PARTITIONS = 7
DEADLINE_SECONDS = 10.0
"""After which the bank gives an answer of Kafka up, and begins anew."""

WORKERS = {"intake": 2, "segmentation": 1, "outreach": 2, "legal": 1, "analytics": 1}
BY_REST = ("intake", "outreach")
"""The services that the bank and people write to."""

OWN_CLOCKS = ("intake-worker-1", "outreach-worker-1", "outreach-worker-2")
ROLES = ("core_bank", "operator", "supervisor")

_WITNESS = Path(__file__).with_name("witness.sql")
_TUNING = "max_wal_size = '512MB'\n"
"""The disk is small."""


@dataclass(frozen=True)
class Seen(Owners):
    """The databases through one lasting connection each: looking often must not cost what signing in costs."""

    _connections: dict[str, Any] = field(default_factory=dict)
    _turns: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def rows(self, owner: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """What a query finds; a connection that is lost is made anew for the next one."""
        async with self._turns[owner]:
            connection = self._connections.get(owner)
            if connection is None or connection.is_closed():
                connection = await asyncpg.connect(self.urls[owner], timeout=10, command_timeout=60)
                self._connections[owner] = connection
            try:
                return [tuple(row) for row in await connection.fetch(query, *arguments)]
            except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                connection.terminate()
                raise

    async def close(self) -> None:
        """Let go of the connections."""
        for connection in self._connections.values():
            connection.terminate()


@dataclass
class Installation:
    """Everything that runs."""

    folder: Path
    disk: SmallDisk
    postgres: PostgresServer
    brokers: Brokers
    tokens: Mapping[str, str]
    urls: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    key: bytes = b""
    few: bool = False
    log: Broker | None = None
    clocks: dict[str, WallClock] = field(default_factory=dict)
    _ports: set[int] = field(default_factory=set)
    _supervisor: "asyncio.Task[None] | None" = None

    @classmethod
    async def start(cls, seed: int, brokers: int, *, few: bool = False) -> "Installation":
        """Start all of it, and wait until every process says that it is ready. `few`: two processes for REST alone."""
        folder = _folder()
        chance = random.Random(seed)
        tokens = {role: f"{role}-{chance.getrandbits(128):032x}" for role in ROLES}
        disk = SmallDisk(folder / "disk")
        made = cls(folder, disk, PostgresServer(folder / "disk" / "postgres"), Brokers(folder, brokers), tokens)
        made.key, made.few = chance.randbytes(32), few
        try:
            await made._start()
        except BaseException:
            await made.stop()
            made.remove()
            raise
        return made

    async def _start(self) -> None:
        await asyncio.gather(self._start_postgres(), self.brokers.start())
        options = KafkaOptions(replication_factor=self.brokers.replication, deadline_seconds=DEADLINE_SECONDS)
        self.log = await open_broker(self.brokers.url, kafka=options)
        topics = topics_of(declared(Settings.demo({})))[1:]
        await self.log.ensure_topics([TopicSpec(core_banking.TOPIC, PUBLIC_PARTITIONS), *topics])
        self.parts = [part for service in SERVICES for part in self._parts_of(service)]
        self._supervisor = asyncio.create_task(supervise(self.parts))
        for part in self.parts:
            await eventually(f"{part.name} is ready", part.is_ready, 120)

    async def _start_postgres(self) -> None:
        await asyncio.to_thread(self.postgres.start)
        await asyncio.to_thread(self._tune)
        self.urls = await databases.provide(self.postgres, (*SERVICES, SANDBOX))
        for service in SERVICES:
            await migrate.upgrade(self.urls[service], service)
            await self.execute(service, _WITNESS.read_text())

    def _tune(self) -> None:
        with (self.postgres.cluster / "postgresql.conf").open("a") as file:
            file.write(_TUNING)
        self.postgres.restart()

    def _parts_of(self, service: str) -> list[Part]:
        roles: list[tuple[str, tuple[str, ...]]] = []
        if service in BY_REST or not self.few:
            roles.append(("api", ("api",)))
        roles += [(f"worker-{n}", ("api", "worker")) for n in range(1, WORKERS[service] + 1)]
        return [self._part(f"{service}-{name}", service, each) for name, each in roles]

    def _part(self, name: str, service: str, roles: Sequence[str]) -> Part:
        port = next(port for port in iter(free_port, 0) if port not in self._ports)
        self._ports.add(port)
        environment = {
            **clean_environment(),
            **self._clock_of(name),
            **{f"DATABASE_URL_{each.upper()}": url for each, url in self.urls.items()},
            "FAIRDUE_MODE": "demo" if service == "outreach" else "production",  # who sends, sends to the sandbox
            "FAIRDUE_DISPATCH": "on" if service == "outreach" else "off",
            "BROKER_URL": self.brokers.url,
            "FAIRDUE_PERSONAL_DATA_KEY": base64.b64encode(self.key).decode(),
            "FAIRDUE_KEY_ENCRYPTION_KEY": base64.b64encode(hashlib.sha256(b"kek" + self.key).digest()).decode(),
            "FAIRDUE_INDEX_KEY": base64.b64encode(hashlib.sha256(b"index" + self.key).digest()).decode(),
            "FAIRDUE_KEY_FILE": str(self.folder / "data-keys"),
            "FAIRDUE_API_TOKENS": json.dumps(
                [{"name": role, "role": role, "token": token} for role, token in self.tokens.items()]
            ),
            "FAIRDUE_LEASE_SECONDS": str(LEASE_SECONDS),
            "FAIRDUE_WATCHDOG_SECONDS": str(WATCHDOG_SECONDS),
            f"FAIRDUE_PORT_{service.upper()}": str(port),
        }
        return Part(name, service, roles, port, self.folder, environment)

    def _clock_of(self, name: str) -> Mapping[str, str]:
        """A clock of its own for the processes that are to have one, where the machine has what it takes."""
        if name not in OWN_CLOCKS or clock_library() is None:
            return {}
        clock = WallClock(self.folder / f"{name}.clock")
        self.clocks[name] = clock
        return clock.environment()

    # -- looking -------------------------------------------------------------------------------------------------

    @cached_property
    def owners(self) -> "Seen":
        """The services' databases, seen by the administrator: their own roles do not see the witness."""
        return Seen({service: self.postgres.dsn(service) for service in (*SERVICES, SANDBOX)})

    @property
    def workers(self) -> list[Part]:
        return [part for part in self.parts if part.is_worker]

    def part(self, name: str) -> Part:
        """One part by its name."""
        return next(part for part in self.parts if part.name == name)

    async def execute(self, service: str, statement: str) -> None:
        """Run statements as the administrator, in a service's database."""
        connection = await asyncpg.connect(self.postgres.dsn(service))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def rows(self, service: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """What a query finds in a service's database."""
        return await self.owners.rows(service, query, *arguments)

    async def unheld(self, service: str) -> list[tuple[Any, ...]]:
        """Actors that no process of now works for."""
        alive = [f"-{part.pid}/{service}/" for part in self.workers if part.service == service and not part.frozen]
        actors = await self.rows(service, "SELECT kind, number, owner FROM actor")
        return [each for each in actors if not any(name in (each[2] or "") for name in alive)] or (
            [] if actors else [()]
        )

    async def is_held(self, *services: str) -> bool:
        """Whether every actor of these services, or of all, has a living worker."""
        for service in services or SERVICES:
            if await self.unheld(service):
                return False
        return True

    def hurry(self, seconds: int) -> None:
        """Set the clocks of outreach ahead, where it has its own, so that plans are made without waiting for them."""
        for name, clock in self.clocks.items():
            if name.startswith("outreach"):
                clock.set(seconds)

    # -- ending --------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """End everything that was started here; the folder stays, with all that was logged."""
        if self._supervisor is not None:
            self._supervisor.cancel()
        for part in self.parts:
            part.end()
        await self.owners.close()
        if self.log is not None:
            await self.log.close()
        await self.brokers.stop()
        await asyncio.to_thread(self.postgres.kill)

    def remove(self) -> None:
        """Forget it all."""
        self.disk.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _folder() -> Path:
    """A folder that a server's account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="fairdue-chaos-"))
    folder.chmod(0o755)
    return folder
