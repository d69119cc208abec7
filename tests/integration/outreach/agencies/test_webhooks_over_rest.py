"""Webhooks over REST: an agency has its own, supervisors every one, and nobody sees a secret twice."""

import base64
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.outreach.agencies.webhooks import signing
from shared.settings import ApiToken
from tests.conftest import DatabaseOf
from tests.integration.outreach.agencies.house import BOSS, CLERK, NORTH, SOUTH, House, house_of, placed
from tests.integration.outreach.agencies.receiver import receiving

OWN, NORTHS = "/agency/webhooks", "/agencies/north/webhooks"
HOOK = "http://127.0.0.1:9/hook"


@pytest.fixture
async def house(database_of: DatabaseOf) -> AsyncIterator[House]:
    async with house_of(database_of("outreach")) as house:
        yield house


async def test_an_agency_sets_its_webhook_and_is_shown_its_secret_in_that_answer_only(house: House) -> None:
    secret = await house.tells(NORTH, HOOK)
    assert secret.startswith("whsec_")
    shown = (await house.get(NORTH, OWN)).json()
    assert (shown["url"], shown["enabled"], shown["set_by"]) == (HOOK, True, "agency/north")
    assert secret not in str(shown)
    assert (await house.get(BOSS, NORTHS)).json() == shown


async def test_a_request_that_is_sent_again_gets_the_same_secret(house: House) -> None:
    first = await house.post(NORTH, OWN, {"url": HOOK}, key="mine")
    again = await house.post(NORTH, OWN, {"url": HOOK}, key="mine")
    assert first.json() == again.json()
    assert (await house.post(NORTH, OWN, {"url": HOOK + "s"}, key="mine")).status_code == 422
    turned = [(await house.post(NORTH, OWN + "/rotate", {}, key="turn")).json() for _ in range(2)]
    assert turned[0] == turned[1]
    assert turned[0] != first.json()
    assert (await house.post(NORTH, OWN + "/rotate", {}, key="another")).json() != turned[0]


async def test_secrets_lie_sealed_wherever_they_lie(house: House) -> None:
    async with receiving() as receiver:
        shown = [await house.tells(NORTH, receiver.url)]
        shown.append((await house.post(NORTH, OWN + "/rotate", {})).json()["secret"])
        await house.hear(placed(NORTH))
        await house.work()
        assert [receiver.requests[0].signed_by(each) for each in shown] == [True, True]
    connection = await asyncpg.connect(house.dsn)
    for table in ("webhook_endpoint", "command", "outbox", "webhook_delivery"):
        kept = str([tuple(row) for row in await connection.fetch(f"SELECT t::text, t.* FROM {table} t")])
        for secret in shown:
            raw = base64.b64decode(secret.removeprefix(signing.PREFIX))
            assert not {secret, secret.removeprefix(signing.PREFIX), raw.hex()} & set(kept.split()), table
            assert secret.removeprefix(signing.PREFIX) not in kept
            assert raw.hex() not in kept
    await connection.close()


async def test_during_rotation_both_secrets_sign_and_at_once_only_the_new_one(house: House) -> None:
    async with receiving() as receiver:
        await house.tells(NORTH, receiver.url)
        second = (await house.post(NORTH, OWN + "/rotate", {})).json()["secret"]
        third = (await house.post(BOSS, NORTHS + "/rotate", {"at_once": True})).json()["secret"]
        await house.hear(placed(NORTH))
        await house.work()
        [request] = receiver.requests
        assert [request.signed_by(each) for each in (second, third)] == [False, True]


async def test_two_agencies_see_none_of_each_others(house: House) -> None:
    async with receiving() as north, receiving() as south:
        await house.tells(NORTH, north.url)
        await house.tells(SOUTH, south.url)
        north.answer = "410 Gone"
        await house.hear(placed(NORTH, 1), placed(SOUTH, 2))
        await house.work()
    [mine], [theirs] = await house.deliveries(NORTH), await house.deliveries(SOUTH)
    assert (mine["state"], theirs["state"]) == ("dead", "delivered")
    assert mine["delivery_id"] != theirs["delivery_id"]
    assert (await house.get(NORTH, OWN)).json()["url"] == north.url
    assert (await house.get(SOUTH, OWN)).json()["url"] == south.url
    assert await house.deliveries(SOUTH, "?state=dead") == []
    refused = await house.post(SOUTH, f"{OWN}/deliveries/{mine['delivery_id']}/replay")
    assert (refused.status_code, refused.json()["field"]) == (409, "delivery_id")
    await house.post(NORTH, OWN + "/enable", {"reason": "mended"})
    refused = await house.post(SOUTH, f"{OWN}/deliveries/{mine['delivery_id']}/replay")
    assert refused.status_code == 409
    everything = {"since": "2020-01-01T00:00:00Z"}
    assert (await house.post(SOUTH, OWN + "/deliveries/replay", everything)).json()["replayed"] == 0
    assert await house.states(NORTH) == ["dead"]


@pytest.mark.parametrize("who", [NORTH, SOUTH, CLERK])
async def test_the_routes_of_staff_are_for_supervisors(house: House, who: ApiToken) -> None:
    assert (await house.get(who, NORTHS)).status_code == 403
    assert (await house.get(who, NORTHS + "/deliveries")).status_code == 403
    assert (await house.post(who, NORTHS, {"url": HOOK})).status_code == 403


@pytest.mark.parametrize("who", [BOSS, CLERK])
async def test_staff_have_no_webhook_of_their_own(house: House, who: ApiToken) -> None:
    assert (await house.get(who, OWN)).status_code == 403
    assert (await house.post(who, OWN, {"url": HOOK})).status_code == 403


async def test_nobody_unknown_has_one(house: House) -> None:
    assert (await house.get(NORTH, OWN)).status_code == 404
    assert (await house.post(NORTH, OWN + "/rotate", {})).status_code == 409
    assert (await house.post(NORTH, OWN + "/disable", {"reason": "why not"})).status_code == 409
    assert await house.deliveries(NORTH) == []


async def test_while_it_is_disabled_nothing_is_told_and_everything_kept(house: House) -> None:
    async with receiving() as receiver:
        await house.tells(NORTH, receiver.url)
        await house.post(BOSS, NORTHS + "/disable", {"reason": "contract suspended"})
        await house.hear(placed(NORTH))
        await house.work(days=1)
        assert receiver.requests == []
        assert await house.states(NORTH) == ["cancelled"]
        assert (await house.get(NORTH, OWN)).json()["reason"] == "contract suspended"
        twice = await house.post(BOSS, NORTHS + "/disable", {"reason": "contract suspended"})
        assert (twice.status_code, twice.json()["field"]) == (409, "enabled")


async def test_deliveries_come_in_pages_the_newest_first(house: House) -> None:
    await house.tells(NORTH, HOOK)
    for number in range(5):
        await house.hear(placed(NORTH, number))
        await house.hear(placed(SOUTH, number))
        house.clock.set(house.clock.now().replace(minute=number + 1))
    found, query = [], "?limit=2"
    while query:
        page = (await house.get(BOSS, f"{NORTHS}/deliveries{query}")).json()
        found += page["items"]
        query = f"?limit=2&after={page['next']}" if page["next"] else ""
    assert len({each["delivery_id"] for each in found}) == len(found) == 5
    assert [each["created_at"] for each in found] == sorted((each["created_at"] for each in found), reverse=True)
    strange = (await house.get(BOSS, "/agencies/south/webhooks/deliveries?after=gaNh")).status_code
    assert strange == 422


@pytest.mark.parametrize("url", ["ftp://north.example/", "https://u:p@north.example/", "nonsense", ""])
async def test_what_is_no_address_is_refused_with_its_field(house: House, url: str) -> None:
    answer = await house.post(NORTH, OWN, {"url": url})
    assert answer.status_code == 422, answer.text
    assert "url" in answer.json()["field"]
