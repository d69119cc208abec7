"""Every comparison in one run on one machine: a table, and with --result a JSON file with the rounds below the medians.

python -m benchmarks [--quick] [--result FILE] [--only end-to-end …]
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import against_floor, card_panel, due_work, latency, one_job, scaling, verdicts
from benchmarks.children import ChildError
from benchmarks.installation import NotDoneError
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.results import NO_TIME, Results
from benchmarks.tables import headline
from shared import logs
from shared.embedded.kafka_server import KafkaServerError, missing
from shared.messaging.broker import BrokerUnavailableError
from shared.postgres.server import PostgresServerError

Section = Callable[[Plan, Results], Awaitable[None]]

FAILED: Final = (NotDoneError, ChildError, BrokerUnavailableError, KafkaServerError, PostgresServerError, OSError)
"""After which the other sections are still worth something."""


async def count_verdicts(plan: Plan, results: Results) -> None:
    """How many verdicts on contacts one core gives in a second."""
    rounds = verdicts.speeds(plan.verdicts, max(plan.rounds, 3))
    results.sections["verdicts"] = rounds
    results.found("verdicts_per_second_core", sorted(rounds)[len(rounds) // 2])


SECTIONS: Final[Mapping[str, tuple[Section, Callable[[Results], str] | None]]] = {
    "end-to-end": (against_floor.run, against_floor.shown),
    "verdicts": (count_verdicts, None),
    "latency": (latency.run, latency.shown),
    "due-work": (due_work.run, due_work.shown),
    "scaling": (scaling.run, scaling.shown),
    "card-panel": (card_panel.run, card_panel.shown),
    "one-job": (one_job.run, one_job.shown),
}


async def measure(plan: Plan, only: Sequence[str] = ()) -> Results:
    """Run the sections one after the other; what fails is said, and the rest goes on."""
    results = Results(plan.name)
    for name, (section, shown) in SECTIONS.items():
        if only and name not in only:
            results.not_run[name] = "was not asked for"
            continue
        if results.used(plan) > 1:
            results.not_run[name] = NO_TIME
            continue
        try:
            await section(plan, results)
        except FAILED as error:
            results.fail(name, error)
        if shown is not None:
            print(shown(results), flush=True)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, say and write; 1 where a section could not be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--result", type=Path)
    parser.add_argument("--only", nargs="+", choices=tuple(SECTIONS), default=())
    parser.add_argument("--loans", type=int, help="instead of the plan's")
    parser.add_argument("--rounds", type=int, help="instead of the plan's")
    parser.add_argument("--panel", type=Path, help="the file of a card panel, replayed whole in a full run")
    chosen = parser.parse_args(arguments)
    if reason := missing():
        print(f"nothing can be compared without Kafka: {reason}", file=sys.stderr)
        return 2
    plan = QUICK if chosen.quick else FULL
    panel = None if chosen.quick else chosen.panel
    plan = replace(plan, loans=chosen.loans or plan.loans, rounds=chosen.rounds or plan.rounds, panel=panel)
    logs.configure("demo")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is ended first
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(measure(plan, chosen.only))
    print(headline(results))
    if chosen.result:
        results.write(chosen.result)
    return int(results.failed)


if __name__ == "__main__":
    sys.exit(main())
