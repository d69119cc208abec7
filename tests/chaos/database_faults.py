"""Faults of PostgreSQL: killed, a backend ended, a worker frozen in the middle of a transaction, a full disk."""

import asyncio
import random
import signal
from contextlib import suppress
from typing import Any

import asyncpg
import psutil

from shared.settings import SERVICES
from tests.chaos.parts import Part
from tests.chaos.process_faults import thawed_after_take_over
from tests.chaos.stage import PATIENCE, Fault, Stage
from tests.chaos.waiting import NoEffectError, NotHereError

BACKENDS = """
SELECT pid, application_name, state FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND usename = current_database()
"""
WAITING = """
SELECT pid, client_port FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'fairdue %' AND wait_event_type = 'Lock'
    AND pid IN (SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'history'::regclass)
"""


A_WHILE = 15.0
"""Seconds in which a service that is at work has written something."""


async def kill_postmaster(stage: Stage, chance: random.Random) -> str:
    """SIGKILL to the postmaster, or to all of PostgreSQL; it is started again and recovers."""
    only = chance.random() < 0.5
    with stage.holding("postgres"):
        await asyncio.to_thread(stage.installation.postgres.kill, postmaster_only=only)
        await stage.until_started("PostgreSQL", stage.installation.postgres.start)
        await stage.until_held()
    return "the postmaster" if only else "all of its processes"


async def end_backend(stage: Stage, chance: random.Random) -> str:
    """pg_terminate_backend for a connection of a service; it connects again."""
    service = chance.choice(SERVICES)
    with stage.holding(f"backend of {service}"):
        found: list[Any] = []

        async def connected() -> bool:
            found[:] = await stage.installation.rows(service, BACKENDS)
            return bool(found)

        await stage.until_felt(f"somebody is connected to {service}", connected)
        pid, name, state = chance.choice(sorted(found))
        await stage.installation.execute(service, f"SELECT pg_terminate_backend({pid})")

        async def gone() -> bool:
            return pid not in {each[0] for each in await stage.installation.rows(service, BACKENDS)}

        await stage.until(f"backend {pid} is gone", gone)
        await stage.until_held(service)
    return f"{service}: {name or 'REST'} ({state})"


async def freeze_in_transaction(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to a worker that has locked its actors and not committed; who takes them must end its backend first.

    A service to which nothing comes for a while writes nothing: then it is the other one's turn.
    """
    services = sorted({part.service for part in stage.shared_workers})
    chance.shuffle(services)
    for service in services[:-1]:
        with suppress(NoEffectError):
            return await _frozen_in_transaction(stage, service, A_WHILE)
    return await _frozen_in_transaction(stage, services[-1], PATIENCE)


async def _frozen_in_transaction(stage: Stage, service: str, within: float) -> str:
    workers = stage.workers_of(service)
    with stage.holding("postgres", *(part.name for part in workers)):
        await stage.until_held(service)
        part = await _caught_in_transaction(stage, service, workers, within)
        return "in a transaction: " + await thawed_after_take_over(stage, part)


async def _caught_in_transaction(stage: Stage, service: str, workers: list[Part], within: float) -> Part:
    """Hold a table that every working transaction writes last, and freeze the first worker that waits for it."""
    connection = await asyncpg.connect(stage.installation.postgres.dsn(service))
    caught: list[Part] = []
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE history IN SHARE MODE")

            async def waiting() -> bool:
                ports = {port for _, port in await connection.fetch(WAITING)}
                caught[:] = [part for part in workers if ports & _ports_of(part)]
                return bool(caught)

            await stage.until_felt(f"a transaction of {service} waits", waiting, within)
            await stage.coverage.look(caught[0])
            caught[0].signal(signal.SIGSTOP)
    finally:
        await connection.close()
    return caught[0]


def _ports_of(part: Part) -> set[int]:
    """The ports from which a process has its connections."""
    try:
        return {each.laddr.port for each in psutil.Process(part.pid).net_connections("tcp") if each.laddr}
    except psutil.Error:
        return set()


async def fill_disk(stage: Stage, _chance: random.Random) -> str:
    """No room on the database's disk, until somebody has met that; then room again."""
    disk, server = stage.installation.disk, stage.installation.postgres
    if disk.why_not:
        raise NotHereError(f"no small disk can be mounted here: {disk.why_not}")
    with stage.holding("postgres"):
        size = server.log.stat().st_size

        async def met() -> bool:
            await asyncio.to_thread(disk.fill)  # again and again: old segments of the log go, and leave room
            with server.log.open("rb") as file:
                file.seek(size)
                return b"No space left on device" in file.read()

        try:
            await stage.until_felt("the disk is full", met)
        finally:
            await asyncio.to_thread(disk.free)
        crashed = not server.is_running()
        await stage.until_started("PostgreSQL", server.start)
        await stage.until_held()
    return "the server had to be started again" if crashed else "the server stayed"


FAULTS = (
    Fault("kill-postgres", "kill -9 of the postmaster, or of all of PostgreSQL", 2, kill_postmaster),
    Fault("end-backend", "a service's backend terminated", 3, end_backend),
    Fault("freeze-in-transaction", "SIGSTOP between the first lock and COMMIT", 1, freeze_in_transaction),
    Fault("full-disk", "no room on the database's disk", 1, fill_disk),
)
