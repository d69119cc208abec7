"""Placements over real HTTP on real PostgreSQL: two agencies, of which none sees or changes what is the other's."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import date
from typing import Any

import asyncpg
import httpx
import pytest

from services.outreach.agencies.register.domain import kept_as
from services.outreach.contacts.permits import opened
from shared.contracts import intake
from shared.messaging.sharding import shard_of
from tests.conftest import DatabaseOf
from tests.integration.outreach.agency_desk import (
    BERTA,
    CALL,
    DAY,
    NOBODYS,
    offered,
    own,
    paid,
    placed,
    shown,
    with_agencies,
)
from tests.integration.outreach.people import ANNA, MORNING, SIGNER, Office
from tests.unit.outreach.placing import listed
from tests.unit.outreach.play import CURED


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(dsn: str) -> AsyncIterator[Office]:
    async with with_agencies(dsn) as office:
        yield office


async def test_an_agency_is_shown_what_it_needs_and_no_more(office: Office) -> None:
    placement_id = await offered(office)
    found = await shown(office, own(placement_id), "alpha")
    assert (found["state"], found["tier"], found["amount"], found["currency"]) == ("offered", 1, 50_000, "CNY")
    assert (found["debtor_id"], found["days_past_due"], found["commission_ppm"]) == (ANNA, 29, 0)
    assert (found["offered_on"], found["answer_by"], found["ends_on"]) == ("2026-03-02", "2026-03-05", "2026-05-31")
    [owed] = found["owed"]["loans"]
    assert owed == {
        "loan_id": "loan-1",
        "past_due": 50_000,
        "outstanding": 900_000,
        "currency": "CNY",
        "oldest_due_on": "2026-02-01",
    }
    assert not {"offered_by", "recall_asked_by", "agency_id", "lender_id"} & found.keys()
    assert await shown(office, "/v1/agency/placements", "alpha") == {"items": [found], "next": None}
    [staffs] = await office.get(f"/v1/debtors/{ANNA}/placements")
    assert (staffs["agency_id"], staffs["offered_by"]) == ("alpha", "supervisor/demo supervisor")


async def test_a_placement_goes_its_way(office: Office) -> None:
    placement_id = await placed(office)
    of = f"/v1/debtors/{ANNA}/placements/{placement_id}/recall"
    asking = {"reason": "no progress", "objections_until": "2026-03-06"}
    assert (await office.post(of, asking, role="supervisor")).json()["state"] == "recall_asked"
    objecting = await office.post(own(placement_id, "object"), {"reason": "they pay on Friday"}, role="alpha")
    assert objecting.json()["state"] == "objected"
    withdrawn = await office.post(f"{of}/withdraw", {"reason": "let them"}, role="supervisor")
    assert withdrawn.json()["state"] == "accepted"
    assert (await office.post(f"{of}/final", {"reason": "complaints"}, role="supervisor")).json()["state"] == "ended"
    found = await shown(office, own(placement_id), "alpha")
    assert (found["state"], found["ended_as"], found["end_reason"]) == ("ended", "recalled", "complaints")
    next_one = await placed(office, "beta")
    handed = await office.post(own(next_one, "hand-back"), {"reason": "nobody found"}, role="beta")
    assert handed.json() == {"placement_id": next_one, "state": "ended"}
    assert [each["agency_id"] for each in await office.get(f"/v1/debtors/{ANNA}/placements")] == ["beta", "alpha"]


async def test_time_ends_what_nobody_answers(office: Office) -> None:
    placement_id = await offered(office)
    office.clock.set(MORNING + 4 * DAY)
    await office.hear(intake.BusinessDateAdvanced(business_date=date(2026, 3, 6)), 0, "")
    await office.pass_to(MORNING + 4 * DAY)
    found = await shown(office, own(placement_id), "alpha")
    assert (found["state"], found["ended_as"], found["days_past_due"]) == ("ended", "not_answered", 33)


async def test_an_agency_works_under_permits_and_says_what_came_of_it(office: Office) -> None:
    placement_id = await placed(office)
    answer = await office.post(own(placement_id, "permits"), CALL, role="alpha")
    assert answer.status_code == 201, answer.text
    granted = answer.json()
    permit = opened(granted["permit"], SIGNER.public_key)
    assert (permit.debtor_id, permit.held_by) == (ANNA, "agency/alpha")
    assert "CN-A1" in {rule["rule"] for rule in granted["rules"]}
    said = {"contact_id": granted["contact_id"], "result": "disputed"}
    told = await office.post(own(placement_id, "outcomes"), said, role="alpha")
    assert (told.status_code, told.json()["result"], bool(told.json()["matter_id"])) == (200, "disputed", True)
    refused = await office.post(own(placement_id, "permits"), CALL, role="alpha")
    assert (refused.status_code, refused.json()["detail"]) == (409, "nobody is to be contacted: on hold")


async def test_a_permit_is_given_back_and_a_payment_takes_it(office: Office) -> None:
    placement_id = await placed(office)
    first = (await office.post(own(placement_id, "permits"), CALL, role="alpha")).json()["contact_id"]
    unused = await office.post(own(placement_id, f"permits/{first}/unused"), role="alpha")
    assert (unused.status_code, unused.json()["state"]) == (200, "not_made")
    second = (await office.post(own(placement_id, "permits"), CALL, role="alpha")).json()
    await paid(office, "p-1", 50_000, 2, status=CURED)
    contacts = (await office.get(f"/v1/debtors/{ANNA}/contacts"))["contacts"]
    states = {each["contact_id"]: each["reason"] for each in contacts}
    assert states[second["contact_id"]] == "revoked: payment posted"
    assert (await shown(office, own(placement_id), "alpha"))["ended_as"] == "paid"
    refused = await office.post(own(placement_id, "permits"), CALL, role="alpha")
    assert (refused.status_code, refused.json()["field"]) == (409, "placement_id")


async def test_rules_that_deny_an_agency_are_answered_with_their_law(office: Office) -> None:
    placement_id = await placed(office)
    office.worker.standings[shard_of(ANNA)].directives[kept_as("alpha")] = listed(trained_until=date(2026, 3, 1))
    refused = await office.post(own(placement_id, "permits"), CALL, role="alpha")
    assert refused.status_code == 409
    [rule] = refused.json()["rules"]
    assert (rule["rule"], rule["reason"]) == ("CN-A1", "unmet:training_current")


# -- one agency and another --------------------------------------------------------------------------------------------


async def test_none_sees_or_changes_what_is_the_others(office: Office, dsn: str) -> None:
    await office.know(BERTA)
    alphas, betas = await placed(office, "alpha", ANNA), await placed(office, "beta", BERTA)
    contact_id = (await office.post(own(alphas, "permits"), CALL, role="alpha")).json()["contact_id"]
    await paid(office, "p-1", 10_003, 2)
    before = await tables(dsn)
    said = {"contact_id": contact_id, "result": "no_answer"}
    writes: Sequence[tuple[str, Any]] = (
        ("accept", None),
        ("decline", {"reason": "no"}),
        ("hand-back", {"reason": "no"}),
        ("object", {"reason": "no"}),
        ("permits", CALL),
        (f"permits/{contact_id}/unused", None),
        ("outcomes", said),
    )
    for what, body in writes:
        theirs = await office.post(own(alphas, what), body, role="beta")
        nobodys = await office.post(own(NOBODYS, what), body, role="beta")
        assert theirs.status_code == nobodys.status_code == 404, what
        assert without_place(theirs) == without_place(nobodys)
    assert without_place(await office.read(own(alphas), "beta")) == without_place(
        await office.read(own(NOBODYS), "beta")
    )
    assert await tables(dsn) == before
    assert [each["placement_id"] for each in (await shown(office, "/v1/agency/placements", "beta"))["items"]] == [betas]
    seen = (await shown(office, "/v1/agency/placements/changes", "beta"))["items"]
    assert {each["placement_id"] for each in seen} == {betas}
    assert (await shown(office, "/v1/agency/statements/2026-03", "beta"))["tiers"] == []


def without_place(answer: httpx.Response) -> dict[str, Any]:
    return {name: each for name, each in answer.json().items() if name != "instance"}


async def tables(dsn: str) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    try:
        names = ("placement", "placement_change", "agency_credit", "contact", "outcome", "tried_agency", "command")
        return [await connection.fetch(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in names]
    finally:
        await connection.close()


async def test_anothers_contact_is_refused_as_one_that_does_not_exist(office: Office) -> None:
    """The same debtor, one agency after the other: what the first did is nothing to the second."""
    first = await placed(office, "alpha")
    contact_id = (await office.post(own(first, "permits"), CALL, role="alpha")).json()["contact_id"]
    await office.post(own(first, "hand-back"), {"reason": "nobody found"}, role="alpha")
    second = await placed(office, "beta")
    for of, nothing in ((contact_id, NOBODYS),):
        asked = [await office.post(own(second, f"permits/{each}/unused"), role="beta") for each in (of, nothing)]
        said = [
            await office.post(own(second, "outcomes"), {"contact_id": each, "result": "no_answer"}, role="beta")
            for each in (of, nothing)
        ]
        for theirs, nobodys in (asked, said):
            assert (theirs.status_code, without_place(theirs)) == (409, without_place(nobodys))
    assert [each["state"] for each in await office.get(f"/v1/debtors/{ANNA}/placements")] == ["accepted", "ended"]


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        pytest.param("GET", f"/v1/debtors/{ANNA}/placements", "alpha", 403, id="staff's list"),
        pytest.param("POST", f"/v1/debtors/{ANNA}/placements", "alpha", 403, id="an agency offers itself a case"),
        pytest.param("POST", f"/v1/debtors/{ANNA}/placements", "operator", 403, id="an operator offers one"),
        pytest.param("GET", "/v1/agencies/beta/statements/2026-03", "alpha", 403, id="another's account"),
        pytest.param("GET", "/v1/agencies/beta/statements/2026-03", "operator", 403, id="accounts are for supervisors"),
        pytest.param("GET", "/v1/agency/placements", "operator", 403, id="staff at an agency's desk"),
        pytest.param("GET", "/v1/agency/placements", "supervisor", 403, id="a supervisor there"),
        pytest.param("GET", f"/v1/debtors/{ANNA}", "alpha", 403, id="what is held of a debtor"),
        pytest.param("GET", f"/v1/debtors/{ANNA}/contacts", "alpha", 403, id="the ledger"),
        pytest.param("GET", "/v1/agency/placements/nonsense", "alpha", 422, id="no id"),
        pytest.param("GET", "/v1/agency/placements?state=lost", "alpha", 422, id="no state"),
        pytest.param("GET", "/v1/agency/statements/2026-13", "alpha", 422, id="no month"),
        pytest.param("GET", f"/v1/debtors/{BERTA}/placements", "operator", 404, id="a debtor who is not known"),
    ],
)
async def test_what_is_not_answered(office: Office, method: str, path: str, role: str, status: int) -> None:
    body = {"agency_id": "alpha", "days": 90}
    answer = await (office.read(path, role) if method == "GET" else office.post(path, body, role=role))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        pytest.param({"agency_id": "gamma", "days": 90}, 409, "agency_id", id="not on the register"),
        pytest.param({"agency_id": "alpha", "days": 211}, 409, "days", id="too long"),
        pytest.param({"agency_id": "alpha", "days": 0}, 422, "days", id="no days"),
        pytest.param({"agency_id": "al pha", "days": 1}, 422, "agency_id", id="a name, and no id"),
        pytest.param({"agency_id": "alpha", "days": 1, "why": "x"}, 422, "why", id="a field that does not exist"),
    ],
)
async def test_a_refused_offer_names_its_field(office: Office, body: Any, status: int, field: str) -> None:
    answer = await office.post(f"/v1/debtors/{ANNA}/placements", body, role="supervisor")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["field"].endswith(field)


async def test_of_many_who_accept_at_once_with_one_offer_each_all_are_answered(office: Office) -> None:
    """The same offer, accepted twenty times under different keys: once it is taken, and then it is taken already."""
    placement_id = await offered(office)
    asking = asyncio.gather(
        *(office.ask(own(placement_id, "accept"), role="alpha", key=f"a-{number}") for number in range(20))
    )
    await office.serve(asking)
    codes = sorted(answer.status_code for answer in asking.result())
    assert codes == [200, *[409] * 19]
