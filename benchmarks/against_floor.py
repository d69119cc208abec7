"""End to end and its floor, round by round on the same servers: first ours, then the same work with nothing in it."""

from dataclasses import dataclass
from typing import Any

from benchmarks import end_to_end, recording
from benchmarks.end_to_end import DATE_ONLY, FIRST, NIGHTS, SECOND, Night
from benchmarks.figures import ratios, spread
from benchmarks.floor import replayed
from benchmarks.installation import Installation, installed
from benchmarks.plan import Plan
from benchmarks.results import NO_TIME, Results, plain
from benchmarks.servers import Servers, servers
from benchmarks.tables import table

OURS, FLOOR, EMBEDDED = "ours", "floor", "embedded log"

SHARE = 0.4
"""Of a plan's time, after which the other sections have their turn."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One night of one contender in one round."""

    round: int
    contender: str
    night: Night


async def run(plan: Plan, results: Results) -> None:
    """Ours and the floor in turns on Kafka, then ours on the log in the database."""
    entries: list[Entry] = []
    for number in range(plan.rounds):
        if number and results.used(plan) > SHARE:
            results.not_run[f"end to end, round {number + 1}"] = NO_TIME
            continue
        async with servers(fast=not plan.durable) as running:
            entries += await _round(running, plan, number)
    if plan.embedded_loans and results.used(plan) < SHARE:
        entries += await _embedded(plan)
    results.sections["end_to_end"] = [
        {"round": each.round, "contender": each.contender, **plain(each.night)} for each in entries
    ]
    _conclude(entries, results)


async def _embedded(plan: Plan) -> list[Entry]:
    async with servers(kafka=False, fast=not plan.durable) as running, installed(running) as installation:
        await end_to_end.warm_up(installation, plan.warm_up)
        return [Entry(0, EMBEDDED, night) for night in await end_to_end.nights(installation, plan.embedded_loans)]


async def _round(running: Servers, plan: Plan, number: int) -> list[Entry]:
    entries: list[Entry] = []
    recordings: dict[str, recording.Recording] = {}
    async with installed(running) as installation:
        await end_to_end.warm_up(installation, plan.warm_up)
        for name in NIGHTS:
            night, recordings[name] = await _recorded(installation, name, plan.loans)
            entries.append(Entry(number, OURS, night))
    floor = [await replayed(running, recordings[name], name, plan.loans) for name in (FIRST, SECOND)]
    return [*entries, *(Entry(number, FLOOR, night) for night in floor)]


async def _recorded(installation: Installation, name: str, loans: int) -> tuple[Night, recording.Recording]:
    began = await recording.mark(installation)
    night = await end_to_end.night(installation, name, loans)
    return night, await recording.recorded(installation, began)


def _conclude(entries: list[Entry], results: Results) -> None:
    first = _of(entries, OURS, FIRST)
    results.found("loans_per_second", spread(each.loans_per_second for each in first.values()).median)
    results.found("cpu_seconds_per_million", spread(each.cpu_per_loan for each in first.values()).median)
    costs = {name: _ratios(entries, name) for name in (FIRST, SECOND)}
    results.found("floor_ratio", spread(costs[FIRST]).median)
    results.sections["floor"] = {
        name: dict(zip(("median", "lowest", "highest"), spread(each), strict=True)) for name, each in costs.items()
    }


def _ratios(entries: list[Entry], name: str) -> list[float]:
    """What the floor costs a loan by what ours costs, in each round."""
    floor = {number: night.cpu_per_loan for number, night in _of(entries, FLOOR, name).items()}
    return ratios(floor, {number: night.cpu_per_loan for number, night in _of(entries, OURS, name).items()})


def _of(entries: list[Entry], contender: str, name: str) -> dict[int, Night]:
    return {each.round: each.night for each in entries if each.contender == contender and each.night.name == name}


def shown(results: Results) -> str:
    """The nights, each as the medians of its rounds."""
    rows = results.sections.get("end_to_end", [])
    groups = [(contender, name) for contender in (OURS, FLOOR, EMBEDDED) for name in (FIRST, SECOND, DATE_ONLY)]
    lines = [
        _line(contender, name, mine)
        for contender, name in groups
        if (mine := [row for row in rows if (row["contender"], row["name"]) == (contender, name)])
    ]
    return table("End to end: medians of all rounds, processor time in µs a loan", lines)


def _line(contender: str, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    def median(of: Any) -> float:
        return spread(of(row) for row in rows).median

    speed = spread(row["loans_per_second"] for row in rows)
    return {
        "night": f"{contender}, {name}",
        "loans": rows[0]["loans"],
        "loans/s": speed.median,
        "lowest": speed.lowest,
        "highest": speed.highest,
        "ours": median(lambda row: row["cost"]["ours"] / row["loans"] * 1e6),
        "broker": median(lambda row: row["cost"]["broker"] / row["loans"] * 1e6),
        "database": median(lambda row: row["cost"]["database"] / row["loans"] * 1e6),
        "WAL B/loan": median(lambda row: row["wal_per_loan"]),
        "largest MiB": max(max(row["peak_memory"].values()) for row in rows) >> 20,
        "others' cores": median(lambda row: row["cost"]["others"] / row["seconds"]),
    }
