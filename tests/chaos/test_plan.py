"""Which faults come, and what is made of how they went."""

import random
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from tests.chaos.faults import FAULTS
from tests.chaos.plan import Plan, drawn
from tests.chaos.stage import Clock, Fault, Stage
from tests.chaos.waiting import NeverCameTrueError, NoEffectError, NotHereError, TakenError


def plan(said: list[str]) -> Plan:
    nowhere: Any = None  # these faults act on nothing
    return Plan(nowhere, 1, said.append, Clock())


def fault(error: Exception | None = None) -> Fault:
    async def act(_stage: Stage, _chance: random.Random) -> str:
        if error is not None:
            raise error
        return "seen"

    return Fault("freeze", "SIGSTOP", 1, act)


@pytest.mark.parametrize(
    ("error", "done", "not_overcome", "skipped", "said"),
    [
        pytest.param(None, 1, 0, 0, "freeze: seen", id="one that is overcome counts"),
        pytest.param(NoEffectError("nobody"), 0, 0, 0, "no effect", id="one that hits nothing does not count"),
        pytest.param(ConnectionRefusedError("gone"), 0, 0, 0, "no effect", id="one that another forestalls does not"),
        pytest.param(NeverCameTrueError("held"), 0, 1, 0, "FAILED", id="one that is not overcome breaks the run"),
        pytest.param(NotHereError("no mount"), 0, 0, 1, "skipped", id="one that the machine forbids is told"),
        pytest.param(TakenError("broker"), 0, 0, 0, "", id="one that must wait for another is not told"),
    ],
)
async def test_what_is_made_of_a_fault(
    error: Exception | None, done: int, not_overcome: int, skipped: int, said: str
) -> None:
    lines: list[str] = []
    hurting = plan(lines)
    await hurting._do(fault(error), random.Random(1))
    assert (hurting.done["freeze"], len(hurting.not_overcome), len(hurting.skipped)) == (done, not_overcome, skipped)
    assert said in "".join(lines)
    assert bool(lines) == bool(said)


def test_faults_come_as_often_as_their_weights_say_and_the_same_for_a_seed() -> None:
    total = sum(each.weight for each in FAULTS)
    first = [each.name for each in islice(drawn(random.Random("1/0")), 2 * total)]
    assert Counter(first) == {each.name: 2 * each.weight for each in FAULTS}
    assert first == [each.name for each in islice(drawn(random.Random("1/0")), 2 * total)]
    assert first != [each.name for each in islice(drawn(random.Random("1/1")), 2 * total)]
