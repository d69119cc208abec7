"""The one job, ours beside the peers: at backlog, at a load that lasts, and killed while at it."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.bout import Bout, bout
from benchmarks.children import ChildError
from benchmarks.contenders import CONTENDERS, OURS, PLAIN, Contender
from benchmarks.environments import NotInstalledError
from benchmarks.figures import interleaved, ratios, spread
from benchmarks.job_load import Judged
from benchmarks.machine import Cost
from benchmarks.plan import Plan
from benchmarks.results import Results, plain
from benchmarks.servers import Servers, servers
from benchmarks.tables import table
from shared.messaging.broker import Broker, BrokerUnavailableError
from shared.messaging.broker_from_url import open_broker

BACKLOG, LASTING, KILLED = "backlog", "lasting load", "killed"
PATIENCE: Final = 120.0
TICK: Final = 0.025
QUIET_SECONDS: Final = 4.0
"""After which nothing more is expected of a design that has told nothing."""

KEPT_UP: Final = 0.8
"""What part of a lasting load a design has to handle for its costs to count."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one design came to in one round of one discipline; what a process cost that was killed is not known."""

    round: int
    discipline: str
    contender: str
    events: int
    seconds: float
    cost: Cost | None
    judged: Judged

    @property
    def events_per_second(self) -> float:
        """How many it handled."""
        return self.events / self.seconds

    @property
    def cpu_per_event(self) -> float:
        """Microseconds of processor time: its own, the broker's and the database's."""
        return self.cost.total / self.events * 1e6 if self.cost else 0.0


@dataclass(frozen=True, slots=True)
class Contest:
    """All designs on the same servers."""

    plan: Plan
    servers: Servers
    broker: Broker

    async def backlog(self, number: int, contender: Contender) -> Outcome:
        """Everything lies there at once."""
        events = self.plan.few_events if contender.single else self.plan.events
        async with self._warm(contender) as it:
            return await self._timed(it, number, BACKLOG, events, it.send)

    async def lasting(self, number: int, contender: Contender) -> Outcome:
        """So many events come in every second."""
        events = int(self.plan.per_second * self.plan.busy_seconds)

        async def trickle(records: Sequence[Any]) -> None:
            began, step = time.perf_counter(), max(int(self.plan.per_second * TICK), 1)
            for first in range(0, len(records), step):
                await asyncio.sleep(began + first / self.plan.per_second - time.perf_counter())
                await it.send(records[first : first + step])

        async with self._warm(contender) as it:
            return await self._timed(it, number, LASTING, events, trickle)

    async def killed(self, number: int, contender: Contender) -> Outcome:
        """It is killed some times at moments of chance, and started again each time."""
        events = self.plan.few_events if contender.single else self.plan.events // 4
        async with self._warm(contender) as it:
            warm = it.expected

            async def kill_and_start(records: Sequence[Any]) -> None:
                await it.send(records)
                chance = random.Random(f"{number}")
                for share in sorted(chance.uniform(0.1, 0.8) for _ in range(self.plan.kills)):
                    await it.until_about(warm + int(share * events), QUIET_SECONDS)
                    await it.kill()
                    await it.start()
                await it.until_kept(PATIENCE, QUIET_SECONDS)

            return await self._timed(it, number, KILLED, events, kill_and_start, whole=False)

    @asynccontextmanager
    async def _warm(self, contender: Contender) -> AsyncIterator[Bout]:
        """A design that is at work and has handled some events already."""
        async with bout(contender, self.servers, self.broker) as it:
            await it.send(it.load(self.plan.warm_up_events, "warm").records)
            await it.start()
            await it.until_told(it.expected, PATIENCE)
            yield it

    async def _timed(
        self,
        it: Bout,
        number: int,
        discipline: str,
        events: int,
        feed: Callable[[Sequence[Any]], Awaitable[None]],
        *,
        whole: bool = True,
    ) -> Outcome:
        load = await asyncio.to_thread(it.load, events, "loan")
        before, began = it.cost(), time.perf_counter()
        await feed(load.records)
        ended = await it.until_told(it.expected, PATIENCE) if whole else time.perf_counter()
        used = it.cost().since(before) if whole else None
        return Outcome(number, discipline, it.contender.name, events, ended - began, used, await it.judged())


# -- rounds ------------------------------------------------------------------------------------------------------------


async def run(plan: Plan, results: Results) -> None:
    """Every discipline in interleaved rounds; who fails in one is left out of it, with the reason."""
    outcomes: list[Outcome] = []
    chosen = [each for each in CONTENDERS if not plan.peers or each.module.rpartition(".")[2] in plan.peers]
    async with servers(fast=not plan.durable) as running:
        broker = await open_broker(f"kafka://{running.bootstrap}")
        try:
            contest = Contest(plan, running, broker)
            for discipline, play, rounds, several in _disciplines(contest):
                players = [each for each in chosen if not (several and each.single)]
                outcomes += await played(interleaved(players, rounds), discipline, play, plan, results)
        finally:
            await broker.close()
    results.sections["one_job"] = [plain(each) for each in outcomes]
    conclude(outcomes, plan, results)


Play = Callable[[int, Contender], Awaitable[Outcome]]


def _disciplines(contest: Contest) -> list[tuple[str, Play, int, bool]]:
    """Each with its rounds, and whether it is for those only that handle several events at once."""
    rounds = contest.plan.rounds
    return [
        (BACKLOG, contest.backlog, rounds, False),
        (LASTING, contest.lasting, contest.plan.lasting_rounds, True),
        (KILLED, contest.killed, 1, False),
    ]


async def played(
    order: Sequence[tuple[int, Contender]], discipline: str, play: Play, plan: Plan, results: Results
) -> list[Outcome]:
    """Everybody in turn; who fails once is not tried again, and when the time is over nobody is."""
    outcomes: list[Outcome] = []
    for number, contender in order:
        name = f"{contender.name}, {discipline}"
        if results.used(plan) > 1:
            results.left_out(f"{discipline}, round {number + 1}", contender.name)
        elif name not in results.not_run:
            try:
                outcomes.append(await play(number, contender))
            except (ChildError, NotInstalledError, BrokerUnavailableError) as error:
                results.not_run[name] = " ".join(str(error).split())[:300]
    return outcomes


def conclude(outcomes: Sequence[Outcome], plan: Plan, results: Results) -> None:
    """The figures of the headline: of designs only that lose nothing and, where a load lasts, keep up with it."""
    speed = _by_contender(outcomes, BACKLOG, lambda each: each.events_per_second)
    ours = speed.pop(OURS, {})
    if ours and (plain_ones := speed.get(PLAIN)):
        results.found("naive_ratio", spread(ratios(ours, plain_ones)).median)
    if ours and speed:
        fastest = max(speed.values(), key=lambda rounds: spread(rounds.values()).median)
        results.found("best_peer_ratio", spread(ratios(ours, fastest)).median)
    kept_up = [each for each in outcomes if each.events_per_second > plan.per_second * KEPT_UP]
    costs = _by_contender(kept_up, LASTING, lambda each: each.cpu_per_event)
    ours = costs.pop(OURS, {})
    if ours and costs:
        cheapest = min(costs.values(), key=lambda rounds: spread(rounds.values()).median)
        results.found("low_load_ratio", spread(ratios(ours, cheapest)).median)


def _by_contender(
    outcomes: Sequence[Outcome], discipline: str, figure: Callable[[Outcome], float]
) -> dict[str, dict[int, float]]:
    """A figure of each design that did its job rightly, by round."""
    found: dict[str, dict[int, float]] = {}
    for each in outcomes:
        if each.discipline == discipline and not each.judged.wrong_rows and not each.judged.lost:
            found.setdefault(each.contender, {})[each.round] = figure(each)
    return found


def shown(results: Results) -> str:
    """One line for each design in each discipline."""
    rows = results.sections.get("one_job", [])
    places = [(discipline, each.name) for discipline in (BACKLOG, LASTING, KILLED) for each in CONTENDERS]
    lines = [
        _line(discipline, name, mine)
        for discipline, name in places
        if (mine := [row for row in rows if (row["discipline"], row["contender"]) == (discipline, name)])
    ]
    return table("One job: medians of all rounds, processor time in µs an event", lines)


def _line(discipline: str, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    speed = spread(row["events_per_second"] for row in rows)
    killed = discipline == KILLED
    return {
        "design": f"{discipline}: {name}",
        "events": rows[0]["events"],
        "events/s": None if killed else speed.median,
        "lowest": None if killed else speed.lowest,
        "highest": None if killed else speed.highest,
        "own": None if killed else spread(row["cost"]["ours"] / row["events"] * 1e6 for row in rows).median,
        "all": None if killed else spread(row["cpu_per_event"] for row in rows).median,
        "wrong rows": max(row["judged"]["wrong_rows"] for row in rows),
        "lost": max(row["judged"]["lost"] for row in rows),
        "repeated": max(row["judged"]["repeated"] for row in rows),
    }
