"""Mornings on which everybody is due: each contact is claimed, judged, permitted and dispatched at its provider's pace.

After a night at which nothing falls due, every process is started again on a later morning: whoever was to be contacted
meanwhile is due at once, as after a long outage. The second such morning is looked at with a transaction open that
still sees every row version that has died since: what a forgotten session does to a queue in a database.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from benchmarks import due_to_sent, end_to_end
from benchmarks.due_to_sent import CONTACTS, UNENDED_STATES
from benchmarks.installation import A_MOMENT, Installation, NotDoneError, installed
from benchmarks.latency import HALF
from benchmarks.loans import EVENING
from benchmarks.machine import Cost
from benchmarks.multiplying import multiply
from benchmarks.plan import Plan
from benchmarks.results import Results, plain
from benchmarks.servers import servers
from benchmarks.tables import table
from services.outreach.contacts.adapters.sandbox_log import PostgresGatewayLog
from shared.settings import SANDBOX

MORNINGS: Final = tuple(EVENING + timedelta(days=days, hours=12, minutes=30) for days in (1, 4))
"""Half past eight, so that there is time enough before anybody's evening."""

STEADY: Final = EVENING + timedelta(days=7, hours=13)
LOOK_EVERY: Final = 0.5
REST: Final = 9.0
"""How much longer we rest than a look has taken, since looking costs what is measured."""

PATIENCE: Final = 180.0
SLOWEST: Final = 20.0
"""Contacts a second below which a morning is given up."""

_MARK = (
    "DROP TABLE IF EXISTS benchmark_due",
    f"""CREATE TABLE benchmark_due AS SELECT debtor_id, plan_number, step_number, due_at FROM plan_step
    WHERE {CONTACTS} AND due_at <= '{{at}}'""",
    "CREATE INDEX ON benchmark_due (debtor_id, plan_number, step_number)",
    "ANALYZE benchmark_due",
)
_COUNTED = """
SELECT count(*), coalesce(max(n), 0) FROM
    (SELECT count(*) OVER (PARTITION BY date_trunc('minute', due_at)) AS n FROM benchmark_due) AS minutes
"""
_LEFT = """
SELECT EXISTS (SELECT FROM step_due JOIN benchmark_due USING (debtor_id, plan_number, step_number)
               WHERE step_due.due_at <= $1)
    OR EXISTS (SELECT FROM contact_due)
"""
_WHY = """
SELECT state || ': ' || reason, count(*) FROM plan_step JOIN benchmark_due USING (debtor_id, plan_number, step_number)
GROUP BY 1 ORDER BY 2 DESC LIMIT 5
"""
# Who asks for another time on the phone is not sent the letter of the same morning either: it is due at that time.
PUT_OFF: Final = "put off as asked"
_PUT_OFF = "state = 'scheduled' AND s.reason = 'another time was asked for' AND s.due_at > b.due_at"
_STATES = f"""
SELECT CASE WHEN {_PUT_OFF} THEN '{PUT_OFF}' ELSE state END, count(*)
FROM plan_step s JOIN benchmark_due b USING (debtor_id, plan_number, step_number) GROUP BY 1
"""
_WRONG = {
    "steps that neither ended nor were put off as asked": f"""
        SELECT count(*) FROM plan_step s JOIN benchmark_due b USING (debtor_id, plan_number, step_number)
        WHERE state IN ({UNENDED_STATES}) AND NOT ({_PUT_OFF})""",
    "steps ended twice": """
        SELECT count(*) FROM (SELECT FROM history WHERE type = 'outreach.step-ended.v1'
        GROUP BY debtor_id, data->>'plan_number', data->>'step_number' HAVING count(*) > 1) AS twice""",
    "contacts made, and their keys": """
        SELECT count(*) - count(DISTINCT idempotency_key) FROM contact WHERE state = 'made'""",
    "contacts in doubt": "SELECT count(*) FROM contact WHERE state IN ('sending', 'unknown')",
}
_MADE = "SELECT count(*) FROM contact WHERE state = 'made'"
_TAKEN = "SELECT count(*) FROM taken"


@dataclass(frozen=True, slots=True)
class Morning:
    """What became of those due. fullest_minute: the most that are due in one; most_in_a_second: that were taken."""

    name: str
    due: int
    fullest_minute: int
    seconds: float
    states: Mapping[str, int]
    cost: Cost
    wal_bytes: int
    most_in_a_second: float
    pace: int
    peak_memory: Mapping[str, int]

    @property
    def per_second(self) -> float:
        """How many came to their end in a second."""
        return self.due / self.seconds

    @property
    def cpu_per_contact(self) -> float:
        """Microseconds of processor time for each: ours, the broker's and the database's."""
        return self.cost.total / self.due * 1e6


@dataclass
class Taking:
    """How fast the provider was asked, by looking at its own log again and again."""

    most: float = 0.0
    _last: tuple[float, int] | None = field(default=None)

    def seen(self, at: float, taken: int) -> None:
        """Note how many it has taken by an instant, where a second has passed since the last look that counted."""
        if self._last is None:
            self._last = at, taken
        elif at - self._last[0] >= 1:
            self.most = max(self.most, (taken - self._last[1]) / (at - self._last[0]))
            self._last = at, taken


async def run(plan: Plan, results: Results) -> None:
    """A night, and the mornings."""
    if not plan.due_contacts:
        results.not_run["due-work"] = "is no part of this run"
        return
    async with servers(fast=not plan.durable) as running, installed(running, pace=plan.pace) as installation:
        await end_to_end.warm_up(installation, plan.warm_up)
        await end_to_end.night(installation, end_to_end.FIRST, plan.due_contacts)
        await multiply(installation, plan.due_copies)
        log = PostgresGatewayLog(installation.urls[SANDBOX])
        await log.every()  # makes the table that is looked at from here on
        await log.close()
        first = await _morning(installation, "all due at once", MORNINGS[0])
        async with _old_snapshot(running.postgres.dsn("outreach")):
            later = await _morning(installation, "with an old snapshot open", MORNINGS[1])
        results.sections["due_work"] = [plain(first), plain(later)]
        way = await due_to_sent.measured(installation, STEADY, HALF * first.per_second, plan.latency_seconds)
        results.sections["due_to_sent"] = [way]


@asynccontextmanager
async def _old_snapshot(dsn: str) -> AsyncIterator[None]:
    """A transaction that sees everything as it was before."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            await connection.fetchval("SELECT count(*) FROM plan_step")
            yield
    finally:
        await connection.close()


async def _morning(installation: Installation, name: str, at: datetime) -> Morning:
    """Wake everybody at an instant, and wait until all who are due then have been seen to."""
    servers = installation.servers
    for statement in _MARK:
        await installation.rows("outreach", statement.format(at=at.isoformat()))
    ((due, fullest),) = await installation.rows("outreach", _COUNTED)
    await installation.wake(at)
    before, wal, began = installation.cost(), await servers.wal_bytes(), time.perf_counter()
    taking = await _until_seen_to(installation, PATIENCE + due / SLOWEST)
    seconds = time.perf_counter() - began
    await _check(installation)
    return Morning(
        name=name,
        due=due,
        fullest_minute=fullest,
        seconds=seconds,
        states=dict(await installation.rows("outreach", _STATES)),
        cost=installation.cost().since(before),
        wal_bytes=await servers.wal_bytes() - wal,
        most_in_a_second=taking.most,
        pace=installation.pace or 0,
        peak_memory=installation.peak_memory(),
    )


async def _until_seen_to(installation: Installation, within: float) -> Taking:
    """Wait until nothing of what was due is due any more, nor on its way. Raises NotDoneError."""
    deadline, taking, left = time.monotonic() + within, Taking(), True
    while left:
        installation.check_alive()
        if time.monotonic() > deadline:
            why = dict(await installation.rows("outreach", _WHY))
            raise NotDoneError(f"not within {within:g} s: contacts are due or on their way, {why}")
        began = time.monotonic()
        ((left,),) = await installation.rows("outreach", _LEFT, installation.now("outreach") + A_MOMENT)
        ((taken,),) = await installation.rows(SANDBOX, _TAKEN)
        taking.seen(time.monotonic(), taken)
        await asyncio.sleep(max(LOOK_EVERY, REST * (time.monotonic() - began)))
    return taking


async def _check(installation: Installation) -> None:
    """Each step has ended once, and the provider has taken what the ledger says, once. Raises NotDoneError."""
    for what, query in _WRONG.items():
        ((wrong,),) = await installation.rows("outreach", query)
        if wrong:
            raise NotDoneError(f"{what}: {wrong}")
    ((made,),), ((taken,),) = await installation.rows("outreach", _MADE), await installation.rows(SANDBOX, _TAKEN)
    if made != taken:
        raise NotDoneError(f"the ledger has {made} contacts, and the provider has taken {taken}")


def shown(results: Results) -> str:
    """One line a morning, and how long it takes from due to sent when not everybody is due at once."""
    mornings = table("Mornings on which all are due", [_line(row) for row in results.sections.get("due_work", [])])
    return mornings + table("Latency of due contacts", results.sections.get("due_to_sent", []))


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "morning": row["name"],
        "due": row["due"],
        "in the fullest minute": row["fullest_minute"],
        "contacts/s": row["per_second"],
        "most in a second": row["most_in_a_second"],
        "pace": row["pace"],
        "µs each": row["cpu_per_contact"],
        **row["states"],
    }
