"""Events that cannot be applied cost one debtor, and nothing is lost of what comes behind them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter, Depends

from shared.http.app import close, create_app
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import engine_of
from shared.messaging.sharding import shard_of
from shared.messaging.turn import Limits
from shared.service import Service
from shared.settings import Settings
from tests.integration.runtime.rig import Rig, eventually
from tests.unit.messaging import toy
from tests.unit.messaging.toy import BROKEN, KIND, TOO_MUCH

UNREADABLE = b'{"id":"e1","type":"toy.added","lender_id":"bank","occurred_at":true,"data":{"amount":1}}'


def mended(amount: int) -> Any:
    """The service after a new release: what failed is taken as `amount`."""
    readable = toy.value_of(toy.Added(amount=amount), "d1")

    def decode(record: Any) -> Any:
        said = msgspec.structs.replace(record, value=readable) if record.value == UNREADABLE else record
        return toy.decode(said)

    def handler(state: Any, event: Any, now: Any) -> Any:
        broken = event.data.amount == BROKEN
        return toy.on_amount(state, replace_amount(event, amount) if broken else event, now)

    return replace(KIND, decode=decode, handlers={**KIND.handlers, toy.Added: handler})


def replace_amount(event: Any, amount: int) -> Any:
    return msgspec.structs.replace(event, data=toy.Added(amount=amount))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        pytest.param(UNREADABLE, ("cannot be read", "$.occurred_at"), id="it cannot be read"),
        pytest.param(toy.Added(amount=BROKEN), ("ZeroDivisionError in on_amount", ""), id="its handler fails"),
    ],
)
async def test_poison_event_among_good_ones(rig: Rig, desk: "Desk", bad: Any, why: tuple[str, str]) -> None:
    async with rig.second_running():
        async with rig.running(rig.worker(rig.first), rig.first):
            await rig.say(1, 2)
            await rig.say(7, debtor_id="d2")
            await rig.append("d1", bad)
            await rig.say(7, debtor_id="d2")
            await rig.append("d1", *(toy.Added(amount=amount) for amount in (3, 4)))
            await eventually(lambda: parked(rig, 2))
            await rig.append("d1", toy.Added(amount=5))
            await eventually(lambda: parked(rig, 3))
            assert await rig.first.everything() == {"d1": [1, 2], "d2": [7, 7]}
            assert await rig.first.letters() == [(*why, "d1", "open")]
            assert await rig.first.rows("SELECT owner FROM quarantine") == [("d1",)]
        async with rig.running(rig.worker(rig.first, "mended", kind=mended(50)), rig.first):
            letter_id = await rig.first.value("SELECT id FROM dead_letter")
            answer = await desk.post("/v1/letters/" + letter_id, {})
            assert answer.status_code == 200, answer.text
            await rig.append("d1", toy.Added(amount=6))
            await eventually(lambda: applied_by_first(rig, [1, 2, 50, 3, 4, 5, 6]))
            assert await rig.first.rows("SELECT 1 FROM quarantine UNION SELECT 1 FROM parked") == []
            assert await rig.first.letters() == [(*why, "d1", "replayed")]
            rig.said["d1"] = [1, 2, 50, 3, 4, 5, 6]
            await eventually(rig.exact)
    history = await rig.first.rows(
        "SELECT type FROM history WHERE debtor_id = 'd1' AND type LIKE 'quarantine%' ORDER BY id"
    )
    assert history == [("quarantine.debtor-quarantined.v1",), ("quarantine.debtor-released.v1",)]


async def parked(rig: Rig, many: int) -> bool:
    return bool(await rig.first.value("SELECT count(*) = $1 FROM parked WHERE owner = 'd1'", many))


async def applied_by_first(rig: Rig, amounts: list[int]) -> bool:
    return await rig.first.applied() == amounts


async def test_one_owner_that_cannot_be_saved_is_found_by_halving(rig: Rig) -> None:
    worker = rig.worker(rig.first)
    reading = await rig.holding(worker)
    for number in range(20):
        await rig.say(number + 100, 5, debtor_id=f"d{number}")
    for number in (3, 11):
        await rig.append(f"d{number}", toy.Added(amount=TOO_MUCH))
    await rig.say(9, debtor_id="d4")
    await rig.append("d3", toy.Added(amount=1))
    await rig.drain(worker, reading)
    await rig.append("d11", toy.Added(amount=1))
    await rig.drain(worker, reading)
    good = {name: amounts for name, amounts in rig.said.items() if name not in {"d3", "d11"}}
    found = await rig.first.everything()
    assert {name: amounts for name, amounts in found.items() if name in good} == good
    reasons = await rig.first.rows("SELECT owner, reason FROM dead_letter ORDER BY owner")
    assert [owner for owner, _ in reasons] == ["d11", "d3"]
    assert all(reason.startswith("cannot be saved") for _, reason in reasons)
    kept = {name: len(found.get(name, [])) for name in ("d3", "d11")}
    waiting = dict(await rig.first.rows("SELECT owner, count(*)::int FROM parked GROUP BY owner"))
    assert {name: kept[name] + waiting.get(name, 0) + 1 for name in kept} == {"d3": 4, "d11": 4}


async def test_of_an_owner_that_cannot_be_saved_only_the_event_at_fault_is_buried(rig: Rig) -> None:
    worker = rig.worker(rig.first)
    reading = await rig.holding(worker)
    await rig.append("d1", *(toy.Added(amount=amount) for amount in (5, 6, TOO_MUCH, 1)))
    await rig.say(9, debtor_id="d2")
    await rig.drain(worker, reading)
    assert await rig.first.everything() == {"d1": [5, 6], "d2": [9]}
    assert [offset for (offset,) in await rig.first.rows("SELECT log_offset FROM dead_letter")] == [2]
    assert [offset for (offset,) in await rig.first.rows("SELECT log_offset FROM parked")] == [3]


async def test_dead_letter_limit_stops_the_shard_until_resumed(rig: Rig, desk: "Desk") -> None:
    limits = Limits(letters=2, window=timedelta(minutes=5))
    number = shard_of("d1")
    async with rig.running(rig.worker(rig.first, limits=limits), rig.first), rig.second_running():
        await rig.say(1)
        await eventually(rig.exact)
        for debtor_id in await neighbours(3):
            await rig.append(debtor_id, b"bad")
        stopped = "SELECT number, stopped_reason FROM actor WHERE stopped_reason IS NOT NULL"
        await eventually(lambda: rig.first.rows(stopped))
        assert await rig.first.rows(stopped) == [(number, "3 dead letters within 0:05:00")]
        await rig.say(2, 3)
        await rig.say(4, debtor_id=await elsewhere())
        await eventually(lambda: elsewhere_applied(rig))
        assert await rig.first.applied() == [1]
        answer = await desk.post(f"/v1/resume/{number}", {"reason": "mended"})
        assert answer.status_code == 200, answer.text
        await eventually(rig.exact)
    operations = await rig.first.rows("SELECT number, actor, operation, detail FROM operation_log ORDER BY id")
    assert operations == [
        (number, "system", "stopped", "3 dead letters within 0:05:00"),
        (number, "operator/demo operator", "resumed", "mended"),
    ]


async def neighbours(many: int) -> list[str]:
    """Debtors of the same lane as d1."""
    names = [f"x{n}" for n in range(2000) if shard_of(f"x{n}") == shard_of("d1")]
    return names[:many]


async def elsewhere() -> str:
    """A debtor of another lane."""
    return next(f"y{n}" for n in range(2000) if shard_of(f"y{n}") != shard_of("d1"))


async def elsewhere_applied(rig: Rig) -> bool:
    return await rig.first.applied(await elsewhere()) == [4]


# Commands


class Desk:
    """A client of the first service's REST API."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self._client, self._headers, self._keys = client, {"Authorization": f"Bearer {token}"}, iter(range(1000))

    async def post(self, path: str, body: object, key: str = "") -> httpx.Response:
        """Ask, with a key of its own unless one is given."""
        headers = {**self._headers, "Idempotency-Key": key or f"key-{next(self._keys)}"}
        return await self._client.post(path, json=body, headers=headers)


def routes() -> APIRouter:
    """Commands of every kind."""
    router = APIRouter(prefix="/v1")
    Operator = Annotated[Principal, Depends(require(Role.OPERATOR))]  # noqa: N806

    @router.post("/add/{debtor_id}")
    async def add(debtor_id: str, body: dict[str, Any], who: Operator, commands: Commands, key: IdempotencyKey) -> Any:
        return await commands.submit(
            kind="lane", owner=debtor_id, lender_id="bank", name="add", body=body, key=key, principal=who
        )

    @router.post("/letters/{letter_id}")
    async def replay(letter_id: str, who: Operator, commands: Commands, key: IdempotencyKey) -> Any:
        body = {"letter_id": letter_id}
        return await commands.submit(
            kind="lane", owner="d1", lender_id="bank", name="replay-letter", body=body, key=key, principal=who
        )

    @router.post("/resume/{number}")
    async def resume(number: int, body: dict[str, Any], who: Operator, commands: Commands, key: IdempotencyKey) -> Any:
        return await commands.submit(kind="lane", number=number, name="resume-shard", body=body, key=key, principal=who)

    return router


@pytest.fixture
async def desk(rig: Rig) -> AsyncIterator[Desk]:
    settings, engine = Settings.demo(), engine_of(rig.first.dsn, pool_size=2)
    app = create_app(Service("example", (), routes, Path()), settings, engine=engine, command_seconds=20.0)
    token = next(each.token for each in settings.tokens if each.role == "operator")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example") as client:
        yield Desk(client, token)
    await close(app)
    await engine.dispose()


async def test_command_idempotency(rig: Rig, desk: Desk) -> None:
    async with rig.running(rig.worker(rig.first), rig.first), rig.second_running():
        first = await desk.post("/v1/add/d1", {"amount": 5}, "k1")
        assert first.status_code == 200, first.text
        again = await desk.post("/v1/add/d1", {"amount": 5}, "k1")
        assert again.json() == first.json()
        other = await desk.post("/v1/add/d1", {"amount": 6}, "k1")
        assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
        refused = await desk.post("/v1/add/d1", {"amount": -1}, "k2")
        assert (refused.status_code, refused.json()["field"]) == (409, "data.amount")
        assert (await desk.post("/v1/add/d1", {"amount": -1}, "k2")).status_code == 409
        rig.said["d1"] = [5]
        await eventually(rig.exact)
    assert await rig.told() == 1
