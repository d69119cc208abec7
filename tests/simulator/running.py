"""Many schedules, on several processors: what they counted together, and each that broke a promise."""

import gc
import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from tests.simulator.faults import INSIDE
from tests.simulator.mutants import Mutant
from tests.simulator.schedule import Outcome, Schedule

AT_ONCE = 50
"""Schedules that a process runs before it reports; between two such, its garbage is collected."""

ENOUGH_FOR_EVERY_POINT = 10_000
LEAST = 100
"""So many schedules must meet each crash point, and cut each pair of statements, so many times."""


@dataclass(slots=True)
class Result:
    """What came of many schedules."""

    counts: Counter[str] = field(default_factory=Counter)
    broken: list[Outcome] = field(default_factory=list)

    def add(self, counts: Counter[str], broken: Sequence[Outcome]) -> None:
        """Take some more in."""
        self.counts += counts
        self.broken += broken

    def unmet(self) -> list[str]:
        """Crash points and pairs of statements that were met too rarely: a run of this size must meet them all."""
        return [f"point {point}: too rare" for point in POINTS if self.counts[f"point {point}"] < LEAST] + self._uncut()

    def _uncut(self) -> list[str]:
        """Pairs of statements that were cut too rarely, and those that occur and that nobody thought of."""
        few = [each.name for each in INSIDE if self.counts[f"fault: {each.name}"] < RARELY.get(each.name, LEAST)]
        known = {f"seen: {name.removeprefix('killed between ').replace(' and ', ' store.')}" for name in _inside()}
        seen = {name for name, count in self.counts.items() if name.startswith("seen: ") and count >= LEAST}
        new = {name for name in seen - known if not name.endswith("store.rollback")}
        return [*(f"{name}: too rare" for name in few), *(f"{name}: never cut" for name in sorted(new))]


CONTACTS = ("23 look-up", "23 not taken", "23 unanswered", "24 after", "24 before", "24 frozen")
POINTS = (*(str(number) for number in range(1, 16) if number != 14), "late", *CONTACTS)
"""The crash points; the fourteenth, an event that cannot be applied, is said by the bank in most schedules."""

RARELY = {"killed between take_due and write": 1, "killed between move_cursors and count_letters": 1}
"""Pairs that follow each other so seldom that a night of schedules cuts them a few times only."""


def _inside() -> Iterator[str]:
    return (each.name for each in INSIDE)


@contextmanager
def quiet() -> Iterator[None]:
    """Write no log lines meanwhile: a schedule that is told fault after fault would write thousands."""
    former = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(wrapper_class=former)


def run(seeds: range, processes: int) -> Iterator[Result]:
    """Run these seeds, and tell again and again how far it has come."""
    result = Result()
    pieces = [seeds[place : place + AT_ONCE] for place in range(0, len(seeds), AT_ONCE)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for counts, broken in pool.imap_unordered(run_piece, pieces):
            result.add(counts, broken)
            yield result


def run_piece(seeds: range) -> tuple[Counter[str], list[Outcome]]:
    """Run some seeds in this process."""
    counts: Counter[str] = Counter()
    broken: list[Outcome] = []
    gc.disable()
    with quiet():
        for seed in seeds:
            outcome = Schedule(seed).run()
            counts += outcome.counts
            if outcome.violations:
                broken.append(outcome)
    gc.collect()
    gc.enable()
    return counts, broken


def replayed(seed: int) -> Outcome:
    """Run one seed again, with its trace."""
    with quiet():
        return Schedule(seed, tracing=True).run()


def caught_by(mutant: Mutant, most: int) -> Outcome | None:
    """The first schedule, of so many at most, that sees that a safeguard is missing."""
    with quiet(), mutant.applied():
        outcomes = (Schedule(seed, draw=mutant.draw).run() for seed in range(most))
        return next((outcome for outcome in outcomes if outcome.violations), None)
