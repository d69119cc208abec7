"""The embedded server survives what kills us, and keeps what was committed."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from shared.postgres.server import PostgresServer, PostgresServerError


@pytest.fixture
def server(server_folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(server_folder / "data", fast=True)
    server.start()
    yield server
    server.stop()


async def fetch(server: PostgresServer, sql: str) -> object:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def postmaster(server: PostgresServer) -> psutil.Process:
    return psutil.Process(int((server.cluster / "postmaster.pid").read_text().split()[0]))


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=False, capture_output=True, **options)


async def test_it_is_postgresql_18_with_checksums_reachable_from_this_machine_only(server: PostgresServer) -> None:
    assert await fetch(server, "SELECT current_setting('server_version_num')::int / 10000") == 18
    assert await fetch(server, "SELECT current_setting('data_checksums')") == "on"
    assert {c.laddr.ip for c in postmaster(server).net_connections()} == {"127.0.0.1"}
    assert await fetch(server, "SELECT current_setting('unix_socket_directories')") == ""


async def test_nobody_enters_without_the_password(server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn("postgres").replace(server.passwords.of("postgres"), "guess"))
    assert stat.S_IMODE((server.data_directory / "passwords.json").stat().st_mode) == 0o600
    assert not (server.data_directory / "first-password").exists()


async def test_a_second_start_adopts_the_server_that_runs(server: PostgresServer) -> None:
    running = postmaster(server)
    other = PostgresServer(server.data_directory, fast=True)
    other.start()
    assert postmaster(other) == running
    assert await fetch(other, "SELECT 1") == 1


async def test_after_kill_9_of_the_whole_server_it_starts_again_on_the_same_port(server: PostgresServer) -> None:
    port = server.port
    await fetch(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.kill()
    assert not server.is_running()
    assert (server.cluster / "postmaster.pid").exists()
    server.start()
    assert server.port == port
    assert await fetch(server, "SELECT n FROM kept") == 7


async def test_children_that_outlive_their_postmaster_are_ended_before_it_starts_again(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    backend = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
    backend.suspend()  # a child that works too hard to notice that its postmaster died
    server.kill(postmaster_only=True)
    assert backend.is_running()
    server.start()
    assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE
    assert await fetch(server, "SELECT 1") == 1
    connection.terminate()


async def test_a_stale_pid_file_that_names_a_stranger_is_no_obstacle(server: PostgresServer) -> None:
    server.kill()
    pid_file = server.cluster / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().split()[0], str(os.getpid()), 1))
    server.start()
    assert await fetch(server, "SELECT 1") == 1


async def test_a_port_that_somebody_took_meanwhile_is_given_up(server: PostgresServer) -> None:
    server.stop()
    other = PostgresServer(server.data_directory.parent / "other", fast=True)
    other.data_directory.mkdir()
    (other.data_directory / "port").write_text(str(server.port))
    other.start()
    try:
        assert other.port == server.port
        server.start()
        assert other.port != server.port
        assert await fetch(server, "SELECT 1") == 1
    finally:
        other.stop()


async def test_it_outlives_the_process_that_started_it(server_folder: Path) -> None:
    program = """
        import os, signal, sys
        from pathlib import Path
        from shared.postgres.server import PostgresServer
        PostgresServer(Path(sys.argv[1]), fast=True).start()
        os.killpg(0, signal.SIGKILL)
    """
    started = run([sys.executable, "-c", textwrap.dedent(program), str(server_folder / "data")], start_new_session=True)
    assert started.returncode == -signal.SIGKILL
    server = PostgresServer(server_folder / "data", fast=True)
    assert server.is_running()
    running = postmaster(server)
    server.start()
    assert postmaster(server) == running
    assert await fetch(server, "SELECT 1") == 1
    server.stop()
    assert not server.is_running()


async def test_a_crash_while_the_cluster_is_made_leaves_nothing_in_the_way(server_folder: Path) -> None:
    half_made = server_folder / "data" / "cluster.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18")
    server = PostgresServer(server_folder / "data", fast=True)
    server.start()
    assert await fetch(server, "SELECT 1") == 1
    server.stop()


async def test_stopping_twice_is_no_error_and_restarting_keeps_the_port(server: PostgresServer) -> None:
    port = server.port
    server.restart()
    assert (server.port, await fetch(server, "SELECT 1")) == (port, 1)
    server.stop()
    server.stop()
    assert not server.is_running()


def test_a_cluster_of_another_version_is_refused_in_one_line(server_folder: Path) -> None:
    cluster = server_folder / "data" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("17\n")
    with pytest.raises(PostgresServerError, match="made by PostgreSQL 17") as caught:
        PostgresServer(server_folder / "data").start()
    assert "\n" not in str(caught.value)


async def test_the_durable_server_syncs_and_sorts_alike_everywhere(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "data")
    server.start()
    try:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            assert await fetch(server, f"SELECT current_setting('{setting}')") == "on"
        assert (
            await fetch(server, "SELECT string_agg(t, '' ORDER BY t) FROM unnest('{b,B,a,A,ä}'::text[]) t") == "ABabä"
        )
    finally:
        server.stop()


async def test_its_log_never_quotes_a_row(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    await connection.execute("CREATE TABLE person (phone text PRIMARY KEY)")
    await connection.execute("INSERT INTO person VALUES ($1)", "canary-4711")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("INSERT INTO person VALUES ($1)", "canary-4711")
    await connection.close()
    assert "duplicate key" in server.log.read_text()
    assert "canary" not in server.log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a server another account")
def test_below_a_closed_folder_the_account_may_pass_but_not_look(server_folder: Path) -> None:
    closed = server_folder / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "data", fast=True)
    server.start()
    try:
        assert postmaster(server).uids().effective != 0
        assert not closed.stat().st_mode & stat.S_IRWXO
        look = run(["ls", str(closed)], user=postmaster(server).uids().effective)
        assert look.returncode != 0
    finally:
        server.stop()
