"""Reported payments over real HTTP on real PostgreSQL: who reports what, who sees it, and what becomes of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import DatabaseOf
from tests.integration.outreach.agencies.filing import problem
from tests.integration.outreach.agency_desk import BERTA, CALL, NOBODYS, own, paid, placed, shown, with_agencies
from tests.integration.outreach.people import ANNA, Office

PAID = {"receipt": "R-1", "amount": 10_003, "currency": "CNY", "paid_on": "2026-03-02", "received_by": "agency"}
LOAN = {"loan_id": "loan-1"}


@pytest.fixture
async def office(database_of: DatabaseOf) -> AsyncIterator[Office]:
    async with with_agencies(database_of("outreach")) as office:
        yield office


def under(placement_id: str) -> str:
    return own(placement_id, "payments")


async def reported(office: Office, placement_id: str, role: str = "alpha", **other: Any) -> str:
    answer = await office.post(under(placement_id), {**PAID, **LOAN, **other}, role=role)
    assert answer.status_code == 201, answer.text
    assert answer.json()["placement_id"] == placement_id
    return str(answer.json()["report_id"])


async def test_from_the_report_to_the_booking(office: Office) -> None:
    placement_id = await placed(office)
    report_id = await reported(office, placement_id)
    refused = await office.post(own(placement_id, "permits"), CALL, role="alpha")
    assert (refused.status_code, refused.json()["detail"]) == (409, "nobody is to be contacted: on hold")
    debtor = await office.get(f"/v1/debtors/{ANNA}")
    assert [(each["kind"], each["matter_id"], each["loan_id"]) for each in debtor["matters"]] == [
        ("reported_payment", report_id, "loan-1")
    ]
    [waiting] = (await shown(office, under(placement_id), "alpha"))["items"]
    assert {**PAID, **LOAN, "state": "waiting", "payment_id": "", "debtor_id": ANNA}.items() <= waiting.items()
    assert "agency_id" not in waiting
    await paid(office, "p-1", 10_003, 2)
    [booked] = (await shown(office, under(placement_id), "alpha"))["items"]
    assert (booked["state"], booked["payment_id"], booked["booked_loan_id"]) == ("booked", "p-1", "loan-1")
    assert (booked["reason"], booked["ended_on"]) == ("the lender has booked it", "2026-03-02")
    changes = (await shown(office, "/v1/agency/placements/changes", "alpha"))["items"]
    assert [(each["change"], each["report_id"], each["payment_id"]) for each in changes[2:]] == [
        ("paid", "", "p-1"),
        ("report_ended", report_id, "p-1"),
    ]
    granted = await office.post(own(placement_id, "permits"), CALL, role="alpha")
    assert granted.status_code == 201, granted.text


async def test_staff_see_what_agencies_say_was_paid_and_decide(office: Office) -> None:
    await office.know(BERTA)
    first, second = await placed(office), await placed(office, "beta", BERTA)
    reports = {await reported(office, first): "alpha", await reported(office, second, "beta", amount=5): "beta"}
    page = await office.get("/v1/payment-reports?limit=1")
    rest = await office.get(f"/v1/payment-reports?limit=1&after={page['next']}")
    found = [*page["items"], *rest["items"]]
    assert {each["report_id"]: each["agency_id"] for each in found} == reports
    assert [each["debtor_id"] for each in found] == sorted((ANNA, BERTA))
    [of_beta] = (await office.get("/v1/payment-reports?agency_id=beta"))["items"]
    assert of_beta["amount"] == 5
    matter = f"/v1/debtors/{BERTA}/matters/{of_beta['report_id']}/resolve"
    assert (await office.post(matter, {"reason": "no such money came in"}, role="operator")).status_code == 200
    assert {each["agency_id"] for each in (await office.get("/v1/payment-reports?state=waiting"))["items"]} == {"alpha"}
    [decided] = (await shown(office, under(second), "beta"))["items"]
    assert (decided["state"], decided["reason"]) == ("decided", "no such money came in")


async def test_a_mistake_is_taken_back_once(office: Office) -> None:
    placement_id = await placed(office)
    report_id = await reported(office, placement_id)
    path, why = f"{under(placement_id)}/{report_id}/withdraw", {"reason": "the wrong case"}
    assert (await office.post(path, why, role="alpha")).json() == {"report_id": report_id, "placement_id": placement_id}
    again = await office.post(path, why, role="alpha")
    assert (again.status_code, again.json()["field"]) == (409, "report_id")
    assert again.json()["detail"] == "the report is withdrawn already"


async def test_the_same_receipt_is_the_same_report_under_any_key(office: Office) -> None:
    placement_id = await placed(office)
    assert await reported(office, placement_id) == await reported(office, placement_id)
    other = await office.post(under(placement_id), {**PAID, "amount": 1}, role="alpha")
    assert (other.status_code, other.json()["field"]) == (409, "receipt")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**PAID, "amount": 0}, "amount"),
        ({**PAID, "amount": True}, "amount"),
        ({**PAID, "currency": "yuan"}, "currency"),
        ({**PAID, "receipt": "of Wang"}, "receipt"),
        ({**PAID, "received_by": "debtor"}, "received_by"),
        ({**PAID, "loan_id": ""}, "loan_id"),
        ({**PAID, "paid_on": 1}, "paid_on"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_what_is_no_report_is_told_by_its_field(office: Office, body: dict[str, Any], field: str) -> None:
    answer = await office.post(under(await placed(office)), body, role="alpha")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_of_another_agencys_placement_nothing_can_be_told_from_nobodys(office: Office) -> None:
    placement_id = await placed(office)
    report_id = await reported(office, placement_id)
    for path in (under(placement_id), f"{under(placement_id)}/{report_id}/withdraw"):
        body = {"reason": "the wrong case"} if path.endswith("withdraw") else PAID
        theirs = await office.post(path, body, role="beta")
        nobodys = await office.post(path.replace(placement_id, NOBODYS), body, role="beta")
        assert theirs.status_code == 404
        assert problem(theirs) == problem(nobodys)
    assert (await office.read(under(placement_id), "beta")).status_code == 404
    [still] = (await office.get("/v1/payment-reports"))["items"]
    assert still["state"] == "waiting"


async def test_staff_lists_are_not_for_agencies(office: Office) -> None:
    assert (await office.read("/v1/payment-reports", "alpha")).status_code == 403
