"""Analytics over HTTP: what is counted can be read, by those who may."""

from collections import Counter
from typing import Any

import asyncpg
import httpx
import pytest

from services.analytics import store
from shared.contracts.intake import CaseClosed, PaymentPosted
from shared.contracts.segmentation import TreatmentAssigned
from tests.integration.analytics.stories import CONTACT, Story, token_of


async def test_a_debtor_can_be_read(story: Story, client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/debtors/d03")
    assert answer.status_code == 200
    body = answer.json()
    assert body["case"]["case_id"] == "case of d03"
    assert [loan["loan_id"] for loan in body["loans"]] == ["d03/1", "d03/2"]
    assert sum(body["facts"].values()) == len(story.facts[3])


async def test_a_debtor_that_was_never_heard_of_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/debtors/nobody")
    assert (answer.status_code, answer.json()["title"]) == (404, "No such debtor")


async def test_roll_rates_come_in_pages_and_every_part_adds_up(story: Story, client: httpx.AsyncClient) -> None:
    whole = (await client.get("/v1/roll-rates", params={"limit": 500})).json()
    assert whole["next"] is None
    paged: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        query = {"limit": "7"} | ({"after": after} if after else {})
        page = (await client.get("/v1/roll-rates", params=query)).json()
        paged += page["items"]
        if (after := page["next"]) is None:
            break
    assert paged == whole["items"]
    parts: Counter[tuple[str, str, str]] = Counter()
    openings: dict[tuple[str, str, str], int] = {}
    for rate in paged:
        if rate["opening"]:
            key = (rate["product"], rate["month"], rate["from_bucket"])
            parts[key] += rate["loans"]
            openings[key] = rate["opening"]
            assert rate["percent"] == pytest.approx(100 * rate["loans"] / rate["opening"], abs=0.01)
    assert parts == openings


async def test_roll_rates_can_be_narrowed(story: Story, client: httpx.AsyncClient) -> None:
    query = {"scheme": "s", "from_month": "2026-02", "to_month": "2026-03", "limit": "500"}
    rates = (await client.get("/v1/roll-rates", params=query)).json()["items"]
    assert {rate["month"] for rate in rates} == {"2026-02", "2026-03"}
    assert (await client.get("/v1/roll-rates", params={"scheme": "t"})).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param({"from_month": "2026-13"}, "from_month", id="no such month"),
        pytest.param({"from_month": "2026-03", "to_month": "2026-02"}, "from_month", id="months the wrong way round"),
        pytest.param({"limit": "0"}, "limit", id="no items wanted"),
    ],
)
async def test_a_wrong_query_is_a_problem_that_names_the_field(
    client: httpx.AsyncClient, query: dict[str, str], field: str
) -> None:
    answer = await client.get("/v1/roll-rates", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_the_book_and_the_summary_can_be_read(
    story: Story, client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    book = (await client.get("/v1/book", params={"limit": 500})).json()["items"]
    count = await connection.fetchval("SELECT count(*) FROM loan WHERE bucket NOT LIKE 'closed%'")
    assert sum(line["loans"] for line in book) == count
    assert {line["currency"] for line in book} == {"CNY", "EUR"}
    assert (await client.get("/v1/summary")).json() == await store.summary(connection)


def by_arm(story: Story) -> dict[str, Any]:
    """A plain reading of the story: who was drawn counts with all that happened, also before that was heard."""
    found: dict[str, Any] = {}
    for told in story.facts:
        facts = [event.data for _, event in told]
        arms = {fact.arm for fact in facts if isinstance(fact, TreatmentAssigned)}
        for arm in arms:
            nothing = {"debtors": 0, "contacts": 0, "cured": 0, "paid": {"CNY": 0}, "promises_kept": 0}
            of = found.setdefault(arm, nothing)
            of["debtors"] += 1
            of["contacts"] += facts.count(CONTACT)
            of["cured"] += any(isinstance(fact, CaseClosed) for fact in facts)
            of["paid"]["CNY"] += sum(fact.amount for fact in facts if isinstance(fact, PaymentPosted))
    return found


async def test_the_arms_of_an_experiment_stand_side_by_side(
    story: Story, client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    (experiment,) = (await client.get("/v1/experiments")).json()
    assert experiment == {"experiment": "x", "arms": by_arm(story)}
    assert all(arm["contacts"] and arm["cured"] and arm["paid"]["CNY"] for arm in experiment["arms"].values())
    assert (await store.summary(connection))["experiments"] == {"x": experiment["arms"]}
    headers = {"Authorization": f"Bearer {token_of('agency')}"}
    assert (await client.get("/v1/experiments", headers=headers)).status_code == 403


async def test_an_agency_may_not_read(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {token_of('agency')}"}
    assert (await client.get("/v1/summary", headers=headers)).status_code == 403
