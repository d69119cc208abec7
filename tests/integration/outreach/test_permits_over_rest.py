"""Permits over real HTTP on real PostgreSQL: a thousand who ask at once, what they are told, and what a stop takes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.outreach.contacts.permits import Signer, opened
from tests.conftest import DatabaseOf
from tests.integration.outreach.people import ANNA, MORNING, SIGNER, Office, office_of
from tests.unit.outreach.play import payment

PERMITS = f"/v1/debtors/{ANNA}/permits"
LEDGER = f"/v1/debtors/{ANNA}/contacts"
CALL = {"channel": "phone"}
ASKING = 1000
TRIES = 20


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(dsn: str) -> AsyncIterator[Office]:
    async with office_of(dsn) as office:
        await office.know()
        yield office


async def test_of_a_thousand_who_ask_at_once_for_the_last_call_of_the_day_one_is_permitted(office: Office) -> None:
    for _ in range(2):
        assert (await office.post(PERMITS, CALL)).status_code == 201
    together = asyncio.gather(*(patiently(office, f"asking-{number}") for number in range(ASKING)))
    await office.serve(together)
    answers = together.result()
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: ASKING - 1}
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert {tuple(rule["rule"] for rule in each["rules"]) for each in refusals} == {("CN-F2",)}
    assert {each["next_allowed"] for each in refusals} == {"2026-03-03T08:00:00+08:00"}
    ledger = await office.get(LEDGER)
    assert (len(ledger["contacts"]), len(ledger["denials"])) == (3, ASKING - 1)
    [granted] = [answer.json() for answer in answers if answer.status_code == 201]
    assert granted["contact_id"] in {each["contact_id"] for each in ledger["contacts"]}


async def patiently(office: Office, key: str) -> httpx.Response:
    """Ask as a client does: again under the same key while the service is too busy to answer."""
    for _ in range(TRIES):
        answer = await office.ask(PERMITS, CALL, key=key)
        if answer.status_code not in {503, 504}:
            return answer
    raise AssertionError("never answered")


async def test_a_permit_is_answered_signed_with_all_that_it_rests_on(office: Office) -> None:
    answer = await office.post(PERMITS, CALL, key="mine")
    assert answer.status_code == 201
    granted = answer.json()
    permit = opened(granted["permit"], SIGNER.public_key)
    assert (permit.permit_id, permit.debtor_id, permit.channel) == (granted["contact_id"], ANNA, "phone")
    assert (permit.held_by, permit.party, permit.purpose) == ("operator/demo operator", "debtor", "collection")
    assert (permit.permitted_at, permit.expires_at) == (MORNING, MORNING + timedelta(minutes=5))
    assert (granted["pack"], granted["pack_version"]) == (permit.pack, permit.pack_version) == ("CN", "2")
    rules = {rule["rule"]: rule for rule in granted["rules"]}
    assert "GB/T 45251" in rules["CN-F2"]["citation"]
    assert rules["CN-F2"]["read"] == {"count": "0", "limit": "3", "days": "1"}
    again = await office.post(PERMITS, CALL, key="mine")
    assert again.json() == granted
    [contact] = (await office.get(LEDGER))["contacts"]
    assert (contact["asked_by"], contact["by_hand"], contact["state"]) == ("operator/demo operator", True, "sending")


async def test_a_refusal_is_a_problem_that_names_the_rules_the_law_and_the_next_instant(office: Office) -> None:
    office.clock.set(MORNING + timedelta(hours=13))
    answer = await office.post(PERMITS, CALL, key="night")
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("urn:fairdue:problem:not-permitted", 409)
    assert problem["detail"] == "Rules of contact stand in the way: CN-W1, CN-W2."
    assert (problem["pack"], problem["next_allowed"]) == ("CN", "2026-03-03T08:00:00+08:00")
    first = problem["rules"][0]
    assert (first["rule"], first["reason"], first["force"]) == ("CN-W1", "hours", "standard")
    assert "GB/T 45251" in first["citation"]
    assert set(first["title"]) == {"en", "zh"}
    again = await office.post(PERMITS, CALL, key="night")
    assert without_id(again) == without_id(answer)
    [denial] = (await office.get(LEDGER))["denials"]
    assert (denial["asked_by"], denial["party"]) == ("operator/demo operator", "debtor")


def without_id(answer: httpx.Response) -> dict[str, Any]:
    return {name: each for name, each in answer.json().items() if name != "instance"}


async def test_what_stands_above_the_rules_is_refused_in_words(office: Office) -> None:
    await office.post(f"/v1/debtors/{ANNA}/holds", {"reason": "dispute"})
    answer = await office.post(PERMITS, CALL)
    assert (answer.status_code, answer.json()["detail"]) == (409, "nobody is to be contacted: on hold")
    assert "rules" not in answer.json()


async def test_a_permit_is_given_back_and_the_ledger_shows_it(office: Office) -> None:
    contact_id = (await office.post(PERMITS, CALL)).json()["contact_id"]
    unused = f"{PERMITS}/{contact_id}/unused"
    answer = await office.post(unused)
    assert (answer.status_code, answer.json()) == (
        200,
        {"contact_id": contact_id, "state": "not_made", "reason": "given back unused"},
    )
    [contact] = (await office.get(LEDGER))["contacts"]
    assert (contact["state"], contact["reason"]) == ("not_made", "given back unused")
    assert (await office.post(unused)).status_code == 409
    assert (await office.post(f"{PERMITS}/nothing/unused")).status_code == 409


async def test_a_permit_that_is_never_reported_counts_and_cannot_be_given_back(office: Office) -> None:
    contact_id = (await office.post(PERMITS, CALL)).json()["contact_id"]
    await office.pass_to(MORNING + timedelta(hours=2, minutes=5))
    [contact] = (await office.get(LEDGER))["contacts"]
    assert (contact["state"], contact["reason"]) == ("unknown", "nobody has said what became of it")
    assert (await office.post(f"{PERMITS}/{contact_id}/unused")).status_code == 409


async def check(office: Office, permit: str, role: str = "operator") -> dict[str, Any]:
    answer = await office.post("/v1/permits/check", {"permit": permit}, role=role)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def test_a_permit_is_checked_just_before_it_is_used(office: Office) -> None:
    granted = (await office.post(PERMITS, CALL)).json()
    found = await check(office, granted["permit"])
    assert (found["genuine"], found["live"], found["reason"]) == (True, True, "")
    assert (found["contact_id"], found["held_by"]) == (granted["contact_id"], "operator/demo operator")
    office.clock.set(MORNING + timedelta(minutes=5))
    late = await check(office, granted["permit"])
    assert (late["genuine"], late["live"], late["reason"]) == (True, False, "it has expired")


async def test_a_stop_takes_a_permit_back_before_it_is_used(office: Office) -> None:
    granted = (await office.post(PERMITS, CALL)).json()
    await office.hear(payment(), 2)
    found = await check(office, granted["permit"])
    assert (found["genuine"], found["live"], found["reason"]) == (True, False, "revoked: payment posted")
    [contact] = (await office.get(LEDGER))["contacts"]
    assert (contact["state"], contact["reason"]) == ("not_made", "revoked: payment posted")


async def test_what_is_no_permit_of_ours_tells_nothing(office: Office) -> None:
    granted = (await office.post(PERMITS, CALL)).json()
    theirs = Signer(bytes(32)).signed(opened(granted["permit"], SIGNER.public_key))
    document, signature = granted["permit"].split(".")
    for shown in (theirs, f"{document[:-4]}AAAA.{signature}", "nonsense", "ü.ü"):
        found = await check(office, shown)
        assert (found["genuine"], found["live"], found["contact_id"]) == (False, False, None)


async def test_a_permit_that_the_ledger_does_not_know_is_not_live(office: Office, dsn: str) -> None:
    granted = (await office.post(PERMITS, CALL)).json()
    connection = await asyncpg.connect(dsn)
    await connection.execute("DELETE FROM contact")
    await connection.close()
    found = await check(office, granted["permit"])
    assert (found["genuine"], found["live"], found["reason"]) == (True, False, "the ledger does not know it")


@pytest.mark.parametrize(
    ("path", "body", "role", "status"),
    [
        pytest.param(f"/v1/debtors/{'b' * 32}/permits", CALL, "operator", 404, id="a debtor who is not known"),
        pytest.param(PERMITS, CALL, "agency", 403, id="agencies ask elsewhere"),
        pytest.param(PERMITS, {"channel": "pigeon"}, "operator", 422, id="a channel that does not exist"),
        pytest.param(PERMITS, {**CALL, "party": "neighbour"}, "operator", 422, id="a party that does not exist"),
        pytest.param(PERMITS, {**CALL, "purpose": "fun"}, "operator", 422, id="a purpose that does not exist"),
        pytest.param(PERMITS, {**CALL, "contact_point": "+86 138"}, "operator", 422, id="a number, and no reference"),
        pytest.param(PERMITS, {**CALL, "contact_point": "none"}, "operator", 409, id="a point of no profile"),
        pytest.param(PERMITS, {"channel": "visit"}, "operator", 409, id="a channel without rules"),
        pytest.param("/v1/permits/check", {"permit": ""}, "operator", 422, id="nothing shown"),
        pytest.param("/v1/permits/check", {"permit": "x"}, "agency", 403, id="agencies check elsewhere"),
    ],
)
async def test_what_is_not_answered(office: Office, path: str, body: Any, role: str, status: int) -> None:
    answer = await office.post(path, body, role=role)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
