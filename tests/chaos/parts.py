"""The processes of the product, each as production starts it, and a supervisor that starts again what ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.e2e.running import ROOT

COULD_NOT_START = 2
"""How a process ends whose database does not answer when it begins; restart policies start it again."""

START_AGAIN_AFTER = 0.5
"""Seconds between the end of a process and its next start, as restart policies have them."""


@dataclass
class Part:
    """One process: a service in some roles, on a port of its own. Its output goes to a file that outlives it."""

    name: str
    service: str
    roles: Sequence[str]
    port: int
    folder: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True
    frozen: bool = False
    starts: int = 0
    ends: list[int] = field(default_factory=list)
    _ended_at: float = float("-inf")

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def is_worker(self) -> bool:
        return "worker" in self.roles

    @property
    def pid(self) -> int:
        return self.process.pid if self.process is not None else 0

    def said(self, event: str, since: int = 0) -> int:
        """How often it has logged an event, from a size of its log on."""
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read().count(event.encode())  # for machines in production, for people in a demo

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "services", "run", self.service]
        command += [part for role in self.roles for part in ("--role", role)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=dict(self.environment), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        self.starts += 1

    @property
    def crashed(self) -> str:
        """What it has ended with of itself; empty where others ended it, or it said that it could not start yet."""
        codes = [code for code in self.ends if code > 0 and code != COULD_NOT_START]
        return f"{self.name} has ended with {codes}" if codes else ""

    def is_alive(self) -> bool:
        """Whether its process lives, frozen or not."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.frozen = number == signal.SIGSTOP or (self.frozen and number != signal.SIGCONT)

    def keep(self) -> None:
        """Start it again where it has ended a moment ago, and is wanted."""
        if self.process is not None and self.process.poll() is not None:
            self.ends.append(self.process.returncode)
            self.process, self.frozen, self._ended_at = None, False, time.monotonic()
        if self.process is None and self.wanted and time.monotonic() - self._ended_at > START_AGAIN_AFTER:
            self.start()

    def end(self) -> None:
        """Kill it, for good."""
        self.wanted = False
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def ask(self, path: str) -> httpx.Response:
        """Ask it over HTTP. Raises httpx.HTTPError where it does not answer."""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    async def is_ready(self) -> bool:
        """Whether it says so: it holds actors, and reaches its database and the broker."""
        return not self.frozen and (await self.ask("/readyz")).status_code == httpx.codes.OK


async def supervise(parts: Sequence[Part]) -> None:
    """Start again what ends, until cancelled."""
    while True:
        for part in parts:
            part.keep()
        await asyncio.sleep(0.1)


def clean_environment() -> dict[str, str]:
    """This process's environment less what would configure the product."""
    ours = ("FAIRDUE_", "DATABASE_URL_", "BROKER_URL", "KAFKA_", "PYTHONDONTWRITEBYTECODE")  # they start often
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
