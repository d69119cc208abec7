"""Webhooks on real PostgreSQL and real sockets: told once where all is well, under one id whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.outreach.agencies.webhooks.domain import PLACES
from services.outreach.agencies.webhooks.watch import DeliveryWatch
from shared.observability.metrics import DEAD_DELIVERIES
from tests.conftest import DatabaseOf
from tests.integration.outreach.agencies.house import NORTH, SOUTH, House, house_of, placed
from tests.integration.outreach.agencies.receiver import Receiver, receiving, until


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def house(dsn: str) -> AsyncIterator[House]:
    async with house_of(dsn) as house:
        yield house


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_where_all_is_well_each_fact_is_told_once_and_signed(house: House, receiver: Receiver) -> None:
    secret = await house.tells(NORTH, receiver.url)
    await house.hear(placed(NORTH, 1), placed(NORTH, 2), placed(SOUTH, 3))
    await house.work()
    assert sorted(each.content["data"]["placement_id"] for each in receiver.requests) == ["p-1", "p-2"]
    assert all(each.signed_by(secret) for each in receiver.requests)
    await house.work(days=4)
    assert len(receiver.requests) == 2
    shown = await house.deliveries(NORTH)
    assert {each["delivery_id"] for each in shown} == {each.id for each in receiver.requests}
    assert {(each["state"], each["attempts"], each["last_status"]) for each in shown} == {("delivered", 1, 200)}


async def test_nothing_is_kept_for_an_agency_without_a_webhook(house: House) -> None:
    await house.hear(placed(SOUTH))
    assert await rows(house.dsn, "SELECT count(*) FROM webhook_delivery") == [(0,)]


async def test_what_was_heard_again_after_its_delivery_is_not_told_again(house: House, receiver: Receiver) -> None:
    await house.tells(NORTH, receiver.url)
    await house.hear(placed(NORTH))
    await house.work()
    house.facts = 0
    await house.hear(placed(NORTH))
    await house.work(days=1)
    assert len(receiver.requests) == 1


async def test_a_failure_is_tried_again_under_the_same_id_until_it_is_taken(house: House, receiver: Receiver) -> None:
    await house.tells(NORTH, receiver.url)
    await house.hear(placed(NORTH))
    receiver.answer = "500 Oh"
    await house.work()
    await house.work(seconds=7)
    receiver.answer = "200 OK"
    await house.work(seconds=73)
    first, *others = receiver.requests
    assert len(others) == 2
    assert {(each.id, each.body) for each in others} == {(first.id, first.body)}
    assert len({each.headers["webhook-timestamp"] for each in receiver.requests}) == 3
    assert await house.states(NORTH) == ["delivered"]


async def test_a_process_that_dies_between_sending_and_hearing_leaves_the_same_id_to_the_next(
    dsn: str, receiver: Receiver
) -> None:
    async with house_of(dsn, seconds=5.0) as first:
        await first.tells(NORTH, receiver.url)
        await first.hear(placed(NORTH))
        receiver.hangs = True
        await first.begin()
        await until(lambda: receiver.requests)
        async with house_of(dsn, first.clock) as second:
            receiver.hangs = False
            await second.work(seconds=30)
            assert len(receiver.requests) == 1
            await second.work(seconds=31)
            await second.work(seconds=7)
            assert len(receiver.requests) == 2
            assert len({(each.id, each.body) for each in receiver.requests}) == 1
            assert await second.states(NORTH) == ["delivered"]
            await first.worker.errands.settle()
            assert await first.worker.turn(()) is None
            assert first.worker.standings == {}
            assert await second.states(NORTH) == ["delivered"]


async def test_one_that_hangs_holds_its_own_places_and_nobody_else_back(dsn: str, receiver: Receiver) -> None:
    async with house_of(dsn, seconds=300.0) as house, receiving() as stuck:
        await house.tells(NORTH, stuck.url)
        await house.tells(SOUTH, receiver.url)
        stuck.hangs = True
        await house.hear(*(placed(NORTH, number) for number in range(PLACES + 4)))
        await house.hear(*(placed(SOUTH, number) for number in range(20)))
        await house.begin()
        await until(lambda: len(stuck.requests) == PLACES)
        async with asyncio.timeout(120):
            while await house.states(SOUTH) != ["delivered"] * 20:
                await house.worker.turn(())
        assert stuck.open == stuck.most == PLACES
        assert len({each.id for each in receiver.requests}) == len(receiver.requests) == 20


async def test_after_three_days_it_is_dead_counted_and_can_be_replayed(house: House, receiver: Receiver) -> None:
    await house.tells(NORTH, receiver.url)
    await house.hear(placed(NORTH))
    receiver.answer = "500 Oh"
    for _ in range(12):
        await house.work(days=2)
    assert (await house.states(NORTH), len(receiver.requests)) == (["dead"], 10)
    assert await dead(house.dsn) == 1
    receiver.answer = "200 OK"
    answer = await house.post(NORTH, f"/agency/webhooks/deliveries/{receiver.requests[0].id}/replay")
    assert answer.json() == {"replayed": 1, "more": False}
    await house.work()
    assert await house.states(NORTH) == ["delivered"]
    assert len({each.id for each in receiver.requests}) == 1
    assert await dead(house.dsn) == 0


async def test_everything_that_was_given_up_since_an_instant_is_replayed_once(house: House, receiver: Receiver) -> None:
    await house.tells(NORTH, receiver.url)
    await house.hear(placed(NORTH, 1))
    receiver.answer = "410 Gone"
    await house.work()
    since = house.clock.now() + timedelta(minutes=1)
    house.clock.set(since)
    await house.hear(placed(NORTH, 2), placed(NORTH, 3))
    assert await house.states(NORTH) == ["cancelled", "cancelled", "dead"]
    receiver.answer = "200 OK"
    await house.post(NORTH, "/agency/webhooks/enable", {"reason": "mended"})
    for _ in range(2):
        body = {"since": since.isoformat()}
        answer = await house.post(NORTH, "/agency/webhooks/deliveries/replay", body, key="all-of-it")
        assert answer.json() == {"replayed": 2, "more": False}
        await house.work()
    assert await house.states(NORTH) == ["delivered", "delivered", "dead"]
    assert len(receiver.requests) == 3


async def test_what_has_ended_goes_in_its_time_and_what_is_open_stays(house: House, receiver: Receiver) -> None:
    await house.tells(NORTH, receiver.url)
    await house.hear(*(placed(NORTH, number) for number in range(30)))
    await house.work()
    await house.post(NORTH, "/agency/webhooks/disable", {"reason": "we move"})
    await house.hear(placed(NORTH, 98))
    await house.post(NORTH, "/agency/webhooks/enable", {"reason": "we have moved"})
    await house.work(days=29, hours=23)
    await house.hear(placed(NORTH, 99))
    assert await states_of(house.dsn) == {"delivered": 30, "cancelled": 1, "waiting": 1}
    house.clock.set(house.clock.now() + timedelta(hours=1))
    await house.worker.turn((), due=20)
    assert await states_of(house.dsn) == {"delivered": 11, "cancelled": 1, "sending": 1}, (
        "what is to be sent goes first"
    )
    await house.work()
    assert await states_of(house.dsn) == {"delivered": 1, "cancelled": 1}
    await house.work(days=30)
    assert await states_of(house.dsn) == {"cancelled": 1}
    await house.work(days=29, hours=23)
    assert await states_of(house.dsn) == {"cancelled": 1}
    await house.work(hours=1)
    assert await states_of(house.dsn) == {}
    assert await rows(house.dsn, "SELECT count(*) FROM webhook_due") == [(0,)]


async def states_of(dsn: str) -> dict[str, int]:
    found = await rows(dsn, "SELECT state, count(*) FROM webhook_delivery GROUP BY state")
    return {str(state): int(count) for state, count in found}


async def dead(dsn: str) -> float:
    watch = DeliveryWatch(dsn)
    watch.begin()
    await watch.look()
    await watch.close()
    [family] = DEAD_DELIVERIES.collect()
    return next(float(each.value) for each in family.samples if each.labels == {"service": "outreach"})


async def rows(dsn: str, sql: str) -> list[Any]:
    connection = await asyncpg.connect(dsn)
    found = [tuple(row) for row in await connection.fetch(sql)]
    await connection.close()
    return found
