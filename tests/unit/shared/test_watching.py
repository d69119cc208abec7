"""What a service watches is looked at until the end, whatever the database does meanwhile."""

import asyncio
from dataclasses import dataclass, field

import asyncpg
import pytest

from shared.watching import keep_looking


@dataclass
class Looking:
    """A watch whose looks end as it is told; after the last it asks for the end."""

    ends: list[Exception | None]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[str] = field(default_factory=list)

    def begin(self) -> None:
        self.seen.append("begin")

    async def look(self) -> None:
        self.seen.append("look")
        end = self.ends.pop(0)
        if not self.ends:
            self.stopping.set()
        if end is not None:
            raise end

    async def close(self) -> None:
        self.seen.append("close")


@pytest.mark.parametrize(
    "away", [OSError(), TimeoutError(), asyncpg.CannotConnectNowError(), asyncpg.InterfaceError("away")]
)
async def test_a_database_that_is_away_is_looked_at_again(away: Exception) -> None:
    watch = Looking([away, away, None])
    await asyncio.wait_for(keep_looking("outreach", watch, watch.stopping, every=0.001), 10)
    assert watch.seen == ["begin", "look", "look", "look", "close"]


async def test_what_nobody_expected_is_heard_of_and_nothing_is_left_open() -> None:
    watch = Looking([ValueError(), None])
    with pytest.raises(ValueError, match="^$"):
        await keep_looking("outreach", watch, watch.stopping, every=0.001)
    assert watch.seen == ["begin", "look", "close"]
