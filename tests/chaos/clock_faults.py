"""A clock that jumps: a worker's wall clock is set hours or days forward or back, and some time later right again."""

import random
from datetime import datetime, timedelta

from tests.chaos.parts import Part
from tests.chaos.stage import Fault, Stage
from tests.chaos.waiting import NotHereError

JUMPS = (timedelta(days=1), timedelta(days=3), timedelta(hours=5), timedelta(minutes=-20), timedelta(days=-2))
SLACK = timedelta(minutes=1)
NEWEST = "SELECT coalesce(max(id), 0)::bigint, now() FROM history"


async def jump(stage: Stage, chance: random.Random) -> str:
    """Set a worker's clock, until a fact of the service carries the time that it then has; then set it right."""
    clocks = stage.installation.clocks
    if not clocks:
        raise NotHereError("libfaketime is not installed (Debian: faketime)")
    part = stage.choose(chance, [part for part in stage.installation.workers if part.name in clocks])
    by = chance.choice(JUMPS)
    with stage.holding(*(each.name for each in stage.workers_of(part.service))):
        await stage.until_held(part.service)
        clocks[part.name].set(int(by.total_seconds()))
        try:
            await _felt(stage, part, by)
        finally:
            clocks[part.name].set(0)
        await stage.until_accepted(10)
    return f"{part.name} by {by.total_seconds() / 3600:+g} h"


async def _felt(stage: Stage, part: Part, by: timedelta) -> None:
    ((newest, _),) = await stage.installation.rows(part.service, NEWEST)
    recorded = "SELECT recorded_at, now() FROM history WHERE id > $1"

    async def felt() -> bool:
        rows: list[tuple[datetime, ...]] = await stage.installation.rows(part.service, recorded, newest)
        return any(abs(at - now - by) < SLACK for at, now in rows)

    await stage.until_felt(f"{part.name} tells by its own clock", felt)


FAULTS = (Fault("clock-jump", "a worker's wall clock set forward or back, and right again", 1, jump),)
