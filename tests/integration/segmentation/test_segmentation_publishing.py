"""Strategies over REST on a real database: two persons, every lane, and everything done again by who comes after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from services.segmentation.publishing.editions import digest_of
from services.segmentation.service import declare
from shared.contracts import catalogue
from shared.contracts.envelope import Fact
from shared.contracts.intake import BusinessDateAdvanced, CaseOpened, CaseUpdated
from shared.contracts.segmentation import TreatmentAssigned
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.frames import records_of
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.sharding import shard_of
from shared.service import SHARDS
from shared.settings import ApiToken, Settings
from tests.conftest import DatabaseOf
from tests.integration.outreach.rig import Actor, answered
from tests.integration.segmentation.test_segmentation_store_and_api import ON, case_of
from tests.unit.segmentation.play import document

ANN = ApiToken("ann", "operator", "a token of ann the operator 0001")
ANN_AGAIN = ApiToken("ann", "supervisor", "a token of ann the supervisor 02")
BOB = ApiToken("bob", "supervisor", "a token of bob the supervisor 03")
AGENCY = ApiToken("agency", "agency", "a token of an agency of ours 004")
SETTINGS = replace(Settings.demo(), tokens=(ANN, ANN_AGAIN, BOB, AGENCY))
SERVICE = declare(SETTINGS)
LANE, PUBLISHER = SERVICE.actors
AT = datetime(2026, 3, 9, 9, tzinfo=UTC)
DAY_AFTER = ON + timedelta(1)


def text(effective: date = DAY_AFTER, **fields: Any) -> dict[str, Any]:
    """A proposal as it is sent."""
    sent: dict[str, Any] = msgspec.to_builtins(document(effective=effective)) | fields
    return sent


@dataclass
class House:
    """The register and the lanes of one process, and the people who ask."""

    register: Actor
    lanes: Actor
    client: httpx.AsyncClient
    on: date = ON
    keys: int = 0

    async def reaches(self, day: date) -> None:
        self.on, date_reached = day, BusinessDateAdvanced(business_date=day)
        await self.register.hear(date_reached)
        await self.lanes.hear(date_reached)

    async def asks(self, who: ApiToken, path: str, body: dict[str, Any], key: str = "") -> httpx.Response:
        """Send a command and let the register apply it; the lanes have heard nothing of it yet."""
        self.keys += 1
        headers = {"Authorization": f"Bearer {who.token}", "Idempotency-Key": key or f"{self.on}-{self.keys}"}
        return await answered(self.register, self.client.post(f"/v1/strategies{path}", json=body, headers=headers))

    async def reads(self, path: str = "") -> Any:
        answer = await self.client.get(f"/v1/strategies{path}", headers={"Authorization": f"Bearer {ANN.token}"})
        assert answer.status_code == 200
        return answer.json()

    async def states(self) -> dict[tuple[str, int], str]:
        return {(one["id"], one["version"]): one["state"] for one in await self.reads()}

    async def proposed(self, sent: dict[str, Any], who: ApiToken = ANN) -> str:
        answer = await self.asks(who, "", sent)
        assert answer.status_code == 201
        digest: str = answer.json()["digest"]
        return digest

    async def published(self, effective: date = DAY_AFTER, **fields: Any) -> None:
        """Have the next version proposed by one and approved by the other."""
        sent = text(effective, **fields)
        digest = await self.proposed(sent)
        answer = await self.asks(BOB, f"/s2_ladder/{sent['version']}/approve", {"digest": digest})
        assert answer.status_code == 200

    async def in_outbox(self) -> list[Fact]:
        """What the register has told and no broker has acknowledged: the same on each of the lanes."""
        lanes: dict[int, list[Fact]] = {}
        for stored in await self.register.store.unacknowledged(0):
            events = [catalogue.decode(record.value) for record in records_of("segmentation/publisher", stored)]
            lanes.setdefault(stored.lane.partition, []).extend(event.data for event in events if event is not None)
        assert len(lanes) in {0, SHARDS}
        assert all(facts == lanes[0] for facts in lanes.values())
        return lanes.get(0, [])

    async def lanes_hear(self) -> None:
        for fact in await self.in_outbox():
            await self.lanes.hear(fact)

    async def treated(self, debtor_id: str, days: int, version: int = 1) -> list[tuple[str, int]]:
        """Let a case be heard of as so many days past due at first; what is told of its treatment."""
        case = msgspec.structs.replace(case_of(debtor_id, days), business_date=self.on)
        fact = CaseOpened(case=case) if version == 1 else CaseUpdated(case=case)
        told = [event.data for event in await self.lanes.hear(fact, debtor_id, version)]
        return [(fact.strategy, fact.strategy_version) for fact in told if isinstance(fact, TreatmentAssigned)]


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("segmentation")


@asynccontextmanager
async def opened(dsn: str, now: datetime = AT) -> AsyncIterator[House]:
    """A process: two workers that take all there is, and the API."""
    engine = engine_of(dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    transport = httpx.ASGITransport(app)
    async with (
        PostgresStore(dsn, "publisher") as register, PostgresStore(dsn, "lane") as lanes,
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):  # fmt: skip
        house = House(
            Actor(PUBLISHER, register, now=now, service="segmentation"),
            Actor(LANE, lanes, now=now, service="segmentation"),
            client,
        )
        await house.register.take()
        await house.lanes.take()
        yield house
    await close(app)
    await engine.dispose()


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[House]:
    async with opened(dsn) as house:
        await house.reaches(ON)
        yield house


async def test_one_proposes_another_approves_and_from_its_date_on_every_lane_goes_by_it(house: House) -> None:
    digest = await house.proposed(text())
    assert (await house.states())["s2_ladder", 2] == "proposed"
    approved = await house.asks(BOB, "/s2_ladder/2/approve", {"digest": digest})
    assert approved.json() == {"id": "s2_ladder", "version": 2, "state": "approved", "digest": digest}
    await house.lanes_hear()
    assert await house.treated("d1", 7) == [("s2_ladder", 1)]
    await house.reaches(DAY_AFTER)
    assert await house.states() == {
        ("s2_ladder", 1): "effective",
        ("s2_ladder", 2): "effective",
        ("s3_timetable", 1): "effective",
    }
    assert await house.treated("d1", 7, 2) == [("s2_ladder", 2)]
    new = [f"n{number}" for number in range(60)]
    told = [await house.treated(debtor_id, 7) for debtor_id in new]
    assert {one for each in told for one in each} == {
        ("s2_ladder", 2),
        ("s3_timetable:low", 1),
        ("s2_against_s3:hold_out", 1),
    }
    assert len({shard_of(debtor_id) for debtor_id in new}) > 20


async def test_a_version_shows_who_did_what_with_it_and_when(house: House) -> None:
    await house.published()
    await house.asks(BOB, "/s2_ladder/2/withdraw", {"reason": "it comes too early"})
    shown = await house.reads("/s2_ladder/2")
    assert [(entry["step"], entry["actor"], entry["reason"]) for entry in shown.pop("entries")] == [
        ("proposed", "operator/ann", ""),
        ("approved", "supervisor/bob", ""),
        ("withdrawn", "supervisor/bob", "it comes too early"),
    ]
    at = "2026-03-09T09:00:00Z"
    assert shown.pop("stages")["EARLY"]["everybody"][0]["channel"] == "letter"
    assert shown == {
        "id": "s2_ladder", "version": 2, "effective_from": "2026-03-10", "source": "a test", "cases": "all",
        "state": "withdrawn", "shipped": False, "digest": digest_of(document(effective=DAY_AFTER)),
        "proposed_by": "operator/ann", "proposed_at": at, "approved_by": "supervisor/bob", "approved_at": at,
        "withdrawn_by": "supervisor/bob", "withdrawn_at": at, "reason": "it comes too early",
    }  # fmt: skip
    shipped = await house.reads("/s2_ladder/1")
    assert (shipped["shipped"], shipped["proposed_by"], shipped["entries"]) == (True, "", [])


async def test_a_version_that_was_withdrawn_after_the_lanes_had_heard_of_it_is_not_gone_by(house: House) -> None:
    await house.published()
    await house.lanes_hear()
    assert (await house.asks(BOB, "/s2_ladder/2/withdraw", {"reason": "it comes too early"})).status_code == 200
    await house.lanes_hear()
    await house.reaches(DAY_AFTER)
    assert await house.treated("d1", 7) == [("s2_ladder", 1)]


async def test_a_process_that_dies_between_each_step_leaves_all_to_the_next(dsn: str) -> None:
    async with opened(dsn) as first:
        await first.reaches(ON)
        assert await first.treated("d1", 7) == [("s2_ladder", 1)]
        digest = await first.proposed(text())
    async with opened(dsn) as second:
        answer = await second.asks(BOB, "/s2_ladder/2/approve", {"digest": digest}, key="the-approval")
        assert answer.status_code == 200
    async with opened(dsn) as third:
        again = await third.asks(BOB, "/s2_ladder/2/approve", {"digest": digest}, key="the-approval")
        assert (again.status_code, again.json()) == (200, answer.json())
        assert [type(fact).__name__ for fact in await third.in_outbox()] == ["StrategyProposed", "StrategyPublished"]
        await third.lanes_hear()
    async with opened(dsn) as fourth:
        fourth.on = DAY_AFTER
        await fourth.lanes.hear(BusinessDateAdvanced(business_date=DAY_AFTER))
        assert await fourth.treated("d1", 7, 2) == [("s2_ladder", 2)]


async def test_the_same_proposal_sent_again_is_the_same_and_another_under_its_key_is_refused(house: House) -> None:
    first = await house.asks(ANN, "", text(), key="one")
    again = await house.asks(ANN, "", text(), key="one")
    other = await house.asks(ANN, "", text(DAY_AFTER + timedelta(1)), key="one")
    assert (again.json(), other.status_code, other.json()["field"]) == (first.json(), 422, "Idempotency-Key")
    assert len(await house.reads()) == 3


REMIND_BY_PHONE = {
    "stage": "REMIND",
    "steps": [{"number": 1, "channel": "phone", "after_days": 3, "template": "remind_call"}],
}
VISIT = {"number": 1, "channel": "visit", "after_days": 0, "template": "visit_pack"}


@pytest.mark.parametrize(
    ("changes", "status", "field", "detail"),
    [
        pytest.param({"id": "S2"}, 422, "id", "", id="an id that is none"),
        pytest.param({"source": ""}, 422, "source", "", id="no source"),
        pytest.param({"cases": "some"}, 422, "cases", "", id="cases that are none"),
        pytest.param({"effective_from": "soon"}, 422, "effective_from", "", id="a date that is none"),
        pytest.param({"colour": "red"}, 422, "colour", "", id="a field that nobody knows"),
        pytest.param(
            {"stages": [REMIND_BY_PHONE]}, 409, "stages", "EARLY: the stage has no steps", id="stages left out"
        ),
        pytest.param(
            {"stages": [{"stage": "LATE", "steps": [VISIT]}]},
            409,
            "stages",
            "LATE: the ladder has no such stage",
            id="a stage that is not there",
        ),
        pytest.param(
            {"stages": [{"stage": "REMIND", "steps": [VISIT | {"channel": "fax"}]}]}, 422, None, "", id="by fax"
        ),
        pytest.param({"id": "other"}, 409, "id", "there is no strategy of this id", id="a strategy that no arm has"),
        pytest.param({"version": 4}, 409, "version", "the next version of s2_ladder is 2", id="a number left out"),
        pytest.param(
            {"effective_from": "2026-03-09"},
            409,
            "effective_from",
            "the books have already reached",
            id="from today on",
        ),
    ],
)
async def test_a_proposal_that_is_refused_names_the_field(
    house: House, changes: dict[str, Any], status: int, field: str | None, detail: str
) -> None:
    answer = await house.asks(ANN, "", text() | changes)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert field is None or problem["field"] == field
    assert detail in problem["detail"]
    assert await house.in_outbox() == []


@pytest.mark.parametrize(
    ("who", "path", "status", "field"),
    [
        pytest.param(ANN, "/s2_ladder/2/approve", 403, None, id="an operator"),
        pytest.param(ANN_AGAIN, "/s2_ladder/2/approve", 409, "approver", id="the author, as a supervisor"),
        pytest.param(AGENCY, "/s2_ladder/2/approve", 403, None, id="an agency"),
        pytest.param(BOB, "/s2_ladder/3/approve", 404, None, id="a version that was never proposed"),
        pytest.param(BOB, "/s2_ladder/1/approve", 409, "version", id="a version of the files"),
        pytest.param(BOB, "/nothing/2/approve", 404, None, id="a strategy that is not there"),
    ],
)
async def test_who_may_not_approve_or_what_cannot_be_approved(
    house: House, who: ApiToken, path: str, status: int, field: str | None
) -> None:
    digest = await house.proposed(text())
    answer = await house.asks(who, path, {"digest": digest})
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert (await house.states())["s2_ladder", 2] == "proposed"


async def test_the_database_itself_knows_two_persons_from_one(house: House, dsn: str) -> None:
    await house.published()
    connection = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.CheckViolationError, match="two_persons"):
            await connection.execute("UPDATE strategy_version SET approved_by = 'supervisor/ann'")
    finally:
        await connection.close()
