"""Allocation on a real database: a plan asks, the allocator answers by the day, and agencies decline or take."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared.contracts import intake
from shared.contracts.segmentation import Channel
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.postgres_store import PostgresStore
from tests.conftest import DatabaseOf
from tests.integration.outreach.agency_desk import AGENCIES, own
from tests.integration.outreach.rig import ALLOCATOR, LANE, MONDAY, SERVICE, SETTINGS, Actor, answered, names
from tests.unit.outreach.placing import listed
from tests.unit.outreach.play import case, treatment

ANNA, BERTA = "a" * 32, "b" * 32
DAY = timedelta(days=1)
PLACED = treatment("PRE_LEGAL", (Channel.AGENCY, 0), (Channel.LEGAL_REFERRAL, 30))
TOKENS: dict[str, str] = {
    **{token.role: token.token for token in SETTINGS.tokens},
    **{token.name: token.token for token in AGENCIES},
}


@dataclass
class House:
    """The lanes and the allocator of a lender, with the API before them."""

    lane: Actor
    allocator: Actor
    client: httpx.AsyncClient
    days: int = 0
    keys: int = 0

    async def begins(self, *debtors: str, **capacity: int) -> None:
        """Two agencies are known, and the cases of some debtors ask for one."""
        for name, most in ({"alpha": 100, "beta": 100} | capacity).items():
            word = listed(name, capacity=most)
            await self.lane.hear(word)
            await self.allocator.hear(word)
        await self.lane.hear(intake.BusinessDateAdvanced(business_date=MONDAY))
        for debtor in debtors:
            await self.lane.hear(intake.CaseOpened(case=case()), debtor, 1)
            await self.lane.hear(PLACED, debtor, 1)
        assert names(await self.lane.wait(minutes=2)) == ["PlanStarted"] * len(debtors)
        asked = await self.lane.wait(hours=22)
        assert names(asked).count("PlacementRequested") == len(debtors)
        await self.lane.relay(asked, self.allocator)

    async def next_day(self) -> list[str]:
        """The lender's books are closed, and what was allotted reaches the lanes."""
        self.days += 1
        (closed, *_) = await self.lane.hear(intake.BusinessDateAdvanced(business_date=MONDAY + self.days * DAY))
        allotted = await self.allocator.hear(closed.data)
        told = await self.allocator.relay(allotted, self.lane) if allotted else []
        await self.lane.relay(told, self.allocator) if told else None
        return names(allotted) + names(told)

    async def of(self, agency: str) -> list[dict[str, Any]]:
        """The placements of an agency, as it sees them."""
        return list((await self.get("/v1/agency/placements", agency))["items"])

    async def does(self, agency: str, what: str, body: Any = None) -> None:
        """An agency answers the one offer that it has, and the allocator hears what comes of it."""
        (offer,) = [each for each in await self.of(agency) if each["state"] == "offered"]
        self.keys += 1
        headers = {"Authorization": f"Bearer {TOKENS[agency]}", "Idempotency-Key": f"key-{self.keys}"}
        request = self.client.post(own(offer["placement_id"], what), json=body, headers=headers)
        told: list[Any] = []
        answer = await answered(Listening(self.lane, told), request)  # type: ignore[arg-type]  # it hears as one does
        assert answer.status_code == 200, answer.text
        await self.lane.relay(told, self.allocator)

    async def get(self, path: str, role: str) -> Any:
        found = await self.client.get(path, headers={"Authorization": f"Bearer {TOKENS[role]}"})
        assert found.status_code == 200, found.text
        return found.json()


@dataclass
class Listening:
    """A lane whose answers to commands are kept."""

    lane: Actor
    told: list[Any]

    async def commands(self) -> list[Any]:
        found = await self.lane.commands()
        self.told += found
        return found


@pytest.fixture
async def house(database_of: DatabaseOf) -> AsyncIterator[House]:
    dsn = database_of("outreach")
    engine = engine_of(dsn, pool_size=2)
    app = create_app(SERVICE, replace(SETTINGS, tokens=(*SETTINGS.tokens, *AGENCIES)), engine=engine)
    async with (
        PostgresStore(dsn, "lane") as lanes,
        PostgresStore(dsn, "allocator") as allotments,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        made = House(Actor(LANE, lanes), Actor(ALLOCATOR, allotments), client)
        await made.lane.take()
        await made.allocator.take()
        yield made
    await close(app)
    await engine.dispose()


async def test_a_case_goes_to_another_agency_where_the_first_declines(house: House) -> None:
    await house.begins(ANNA)
    assert await house.next_day() == ["PlacementAllotted", "PlacementOffered"]
    (first,) = [name for name in ("alpha", "beta") if await house.of(name)]
    other = {"alpha": "beta", "beta": "alpha"}[first]
    await house.does(first, "decline", {"reason": "no room"})
    assert await house.next_day() == ["PlacementAllotted", "PlacementOffered"]
    await house.does(other, "accept")
    (placement, declined) = await house.get(f"/v1/debtors/{ANNA}/placements", "operator")
    assert (placement["agency_id"], placement["state"], declined["agency_id"]) == (other, "accepted", first)
    assert (placement["rule_version"], placement["offered_by"]) == ("1", "rule/1")
    debtor = await house.get(f"/v1/debtors/{ANNA}", "operator")
    assert [(step["channel"], step["state"]) for step in debtor["plan"]["steps"]] == [
        ("agency", "placed"),
        ("legal_referral", "scheduled"),
    ]


async def test_what_an_agency_holds_is_kept_from_day_to_day_and_leaves_with_the_end(house: House) -> None:
    await house.begins(ANNA, BERTA, alpha=1, beta=0)
    assert await house.next_day() == ["PlacementAllotted", "PlacementOffered"]
    assert await house.next_day() == [], "it has room for one"
    await house.does("alpha", "decline", {"reason": "no room"})
    assert (await house.next_day())[0] == "PlacementAllotted"
    assert [each["state"] for each in await house.of("alpha")].count("offered") == 1


async def test_agencies_are_compared_by_how_they_were_found(house: House) -> None:
    await house.begins(ANNA, BERTA, beta=0)
    await house.next_day()
    path = f"/v1/allocation/comparison?first={MONDAY}&last={MONDAY + DAY}"
    rows = (await house.get(path, "supervisor"))["items"]
    assert sum(row["cases"] for row in rows) == 2
    assert {(row["agency_id"], row["tier"], row["accepted"], row["liquidation_ppm"]) for row in rows} == {
        ("alpha", 1, 0, 0)
    }
    assert {row["chosen"] for row in rows} <= {"by_rule", "at_random"}
    assert sum(row["placed"] for row in rows) == 100_000
    later = f"/v1/allocation/comparison?first={MONDAY + 2 * DAY}&last={MONDAY + 2 * DAY}"
    assert (await house.get(later, "supervisor"))["items"] == []


@pytest.mark.parametrize(
    ("query", "role", "status", "field"),
    [
        pytest.param("first=2026-03-02&last=2026-03-01", "supervisor", 422, "first", id="an end before its beginning"),
        pytest.param("first=2026-03-02", "supervisor", 422, "last", id="no end"),
        pytest.param("first=yesterday&last=2026-03-01", "supervisor", 422, "first", id="no date"),
        pytest.param("first=2026-03-01&last=2026-03-01", "operator", 403, None, id="for supervisors alone"),
        pytest.param("first=2026-03-01&last=2026-03-01", "alpha", 403, None, id="not for agencies"),
    ],
)
async def test_a_comparison_that_cannot_be_given(
    house: House, query: str, role: str, status: int, field: str | None
) -> None:
    headers = {"Authorization": f"Bearer {TOKENS[role]}"}
    answer = await house.client.get(f"/v1/allocation/comparison?{query}", headers=headers)
    assert (answer.status_code, answer.json().get("field")) == (status, field), answer.text
