"""Placements over real HTTP on real PostgreSQL: two agencies, of which none sees or changes what is the other's."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from services.outreach.agencies.placements.register import directive_of
from services.outreach.contacts.permits import opened
from shared.contracts import intake
from shared.contracts.envelope import derived_id
from shared.messaging.partitioner import partition_of
from shared.settings import ApiToken
from tests.conftest import DatabaseOf
from tests.integration.outreach.people import ANNA, MORNING, SIGNER, Office, office_of
from tests.integration.outreach.rig import SETTINGS
from tests.unit.outreach.placing import Listed
from tests.unit.outreach.play import CURED, case, loan

AGENCIES = tuple(ApiToken(name, "agency", f"a token of the agency {name} 0001") for name in ("alpha", "beta"))
BERTA = "b" * 32
CALL = {"channel": "phone"}
NOBODYS = "0" * 32
DAY = timedelta(days=1)


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(dsn: str) -> AsyncIterator[Office]:
    async with office_of(dsn, replace(SETTINGS, tokens=(*SETTINGS.tokens, *AGENCIES))) as office:
        for number in office.worker.standings:
            office.worker.standings[number].directives.update({directive_of(each.name): Listed() for each in AGENCIES})
        await office.hear(intake.BusinessDateAdvanced(business_date=date(2026, 3, 2)), 0, "")
        await office.know()
        yield office


async def offered(office: Office, agency: str = "alpha", debtor_id: str = ANNA) -> str:
    wanted = {"agency_id": agency, "days": 90}
    answer = await office.post(f"/v1/debtors/{debtor_id}/placements", wanted, role="supervisor")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["placement_id"])


async def placed(office: Office, agency: str = "alpha", debtor_id: str = ANNA) -> str:
    placement_id = await offered(office, agency, debtor_id)
    answer = await office.post(own(placement_id, "accept"), role=agency)
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted"), answer.text
    return placement_id


def own(placement_id: str, what: str = "") -> str:
    return f"/v1/agency/placements/{placement_id}" + (f"/{what}" if what else "")


async def shown(office: Office, path: str, role: str) -> Any:
    answer = await office.read(path, role)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def paid(office: Office, payment_id: str, amount: int, version: int, **how: Any) -> None:
    payment = intake.PaymentPosted(
        case=case(how.get("status", intake.CaseStatus.OPEN)),
        loan_id="loan-1",
        payment_id=payment_id,
        amount=amount,
        currency="CNY",
        posted_at=office.clock.now(),
    )
    await office.hear(payment, version, how.get("debtor_id", ANNA))


async def taken_back(office: Office, payment_id: str, amount: int, version: int) -> None:
    reversal = intake.PaymentReversed(
        case=case(),
        loan_id="loan-1",
        payment_id=payment_id,
        amount=amount,
        currency="CNY",
        reversed_at=office.clock.now(),
    )
    await office.hear(reversal, version)


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
    office.worker.standings[partition_of(ANNA)].directives[directive_of("alpha")] = Listed(training_current=False)
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
    read, after, more = [], "", True
    while more:
        page = await changes(office, "alpha", after, limit=5)
        read, after, more = [*read, *page["items"]], page["next"], page["more"]
    assert (len(whole), read) == (12, whole)


async def test_a_change_that_is_committed_late_is_not_lost(office: Office, dsn: str) -> None:
    """Ids are given out before the commit: one that another lane has not committed yet lies before what is read."""
    placement_id = await offered(office)
    other = next(each for each in range(32) if each != partition_of(ANNA))
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


async def test_of_many_who_accept_at_once_with_one_offer_each_all_are_answered(office: Office) -> None:
    """The same offer, accepted twenty times under different keys: once it is taken, and then it is taken already."""
    placement_id = await offered(office)
    asking = asyncio.gather(
        *(office.ask(own(placement_id, "accept"), role="alpha", key=f"a-{number}") for number in range(20))
    )
    await office.serve(asking)
    codes = sorted(answer.status_code for answer in asking.result())
    assert codes == [200, *[409] * 19]
