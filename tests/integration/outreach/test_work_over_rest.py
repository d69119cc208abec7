"""The phone as a work queue over HTTP on PostgreSQL: listed, claimed with a permit, put off, let go, withdrawn."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.outreach.contacts.permits import opened
from services.outreach.contacts.red_line_queries import red_lines
from shared.contracts import intake
from shared.contracts.segmentation import Channel
from tests.conftest import BlankDatabase, DatabaseOf
from tests.integration.outreach.people import ANNA, MORNING, SIGNER, Office, office_of
from tests.unit.outreach.play import case, loan, payment, treatment

BERTA, CARLA = "b" * 32, "c" * 32
CALL = treatment("EARLY", (Channel.PHONE, 0))
LATER = MORNING + timedelta(hours=9, minutes=45)
"""A quarter to eight in the evening: every step of the day is due."""
NIGHT = MORNING + timedelta(hours=13)
OWED = {ANNA: 50_000, BERTA: 5_000_000, CARLA: 400_000}


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(dsn: str) -> AsyncIterator[Office]:
    """Three debtors, whose calls are all due this evening."""
    async with office_of(dsn) as office:
        office.clock.set(MORNING - timedelta(hours=10))  # midnight in China: the day's hours lie ahead
        for debtor_id, past_due in OWED.items():
            await office.hear(intake.CaseOpened(case=case(loans=(loan(past_due=past_due),))), 1, debtor_id)
            await office.hear(CALL, 1, debtor_id)
        await office.pass_to(office.clock.now() + timedelta(minutes=2))
        await office.pass_to(LATER)
        yield office


def at(debtor_id: str, what: str = "claim") -> str:
    return f"/v1/work-items/{debtor_id}/1-1/{what}"


async def item_of(office: Office, debtor_id: str) -> dict[str, Any]:
    page = await office.get("/v1/work-items")
    [item] = [each for each in page["items"] if each["debtor_id"] == debtor_id]
    return item  # type: ignore[no-any-return]


async def test_work_is_listed_page_by_page_what_is_to_be_done_first_first(office: Office) -> None:
    seen, after = [], ""
    while True:
        page = await office.get(f"/v1/work-items?queue=calls&state=open&limit=1{after}")
        seen += [each["debtor_id"] for each in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == [BERTA, CARLA, ANNA]
    assert (await office.get("/v1/work-items?queue=visits"))["items"] == []
    assert (await office.get("/v1/work-items?state=claimed"))["items"] == []


async def test_what_is_listed_tells_nothing_of_a_person(office: Office) -> None:
    item = await item_of(office, ANNA)
    assert set(item) == {
        "debtor_id", "plan_number", "step_number", "queue", "channel", "template", "priority", "opened_at", "due_at",
        "call_back_at", "state", "claimed_by", "claimed_at", "contact_id", "reason", "ended_at",
    }  # fmt: skip


async def test_work_is_claimed_with_its_permit_and_let_go(office: Office) -> None:
    claimed = await office.post(at(ANNA))
    assert claimed.status_code == 201
    permit = opened(claimed.json()["permit"], SIGNER.public_key)
    assert (permit.debtor_id, permit.channel, permit.held_by) == (ANNA, "phone", "operator/demo operator")
    item = await item_of(office, ANNA)
    assert (item["state"], item["claimed_by"], item["contact_id"]) == (
        "claimed",
        "operator/demo operator",
        permit.permit_id,
    )
    refused = await office.post(at(ANNA))
    assert (refused.status_code, refused.json()["detail"]) == (409, "somebody else has it")
    released = await office.post(at(ANNA, "release"))
    assert (released.status_code, released.json()["state"]) == (200, "open")
    ledger = await office.get(f"/v1/debtors/{ANNA}/contacts")
    assert [each["state"] for each in ledger["contacts"]] == ["not_made"]
    assert (await office.post(at(ANNA))).status_code == 201


async def test_many_who_claim_one_piece_of_work_at_once_do_not_share_it(office: Office) -> None:
    together = asyncio.gather(*(office.ask(at(ANNA)) for _ in range(50)))
    await office.serve(together)
    assert Counter(answer.status_code for answer in together.result()) == {201: 1, 409: 49}


async def test_a_claim_that_the_rules_deny_names_them_and_puts_the_work_off(office: Office) -> None:
    office.clock.set(NIGHT)
    answer = await office.post(at(ANNA))
    assert answer.status_code == 409
    assert [rule["rule"] for rule in answer.json()["rules"]] == ["CN-W1", "CN-W2"]
    assert answer.json()["next_allowed"] == "2026-03-03T08:00:00+08:00"
    item = await item_of(office, ANNA)
    assert (item["state"], item["due_at"], item["reason"]) == (
        "open",
        "2026-03-03T00:00:00Z",
        "denied by CN-W1, CN-W2",
    )
    early = await office.post(at(ANNA))
    assert (early.status_code, "rules" in early.json()) == (409, False)


@pytest.mark.parametrize("is_claimed", [False, True])
async def test_a_payment_withdraws_the_work_and_the_permit(office: Office, is_claimed: bool) -> None:  # noqa: FBT001
    if is_claimed:
        await office.post(at(ANNA))
    await office.hear(payment(), 2)
    item = await item_of(office, ANNA)
    assert (item["state"], item["reason"]) == ("withdrawn", "payment posted")
    ledger = await office.get(f"/v1/debtors/{ANNA}/contacts")
    assert [each["reason"] for each in ledger["contacts"]] == ["revoked: payment posted"] * is_claimed
    assert (await office.post(at(ANNA))).status_code == 409
    assert (await item_of(office, BERTA))["state"] == "open"


async def test_a_claim_that_is_never_reported_ends_in_doubt(office: Office) -> None:
    await office.post(at(ANNA))
    await office.pass_to(LATER + timedelta(hours=2, minutes=6))
    item = await item_of(office, ANNA)
    assert (item["state"], item["reason"]) == ("done", "nobody has said what became of it")
    debtor = await office.get(f"/v1/debtors/{ANNA}")
    assert [step["state"] for step in debtor["plan"]["steps"]] == ["unknown"]


async def test_what_people_do_crosses_no_red_line(office: Office, dsn: str, blank_database: BlankDatabase) -> None:
    await office.post(at(ANNA))
    await office.post(at(BERTA))
    await office.post(f"/v1/debtors/{CARLA}/permits", {"channel": "sms"})
    await office.hear(payment(), 2)
    found = await red_lines(dsn, blank_database(), {"CN": "Asia/Shanghai"})
    assert set(found.values()) == {0}


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        pytest.param("POST", at("nobody"), "operator", 404, id="a debtor who is not known"),
        pytest.param("POST", f"/v1/work-items/{ANNA}/1-2/claim", "operator", 409, id="a step that is no work"),
        pytest.param("POST", f"/v1/work-items/{ANNA}/1-1/release", "operator", 409, id="work that nobody has"),
        pytest.param("POST", f"/v1/work-items/{ANNA}/one-two/claim", "operator", 422, id="a step that is no number"),
        pytest.param("POST", at(ANNA), "agency", 403, id="work is not for agencies"),
        pytest.param("GET", "/v1/work-items", "core_bank", 403, id="nor for the bank"),
        pytest.param("GET", "/v1/work-items?state=lost", "operator", 422, id="a state that does not exist"),
        pytest.param("GET", "/v1/work-items?after=gaFh", "operator", 422, id="a cursor of another list"),
    ],
)
async def test_what_is_not_answered(office: Office, method: str, path: str, role: str, status: int) -> None:
    if method == "POST":
        answer = await office.post(path, role=role)
    else:
        answer = await office.read(path, role)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
