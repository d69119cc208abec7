"""How long a worker that is not behind waits for company."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.messaging.loop import PATIENCE, Pace
from tests.unit.messaging.living import DEBTOR, Live, live
from tests.unit.messaging.toy import KIND, Added

LINGER = 0.2
APART = PATIENCE * LINGER


@pytest.mark.parametrize(
    ("since", "patient", "waits"),
    [
        (0.0, False, 1.0),
        (1000.0, False, 1.0),
        (float("inf"), True, 1.0),
        (PATIENCE, True, 1.0),
        (PATIENCE - 4, True, 4.0),
        (0.0, True, PATIENCE),
    ],
    ids=[
        "somebody waits for it",
        "somebody waits for it, and it has long had nothing to do",
        "nobody waits, but it has had no turn yet",
        "nobody waits, but its last turn is long ago",
        "nobody waits, and its last turn was a moment ago",
        "nobody waits, and it has just had a turn",
    ],
)
def test_who_is_not_waited_for_has_its_turns_far_apart(since: float, waits: float, *, patient: bool) -> None:
    assert Pace(linger=1.0).company(since, patient=patient) == waits


async def seconds_to_hear_of(it: Live, debtor_id: str) -> float:
    began = time.monotonic()
    await it.hear_of(debtor_id)
    return time.monotonic() - began


@contextlib.asynccontextmanager
async def much_is_said(it: Live) -> AsyncIterator[None]:
    """Of one debtor, so that hardly a moment passes without a word, and yet no batch is full."""
    ended = asyncio.Event()

    async def speak() -> None:
        while not ended.is_set():
            await it.say(Added(amount=1))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), LINGER / 2)

    speaking = asyncio.create_task(speak())
    try:
        yield
    finally:
        ended.set()
        await speaking


async def test_a_patient_worker_waits_while_more_comes_unless_its_last_turn_is_long_ago() -> None:
    async with live(replace(KIND, patient=True), LINGER) as it:
        assert await seconds_to_hear_of(it, DEBTOR) < APART
        async with much_is_said(it):
            assert await seconds_to_hear_of(it, "d2") >= APART - LINGER
            it.clock.seconds += APART
            assert await seconds_to_hear_of(it, "d3") < APART


async def test_a_patient_worker_does_not_wait_where_nothing_more_comes() -> None:
    async with live(replace(KIND, patient=True), LINGER) as it:
        for debtor_id in ("d2", "d3", "d4"):
            assert await seconds_to_hear_of(it, debtor_id) < APART
