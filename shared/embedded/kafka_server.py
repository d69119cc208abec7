"""A real Kafka 4 broker (KRaft, one node, loopback) from Maven's jars, for tests and development.

    with KafkaServer(Path(".kafka/data")) as server:
        server.bootstrap                # 127.0.0.1:…

`python -m shared.embedded.kafka_server` runs one in the foreground until Ctrl-C or SIGTERM: in Docker where an engine
answers, else from the jars.
"""

import argparse
import hashlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final, Self

from shared.ports import free_ports, is_free

PROJECT: Final = Path(__file__).resolve().parents[2]
JARS: Final = PROJECT / ".kafka" / "lib"
POM: Final = PROJECT / "deploy" / "kafka" / "pom.xml"
IMAGE: Final = "apache/kafka:4.3.1"
HOST: Final = "127.0.0.1"
USUAL_PORT: Final = 9092

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05
_LASTING: Final = ("-XX:+UseG1GC",)
_BRIEF: Final = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Compiled once only: who works for minutes never gets back what it costs to compile again for speed."""

_INDEX_BYTES: Final = 256 * 1024
"""Of a partition's two indexes, which the first record maps and a system that reads ahead fills with zeros to the end:
of Kafka's 10 MB each that is a gigabyte and up to 2.4 s of processor for every 64 partitions. These still hold 20,000
batches."""

# Asks which versions the broker speaks: header (key 18, version 0, correlation 1, client "fairdue"), no body.
_HELLO: Final = struct.pack(">ihhih7s", 17, 18, 0, 1, 7, b"fairdue")

_ONE_NODE: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "log.index.size.max.bytes": str(_INDEX_BYTES),
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
}


class KafkaServerError(Exception):
    """The broker cannot be made or started; its text is one line, its log holds the rest."""


def missing(jars: Path = JARS) -> str | None:
    """Why a broker cannot run here; None where it can."""
    if shutil.which("java") is None:
        return "there is no java on the PATH, and Kafka needs version 17 or newer"
    if shutil.which("mvn") is None and not _have_jars(jars):
        return f"its jars are not in {jars}, and there is no mvn on the PATH to fetch them"
    return None


class KafkaServer:
    """One broker over one folder. Methods block; data survive stop, kill and start, and so does the port."""

    def __init__(
        self,
        directory: Path,
        *,
        jars: Path = JARS,
        heap: str = "512m",
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        cluster: str | None = None,
        lasting: bool = False,
    ) -> None:
        """Name the folder, without touching it.

        port: the one wanted, any free one by default. settings: what differs from a node alone on loopback.
        cluster: the id that the nodes of one cluster share, one of its own by default.
        lasting: it works for longer than the minute of a processor that Java takes to make it quick.
        """
        self.directory, self.jars = directory.resolve(), jars.resolve()
        self._machine = ("-Xms256m", f"-Xmx{heap}", *(_LASTING if lasting else _BRIEF))
        self._settings, self._cluster = dict(settings or {}), cluster
        self.log = self.directory / "server.log"
        self._properties = self.directory / "server.properties"
        self._pid_file = self.directory / "pid"
        self._ports = (port or 0, 0)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, host:port."""
        return f"{HOST}:{self._ports[0]}"

    def start(self) -> None:
        """Have the broker running and answering; the first start fetches jars and formats. Raises KafkaServerError."""
        if reason := missing(self.jars):
            raise KafkaServerError(f"Kafka cannot run here: {reason}")
        fetch_jars(self.jars)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._end_remains()
        self._write_properties()
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # our own arguments
                self._java("kafka.Kafka", str(self._properties)), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us to hear, and to end it in order
            )  # fmt: skip
        self._pid_file.write_text(str(self._process.pid))
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the broker cleanly; nothing happens where none runs."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()
        self._process = None

    def erase(self) -> None:
        """Forget all data; a broker that outlived a killed process of ours is ended first."""
        self._end_remains()
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def kill(self) -> None:
        """Take the broker down as a crash would, with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def signal(self, number: signal.Signals) -> None:
        """Send the broker's process a signal; nothing happens where none runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def is_running(self) -> bool:
        """Whether the broker's process lives."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> int:
        """Wait until the broker ends; returns its exit code."""
        return self._process.wait() if self._process is not None else 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            "java", *self._machine, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp", f"{self.jars}/*", main, *arguments,
        ]  # fmt: skip

    def _write_properties(self) -> None:
        broker, controller = self._ports = _choose_ports(
            self._ports if any(self._ports) else self._ports_of_last_time()
        )
        properties = {
            **_ONE_NODE,
            "controller.quorum.voters": f"1@{HOST}:{controller}",
            "listeners": f"PLAINTEXT://{HOST}:{broker},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{broker}",
            "log.dirs": str(self.directory / "data"),
            **self._settings,
        }
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))

    def _ports_of_last_time(self) -> tuple[int, int]:
        if not self._properties.exists():
            return (0, 0)
        listeners = next(line for line in self._properties.read_text().splitlines() if line.startswith("listeners="))
        broker, controller = (int(one.rpartition(":")[2]) for one in listeners.split(","))
        return broker, controller

    def _format(self) -> None:
        cluster = self._cluster or self._tool("random-uuid").strip()
        self._tool("format", f"--cluster-id={cluster}", "-c", str(self._properties))  # it may begin with a dash

    def _tool(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603  # our own arguments
            self._java("kafka.tools.StorageTool", *arguments), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KafkaServerError(f"Kafka's storage tool failed: {_last_line(done.stderr or done.stdout)}")
        return done.stdout

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(self._ports[0]):
            if not self.is_running() or time.monotonic() > deadline:
                raise KafkaServerError(f"Kafka does not start, see {self.log}: {_last_line(_text_of(self.log))}")
            time.sleep(_POLL_SECONDS)

    def _end_remains(self) -> None:
        """End a broker that outlived a killed process of ours: it holds the lock on the data."""
        if self.is_running():
            raise KafkaServerError("this broker runs already")
        pid = _text_of(self._pid_file).strip()
        if pid.isdecimal() and str(self._properties) in _command_line(int(pid)):
            _kill(int(pid))


def fetch_jars(jars: Path = JARS) -> None:
    """Have Kafka's jars in a folder, by Maven where they are not there yet. Raises KafkaServerError."""
    if _have_jars(jars):
        return
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own arguments
    if done.returncode:
        raise KafkaServerError(f"Maven could not fetch Kafka's jars: {_last_line(done.stdout or done.stderr)}")
    (jars / "complete").write_text(_wanted_jars())


def _have_jars(jars: Path) -> bool:
    """Whether a fetch of what the POM now names has ended well; half a fetch does not count."""
    return _text_of(jars / "complete") == _wanted_jars()


def _wanted_jars() -> str:
    return hashlib.sha256(POM.read_bytes()).hexdigest()


def _choose_ports(wanted: Sequence[int]) -> tuple[int, int]:
    """Two different free ports, the wanted ones where they are free; 0 wants any."""
    broker, controller = (port if port and is_free(port) else 0 for port in wanted)
    others = (port for port in free_ports(2) if port not in {broker, controller})
    return broker or next(others), controller or next(others)


def _answers(port: int) -> bool:
    """Whether a broker answers a request, which it does only once it is ready."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(_HELLO)
            return len(connection.recv(8)) > 0
    except OSError:
        return False


def _text_of(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def _command_line(pid: int) -> str:
    done = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout


def _kill(pid: int) -> None:
    """Take a process down; returns when it has let go of its ports and locks, which outlive its command line."""
    with suppress(ProcessLookupError), os.fdopen(os.pidfd_open(pid)) as process:
        signal.pidfd_send_signal(process.fileno(), signal.SIGKILL)
        select.select([process], [], [])


def docker_answers() -> bool:
    """Whether there is a Docker engine to run the official image on."""
    if shutil.which("docker") is None:
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False).returncode == 0  # noqa: S607
    except subprocess.TimeoutExpired:
        return False


def docker_command(port: int) -> list[str]:
    """How the official image runs on loopback, with its data in a volume that outlives it."""
    settings = {
        **_ONE_NODE,
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "log.dirs": "/var/lib/kafka/data",
    }
    variables = [f"KAFKA_{name.upper().replace('.', '_')}={value}" for name, value in settings.items()]
    options = [
        "--rm",
        "--name",
        "fairdue-kafka",
        "-p",
        f"{HOST}:{port}:9092",
        "-v",
        "fairdue-kafka:/var/lib/kafka/data",
    ]
    return ["docker", "run", *options, *(part for one in variables for part in ("-e", one)), IMAGE]


def _run_in_docker(port: int) -> int:
    (port, _) = _choose_ports((port, 0))
    process = subprocess.Popen(docker_command(port), start_new_session=True)  # noqa: S603  # our own arguments
    try:
        while process.poll() is None and not _answers(port):
            time.sleep(_POLL_SECONDS)
        if process.poll() is None:
            _announce(f"{HOST}:{port}", f"image {IMAGE}")
        return process.wait()
    finally:
        process.terminate()
        process.wait()


def _run_from_jars(directory: Path, port: int) -> int:
    with KafkaServer(directory, port=port, lasting=True) as server:
        _announce(server.bootstrap, f"data in {server.directory}")
        return server.wait()


def _announce(bootstrap: str, where: str) -> None:
    print(f"Kafka answers on {bootstrap} ({where}); BROKER_URL=kafka://{bootstrap}; Ctrl-C ends it", flush=True)


class _Ended(Exception):  # noqa: N818  # not an error: somebody wants us to end
    pass


def _end(_signal: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # once is enough: the broker ends in order meanwhile
        signal.signal(number, signal.SIG_IGN)
    raise _Ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a broker in the foreground; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m shared.embedded.kafka_server", description=__doc__)
    parser.add_argument("--directory", type=Path, default=PROJECT / ".kafka" / "server", help="where the data lie")
    parser.add_argument("--port", type=int, default=USUAL_PORT, help="taken when free, else another one")
    chosen = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        return _run_in_docker(chosen.port) if docker_answers() else _run_from_jars(chosen.directory, chosen.port)
    except _Ended:
        return 0
    except KafkaServerError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
