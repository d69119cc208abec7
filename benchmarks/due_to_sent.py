"""How long it takes from the instant at which a step falls due until its provider has the message, at a steady rate.

A plan's own steps lie far apart, and a day would have to be waited for. So some of those that are due soon are made to
fall due one after the other, as many in a second as are wanted, and the others two days later.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from benchmarks.figures import percentiles
from benchmarks.installation import Installation, NotDoneError
from services.outreach.plans.domain.rows import UNENDED
from shared.settings import SANDBOX

TO_SENT: Final = "due to sent"
AHEAD: Final = timedelta(seconds=40)
"""So that every process works before the first falls due: to start five takes a while on a busy machine."""

PATIENCE: Final = 120.0
LOOK_EVERY: Final = 1.0

UNENDED_STATES: Final = ", ".join(f"'{state.value}'" for state in sorted(UNENDED))
CONTACTS: Final = "state = 'scheduled' AND channel NOT IN ('visit', 'agency', 'legal_referral')"
"""Of the steps of plans, those that are to become contacts."""

_CHOSEN = """
CREATE TABLE benchmark_spread AS
SELECT *, timestamptz '{at}' + row_number() OVER (ORDER BY md5(debtor_id)) / {rate} * interval '1 second' AS falls_due
FROM (SELECT DISTINCT ON (debtor_id) debtor_id, plan_number, step_number FROM plan_step
      WHERE {contacts} AND due_at <= '{last}'
      ORDER BY debtor_id, due_at LIMIT {many}) AS chosen
"""  # one of each debtor, since what comes of it may put the next one off
_LATER = "UPDATE {table} SET due_at = due_at + interval '2 days' WHERE due_at <= '{last}' AND {scheduled}"
_SPREAD = """
UPDATE {table} t SET due_at = s.falls_due FROM benchmark_spread s
WHERE (t.debtor_id, t.plan_number, t.step_number) = (s.debtor_id, s.plan_number, s.step_number)
"""
_TABLES: Final = {"plan_step": "state = 'scheduled'", "step_due": "true"}
# What the rules or its person have put off is due at another time, and no part of this.
_LEFT = f"""
SELECT count(*) FROM plan_step JOIN benchmark_spread USING (debtor_id, plan_number, step_number)
WHERE due_at = falls_due AND state IN ({UNENDED_STATES})
"""
_KEYS = """
SELECT idempotency_key, falls_due FROM contact JOIN benchmark_spread USING (debtor_id, plan_number, step_number)
WHERE state = 'made'
"""
_TAKEN = "SELECT key, taken_at FROM taken WHERE key = ANY ($1::text[])"


async def measured(installation: Installation, at: datetime, rate: float, seconds: float) -> dict[str, Any]:
    """What passed between the two for steps that fall due from an instant on, `rate` in a second, in milliseconds."""
    many = int(rate * seconds)
    await _spread(installation, at, rate, many)
    await installation.wake(at - AHEAD)
    await _until_ended(installation, AHEAD.total_seconds() + seconds + PATIENCE)
    took = await _milliseconds(installation)
    return {"way": TO_SENT, "per_second": rate, "measured": len(took), **percentiles(took)}


async def _spread(installation: Installation, at: datetime, rate: float, many: int) -> None:
    last = at + timedelta(hours=3)
    await installation.rows("outreach", "DROP TABLE IF EXISTS benchmark_spread")
    await installation.rows("outreach", _CHOSEN.format(contacts=CONTACTS, at=at, rate=rate, last=last, many=many))
    for table, scheduled in _TABLES.items():
        await installation.rows("outreach", _LATER.format(table=table, last=last, scheduled=scheduled))
        await installation.rows("outreach", _SPREAD.format(table=table))
        await installation.rows("outreach", f"ANALYZE {table}")


async def _until_ended(installation: Installation, within: float) -> None:
    deadline, left = time.monotonic() + within, 1
    while left:
        installation.check_alive()
        if time.monotonic() > deadline:
            raise NotDoneError(f"not within {within:g} s: {left} of those that fell due are not sent")
        await asyncio.sleep(LOOK_EVERY)
        ((left,),) = await installation.rows("outreach", _LEFT)


async def _milliseconds(installation: Installation) -> Sequence[float]:
    due = dict(await installation.rows("outreach", _KEYS))
    taken = await installation.rows(SANDBOX, _TAKEN, list(due))
    return [(at - due[key]) / timedelta(milliseconds=1) for key, at in taken]
