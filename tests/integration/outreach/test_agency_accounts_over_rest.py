"""What agencies read over HTTP on real PostgreSQL: all that changes, also what is committed late, and statements."""

import base64
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import msgspec
import pytest

from shared.contracts import intake
from shared.contracts.envelope import derived_id
from shared.messaging.sharding import shard_of
from tests.conftest import DatabaseOf
from tests.integration.outreach.agency_desk import DAY, offered, own, paid, placed, shown, taken_back, with_agencies
from tests.integration.outreach.people import ANNA, MORNING, Office
from tests.unit.outreach.play import case, loan


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(dsn: str) -> AsyncIterator[Office]:
    async with with_agencies(dsn) as office:
        yield office


# -- what changed ------------------------------------------------------------------------------------------------------


async def changes(office: Office, agency: str, after: str = "", limit: int = 50) -> Any:
    query = f"?limit={limit}" + (f"&after={after}" if after else "")
    return await shown(office, f"/v1/agency/placements/changes{query}", agency)


async def test_what_changed_is_read_on_from_a_cursor(office: Office) -> None:
    placement_id = await placed(office)
    first = await changes(office, "alpha")
    assert [each["change"] for each in first["items"]] == ["offered", "accepted"]
    assert {each["placement_id"] for each in first["items"]} == {placement_id}
    assert await changes(office, "alpha", first["next"]) == {"items": [], "next": first["next"], "more": False}
    await paid(office, "p-1", 10_003, 2)
    await office.hear(intake.CaseUpdated(case=case(loans=(loan(past_due=40_000),))), 3)
    then = await changes(office, "alpha", first["next"])
    assert [each["change"] for each in then["items"]] == ["paid", "updated"]
    assert (then["items"][0]["amount"], then["items"][0]["payment_id"]) == (10_003, "p-1")
    everything = (await changes(office, "alpha"))["items"]
    assert everything == [*first["items"], *then["items"]]


async def test_pages_of_changes_together_are_all_of_them(office: Office) -> None:
    debtors = [derived_id("debtor", number) for number in range(6)]
    for debtor_id in debtors:
        await office.know(debtor_id)
        await placed(office, "alpha", debtor_id)
    whole = (await changes(office, "alpha"))["items"]
    read: list[Any] = []
    after, more = "", True
    while more:
        page = await changes(office, "alpha", after, limit=5)
        read, after, more = [*read, *page["items"]], page["next"], page["more"]
    assert (len(whole), read) == (12, whole)


async def test_a_change_that_is_committed_late_is_not_lost(office: Office, dsn: str) -> None:
    """Ids are given out before the commit: one that another lane has not committed yet lies before what is read."""
    placement_id = await offered(office)
    other = next(each for each in range(32) if each != shard_of(ANNA))
    slow = await asyncpg.connect(dsn)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(LATE, other, "b" * 32)
    accepted = await office.post(own(placement_id, "accept"), role="alpha")
    assert accepted.status_code == 200
    first = await changes(office, "alpha")
    assert [each["change"] for each in first["items"]] == ["offered", "accepted"]
    await transaction.commit()
    await slow.close()
    then = await changes(office, "alpha", first["next"])
    assert [each["debtor_id"] for each in then["items"]] == ["b" * 32]
    assert (await changes(office, "alpha", then["next"]))["items"] == []


LATE = """
    INSERT INTO placement_change (shard, debtor_id, agency_id, placement_id, change, state, changed_at, changed_on,
                                  reason, loan_id, payment_id, amount, currency)
    VALUES ($1, $2, 'alpha', 'late', 'offered', 'offered', now(), '2026-03-02', '', '', '', 0, '')
"""


@pytest.mark.parametrize("key", ["nonsense", "32.1", "1.-1", "1.1/x.2", "1", f"1.{10**18}", "१.1"])
async def test_a_cursor_that_is_none_is_refused(office: Office, key: str) -> None:
    after = base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).decode().rstrip("=")
    answer = await office.read(f"/v1/agency/placements/changes?after={after}", "alpha")
    assert (answer.status_code, answer.json()["field"]) == (422, "after")


# -- statements --------------------------------------------------------------------------------------------------------


async def test_a_statement_is_the_sum_of_what_counted_in_its_month(office: Office) -> None:
    await placed(office)
    await paid(office, "p-1", 10_003, 2)
    await paid(office, "p-2", 10, 3)
    office.clock.set(MORNING + 30 * DAY)
    await office.hear(intake.BusinessDateAdvanced(business_date=date(2026, 4, 1)), 0, "")
    await taken_back(office, "p-1", 10_003, 4)
    march = await shown(office, "/v1/agency/statements/2026-03", "alpha")
    sums = {"collected": 10_013, "reversed": 0, "commission": 1_502, "claw_back": 0, "net": 1_502}
    assert march["tiers"] == [{"tier": 1, "currency": "CNY", **sums}]
    assert [(each["payment_id"], each["amount"], each["commission"]) for each in march["lines"]] == [
        ("p-1", 10_003, 1_500),
        ("p-2", 10, 2),
    ]
    april = await shown(office, "/v1/agencies/alpha/statements/2026-04", "supervisor")
    back = {"collected": 0, "reversed": 10_003, "commission": 0, "claw_back": 1_500, "net": -1_500}
    assert april["tiers"] == [{"tier": 1, "currency": "CNY", **back}]
    assert (april["agency_id"], april["lines"][0]["posted_on"]) == ("alpha", "2026-04-01")
    assert await shown(office, "/v1/agencies/alpha/statements/2026-03", "supervisor") == march
    assert (await shown(office, "/v1/agency/statements/2026-12", "alpha"))["tiers"] == []


async def test_the_lines_of_a_statement_come_in_pages_and_the_sums_do_not(office: Office) -> None:
    await placed(office)
    for number in range(5):
        await paid(office, f"p-{number}", 100 + number, 2 + number)
    path, after, read = "/v1/agency/statements/2026-03?limit=2", "", []
    while True:
        page = await shown(office, path + after, "alpha")
        assert page["tiers"][0]["collected"] == 510
        read += [each["amount"] for each in page["lines"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert read == [100, 101, 102, 103, 104]
