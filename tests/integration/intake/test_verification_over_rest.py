"""The queue over REST on a real database: what is listed, who may decide, and what a decision leads to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest

from services.intake.service import declare
from shared.contracts import catalogue
from shared.contracts.intake import VerificationDecided
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.sharding import shard_of
from shared.settings import Settings
from tests.conftest import DatabaseOf
from tests.integration.outreach.rig import Actor, answered, names
from tests.unit.intake.play import closing, instalment, snapshot

SETTINGS = Settings.demo()
SERVICE = declare(SETTINGS)
LANE = next(kind for kind in SERVICE.actors if kind.name == "lane")
ANNA, BERT, CHEN = (letter * 32 for letter in "abc")
DUE = instalment("2024-03-01", 500)
DOUBTFUL = snapshot("2024-03-05", DUE, outstanding=100)
DECISION = {"revision": 1, "reason": "asked the branch"}


@dataclass
class Desk:
    """Intake's lanes and its REST interface, on one database."""

    lane: Actor
    client: httpx.AsyncClient
    keys: int = 0

    async def queue(self, query: str = "") -> list[dict[str, Any]]:
        answer = await self.client.get(f"/v1/verifications?{query}", headers=signed("operator"))
        assert answer.status_code == 200
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def decides(
        self,
        debtor_id: str,
        what: str = "approve",
        body: Any = DECISION,
        *,
        verification: str = "",
        role: str = "operator",
        key: str = "",
    ) -> httpx.Response:
        self.keys += 1
        verification = verification or (await self.queue(f"debtor_id={debtor_id}"))[-1]["verification_id"]
        path = f"/v1/debtors/{debtor_id}/verifications/{verification}/{what}"
        headers = signed(role) | {"Idempotency-Key": key or f"key-{self.keys}"}
        return await answered(self.lane, self.client.post(path, json=body, headers=headers))


@asynccontextmanager
async def desk_of(dsn: str) -> AsyncIterator[Desk]:
    engine = engine_of(dsn, pool_size=3)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    transport = httpx.ASGITransport(app)
    async with (
        PostgresStore(dsn, "lane") as store,
        httpx.AsyncClient(transport=transport, base_url="http://t") as client,
    ):
        lane = Actor(LANE, store, now=datetime(2024, 3, 5, 6, tzinfo=UTC), service="intake")
        await lane.take()
        yield Desk(lane, client)
    await close(app)
    await engine.dispose()


@pytest.fixture
async def desk(database_of: DatabaseOf) -> AsyncIterator[Desk]:
    async with desk_of(database_of("intake")) as made:
        yield made


def signed(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {next(one.token for one in SETTINGS.tokens if one.role == role)}"}


async def test_the_queue_says_in_words_what_looks_wrong_and_in_which_values(desk: Desk) -> None:
    told = await desk.lane.hear(DOUBTFUL, ANNA)
    assert names(told) == ["VerificationRequested", "CaseOpened"]
    (item,) = await desk.queue("state=open")
    assert (item["debtor_id"], item["loan_id"], item["lender_id"], item["holds"]) == (ANNA, "loan-1", "demo-bank", True)
    (finding,) = item["findings"]
    assert finding["rule"] == "outstanding_below_unpaid"
    assert finding["sentence"].startswith("What is outstanding is less")
    assert finding["values"] == {"outstanding": "100", "unpaid": "500"}
    assert (item["reported"]["unpaid"], item["reported"]["outstanding"]) == (500, 100)
    assert [each["principal"] for each in item["reported"]["instalments"]] == [500]
    assert (item["decided_at"], item["decided_by"]) == (None, "")


async def test_the_queue_is_read_in_pages_and_by_what_one_looks_for(desk: Desk) -> None:
    for debtor in (ANNA, BERT, CHEN):
        await desk.lane.hear(DOUBTFUL, debtor)
    await desk.lane.hear(snapshot("2024-03-05", DUE, loan="loan-2", cut_off="2025-03-05"), CHEN)
    await desk.decides(BERT)

    async def found(query: str) -> list[tuple[str, str]]:
        seen: list[tuple[str, str]] = []
        after: str | None = ""
        while after is not None:
            answer = await desk.client.get(
                f"/v1/verifications?limit=1&after={after}&{query}" if after else f"/v1/verifications?limit=1&{query}",
                headers=signed("supervisor"),
            )
            page = answer.json()
            seen += [(item["debtor_id"][0], item["loan_id"][-1]) for item in page["items"]]
            after = page.get("next")
        return seen

    assert sorted(await found("")) == [("a", "1"), ("b", "1"), ("c", "1"), ("c", "2")]
    assert sorted(await found("state=open")) == [("a", "1"), ("c", "1"), ("c", "2")]
    assert await found("state=approved") == [("b", "1")]
    assert await found("rule=cut_off_apart") == [("c", "2")]
    assert await found(f"debtor_id={ANNA}") == [("a", "1")]
    assert await found("lender_id=other") == []
    assert await found("holds=false") == [("b", "1")]


async def test_a_decision_is_a_fact_with_who_when_and_why_and_the_same_key_gets_the_same_answer(desk: Desk) -> None:
    await desk.lane.hear(DOUBTFUL, ANNA)
    first = await desk.decides(ANNA, key="monday")
    again = await desk.decides(ANNA, key="monday")
    (item,) = await desk.queue()
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json() == {"verification_id": item["verification_id"], "decision": "approved"}
    history = (await desk.client.get(f"/v1/cases/{ANNA}/history", headers=signed("operator"))).json()["items"]
    (fact,) = [entry for entry in history if entry["type"] == catalogue.wire_name(VerificationDecided)]
    assert fact["actor"] == fact["data"]["decided_by"] == item["decided_by"]
    assert fact["actor"].startswith("operator/")
    assert (fact["data"]["reason"], fact["data"]["decision"]) == ("asked the branch", "approved")
    assert fact["occurred_at"]


async def test_what_was_corrected_is_what_the_case_shows_and_outlives_a_restart(database_of: DatabaseOf) -> None:
    dsn = database_of("intake")
    async with desk_of(dsn) as desk:
        await desk.lane.hear(DOUBTFUL, ANNA)
        right = {"outstanding": 9_000, "instalments": [{"number": 1, "due_on": "2024-03-02", "principal": 400}]}
        body = {"revision": 1, "reason": "as the contract says", "corrected": right}
        assert (await desk.decides(ANNA, "correct", body)).json()["decision"] == "corrected"
    async with desk_of(dsn) as desk:
        assert await desk.lane.hear(snapshot("2024-03-06", DUE, outstanding=100), ANNA) == []
        shown = (await desk.client.get(f"/v1/cases/{ANNA}", headers=signed("operator"))).json()
        (loan,) = shown["loans"]
        assert (loan["past_due"], loan["outstanding"], loan["oldest_due_on"]) == (400, 9_000, "2024-03-02")
        assert names(await desk.lane.hear(snapshot("2024-03-07", DUE, outstanding=8_500), ANNA))[-1] == "CaseUpdated"
        shown = (await desk.client.get(f"/v1/cases/{ANNA}", headers=signed("operator"))).json()
        assert shown["loans"][0]["outstanding"] == 8_500


async def test_a_rejected_case_can_be_approved_later_and_nothing_can_be_decided_twice(desk: Desk) -> None:
    await desk.lane.hear(DOUBTFUL, ANNA)
    assert (await desk.decides(ANNA, "reject")).json()["decision"] == "rejected"
    ((item,), decided) = (await desk.queue("state=rejected&holds=true"), await desk.decides(ANNA))
    assert (item["reason"], decided.json()["decision"]) == ("asked the branch", "approved")
    refused = await desk.decides(ANNA)
    assert (refused.status_code, refused.json()["field"]) == (409, "verification_id")
    assert refused.headers["content-type"] == "application/problem+json"


async def test_who_decides_about_an_older_report_is_told_to_read_it_again(desk: Desk) -> None:
    await desk.lane.hear(DOUBTFUL, ANNA)
    await desk.lane.hear(snapshot("2024-03-06", DUE, outstanding=99), ANNA)
    refused = await desk.decides(ANNA)
    assert (refused.status_code, refused.json()["field"]) == (409, "revision")
    assert (await desk.decides(ANNA, body=DECISION | {"revision": 2})).status_code == 200


async def test_what_has_ended_is_not_loaded_again_and_still_answered_for(desk: Desk, database_of: DatabaseOf) -> None:
    await desk.lane.hear(DOUBTFUL, ANNA)
    await desk.lane.hear(closing("2024-03-06"), ANNA)
    transaction = await desk.lane.store.begin()
    state = (await transaction.load(LANE.layout, {ANNA: shard_of(ANNA)}, {}))[ANNA]
    await transaction.rollback()
    assert state.verifications == {}
    refused = await desk.decides(ANNA)
    assert (refused.status_code, refused.json()["detail"]) == (409, "it was withdrawn already")


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        pytest.param("approve", {}, "revision", id="nothing"),
        pytest.param("reject", DECISION | {"reason": "call 555 0100"}, "reason", id="a reason with a number"),
        pytest.param("correct", DECISION, "corrected", id="a correction without what is right"),
        pytest.param("approve", DECISION | {"corrected": {}}, "corrected", id="an approval with a correction"),
        pytest.param("correct", DECISION | {"corrected": {"outstanding": -1}}, "corrected.outstanding", id="negative"),
    ],
)
async def test_a_wrong_decision_gets_a_problem_that_names_the_field(
    desk: Desk, what: str, body: Any, field: str
) -> None:
    answer = await desk.decides(ANNA, what, body, verification="0" * 32)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_correction_that_corrects_nothing_is_refused(desk: Desk) -> None:
    await desk.lane.hear(DOUBTFUL, ANNA)
    answer = await desk.decides(ANNA, "correct", DECISION | {"corrected": {}})
    assert (answer.status_code, answer.json()["field"]) == (409, "corrected")


async def test_what_nobody_knows_is_not_found(desk: Desk) -> None:
    answer = await desk.decides(ANNA, verification="0" * 32)
    assert (answer.status_code, answer.json()["field"]) == (404, "verification_id")
    answer = await desk.client.get("/v1/verifications?after=oWE", headers=signed("operator"))
    assert (answer.status_code, answer.json()["field"]) == (422, "after")


async def test_only_staff_may_read_and_decide(desk: Desk) -> None:
    for role, status in (("core_bank", 403), ("agency", 403), ("operator", 404), ("supervisor", 404)):
        assert (await desk.decides(ANNA, verification="0" * 32, role=role)).status_code == status
        answer = await desk.client.get("/v1/verifications", headers=signed(role))
        assert answer.status_code == (403 if status == 403 else 200)


async def test_clean_snapshots_leave_the_table_empty(desk: Desk, database_of: DatabaseOf) -> None:
    await desk.lane.hear(snapshot("2024-03-05", DUE, outstanding=9_000), ANNA)
    assert await desk.queue() == []


async def test_a_loan_that_nobody_has_corrected_keeps_nothing_more(database_of: DatabaseOf) -> None:
    dsn = database_of("intake")
    async with desk_of(dsn) as desk:
        await desk.lane.hear(DOUBTFUL, ANNA)
    connection = await asyncpg.connect(dsn)
    row = await connection.fetchrow("SELECT said, accepted FROM loan")
    await connection.close()
    assert row is not None
    assert (row["said"], row["accepted"]) == (None, "[]")
