"""Whether a loan costs the same in a large book as in a small one, and what a second worker of each service brings."""

from typing import Any, Final

from benchmarks import end_to_end
from benchmarks.end_to_end import FIRST, SECOND, Night
from benchmarks.installation import installed
from benchmarks.plan import Plan
from benchmarks.results import Results, plain
from benchmarks.servers import servers
from benchmarks.tables import table

SMALL, LARGE = 100_000, 1_000_000
"""The two books whose costs are compared."""

TWO: Final = 2


async def run(plan: Plan, results: Results) -> None:
    """Two nights of each size with one worker of each service, and of the middle one with two."""
    if not plan.scaling:
        results.not_run["scaling"] = "is a part of the full run only"
        return
    found = [(1, night) for loans in plan.scaling for night in await _nights(plan, loans, 1)]
    middle = sorted(plan.scaling)[len(plan.scaling) // 2]
    found += [(TWO, night) for night in await _nights(plan, middle, TWO)]
    results.sections["scaling"] = [{"workers": workers, **plain(night)} for workers, night in found]
    costs = {night.loans: night.cpu_per_loan for workers, night in found if workers == 1 and night.name == FIRST}
    if SMALL in costs and LARGE in costs:
        results.found("cost_ratio_1m_100k", costs[LARGE] / costs[SMALL])


async def _nights(plan: Plan, loans: int, copies: int) -> list[Night]:
    async with servers(fast=not plan.durable) as running, installed(running, copies=copies) as installation:
        await end_to_end.warm_up(installation, plan.warm_up)
        return await end_to_end.nights(installation, loans, (FIRST, SECOND))


def shown(results: Results) -> str:
    """One line a night."""
    return table("Scaling: processor time in µs a loan", [_line(row) for row in results.sections.get("scaling", [])])


def _line(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "night": row["name"],
        "loans": row["loans"],
        "workers": row["workers"],
        "loans/s": row["loans_per_second"],
        "all": row["cpu_per_loan"],
        "WAL B/loan": row["wal_per_loan"],
        **{f"{name} MiB": size >> 20 for name, size in row["peak_memory"].items() if name.endswith("-1")},
    }
