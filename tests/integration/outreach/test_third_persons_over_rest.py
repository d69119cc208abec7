"""A play over real HTTP on PostgreSQL: when somebody who owes nothing may be asked, for what, and when no more."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import intake
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactSource
from tests.conftest import DatabaseOf
from tests.integration.outreach.people import ANNA, MORNING, Office, office_of

PERMITS = f"/v1/debtors/{ANNA}/permits"
CALL = {"channel": "phone"}
BROTHER, FRIEND, STRANGER = "brother", "friend", "stranger"
PROFILE = intake.SealedProfile(
    key_id="k",
    updated_at=MORNING,
    language="zh",
    time_zones=(),
    name=b"",
    id_number=b"",
    contacts=tuple(
        intake.SealedContact(
            id=name, kind=ContactKind.MOBILE, owner=ContactOwner.CONTACT, verified=True, source=source, value=b""
        )
        for name, source in (
            (BROTHER, ContactSource.DEBTOR),
            (FRIEND, ContactSource.DEBTOR),
            (STRANGER, ContactSource.BUREAU),
        )
    ),
)
LAW = {
    "CN-P1": ("standard", "GB/T 45251-2025 cl. 5.3"),
    "CN-I2": ("law", "Personal Information Protection Law"),
    "CN-H1": ("house", "house value"),
}
"""What each refusal has to name: how its rule binds, and where it is from."""


class Search:
    """A collector who looks for a debtor."""

    def __init__(self, office: Office) -> None:
        self.office = office

    async def calls_the_debtor(self, times: int, result: str = "no_answer") -> None:
        """Calls, each an hour after the last, that end so."""
        for _ in range(times):
            granted = await self.office.post(PERMITS, CALL)
            assert granted.status_code == 201, granted.text
            await self.says(granted.json()["contact_id"], result)
            await self.waits(hours=1)

    async def says(self, contact_id: str, result: str) -> None:
        path = f"/v1/debtors/{ANNA}/contacts/{contact_id}/outcome"
        answer = await self.office.post(path, {"result": result})
        assert answer.status_code == 200, answer.text

    async def waits(self, **time: float) -> None:
        await self.office.pass_to(self.office.clock.now() + timedelta(**time))

    async def asks(self, point: str = BROTHER, **other: Any) -> str:
        """Ask for a permit for another person, granted: the contact."""
        answer = await self.office.post(PERMITS, _wanted(point, other))
        assert answer.status_code == 201, answer.text
        assert (answer.json()["party"], answer.json()["channel"]) == (other.get("party", "contact"), "phone")
        return str(answer.json()["contact_id"])

    async def is_refused(self, point: str = BROTHER, **other: Any) -> dict[str, str]:
        """Ask for one, refused by rules, each with its law: why, by rule; and when it would be allowed, if ever."""
        answer = await self.office.post(PERMITS, _wanted(point, other))
        assert (answer.status_code, answer.json()["title"]) == (409, "Not permitted"), answer.text
        problem = answer.json()
        for rule in problem["rules"]:
            force, citation = LAW[rule["rule"]]
            assert rule["force"] == force
            assert citation in rule["citation"]
            assert set(rule["title"]) == {"en", "zh"}
        return {
            **{rule["rule"]: rule["reason"] for rule in problem["rules"]},
            **({"until": problem["next_allowed"]} if "next_allowed" in problem else {}),
        }


def _wanted(point: str, other: dict[str, Any]) -> dict[str, Any]:
    named = {"contact_point": point} if point else {}
    return {**CALL, "party": "contact", "content": ["ask_to_relay"], **named, **other}


@pytest.fixture
async def search(database_of: DatabaseOf) -> AsyncIterator[Search]:
    async with office_of(database_of("outreach")) as office:
        await office.know()
        await office.hear(intake.ProfileChanged(version=1, profile=PROFILE), 0)
        yield Search(office)


async def test_another_person_is_asked_once_contact_is_lost_and_never_again_after_their_refusal(search: Search) -> None:
    # Act one: contact is not lost before the third call in a row that nobody answers.
    assert await search.is_refused() == {"CN-P1": "debtor_not_tried"}
    await search.calls_the_debtor(2)
    assert await search.is_refused() == {"CN-P1": "debtor_not_tried"}
    await search.calls_the_debtor(1)

    # Act two: there is one purpose, and it has to be said; and the number has to be the debtor's to give.
    assert await search.is_refused(content=[]) == {"CN-P1": "missing:content"}
    assert await search.is_refused(STRANGER) == {"CN-I2": "unmet:given_by_debtor"}
    assert await search.is_refused("") == {"CN-I2": "missing:given_by_debtor"}

    # Act three: he is asked, once a day.
    first = await search.asks()
    assert await search.is_refused(FRIEND) == {"CN-H1": "cap", "until": "2026-03-03T08:00:00+08:00"}
    await search.says(first, "left_message")
    await search.waits(days=1)
    second = await search.asks(content=["ask_debtor_contact", "ask_to_relay"])

    # Act four: he says no, and that is for good: for every day, person, way and ground.
    await search.says(second, "refused")
    assert (await search.is_refused())["CN-P1"] == "refused"
    await search.waits(days=1)
    for point, party in ((BROTHER, "contact"), (FRIEND, "contact"), (FRIEND, "third"), (FRIEND, "unrelated")):
        assert await search.is_refused(point, party=party) == {"CN-P1": "refused"}
    assert await search.is_refused(channel="sms") == {"CN-P1": "refused"}
    await search.waits(days=100)
    await search.calls_the_debtor(3)
    assert await search.is_refused() == {"CN-P1": "refused"}
    await search.calls_the_debtor(1, "wrong_number")
    assert await search.is_refused() == {"CN-P1": "refused"}, "no other ground opens the gate again"


async def test_who_has_been_reached_again_is_not_looked_for(search: Search) -> None:
    await search.calls_the_debtor(3)
    await search.calls_the_debtor(1, "right_party_reached")
    assert await search.is_refused() == {"CN-P1": "debtor_not_tried"}


async def test_a_number_that_is_somebody_elses_is_proof_of_lost_contact_at_once(search: Search) -> None:
    await search.calls_the_debtor(1, "wrong_number")
    await search.asks()


async def test_a_refusal_is_shown_and_is_the_debtors_in_nothing(search: Search) -> None:
    await search.calls_the_debtor(3)
    asked = await search.asks()
    await search.says(asked, "opted_out")
    held = await search.office.get(f"/v1/debtors/{ANNA}")
    [refusal] = held["refusals"]
    assert (refusal["contact_id"], refusal["party"], refusal["channel"]) == (asked, "contact", "phone")
    assert (refusal["since"], refusal["recorded_by"]) == ("2026-03-02T05:00:00Z", "operator/demo operator")
    assert held["opt_outs"] == []
    assert (await search.office.post(PERMITS, CALL)).status_code == 201, "the debtor may still be called"


async def test_what_is_no_purpose_at_all_is_not_even_judged(search: Search) -> None:
    await search.calls_the_debtor(3)
    for content in (["amount"], ["ask_to_relay", "urge_to_pay"]):
        answer = await search.office.post(PERMITS, _wanted(BROTHER, {"content": content}))
        assert (answer.status_code, "content" in answer.json()["field"]) == (422, True)
