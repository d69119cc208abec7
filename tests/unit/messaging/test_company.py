"""How long a worker that is not behind waits for company."""

import time
from dataclasses import replace

import pytest

from shared.messaging.loop import PATIENCE, Pace
from tests.unit.messaging.living import Live, live
from tests.unit.messaging.toy import KIND

LINGER = 0.05
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


async def test_a_patient_worker_is_quick_once_its_last_turn_is_long_ago() -> None:
    async with live(replace(KIND, patient=True), LINGER) as it:
        assert await seconds_to_hear_of(it, "d1") < APART
        assert await seconds_to_hear_of(it, "d2") >= APART
        it.clock.seconds += APART
        assert await seconds_to_hear_of(it, "d3") < APART
