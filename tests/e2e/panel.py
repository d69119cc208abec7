"""A card panel counted by the tests themselves: transitions, openings and endings, straight from the file's rows."""

import csv
import io
import json
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.owners import Owners

OVERDUE = "012345"


@dataclass
class Counted:
    """What the first accounts of a panel come to, account by account."""

    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    opened: int = 0
    reopened: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    standing: dict[str, str] = field(default_factory=dict)
    """How each account that ever was overdue stands at the newest month: a status, or "gone"."""


def counted(accounts: int, file: Path) -> Counted:
    """Count the first so many accounts, by their ids as text."""
    statuses: dict[str, dict[int, str]] = {}
    with zipfile.ZipFile(file) as archive, archive.open(archive.namelist()[0]) as packed:
        for row in csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8")):
            statuses.setdefault(row["ID"], {})[int(row["MONTHS_BALANCE"])] = row["STATUS"]
    result = Counted()
    for account in sorted(statuses)[:accounts]:
        _count(result, account, statuses[account])
    return result


def _count(result: Counted, account: str, months: dict[int, str]) -> None:
    assert sorted(months) == list(range(min(months), max(months) + 1)), "an account has a month without a row"
    before = None
    for month in sorted(months):
        now = months[month]
        if now in OVERDUE:
            result.transitions["new" if before is None else "closed" if before in "CX" else before, now] += 1
            result.opened += before is None
            result.reopened += before is not None and before in "CX"
            before = now
        elif before is not None and before in OVERDUE:  # while it is closed, nothing tells of a C or an X
            result.transitions[before, now] += 1
            result.closed["paid" if now == "C" else "no_loan"] += 1
            before = now
    if before is not None:
        dropped = max(months) < 0 and before in OVERDUE
        result.closed["no_longer_reported"] += dropped
        result.standing[account] = "gone" if dropped else before


def transitions_of(out: Path) -> Counter[tuple[str, str]]:
    """The transitions that a replay has written."""
    with out.open(newline="") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == ["from", "to", "accounts"]
        rows = list(reader)
    found = Counter({(row["from"], row["to"]): int(row["accounts"]) for row in rows})
    assert len(found) == len(rows)
    return found


_ENDINGS = {"paid": "C", "no_loan": "X", "no_longer_reported": "gone"}


async def compare(owners: Owners, expected: Counted) -> None:
    """Hold what the services know against what the file says: cases, endings, and every single account."""
    told = "SELECT data->'case'->>'disposition', count(*) FROM history WHERE type = 'intake.case-closed.v1' GROUP BY 1"
    assert dict(await owners.rows("intake", told)) == {how: n for how, n in expected.closed.items() if n}
    opened = "SELECT count(*), count(DISTINCT debtor_id) FROM history WHERE type = 'intake.case-opened.v1'"
    assert await owners.rows("intake", opened) == [(expected.opened, expected.opened)]
    assert await owners.rows("intake", _REOPENED_AFTER_CLOSING) == [(expected.reopened,)]
    cases = await owners.rows("intake", "SELECT loans FROM collection_case")
    loans: list[dict[str, Any]] = [loan for (of_case,) in cases for loan in json.loads(of_case)]
    standing = {loan["loan_id"]: _ENDINGS[loan["closed_as"]] if loan["closed_as"] else loan["bucket"] for loan in loans}
    assert len(loans) == len(standing) == len(cases)
    assert standing == expected.standing
    for owner in ("intake", "analytics"):
        found = await owners.rows(owner, "SELECT loan_id FROM loan")
        assert sorted(loan_id for (loan_id,) in found) == sorted(expected.standing)


_REOPENED_AFTER_CLOSING = """
SELECT count(*) FROM (
    SELECT type, lag(type) OVER (PARTITION BY debtor_id ORDER BY id) AS before FROM history
    WHERE type IN ('intake.case-opened.v1', 'intake.case-cured.v1', 'intake.case-reopened.v1', 'intake.case-closed.v1')
) AS told WHERE type = 'intake.case-reopened.v1' AND before = 'intake.case-closed.v1'
"""
