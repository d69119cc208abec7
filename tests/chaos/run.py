"""One run from its start to its verdict."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from shared.messaging.broker import Lane
from shared.service import SHARDS
from tests.chaos import checker
from tests.chaos.aftermath import TOPICS, without_effect
from tests.chaos.bank import Bank
from tests.chaos.coverage import Coverage
from tests.chaos.evidence import Evidence
from tests.chaos.installation import Installation
from tests.chaos.plan import Plan
from tests.chaos.settling import SETTLES_WITHIN, settled, standing_still
from tests.chaos.staff import Staff
from tests.chaos.stage import Clock, Stage
from tests.chaos.topics import Topics
from tests.chaos.transport import sampled
from tests.chaos.waiting import AWAY

SAMPLE_EVERY = 5.0
PLANS_COME_AFTER = 90
"""Seconds after which outreach has made the plans that a case asks for."""


@dataclass(frozen=True)
class Chosen:
    """What the user chose; `quick` is one fault of each kind."""

    minutes: float = 60
    seed: int = 1
    brokers: int = 1
    quick: bool = False
    loans: int = 3000
    per_second: float = 15.0


@dataclass
class Outcome:
    """What came of a run."""

    verdicts: list[checker.Verdict]
    counters: Mapping[str, int]
    faults: Mapping[str, int]
    skipped: Mapping[str, str]
    accepted: int
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every invariant was checked and holds."""
        return all(verdict.holds for verdict in self.verdicts)

    @property
    def counts(self) -> bool:
        """Whether every invariant holds and nothing that was to be put to the test was left out."""
        return self.holds and all(self.counters.values())

    def told(self) -> Iterator[str]:
        """The tables and the closing line."""
        yield from checker.told(self.verdicts)
        yield "  ".join(f"{name} {count:,}" for name, count in self.faults.items())
        yield from (f"skipped {name}: {reason}" for name, reason in self.skipped.items())
        yield "  ".join(f"{name} {count:,}" for name, count in self.counters.items())
        broken = [str(verdict.invariant.number or "live") for verdict in self.verdicts if not verdict.holds]
        missing = [name for name, count in self.counters.items() if not count]
        yield (
            f"{'good' if self.counts else 'BAD'}: {sum(self.faults.values())} faults, {self.seconds / 60:.1f} minutes, "
            f"{self.accepted:,} events accepted, {len(broken)} invariants broken or not checked"
            + (f": {', '.join(broken)}" if broken else "")
            + (f", never seen: {', '.join(missing)}" if missing else "")
        )


def say(line: str) -> None:
    """Tell whoever looks on."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def play(chosen: Chosen) -> Outcome:
    """Start an installation, hurt it, let it come to rest, and judge it. What it left stays where it did not hold."""
    clock = Clock()
    installation = await Installation.start(chosen.seed, chosen.brokers, few=chosen.quick)
    say(f"{clock.seconds:7.1f}  everything runs, in {installation.folder}, seed {chosen.seed}")
    good = False
    try:
        outcome = await _played(chosen, installation, clock)
        good = outcome.counts
    finally:
        await installation.stop()
        if good:
            installation.remove()
        else:
            say(f"what is left of it lies in {installation.folder}")
    return outcome


async def _played(chosen: Chosen, installation: Installation, clock: Clock) -> Outcome:
    assert installation.log is not None
    bank = Bank(installation, chosen.seed, chosen.loans, chosen.per_second)
    staff = Staff(installation, bank, chosen.seed)
    topics = Topics(installation.log)
    coverage = Coverage(installation)
    evidence = Evidence(installation, bank, staff, topics)
    plan = Plan(Stage(installation, bank, topics, coverage), chosen.seed, say, clock)
    async with _under_load(evidence, coverage, clock):
        if chosen.quick:
            await plan.one_of_each()
        else:
            await plan.for_minutes(chosen.minutes)
        evidence.note(checker.LIVENESS.number, sum(plan.done.values()), plan.not_overcome)
        say(f"{clock.seconds:7.1f}  no more faults")
    await _come_to_rest(evidence, clock)
    parts = installation.parts
    evidence.note(checker.LIVENESS.number, len(parts), [part.crashed for part in parts if part.crashed])
    verdicts = await _judged(evidence, clock)
    await coverage.look_at_all()
    counters = await coverage.counters()
    return Outcome(verdicts, counters, plan.done, plan.skipped, len(bank.acknowledged), clock.seconds)


@asynccontextmanager
async def _under_load(evidence: Evidence, coverage: Coverage, clock: Clock) -> AsyncIterator[None]:
    """The bank and the people at work, watched all the time; at the end they finish what they have begun."""
    bank, staff = evidence.bank, evidence.staff
    async with asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(coverage.keep_looking()), tasks.create_task(_keep_sampling(evidence))]
        living, working = tasks.create_task(bank.live()), tasks.create_task(staff.work())
        yield
        bank.stopping = staff.stopping = True
        await asyncio.gather(living, working)
        await bank.close()
        say(f"{clock.seconds:7.1f}  the bank has sent its last night, {len(bank.acknowledged):,} events in all")
        for task in watching:
            task.cancel()


async def _keep_sampling(evidence: Evidence) -> None:
    while True:
        with suppress(*AWAY):
            await sampled(evidence)
        await asyncio.sleep(SAMPLE_EVERY)


async def _come_to_rest(evidence: Evidence, clock: Clock) -> None:
    """People resolve what is open and lift their holds; then everything must come to rest."""
    began = time.monotonic()
    while await evidence.staff.resolve_letters():
        pass
    await evidence.staff.lift_all()
    evidence.installation.hurry(PLANS_COME_AFTER)
    await settled(evidence.installation)
    took = time.monotonic() - began
    evidence.note(checker.LIVENESS.number, 1, [f"{took:.0f} s"] if took > SETTLES_WITHIN else [])
    say(f"{clock.seconds:7.1f}  at rest after {took:.1f} s")


async def _judged(evidence: Evidence, clock: Clock) -> list[checker.Verdict]:
    await without_effect(evidence)
    say(f"{clock.seconds:7.1f}  the ends of all topics told again, and everything started again")
    async with standing_still(evidence.installation):
        await evidence.topics.read_on([Lane(topic, number) for topic in TOPICS for number in range(SHARDS)])
        return await checker.judged(evidence)
