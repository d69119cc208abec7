"""The tests' own figures, taken from the databases of those who own the facts; nothing of the services is used here."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from shared.postgres import databases
from shared.postgres.server import PostgresServer

Rows: TypeAlias = list[tuple[Any, ...]]
END_OF_TIME = datetime.fromisoformat("9999-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class Owners:
    """The databases of a system, by the name of the service (and `broker` and `stepper`)."""

    urls: Mapping[str, str]

    async def rows(self, owner: str, query: str, *arguments: Any) -> Rows:
        """What a query finds in an owner's database."""
        connection = await asyncpg.connect(self.urls[owner])
        try:
            return [tuple(row) for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    async def count(self, owner: str, query: str) -> int:
        """The one number that a query finds."""
        ((number,),) = await self.rows(owner, query)
        return int(number)


@asynccontextmanager
async def after_the_run(folder: Path) -> AsyncIterator[Owners]:
    """The databases of a run that has ended: its server is started again for as long as they are looked at."""
    server = PostgresServer(folder / "postgres", fast=True)
    server.start()
    try:
        yield Owners(await databases.provide(server))
    finally:
        server.stop()


# -- what is past due, computed again from what the bank has told ------------------------------------------------------

STANDARD = ((1, 30, "M1"), (31, 60, "M2"), (61, 90, "M3"), (91, 120, "M4"), (121, 150, "M5"), (151, 180, "M6"))


class Owed(NamedTuple):
    """What of one loan is past due on a date, since when, and whether the loan has ended."""

    loan_id: str
    currency: str
    past_due: int
    oldest: date | None
    ended: bool


async def owed(owners: Owners, on: date, until: datetime = END_OF_TIME) -> list[Owed]:
    """Every loan that a snapshot is known of, as the postings up to `until` leave it on a date."""
    payments: dict[tuple[str, str], list[Any]] = {}
    told = "SELECT debtor_id, loan_id, amount, posted_at, reversed_at, coalesce(due_since, posted_on) FROM payment"
    for debtor_id, loan_id, *payment in await owners.rows("intake", told):
        payments.setdefault((debtor_id, loan_id), []).append(payment)
    loans = await owners.rows(
        "intake", "SELECT debtor_id, loan_id, base, closed_at FROM loan WHERE base IS NOT NULL ORDER BY loan_id"
    )
    return [
        past_due(loan_id, json.loads(base), closed_at, payments.get((debtor_id, loan_id), ()), on, until)
        for debtor_id, loan_id, base, closed_at in loans
    ]


def past_due(
    loan_id: str,
    base: dict[str, Any],
    closed_at: datetime | None,
    payments: Iterable[Any],
    on: date,
    until: datetime = END_OF_TIME,
) -> Owed:
    """One loan from its newest snapshot; a payment is its amount, posting and reversal, and since when it was owed."""
    cut_off = datetime.fromisoformat(base["posting_cut_off"])
    if closed_at is not None and cut_off <= closed_at <= until:
        return Owed(loan_id, base["currency"], 0, None, ended=True)
    parts = ("fee", "penalty", "interest", "principal")
    unpaid = [(date.fromisoformat(one["due_on"]), sum(one[part] for part in parts)) for one in base["instalments"]]
    money = 0
    for amount, posted_at, reversed_at, owed_since in payments:
        taken_back = reversed_at is not None and reversed_at <= until
        if cut_off < posted_at <= until and not taken_back:
            money += amount
        elif posted_at <= cut_off and taken_back and reversed_at > cut_off:
            unpaid.append((owed_since, amount))
    left = []
    for due_on, amount in sorted(unpaid):
        paid = min(money, amount)
        money -= paid
        left.append((due_on, amount - paid))
    past = [(due_on, amount) for due_on, amount in left if amount and due_on < on]
    return Owed(loan_id, base["currency"], sum(amount for _, amount in past), past[0][0] if past else None, ended=False)


def bucket(days: int) -> str:
    """The standard reporting bucket of so many days past due."""
    return next((label for first, last, label in STANDARD if first <= days <= last), "M7+") if days else "current"


async def business_date(owners: Owners, lender_id: str | None = None) -> date:
    """Where the books of the one lender stand, or of this one."""
    ((on,),) = await owners.rows(
        "intake",
        "SELECT DISTINCT business_date FROM lane_clock WHERE kind = 'lane' AND coalesce(lender_id = $1, true)",
        lender_id,
    )
    assert isinstance(on, date)
    return on


# -- the summary -------------------------------------------------------------------------------------------------------


async def summary(owners: Owners, lender_id: str | None = None) -> dict[str, Any]:
    """Every figure of the summary of a run, from the databases of those who own the facts.

    The book is the one lender's, or this one's.
    """
    return {
        "book": {"standard": await _book(owners, lender_id)},
        "cases": await _cases(owners),
        "plans": await _plans(owners),
        "steps": await _steps(owners),
        "contacts": await _contacts(owners),
        "denials": await _denials(owners),
        "outcomes": await _outcomes(owners),
        "promises": await _promises(owners),
        "visits": await _visits(owners),
        "matters": await _matters(owners),
        "experiments": await _experiments(owners),
        "payments": await _cash(owners, "heard"),
        "reversals": await _cash(owners, "heard AND reversed_at IS NOT NULL"),
    }


async def _book(owners: Owners, lender_id: str | None) -> dict[str, Any]:
    on = await business_date(owners, lender_id)
    of_cases = await owners.rows(
        "intake", "SELECT loan.loan_id FROM loan JOIN collection_case USING (debtor_id) WHERE base IS NOT NULL"
    )
    known = {loan_id for (loan_id,) in of_cases}
    book: dict[str, Any] = {}
    for loan in await owed(owners, on):
        if loan.loan_id in known and not loan.ended:
            label = bucket((on - loan.oldest).days if loan.oldest else 0)
            entry = book.setdefault(label, {"loans": 0, "past_due": Counter()})
            entry["loans"] += 1
            entry["past_due"][loan.currency] += loan.past_due
    return book


async def _cases(owners: Owners) -> dict[str, Any]:
    told = """
        SELECT type, data->'case'->>'disposition', count(*) FROM history WHERE type LIKE 'intake.case-%' GROUP BY 1, 2
    """
    times: Counter[str] = Counter()
    closed: dict[str, int] = {}
    for name, disposition, number in await owners.rows("intake", told):
        kind = name.removeprefix("intake.case-").removesuffix(".v1")
        times[kind] += number
        if kind == "closed":
            closed[disposition] = number
    opened = await owners.count("intake", "SELECT count(*) FROM collection_case")
    assert opened == times["opened"]
    return {"opened": opened, "reopened": times["reopened"], "cured": times["cured"], "closed": closed}


async def _plans(owners: Owners) -> dict[str, int]:
    found = await owners.rows("outreach", "SELECT state, count(*) FROM plan GROUP BY 1")
    return {"running" if state == "active" else state: number for state, number in found}


async def _steps(owners: Owners) -> dict[str, dict[str, int]]:
    steps: dict[str, dict[str, int]] = {}
    counted = "SELECT channel, state, count(*) FROM plan_step GROUP BY 1, 2"
    for channel, state, number in await owners.rows("outreach", counted):
        steps.setdefault(channel, {})[state] = number
    return steps


async def _contacts(owners: Owners) -> dict[str, dict[str, int]]:
    contacts: dict[str, dict[str, int]] = {}
    counted = """
        SELECT channel, 'permitted', count(*) FROM contact GROUP BY 1
        UNION ALL SELECT channel, outcome, count(*) FROM contact WHERE state = 'made' GROUP BY 1, 2
        UNION ALL SELECT channel, state, count(*) FROM contact WHERE state IN ('not_made', 'unknown') GROUP BY 1, 2
    """
    for channel, ended, number in await owners.rows("outreach", counted):
        contacts.setdefault(channel, {})[ended] = number
    return contacts


async def _denials(owners: Owners) -> dict[str, int]:
    counted = "SELECT r->>'rule', count(*) FROM contact_denial, json_array_elements(rules) r GROUP BY 1"
    return dict(await owners.rows("outreach", counted))


async def _outcomes(owners: Owners) -> dict[str, dict[str, int]]:
    outcomes: dict[str, dict[str, int]] = {}
    counted = "SELECT channel, said->>'result', count(*) FROM outcome GROUP BY 1, 2"
    for channel, result, number in await owners.rows("outreach", counted):
        outcomes.setdefault(channel, {})[result] = number
    return outcomes


async def _promises(owners: Owners) -> dict[str, int]:
    ended: dict[str, int] = dict(await owners.rows("outreach", "SELECT state, count(*) FROM promise GROUP BY 1"))
    return {"made": sum(ended.values()), "kept": ended.get("kept", 0), "broken": ended.get("broken", 0)}


async def _visits(owners: Owners) -> dict[str, int]:
    requested = "SELECT count(*) FROM history WHERE type = 'outreach.visit-requested.v1'"
    with_crew = """
        SELECT count(*) FROM visit JOIN plan_step USING (debtor_id, plan_number, step_number)
        WHERE plan_step.state = 'assigned'
    """
    return {
        "requested": await owners.count("outreach", requested),
        "scheduled": await owners.count("outreach", with_crew),
        "not_scheduled": await owners.count("outreach", "SELECT count(*) FROM plan_step WHERE state = 'unassigned'"),
    }


async def _matters(owners: Owners) -> dict[str, int]:
    return {
        "opened": await owners.count("legal", "SELECT count(*) FROM matter"),
        "closed": await owners.count("legal", "SELECT count(*) FROM matter WHERE closed"),
        "declined": await owners.count("legal", "SELECT count(*) FROM referral WHERE answered AND NOT accepted"),
    }


async def _cash(owners: Owners, condition: str) -> dict[str, dict[str, int]]:
    query = f"SELECT currency, count(*), sum(amount)::bigint FROM payment WHERE {condition} GROUP BY 1"
    return {
        currency: {"count": number, "amount": amount} for currency, number, amount in await owners.rows("intake", query)
    }


_CURED = """
SELECT DISTINCT debtor_id FROM history
WHERE type = 'intake.case-cured.v1'
   OR (type = 'intake.case-closed.v1' AND data->'case'->>'disposition' = 'paid')
"""
_MONEY = """
SELECT debtor_id, data->>'currency',
       sum((data->>'amount')::bigint * CASE type WHEN 'intake.payment-posted.v1' THEN 1 ELSE -1 END)::bigint
FROM history
WHERE type IN ('intake.payment-posted.v1', 'intake.payment-reversed.v1') AND json_typeof(data->'case') = 'object'
GROUP BY 1, 2
"""


async def _experiments(owners: Owners) -> dict[str, Any]:
    """Persons as segmentation drew them, with what intake says of their money and outreach of their contacts."""
    cured = {debtor_id for (debtor_id,) in await owners.rows("intake", _CURED)}
    money: dict[str, Counter[str]] = {}
    for debtor_id, currency, amount in await owners.rows("intake", _MONEY):
        money.setdefault(debtor_id, Counter())[currency] += amount
    made = "SELECT debtor_id, count(*) FROM contact WHERE state = 'made' GROUP BY 1"
    contacts: dict[str, int] = dict(await owners.rows("outreach", made))
    kept = "SELECT debtor_id, count(*) FROM promise WHERE state = 'kept' GROUP BY 1"
    promises: dict[str, int] = dict(await owners.rows("outreach", kept))
    found: dict[str, Any] = {}
    for debtor_id, experiment, arm in await owners.rows("segmentation", "SELECT debtor_id, experiment, arm FROM arm"):
        nothing = {"debtors": 0, "contacts": 0, "cured": 0, "paid": Counter(), "promises_kept": 0}
        of = found.setdefault(experiment, {}).setdefault(arm, nothing)
        of["debtors"] += 1
        of["contacts"] += contacts.get(debtor_id, 0)
        of["cured"] += debtor_id in cured
        of["promises_kept"] += promises.get(debtor_id, 0)
        of["paid"].update(money.get(debtor_id, {}))
    return found


def night(day: date) -> datetime:
    """Midnight of a day in China, the posting cut-off of its snapshots."""
    return datetime.fromisoformat(f"{day}T00:00:00+08:00")
