"""The simulator itself: it replays, it sees every mutant, and every crash of a small case is survived."""

import hashlib
import os
import random
import subprocess
import sys

import pytest

from tests.simulator import running
from tests.simulator.bank import Book, Event
from tests.simulator.faults import FAULTS, Fault
from tests.simulator.mutants import MUTANTS, Mutant
from tests.simulator.schedule import Planned, Schedule
from tests.simulator.striking import Striking
from tests.simulator.universe import Universe
from tests.simulator.world import Step

SCHEDULES = 300
"""More than any mutant needs to be caught."""

TRACE = """
import hashlib
from tests.simulator.running import replayed
print(*(hashlib.sha256("\\n".join(replayed(seed).trace).encode()).hexdigest() for seed in range(4)))
"""


def traces(hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-c", TRACE], env=environment, check=True, capture_output=True
    ).stdout.decode()


def test_a_seed_is_the_same_schedule_in_every_process() -> None:
    assert traces("1") == traces("2")


def test_a_trace_tells_what_was_said_and_what_went_wrong() -> None:
    outcome = running.replayed(3)
    assert outcome.violations == []
    text = "\n".join(outcome.trace)
    assert "said: LoanOverdue" in text
    assert "store.commit of lane" in text
    assert any(fault.name in text for fault in FAULTS) or "is killed" in text
    assert (
        hashlib.sha256(text.encode()).digest() == hashlib.sha256("\n".join(running.replayed(3).trace).encode()).digest()
    )


@pytest.mark.parametrize("seed", range(20))
def test_every_schedule_is_large_enough(seed: int) -> None:
    schedule = Schedule(seed)
    schedule.world.close()
    assert schedule.said.inputs >= 20
    assert len({truth.debtor_id for truth in schedule.said.truths.values()}) >= 5
    assert len(schedule.said.lanes) >= 3
    assert len(schedule.planned) >= 2
    assert schedule.fewest >= 2


def test_some_schedules_keep_every_promise_and_check_every_rule() -> None:
    counts, broken = running.run_piece(range(40))
    assert [(outcome.seed, outcome.violations) for outcome in broken] == []
    assert counts["schedules"] == 40
    struck = sum(count for name, count in counts.items() if name.startswith("fault: ")) + counts["killed while idle"]
    assert struck >= 2 * 40
    assert min(count for name, count in counts.items() if name.startswith("checked: ")) > 0


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_of_the_protocol_is_caught(mutant: Mutant) -> None:
    assert running.caught_by(mutant, SCHEDULES) is not None


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_catches_a_mutant_is_the_mutant(mutant: Mutant) -> None:
    with running.quiet():
        for seed in range(10):
            assert Schedule(seed, draw=mutant.draw).run().violations == []


# A small case, and a crash at every one of its steps


def small() -> Book:
    book = Book.made(random.Random(5), debtors=1, lanes=1, inputs=7)
    assert sum(isinstance(said, Event) for said in book.said) >= 4
    return book


def crash(name: str) -> Fault:
    def wants(_universe: Universe, step: Step) -> bool:
        return not step.place.startswith("lease.")

    def before(striking: Striking, step: Step) -> bool:
        striking.kill(step.actor)  # type: ignore[arg-type]
        return True

    def after(striking: Striking, step: Step) -> bool:
        striking.in_silence(step)
        return before(striking, step)

    return Fault(name, name, wants, {"before": before, "after": after}[name])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_every_step_of_a_small_case_is_survived(when: str) -> None:
    book, step = small(), 0
    broken: dict[int, list[str]] = {}
    with running.quiet():
        while True:
            step += 1
            planned = [Planned(crash(when), step)]
            schedule = Schedule(1, planned=planned, book=book)
            outcome = schedule.run()
            broken |= {step: outcome.violations} if outcome.violations else {}
            if planned:  # there are no more steps: the crash never came
                break
    assert broken == {}
    assert step > 200
