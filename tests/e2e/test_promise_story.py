"""Dated plays through all five services of what a contact leads to: a promise pauses, is kept, and holds no longer."""

from datetime import time
from typing import Any

import asyncpg
import msgspec
import pytest

from services.outreach.contacts.domain.rows import Contact
from services.outreach.plans.store import LAYOUT
from shared.messaging.rows import columns_of, values
from shared.messaging.sharding import shard_of
from tests.e2e.test_stories import BANK, CHAMPION, MORNING, NIGHT, Story, opened_early, paid, story, taken_back
from tests.unit.outreach.saying import contact

__all__ = ["story"]
pytestmark = pytest.mark.timeout(300)


async def reached(story: Story) -> str:
    """A call of this debtor's was made, and somebody is to say what came of it."""
    made: Contact = contact("call-1")
    debtor = story.system.settings().vault.pseudonym(BANK, CHAMPION)
    table = LAYOUT.tables["contacts"]
    row = (shard_of(debtor), debtor, *values(table, made))
    names = ", ".join(["shard", "debtor_id", *(column.name for column in columns_of(table))])
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await _write(story, f"INSERT INTO contact ({names}) VALUES ({places})", *row)
    return debtor


async def said(story: Story, debtor: str, on: str, **body: Any) -> list[str]:
    """An operator says what came of it."""
    await _write(
        story,
        "INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash) "
        "VALUES ('said', 'test', 'said', 'lane', $1, 'record-outcome', $2, $3, 'operator/x', $4, '')",
        shard_of(debtor), debtor, BANK, msgspec.json.encode({"contact_id": "call-1", **body}).decode(),
    )  # fmt: skip
    return await story.act(on, MORNING)


async def _write(story: Story, statement: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(story.owners.urls["outreach"])
    await connection.execute(statement, *arguments)
    await connection.close()


async def kept_and_broken(story: Story) -> list[tuple[Any, ...]]:
    """How many promises segmentation knows to be kept, and to be broken."""
    query = "SELECT known->>'promises_kept', known->>'promises_broken' FROM person"
    return [tuple(row) for row in await story.owners.rows("segmentation", query)]


async def test_a_promise_pauses_everything_and_its_payments_decide_how_it_ends(story: Story) -> None:
    await opened_early(story)
    debtor = await reached(story)
    promise = {"amount": 500, "currency": "CNY", "promised_on": "2026-03-06"}
    assert await said(story, debtor, "03-03", result="promised", promise=promise) == [
        "segmentation.treatment-assigned EARLY (promise made)",
        "outreach.outcome-recorded",
        "outreach.promise-made",
        "outreach.plan-stopped promise made",
    ]
    for on in ("03-04", "03-05"):
        assert await story.night(on) == []
        assert await story.act(on, time(23, 0)) == []

    payment = paid("03-05", 500)
    assert await story.act("03-06", NIGHT, payment) == [
        "intake.payment-posted",
        "segmentation.treatment-assigned EARLY (payment posted)",
        "segmentation.treatment-assigned EARLY (promise kept)",
        "outreach.promise-kept",
    ]
    assert await story.act("03-06", time(7, 0)) == ["outreach.plan-started EARLY"]

    assert await story.act("03-07", MORNING, taken_back(payment, "03-07", "02-22")) == [
        "intake.payment-reversed",
        "segmentation.treatment-assigned EARLY (payment reversed)",
        "segmentation.treatment-assigned EARLY (promise reopened)",
        "outreach.promise-reopened",
        "outreach.plan-stopped promise made",
    ]
    assert await story.night("03-09") == []
    assert await story.night("03-10") == [
        "segmentation.treatment-assigned EARLY (review due)",  # its own pause ends on the same day
        "segmentation.tier-assigned medium",
        "outreach.promise-broken",
    ]
    assert await story.act("03-10", time(7, 0)) == ["outreach.plan-started EARLY"]
    assert await kept_and_broken(story) == [("0", "1")]
    assert [plan[3] for plan in await story.plans()] == ["stopped", "stopped", "active"]
