"""The product as a process of its own, as its users start it, and what they can ask it over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from shared.ports import free_ports
from shared.settings import DEMO_TOKENS, SERVICES

ROOT = Path(__file__).parents[3]
TOKENS: dict[str, str] = {token.role: token.token for token in DEMO_TOKENS}
PATIENCE = 60.0
LENDER = "demo-bank"

Found = TypeVar("Found")


def eventually(ask: Callable[[], Found], patience: float = PATIENCE) -> Found:
    """Ask until the answer is true, and return it; a bounded look at real state."""
    deadline = time.monotonic() + patience
    while True:
        found = ask()
        if found:
            return found
        assert time.monotonic() < deadline, f"it never came true: {found!r}"
        time.sleep(0.05)


def ports_of_services() -> dict[str, int]:
    """A free port for each service."""
    return dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))


@dataclass
class Product:
    """`python -m services …` on ports and a folder of its own; its output goes to a file in the folder."""

    folder: Path
    arguments: Sequence[str] = ("up",)
    settings: Mapping[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=ports_of_services)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{'-'.join(self.arguments)}.log"

    def said(self) -> str:
        """All that it has printed and logged."""
        return self.log.read_text()

    def start(self) -> None:
        """Start it."""
        own = {f"FAIRDUE_PORT_{name.upper()}": str(port) for name, port in self.ports.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FAIRDUE", "DATABASE"))}
        environment = {**inherited, "FAIRDUE_DATA": str(self.folder / "data"), **own, **self.settings}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services", *self.arguments],
                cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def end(self, number: signal.Signals = signal.SIGTERM, within: float = 15.0) -> int:
        """Signal it, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(within)

    def clean_up(self) -> None:
        """Leave no process behind."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def check_alive(self) -> None:
        """Fail with the last words of a process that ended."""
        assert self.process is not None
        assert self.process.poll() is None, self.said()[-3000:]

    # -- asking --------------------------------------------------------------------------------------------------

    def url(self, service: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    def get(self, service: str, path: str, role: str = "operator") -> httpx.Response:
        """Ask; a service that does not listen yet answers 599."""
        try:
            return httpx.get(self.url(service, path), headers=bearer(role), timeout=20)
        except httpx.TransportError:
            self.check_alive()
            return httpx.Response(599)

    def post(
        self, service: str, path: str, body: Any, role: str = "operator", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Post JSON."""
        sent = {**bearer(role), "content-type": "application/json", **(headers or {})}
        return httpx.post(self.url(service, path), headers=sent, content=json.dumps(body), timeout=40)

    def ready(self, service: str) -> bool:
        """Whether it says so, all shards held."""
        return self.get(service, "/readyz").status_code == 200

    def await_ready(self, services: Sequence[str] = SERVICES, patience: float = 60.0) -> None:
        """Wait until each says so; a process that ended is not waited for."""
        eventually(lambda: all(self.ready(service) for service in services), patience)

    def held(self, service: str) -> dict[str, int]:
        """How many actors of each kind somebody works for."""
        held: dict[str, int] = {}
        for shard in self.get(service, "/v1/shards").json():
            held[shard["kind"]] = held.get(shard["kind"], 0) + bool(shard["owner"])
        return held

    def lag(self, service: str) -> int | None:
        """Records behind over all actors, None where one is not known."""
        lags = [shard["lag"] for shard in self.get(service, "/v1/shards").json()]
        return None if not lags or None in lags else sum(lags)

    # -- the bank ------------------------------------------------------------------------------------------------

    def say(self, *events: Mapping[str, Any]) -> httpx.Response:
        """Post events of the bank."""
        return self.post(
            "intake", "/v1/loan-events", list(events), "core_bank", {"content-type": "application/cloudevents+json"}
        )

    def debtor(self, party: str) -> str:
        """The pseudonym of a party."""
        answer = self.get("intake", f"/v1/debtors?lender_id={LENDER}&party_id={party}")
        debtor_id: str = answer.json()["debtor_id"]
        return debtor_id

    def case(self, debtor_id: str) -> dict[str, Any]:
        """The debtor's case, {} while there is none."""
        return found(self.get("intake", f"/v1/cases/{debtor_id}"))

    def of_debtor(self, service: str, debtor_id: str) -> dict[str, Any]:
        """What a service holds about a debtor, {} while it holds nothing."""
        return found(self.get(service, f"/v1/debtors/{debtor_id}"))


def found(answer: httpx.Response) -> dict[str, Any]:
    """The content of a 200, else nothing."""
    content: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return content


def bearer(role: str) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {TOKENS[role]}"}


def overdue(party: str, *, days: int = 14, number: int = 1) -> dict[str, Any]:
    """A snapshot of a party's loan: one instalment, due so many days ago."""
    now = datetime.now(UTC)
    data = {
        "lender_id": LENDER,
        "loan_id": f"loan-{party}",
        "party_id": party,
        "as_of": str(now.date()),
        "posting_cut_off": (now - timedelta(hours=1)).isoformat(),
        "currency": "CNY",
        "instalments": [{"number": number, "due_on": str(now.date() - timedelta(days=days)), "principal": 10_000}],
        "outstanding": 100_000,
        "district": "110101",
    }
    return event("core-banking.loan-overdue.v1", f"overdue-{party}-{number}", data)


def event(kind: str, event_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A structured CloudEvent."""
    now = datetime.now(UTC).isoformat()
    return {"specversion": "1.0", "type": kind, "id": event_id, "source": "test", "time": now, "data": data}


def today() -> date:
    """By UTC, as the outbox counts its days."""
    return datetime.now(UTC).date()
