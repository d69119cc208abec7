"""Outcomes, promises, matters and holds on real PostgreSQL, over REST: said, paid, seen to, and read back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from shared.contracts import intake
from shared.contracts.segmentation import Channel
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.audit import verify
from tests.conftest import BlankDatabase, DatabaseOf
from tests.integration.outreach.rig import MONDAY, SETTINGS, answered
from tests.integration.outreach.test_contacts_on_postgres import ANNA, SERVICE, Sending
from tests.unit.outreach.play import case, treatment
from tests.unit.outreach.saying import pays, takes_back

STEPS = treatment("EARLY", (Channel.SMS, 0), (Channel.PHONE, 0), (Channel.LETTER, 9))
HERS = f"/v1/debtors/{ANNA}"


class Desk:
    """An operator at a debtor's file."""

    def __init__(self, sending: Sending, client: httpx.AsyncClient) -> None:
        self.sending, self.client, self.written = sending, client, 0

    async def says(self, path: str, body: Mapping[str, Any], status: int = 200, key: str = "") -> Any:
        self.written += 1
        headers = {"Idempotency-Key": key or f"k{self.written}"}
        answer = await self._answered(self.client.post(f"{HERS}{path}", json=body, headers=headers))
        assert answer.status_code == status, answer.text
        return answer.json()

    async def reads(self, path: str = "", status: int = 200) -> Any:
        answer = await self.client.get(path if path.startswith("/v1") else f"{HERS}{path}")
        assert answer.status_code == status, answer.text
        return answer.json()

    async def outcome_of(self, channel: str) -> str:
        ledger = await self.reads("/contacts")
        return next(
            f"/contacts/{each['contact_id']}/outcome" for each in ledger["contacts"] if each["channel"] == channel
        )

    async def _answered(self, request: Awaitable[httpx.Response]) -> httpx.Response:
        actor, worker = self.sending.actor, self.sending.worker
        actor.now, actor.standings = self.sending.clock.now(), worker.standings
        answer = await answered(actor, request)
        worker.standings = actor.standings
        return answer


@pytest.fixture
async def desk(database_of: DatabaseOf, blank_database: BlankDatabase) -> AsyncIterator[Desk]:
    sending = Sending(database_of("outreach"), blank_database())
    await sending.worker.take(range(32))
    engine = engine_of(sending.dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    token = next(one.token for one in SETTINGS.tokens if one.role == "operator")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        client.headers["Authorization"] = f"Bearer {token}"
        await books_reach(sending, 0)
        await sending.hear(intake.CaseOpened(case=case()), 1)
        await sending.hear(STEPS, 1)
        await sending.wait(hours=21)
        yield Desk(sending, client)
    await close(app)
    await engine.dispose()
    await sending.close()


async def books_reach(sending: Sending, days: int) -> None:
    """The business date, in every lane."""
    actor = sending.actor
    actor.now, actor.standings = sending.clock.now(), sending.worker.standings
    await actor.hear(intake.BusinessDateAdvanced(business_date=MONDAY + timedelta(days)))
    sending.worker.standings = actor.standings


async def test_a_promise_is_said_paid_taken_back_and_broken(desk: Desk) -> None:
    path = await desk.outcome_of("phone")
    promise = {"amount": 40_000, "currency": "CNY", "promised_on": "2026-03-06"}
    body = {"result": "promised", "promise": promise, "willingness": "willing"}
    said = await desk.says(path, body, key="once")
    assert (said["result"], said["stopped_plan"]) == ("promised", 1)
    assert await desk.says(path, body, key="once") == said
    again = await desk.says(path, body)
    assert (again["promise_id"], again["stopped_plan"]) == (None, None), "the same said again led to nothing"
    other = await desk.says(path, {"result": "refused"}, status=409)
    assert other["detail"] == "another outcome of this contact is on record"

    assert await held(desk) == ("standing", 0)
    await desk.sending.hear(pays("p1", 30_000, 3), 2)
    assert await held(desk) == ("standing", 30_000)
    await desk.sending.hear(pays("p2", 10_000, 4), 3)
    assert await held(desk) == ("kept", 40_000)
    await books_reach(desk.sending, 20)
    await desk.sending.wait(minutes=20)
    await desk.sending.hear(takes_back("p2", 10_000), 4)
    assert await held(desk) == ("broken", 30_000)


async def held(desk: Desk) -> tuple[str, int]:
    [promise] = (await desk.reads())["promises"]
    return promise["state"], promise["paid"]


async def test_a_promise_that_nobody_pays_is_broken_when_the_books_have_passed_its_day(desk: Desk) -> None:
    promise = {"amount": 40_000, "currency": "CNY", "promised_on": "2026-03-06"}
    await desk.says(await desk.outcome_of("phone"), {"result": "promised", "promise": promise})
    await books_reach(desk.sending, 7)
    await desk.sending.wait(minutes=20)
    assert await held(desk) == ("standing", 0)
    await books_reach(desk.sending, 8)
    await desk.sending.wait(minutes=20)
    assert await held(desk) == ("broken", 0)


async def test_a_complaint_is_listed_overdue_and_resolved_and_its_hold_is_read_by_two_clocks(desk: Desk) -> None:
    said = await desk.says(await desk.outcome_of("sms"), {"result": "complained"})
    assert (said["due_on"], said["stopped_plan"]) == ("2026-03-17", 1)
    placed_at = desk.sending.clock.now()
    twice = await desk.says("/matters", {"kind": "complaint"}, status=409)
    assert twice["field"] == "kind"

    assert (await desk.reads("/v1/matters?state=overdue"))["items"] == []
    await books_reach(desk.sending, 16)
    await desk.sending.wait(minutes=20)
    [matter] = (await desk.reads("/v1/matters?state=overdue&kind=complaint&limit=1"))["items"]
    assert (matter["debtor_id"], matter["late"], matter["force"]) == (ANNA, True, "law")
    assert "Consumer Complaints" in matter["citation"]
    await desk.says(f"/matters/{matter['matter_id']}/resolve", {"reason": "answered in writing"})
    assert [each["state"] for each in (await desk.reads())["matters"]] == ["resolved"]

    asked = {
        "/holds?as_of=2026-03-01": 0,
        "/holds?as_of=2026-03-02": 1,
        "/holds?as_of=2026-03-17": 1,
        "/holds?as_of=2026-03-18": 0,  # lifted on that business date
        f"/holds?as_of=2026-03-18&known_at={iso(placed_at)}": 1,  # nobody knew yet that it would be
        f"/holds?as_of=2026-03-10&known_at={iso(placed_at - timedelta(seconds=1))}": 0,  # nor that it would be placed
    }
    assert {path: len(await desk.reads(path)) for path in asked} == asked
    [hold] = await desk.reads("/holds?as_of=2026-03-10")
    assert (hold["source"], hold["placed_on"], hold["released_on"], hold["released_by"]) == (
        "matter", "2026-03-02", "2026-03-18", "operator/demo operator",
    )  # fmt: skip


def iso(instant: Any) -> str:
    return str(instant.isoformat().replace("+00:00", "Z"))


async def test_a_wrong_number_is_shown(desk: Desk) -> None:
    await desk.says(await desk.outcome_of("phone"), {"result": "wrong_number"})
    [bad] = (await desk.reads())["bad_points"]
    assert (bad["point"], bad["profile_version"]) == ("number", 0)


async def test_matters_are_listed_page_by_page(desk: Desk) -> None:
    for kind in ("dispute", "hardship"):
        await desk.says("/matters", {"kind": kind, "loan_id": "loan-1"}, status=201)
    seen, after = set(), ""
    for _ in range(2):
        page = await desk.reads(f"/v1/matters?limit=1{after}")
        seen |= {each["kind"] for each in page["items"]}
        after = f"&after={page['next']}"
    assert seen == {"dispute", "hardship"}
    assert (await desk.reads(f"/v1/matters?limit=1{after}"))["items"] == []


async def test_an_opt_out_denies_the_next_message_with_its_rule(desk: Desk) -> None:
    await desk.says(await desk.outcome_of("sms"), {"result": "opted_out", "opts_out_of": ["letter"]})
    for day in range(1, 11):
        await books_reach(desk.sending, day)
        await desk.sending.wait(days=1)
    [closed] = (await desk.reads())["opt_outs"]
    assert (closed["channel"], closed["recorded_by"]) == ("letter", "operator/demo operator")
    denials = (await desk.reads("/contacts"))["denials"]
    assert [(each["channel"], [rule["rule"] for rule in each["rules"]]) for each in denials] == [("letter", ["CN-H2"])]


WITHDRAWAL = {"said_by": "letter", "reason": "she asks for messages again"}


async def test_an_opt_out_that_is_withdrawn_is_audited_and_read_by_two_clocks(desk: Desk) -> None:
    await desk.says(await desk.outcome_of("sms"), {"result": "opted_out", "opts_out_of": ["sms", "letter"]})
    opted_out_at = desk.sending.clock.now()
    await books_reach(desk.sending, 4)
    await desk.sending.wait(days=4)
    assert await desk.says("/opt-outs/letter/withdraw", WITHDRAWAL, key="once") == {"channel": "letter"}
    assert await desk.says("/opt-outs/letter/withdraw", WITHDRAWAL, key="once") == {"channel": "letter"}
    assert [each["channel"] for each in (await desk.reads())["opt_outs"]] == ["sms"]
    asked = {
        "/opt-outs?as_of=2026-03-01": [],
        "/opt-outs?as_of=2026-03-02": ["letter", "sms"],
        "/opt-outs?as_of=2026-03-06": ["sms"],  # withdrawn on that business date
        f"/opt-outs?as_of=2026-03-06&known_at={iso(opted_out_at)}": ["letter", "sms"],  # nobody knew that it would be
        f"/opt-outs?as_of=2026-03-06&known_at={iso(opted_out_at - timedelta(seconds=1))}": [],
    }
    assert {path: [each["channel"] for each in await desk.reads(path)] for path in asked} == asked
    before, stands = await desk.reads("/opt-outs?as_of=2026-03-02")
    by = "operator/demo operator"
    assert (before["withdrawn_on"], before["withdrawn_by"], before["said_by"]) == ("2026-03-06", by, "letter")
    assert (before["since_on"], before["recorded_by"], before["reason"]) == ("2026-03-02", by, WITHDRAWAL["reason"])
    assert (stands["withdrawn_at"], stands["said_by"]) == (None, None)
    await books_reach(desk.sending, 9)
    await desk.sending.wait(days=6)
    [letter] = [each for each in (await desk.reads("/contacts"))["contacts"] if each["channel"] == "letter"]
    assert letter["state"] == "made", "the letter of the ninth day goes out"
    assert await in_history(desk, "outreach.opt-out-withdrawn.v1") == [by]


async def in_history(desk: Desk, of_type: str) -> list[str]:
    """Who made the lane tell facts of a type, as its chained history has it."""
    connection = await asyncpg.connect(desk.sending.dsn)
    try:
        assert await verify(connection, "outreach") == []
        return [row["actor"] for row in await connection.fetch("SELECT actor FROM history WHERE type = $1", of_type)]
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        pytest.param("/contacts/x/outcome", {"result": "charmed"}, 422, "result", id="a result that nobody knows"),
        pytest.param("/contacts/x/outcome", {"result": "refused"}, 409, "contact_id", id="a contact that is not hers"),
        pytest.param("/contacts/x/outcome", {"result": "refused", "note": "said"}, 422, "note", id="free text"),
        pytest.param("/opt-outs/sms/withdraw", WITHDRAWAL, 409, "channel", id="a channel that is open"),
        pytest.param("/opt-outs/drum/withdraw", WITHDRAWAL, 422, "channel", id="a channel that nobody knows"),
        pytest.param("/opt-outs/sms/withdraw", {"said_by": "call"}, 422, "reason", id="a withdrawal without a reason"),
        pytest.param("/opt-outs/sms/withdraw", {"reason": "she asks"}, 422, "said_by", id="nor by any way"),
        pytest.param("/matters", {"kind": "grudge"}, 422, "kind", id="a kind that nobody knows"),
        pytest.param("/matters", {"kind": "dispute", "loan_id": "a b"}, 422, "loan_id", id="a loan that cannot be"),
        pytest.param("/matters/x/resolve", {"reason": "over"}, 409, "matter_id", id="a matter that is not hers"),
        pytest.param("/matters/x/resolve", {"reason": "call 138"}, 422, "reason", id="a reason with a number"),
    ],
)
async def test_what_is_refused_names_the_field(
    desk: Desk, path: str, body: dict[str, str], status: int, field: str
) -> None:
    assert field in (await desk.says(path, body, status=status))["field"]


async def test_who_may_not_ask_gets_nothing(desk: Desk) -> None:
    token = next(one.token for one in SETTINGS.tokens if one.role == "agency")
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
    asked = [
        desk.client.get("/v1/matters", headers=headers),
        desk.client.get(f"{HERS}/holds?as_of=2026-03-02", headers=headers),
        desk.client.post(f"{HERS}/matters", json={"kind": "dispute"}, headers=headers),
        desk.client.post(f"{HERS}/contacts/x/outcome", json={"result": "refused"}, headers=headers),
    ]
    assert [answer.status_code for answer in await asyncio.gather(*asked)] == [403] * 4
    await desk.reads("/v1/debtors/nobody/holds?as_of=2026-03-02", status=404)
    await desk.reads("/holds", status=422)


async def test_a_path_with_two_routes_names_the_methods_of_both(desk: Desk) -> None:
    answer = await desk.client.delete(f"{HERS}/holds")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
