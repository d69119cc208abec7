"""`make simulate SEEDS=n`: run schedules, print what they met and checked, and fail on the first broken promise."""

import argparse
import sys
import time
from collections import Counter

from tests.simulator import running
from tests.simulator.mutants import MUTANTS

MUTANT_SCHEDULES = 300
SHOWN = 5
"""So many of the schedules that broke a promise are told in full."""


def main() -> int:
    """Run what is asked for: 0 if every promise was kept, 1 if not, 2 for arguments that make no sense."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--replay", type=int, help="run one seed again and print its trace")
    parser.add_argument("--mutants", action="store_true", help="take each safeguard away, and see that it is missed")
    chosen = parser.parse_args()
    if chosen.seeds < 1 or chosen.processes < 1:
        parser.error("--seeds and --processes count from 1")
    if chosen.replay is not None:
        return replay(chosen.replay)
    return mutants() if chosen.mutants else simulate(chosen.first, chosen.seeds, chosen.processes)


def replay(seed: int) -> int:
    """Print a seed's trace and what it broke."""
    outcome = running.replayed(seed)
    say("\n".join(outcome.trace))
    say("\n".join(outcome.violations) or "every promise was kept")
    return 1 if outcome.violations else 0


def mutants() -> int:
    """Run each mutant until it is caught."""
    missed = 0
    for mutant in MUTANTS:
        started = time.monotonic()
        outcome = running.caught_by(mutant, MUTANT_SCHEDULES)
        seconds = f"{time.monotonic() - started:5.1f} s"
        missed += outcome is None
        found = f"caught by seed {outcome.seed}: {outcome.violations[0][:110]}" if outcome else "NOT CAUGHT"
        say(f"{mutant.name:<28}{seconds}  {found}")
    say(f"{len(MUTANTS) - missed} mutants caught, {missed} missed")
    return 1 if missed else 0


def simulate(first: int, seeds: int, processes: int) -> int:
    """Run schedules, and print what they met."""
    started = time.monotonic()
    result = running.Result()
    for result in running.run(range(first, first + seeds), processes):  # the last one holds them all
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{result.counts['schedules']} schedules, {len(result.broken)} broken ")
    say(table(result.counts))
    for outcome in sorted(result.broken, key=lambda each: each.seed)[:SHOWN]:
        say(f"seed {outcome.seed} (again with --replay {outcome.seed}):")
        say("".join(f"  {violation[:400]}\n" for violation in outcome.violations[:SHOWN]).rstrip())
    enough = seeds >= running.ENOUGH_FOR_EVERY_POINT
    unmet = result.unmet() if enough else []
    say("\n".join(unmet))
    counts = result.counts
    say(
        f"{counts['schedules']} schedules, {counts['steps']} steps, {counts['inputs']} inputs in "
        f"{time.monotonic() - started:.0f} s: {len(result.broken)} broke a promise"
    )
    return 1 if result.broken or unmet else 0


def table(counts: Counter[str]) -> str:
    """The counts in groups: faults by crash point, what was checked, and the rest."""
    lines = []
    for title, prefix in (("faults", "fault: "), ("crash points", "point "), ("checked", "checked: ")):
        lines.append(f"{title}:")
        found = {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}
        lines += [f"{count:>12,}  {name}" for name, count in sorted(found.items(), key=lambda each: _order(each[0]))]
    return "\n".join(lines)


def _order(name: str) -> tuple[int, str]:
    number = name.split(" ", maxsplit=1)[0].rstrip(",")
    return (int(number) if number.isdecimal() else 99, name)


def say(text: str) -> None:
    """Write a line, where there is something to say."""
    if text:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
