"""What has been counted: month-end transitions, the book and the summary."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.analytics.domain.rolls import Transition, month_of, panel_label, transitions_of
from services.analytics.domain.rows import Roll

Rows: TypeAlias = Sequence[Sequence[Any]]
Fetch: TypeAlias = Callable[[str], Awaitable[Rows]]
"""Runs a query without parameters, on the connection of a command or of a route."""


def fetch_from(connection: asyncpg.Connection) -> Fetch:
    """The queries of a command."""

    async def fetch(query: str) -> Rows:
        return [tuple(row) for row in await connection.fetch(query)]

    return fetch


def fetch_through(connection: AsyncConnection) -> Fetch:
    """The queries of a route."""

    async def fetch(query: str) -> Rows:
        return (await connection.execute(text(query))).all()

    return fetch


# -- transitions ----------------------------------------------------------------------------------------------------

_ROLLS = """
SELECT scheme, month, lender_id, product, from_bucket, to_bucket, sum(loans)::bigint FROM roll
GROUP BY scheme, month, lender_id, product, from_bucket, to_bucket
HAVING sum(loans) <> 0
"""

_CLOCKS = "SELECT lender_id, max(business_date) FROM lane_clock WHERE kind = 'lane' GROUP BY lender_id"


async def all_transitions(fetch: Fetch) -> list[Transition]:
    """Month-end transitions of every loan, stays included, through the month in which each lender's books stand."""
    through = {lender: month_of(day) for lender, day in await fetch(_CLOCKS)}
    return list(transitions_of((Roll(*row) for row in await fetch(_ROLLS)), through))


async def transitions(connection: asyncpg.Connection, scheme: str) -> list[tuple[str, str, str, int]]:
    """Month-end transitions by one scheme over all lenders and products: (month, from, to, loans), in this order."""
    totals: Counter[tuple[str, str, str]] = Counter()
    for each in await all_transitions(fetch_from(connection)):
        if each.of.scheme == scheme:
            totals[each.month, each.origin, each.target] += each.loans
    return [(*key, loans) for key, loans in sorted(totals.items())]


async def transition_totals(connection: asyncpg.Connection, scheme: str | None = None) -> list[tuple[str, str, int]]:
    """Month-end transitions over all months, in the labels of a delinquency panel: (from, to, accounts), in this order.

    By one scheme, or by all of them where none is named.
    """
    totals: Counter[tuple[str, str]] = Counter()
    for each in await all_transitions(fetch_from(connection)):
        label = panel_label(each) if scheme in (None, each.of.scheme) else None
        if label:
            totals[label] += each.loans
    return [(*label, accounts) for label, accounts in sorted(totals.items())]


# -- summary --------------------------------------------------------------------------------------------------------

_BOOK = """
SELECT scheme, lender_id, product, bucket, currency, count(*), sum(past_due)::bigint, sum(outstanding)::bigint FROM loan
WHERE bucket NOT LIKE 'closed:%'
GROUP BY scheme, lender_id, product, bucket, currency
ORDER BY scheme, lender_id, product, bucket, currency
"""

_HAPPENED = """
SELECT subject, kind, detail, sum(times)::bigint FROM happening
GROUP BY subject, kind, detail
HAVING sum(times) <> 0
ORDER BY subject, kind, detail
"""

_CASH = """
SELECT kind, currency, measure, sum(total)::bigint FROM cash
GROUP BY kind, currency, measure
ORDER BY kind, currency, measure DESC
"""


_ARMS = """
SELECT experiment, arm, count(*), sum(contacts)::bigint, count(*) FILTER (WHERE cures > 0), sum(promises_kept)::bigint
FROM trial WHERE experiment <> ''
GROUP BY experiment, arm
ORDER BY experiment, arm
"""

_PAID_BY_ARM = """
SELECT experiment, arm, key, sum(value::bigint)::bigint FROM trial, json_each_text(paid)
WHERE experiment <> ''
GROUP BY experiment, arm, key
ORDER BY experiment, arm, key
"""


async def experiments(fetch: Fetch) -> dict[str, dict[str, dict[str, Any]]]:
    """By experiment and arm: persons as they were drawn, and what became of them, whatever was done in the end."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for experiment, arm, debtors, contacts, cured, promises_kept in await fetch(_ARMS):
        found.setdefault(experiment, {})[arm] = {
            "debtors": debtors,
            "contacts": contacts,
            "cured": cured,
            "paid": {},
            "promises_kept": promises_kept,
        }
    for experiment, arm, currency, amount in await fetch(_PAID_BY_ARM):
        found[experiment][arm]["paid"][currency] = amount
    return found


async def book(fetch: Fetch) -> Rows:
    """Loans that have not ended: (scheme, lender, product, bucket, currency, loans, past due, outstanding)."""
    return await fetch(_BOOK)


async def summary(connection: asyncpg.Connection) -> dict[str, Any]:
    """What there is and what has happened, in integers and text, with its keys always in the same order."""
    return await summary_by(fetch_from(connection))


async def summary_by(fetch: Fetch) -> dict[str, Any]:
    """The summary, through any fetch."""
    happened = _Happened(await fetch(_HAPPENED))
    return {
        "book": _book_by_bucket(await book(fetch)),
        "cases": {
            "opened": happened.times("case", "opened"),
            "reopened": happened.times("case", "reopened"),
            "cured": happened.times("case", "cured"),
            "closed": happened.details("case", "closed"),
        },
        "plans": happened.kinds("plan"),
        "steps": {channel: happened.details("step", channel) for channel in happened.kinds("step")},
        "contacts": {channel: happened.details("contact", channel) for channel in happened.kinds("contact")},
        "denials": {rule: happened.times("denial", rule) for rule in happened.kinds("denial")},
        "outcomes": {channel: happened.details("outcome", channel) for channel in happened.kinds("outcome")},
        "promises": {kind: happened.times("promise", kind) for kind in ("made", "kept", "broken")},
        "visits": {kind: happened.times("visit", kind) for kind in ("requested", "scheduled", "not_scheduled")},
        "matters": {kind: happened.times("matter", kind) for kind in ("opened", "closed", "declined")},
        "experiments": await experiments(fetch),
        **_cash_by_currency(await fetch(_CASH)),
    }


class _Happened:
    """The counts of happenings, summed over months and lenders."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows = [(subject, kind, detail, times) for subject, kind, detail, times in rows]

    def times(self, subject: str, kind: str) -> int:
        return sum(row[3] for row in self._rows if row[:2] == (subject, kind))

    def kinds(self, subject: str) -> dict[str, int]:
        return {kind: self.times(subject, kind) for kind in sorted({row[1] for row in self._rows if row[0] == subject})}

    def details(self, subject: str, kind: str) -> dict[str, int]:
        return {row[2]: row[3] for row in sorted(self._rows) if row[:2] == (subject, kind)}


def _book_by_bucket(rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    loans: Counter[tuple[str, str]] = Counter()
    past_due: dict[tuple[str, str], Counter[str]] = {}
    for scheme, _, _, bucket, currency, number, amount, _ in rows:
        loans[scheme, bucket] += number
        past_due.setdefault((scheme, bucket), Counter())[currency] += amount
    summed: dict[str, Any] = {}
    for (scheme, bucket), number in sorted(loans.items()):
        content = {"loans": number, "past_due": dict(sorted(past_due[scheme, bucket].items()))}
        summed.setdefault(scheme, {})[bucket] = content
    return summed


def _cash_by_currency(rows: Iterable[Sequence[Any]]) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = {"payments": {}, "reversals": {}}
    for kind, currency, measure, total in rows:
        found[f"{kind}s"].setdefault(currency, {})[measure] = total
    return {kind: {currency: dict(sorted(sums.items())) for currency, sums in of.items()} for kind, of in found.items()}
