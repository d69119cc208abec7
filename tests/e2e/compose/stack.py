"""All parts of docker-compose.yml as processes of this machine, each with its own command and environment.

Kafka and PostgreSQL are the embedded ones with the file's settings; Prometheus is whatever is installed. What ends is
started again, as the file's restart policy says.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from shared.embedded.kafka_server import KafkaServer, KafkaServerError
from shared.postgres.server import PostgresServer, binaries
from shared.settings import SERVICES
from tests.e2e.compose.places import Places
from tests.integration.live.process import LENDER, found
from tests.unit.deploy.composing import ROOT, Composed

ENTRYPOINT = [sys.executable, "-m", "services"]
"""The image's, which its own test holds to the Dockerfile."""

WITHOUT_PLACES = ("LISTENERS", "ADVERTISED_LISTENERS", "CONTROLLER_QUORUM_VOTERS", "LOG_DIRS", "HEAP_OPTS")
"""The broker's variables that say where things are, or are no settings of the broker."""

START_SECONDS = 180.0


@dataclass
class Part:
    """One container's process; its output goes to a file."""

    command: list[str]
    environment: Mapping[str, str]
    log: Path
    wanted: bool = True
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=dict(self.environment), stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip
        self.starts += 1

    def keep(self) -> None:
        """Start it again where it has ended."""
        if self.wanted and self.process is not None and self.process.poll() is not None:
            self.start()

    def end(self, number: signal.Signals) -> int:
        """Signal it for good, and return its exit code."""
        self.wanted = False
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


@dataclass
class Stack:
    """The running file."""

    folder: Path
    places: Places = field(init=False)
    parts: dict[str, Part] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Make the secrets and read the file."""
        secrets = self.folder / "secrets"
        subprocess.run([ROOT / "deploy" / "make-secrets", secrets], check=True, capture_output=True)
        lenders = json.dumps([{"lender_id": LENDER, "time_zone": "Asia/Shanghai", "country": "CN"}])
        composed = Composed.read({"FAIRDUE_SECRETS": str(secrets), "FAIRDUE_LENDERS": lenders})
        self.places = Places(self.folder, composed)

    @property
    def composed(self) -> Composed:
        return self.places.composed

    # -- starting and ending -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything in the order of the file."""
        with ThreadPoolExecutor() as pool:
            for started in [pool.submit(self.start_kafka), pool.submit(self._start_postgres)]:
                started.result()
        self.places.ports["kafka", 9092] = int(self.kafka.bootstrap.rpartition(":")[2])
        migrating = self._part("migrate")
        migrating.start()
        assert migrating.process is not None
        assert migrating.process.wait(START_SECONDS) == 0, migrating.log.read_text()
        for name in self.composed.ours:
            if self.composed.services[name]["restart"] == "unless-stopped":
                self.parts[name] = self._part(name)
                self.parts[name].start()
        threading.Thread(target=self._supervise, daemon=True).start()

    def start_prometheus(self) -> None:
        """Start the scraper, for the processes that are there."""
        self.places.scrape()
        one = self.composed.services["prometheus"]
        command = ["prometheus", *(self.places.text("prometheus", each) for each in one["command"])]
        self.parts["prometheus"] = Part(command, {"PATH": os.environ["PATH"]}, self.folder / "prometheus.log")
        self.parts["prometheus"].start()

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        self._ended.set()
        for part in self.parts.values():
            part.end(signal.SIGKILL)
        self.kafka.kill()
        self.postgres.kill()

    def _supervise(self) -> None:
        while not self._ended.wait(0.2):
            for part in list(self.parts.values()):
                part.keep()

    def _part(self, name: str) -> Part:
        environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **self.places.environment(name)}
        command = [*ENTRYPOINT, *self.composed.services[name]["command"]]
        return Part(command, environment, self.folder / f"{name}.log")

    # -- the parts that are not ours -----------------------------------------------------------------------------

    @cached_property
    def kafka(self) -> KafkaServer:
        """The broker, with the settings of the file."""
        variables: Mapping[str, str] = self.composed.services["kafka"]["environment"]
        plain = {name.removeprefix("KAFKA_"): value for name, value in variables.items()}
        settings = {name.lower().replace("_", "."): value for name, value in plain.items()}
        places = {name.lower().replace("_", ".") for name in WITHOUT_PLACES}
        heap = plain["HEAP_OPTS"].rpartition("-Xmx")[2]
        kept = {name: value for name, value in settings.items() if name not in places}
        return KafkaServer(self.folder / "kafka", heap=heap, settings=kept)

    @cached_property
    def postgres(self) -> PostgresServer:
        """The database server."""
        return PostgresServer(self.folder / "postgres")

    def start_kafka(self) -> None:
        """Start the broker, again where it did not come up in time, as the restart policy of the file would."""
        for left in reversed(range(3)):
            try:
                self.kafka.start()
            except KafkaServerError:
                if not left:
                    raise
            else:
                return

    def _start_postgres(self) -> None:
        """Start it with the options of the file, and let the file's script make roles and databases."""
        self.postgres.start()
        _, *options = self.composed.services["postgres"]["command"]
        with (self.postgres.cluster / "postgresql.conf").open("a") as file:
            for option in options[1::2]:
                name, _, value = option.partition("=")
                file.write(f"{name} = '{value}'\n")
        self.postgres.restart()
        for service in SERVICES:
            secret = self.folder / "secrets" / f"database_url_{service}"
            secret.chmod(0o600)
            secret.write_text(secret.read_text().replace("@postgres:5432", f"@127.0.0.1:{self.postgres.port}"))
        self._make_databases()

    def _make_databases(self) -> None:
        script = next(each for each in self.composed.services["postgres"]["volumes"] if "initdb.d" in each)
        environment = {"FAIRDUE_SECRETS": str(self.folder / "secrets"), "PGHOST": "127.0.0.1"}
        done = subprocess.run(
            ["bash", self.places.source(script.partition(":")[0])],
            env=self._of_postgres() | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def _of_postgres(self) -> dict[str, str]:
        path = f"{binaries()}:{os.environ['PATH']}"
        password = self.postgres.passwords.of("postgres")
        return {"PATH": path, "PGPORT": str(self.postgres.port), "PGPASSWORD": password}

    # -- asking --------------------------------------------------------------------------------------------------

    def healthy(self, name: str) -> bool:
        """Whether the file's own check of a service is passed."""
        how, *command = self.composed.services[name]["healthcheck"]["test"]
        assert how == "CMD"
        placed = [self.places.text(name, each) for each in command]
        done = subprocess.run(
            self._as_here(placed), cwd=ROOT, env=self._of_postgres(), capture_output=True, timeout=60, check=False
        )
        return done.returncode == 0

    def _as_here(self, command: list[str]) -> list[str]:
        """A command of an image, where its programs are here."""
        if command[0] == "python":
            return [sys.executable, *command[1:]]
        if command[0] == "/opt/kafka/bin/kafka-cluster.sh":
            return ["java", "-cp", f"{self.kafka.jars}/*", "org.apache.kafka.tools.ClusterTool", *command[1:]]
        return command

    @cached_property
    def tokens(self) -> Mapping[str, str]:
        """By role."""
        given = json.loads((self.folder / "secrets" / "api_tokens").read_text())
        return {one["role"]: one["token"] for one in given}

    def url(self, service: str, path: str) -> str:
        port = int(self.composed.services[f"{service}-api"]["ports"][0].rpartition(":")[2])
        return f"http://127.0.0.1:{self.places.port(f'{service}-api', port)}{path}"

    def get(self, service: str, path: str, role: str = "operator") -> dict[str, Any]:
        """What a service's API says; {} where it does not answer, or knows nothing."""
        try:
            headers = {"Authorization": f"Bearer {self.tokens[role]}"}
            return found(httpx.get(self.url(service, path), headers=headers, timeout=20))
        except httpx.TransportError:
            return {}

    def say(self, *events: Mapping[str, Any]) -> bool:
        """Post events of the bank; whether they were taken."""
        headers = {
            "Authorization": f"Bearer {self.tokens['core_bank']}",
            "content-type": "application/cloudevents+json",
        }
        url = self.url("intake", "/v1/loan-events")
        try:
            answer = httpx.post(url, headers=headers, content=json.dumps(events), timeout=40)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.ACCEPTED

    def ask_prometheus(self, path: str, **parameters: str) -> Any:
        """What Prometheus answers."""
        url = f"http://127.0.0.1:{self.places.port('prometheus', 9090)}/api/v1/{path}"
        answer = httpx.get(url, params=parameters, timeout=20)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["data"]
