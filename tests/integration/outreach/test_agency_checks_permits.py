"""Agencies check permits of their own over real HTTP; what is not theirs they cannot tell from what is none."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.outreach.contacts.permits import Signer, opened
from shared.postgres.databases import AGENCY_ROLE
from tests.conftest import DatabaseOf
from tests.integration.outreach.agency_desk import BERTA, CALL, own, paid, placed, with_agencies
from tests.integration.outreach.bureau import bearer, bureau_on
from tests.integration.outreach.people import ANNA, MORNING, SIGNER, Office
from tests.unit.outreach.play import CURED

CHECK = "/v1/agency/permits/check"


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(dsn: str) -> AsyncIterator[Office]:
    async with with_agencies(dsn) as office:
        yield office


async def permitted(office: Office, placement_id: str, agency: str = "alpha") -> dict[str, Any]:
    answer = await office.post(own(placement_id, "permits"), CALL, role=agency)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def check(office: Office, permit: str, agency: str = "alpha") -> dict[str, Any]:
    answer = await office.post(CHECK, {"permit": permit}, role=agency)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def stands(found: dict[str, Any]) -> tuple[bool, bool, str]:
    return found["genuine"], found["live"], found["reason"]


async def test_a_permit_is_checked_just_before_it_is_used(office: Office) -> None:
    granted = await permitted(office, await placed(office))
    found = await check(office, granted["permit"])
    assert stands(found) == (True, True, "")
    assert (found["contact_id"], found["debtor_id"], found["held_by"]) == (granted["contact_id"], ANNA, "agency/alpha")
    assert (found["channel"], found["purpose"], found["party"]) == ("phone", "collection", "debtor")
    office.clock.set(MORNING + timedelta(minutes=5))
    assert stands(await check(office, granted["permit"])) == (True, False, "it has expired")


async def test_one_that_was_used_or_given_back_says_so(office: Office) -> None:
    placement_id = await placed(office)
    unused = await permitted(office, placement_id)
    await office.post(own(placement_id, f"permits/{unused['contact_id']}/unused"), role="alpha")
    assert stands(await check(office, unused["permit"])) == (True, False, "given back unused")
    used = await permitted(office, placement_id)
    said = {"contact_id": used["contact_id"], "result": "no_answer"}
    assert (await office.post(own(placement_id, "outcomes"), said, role="alpha")).status_code == 200
    assert stands(await check(office, used["permit"])) == (True, False, "it was used")


async def test_a_payment_takes_a_permit_back_and_the_check_says_so_also_after_the_placement(office: Office) -> None:
    granted = await permitted(office, await placed(office))
    await paid(office, "p-1", 50_000, 2, status=CURED)
    assert stands(await check(office, granted["permit"])) == (True, False, "revoked: payment posted")


async def test_one_of_ours_that_the_ledger_does_not_know_is_not_live(office: Office, dsn: str) -> None:
    granted = await permitted(office, await placed(office))
    connection = await asyncpg.connect(dsn)
    await connection.execute("DELETE FROM contact")
    await connection.close()
    assert stands(await check(office, granted["permit"])) == (True, False, "the ledger does not know it")


async def test_what_is_not_the_callers_is_answered_as_what_is_no_permit(office: Office) -> None:
    """Live ones of another agency and of staff, one that somebody else signed, one that was altered, and nonsense."""
    await office.know(BERTA)
    alphas = (await permitted(office, await placed(office)))["permit"]
    staffs = (await office.post(f"/v1/debtors/{BERTA}/permits", CALL)).json()["permit"]
    signed_by_others = Signer(bytes(32)).signed(opened(alphas, SIGNER.public_key))
    document, signature = alphas.split(".")
    shown = {
        "beta": [alphas, staffs, signed_by_others, "nonsense"],
        "alpha": [staffs, signed_by_others, f"{document[:-4]}AAAA.{signature}", "ü.ü"],
    }
    answers = [await check(office, permit, agency) for agency, permits in shown.items() for permit in permits]
    assert {each["reason"] for each in answers} == {"this is no permit of ours"}
    assert [each for each in answers if each != answers[0]] == []
    assert answers[0]["genuine"] is answers[0]["live"] is False
    assert {each for name, each in answers[0].items() if name not in {"genuine", "live", "reason"}} == {None}
    assert (await check(office, alphas))["live"], "its holder's it is all the while"


async def test_the_ledger_shows_an_agency_its_own_rows_alone_and_nobody_where_none_was_named(
    office: Office, dsn: str
) -> None:
    await office.know(BERTA)
    held = {"alpha": await placed(office), "beta": await placed(office, "beta", BERTA)}
    contacts = {name: (await permitted(office, held[name], name))["contact_id"] for name in held}
    assert (await office.post(f"/v1/debtors/{BERTA}/permits", CALL)).status_code == 201
    connection = await asyncpg.connect(dsn)
    try:
        for name, contact_id in contacts.items():
            assert await ledger_of(connection, name) == [contact_id]
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant was named"):
            await ledger_of(connection, "")
    finally:
        await connection.close()


async def ledger_of(connection: "asyncpg.Connection[asyncpg.Record]", agency: str) -> list[str]:
    """The ledger as the role of agencies sees it."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {AGENCY_ROLE}")
        await connection.execute("SELECT set_config('app.agency', $1, true)", agency)
        return [row["contact_id"] for row in await connection.fetch("SELECT contact_id FROM contact")]


@pytest.mark.parametrize(
    ("role", "body", "status"),
    [
        pytest.param("operator", {"permit": "x"}, 403, id="staff ask elsewhere"),
        pytest.param("alpha", {"permit": ""}, 422, id="nothing shown"),
        pytest.param("alpha", {"permit": "x" * 5000}, 422, id="too much"),
        pytest.param("alpha", {}, 422, id="no permit"),
    ],
)
async def test_what_is_not_answered(office: Office, role: str, body: Any, status: int) -> None:
    answer = await office.post(CHECK, body, role=role)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_token_that_is_not_good_for_permits_checks_none(dsn: str) -> None:
    async with bureau_on(dsn) as bureau:
        client = await bureau.lists()
        for scope, status in (("placements:read", 403), ("permits", 200)):
            headers = bearer(await bureau.token(client, scope=scope))
            answer = await bureau.http.post(CHECK, json={"permit": "nonsense"}, headers=headers)
            assert answer.status_code == status, answer.text
