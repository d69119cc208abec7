"""Faults of the product's processes: killed alone or together, frozen with a successor or without one."""

import asyncio
import random
import signal

from shared.settings import SERVICES
from tests.chaos.parts import Part
from tests.chaos.stage import Fault, Stage

ON_LEASE = (
    "SELECT count(*) FROM actor JOIN worker w ON w.id = owner WHERE owner LIKE $1 AND beat > now() - interval '3 s'"
)


async def kill_worker(stage: Stage, chance: random.Random) -> str:
    """SIGKILL to a worker; it is started again, and its actors find a holder."""
    part = stage.choose(chance, stage.installation.workers)
    with stage.holding(part.name):
        await stage.coverage.look(part)
        return await _killed(stage, part)


async def kill_api(stage: Stage, chance: random.Random) -> str:
    """SIGKILL to a process that answers REST only; it is started again."""
    part = stage.choose(chance, [part for part in stage.installation.parts if not part.is_worker])
    with stage.holding(part.name):
        return await _killed(stage, part)


async def kill_all_of_a_service(stage: Stage, chance: random.Random) -> str:
    """SIGKILL to all workers of one service at once."""
    service = chance.choice(SERVICES)
    workers = stage.workers_of(service)
    with stage.holding(*(part.name for part in workers)):
        await asyncio.gather(*(stage.coverage.look(part) for part in workers))
        said = await asyncio.gather(*(_killed(stage, part) for part in workers))
        await stage.until_held(service)
    return "; ".join(said)


async def _killed(stage: Stage, part: Part) -> str:
    starts, pid = part.starts, part.pid
    part.signal(signal.SIGKILL)
    await stage.until_ready(part, starts)
    if part.is_worker:
        await stage.until_held(part.service)
    return f"{part.name} {pid} -> {part.pid}"


async def freeze_with_successor(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to a worker until another has taken all of its actors, then SIGCONT: it must find itself fenced."""
    part = stage.choose(chance, stage.shared_workers)
    with stage.holding(*(each.name for each in stage.workers_of(part.service))):
        await stage.until_held(part.service)
        await stage.coverage.look(part)
        part.signal(signal.SIGSTOP)
        return await thawed_after_take_over(stage, part)


async def thawed_after_take_over(stage: Stage, part: Part) -> str:
    """What follows of a worker that was frozen: others take its actors, it wakes, and lets go of them."""
    size, starts = part.log.stat().st_size, part.starts

    async def taken() -> bool:
        owned = "SELECT count(*) FROM actor WHERE owner LIKE $1"
        return await stage.installation.rows(part.service, owned, f"%-{part.pid}/%") == [(0,)]

    try:
        await stage.until(f"another has the actors of {part.name}", taken)
    finally:
        part.signal(signal.SIGCONT)
    await stage.until_ready(part, starts - 1)
    await stage.until_held(part.service)
    return f"{part.name} woke and was fenced {part.said('fenced', size)} times"


async def freeze_without_successor(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to a service's only worker until its lease is over, then SIGCONT."""
    part = stage.choose(chance, stage.lone_workers)
    with stage.holding(part.name):
        await stage.until_held(part.service)
        starts = part.starts
        part.signal(signal.SIGSTOP)

        async def lapsed() -> bool:
            return await stage.installation.rows(part.service, ON_LEASE, f"%-{part.pid}/%") == [(0,)]

        try:
            await stage.until(f"the lease of {part.name} is over", lapsed)
        finally:
            part.signal(signal.SIGCONT)
        await stage.until_ready(part, starts - 1)
        await stage.until_held(part.service)
    return part.name


FREEZE = Fault("freeze", "SIGSTOP until a successor has the actors, SIGCONT", 4, freeze_with_successor)

FAULTS = (
    Fault("kill-worker", "SIGKILL to a worker", 6, kill_worker),
    Fault("kill-api", "SIGKILL to an API process", 2, kill_api),
    Fault("kill-service", "SIGKILL to all workers of a service at once", 1, kill_all_of_a_service),
    FREEZE,
    Fault("freeze-alone", "SIGSTOP to an only worker until its lease is over, SIGCONT", 2, freeze_without_successor),
)
