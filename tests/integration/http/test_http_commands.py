"""Writes are commands: applied once, answered always the same, and never waited for without end."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.envelope import derived_id
from shared.http import answers
from shared.http.app import close
from shared.http.auth import Role
from shared.messaging.sharding import shard_of

Ask = Callable[..., Awaitable[httpx.Response]]


async def test_a_command_is_stored_for_its_shard_and_answered(
    place_hold: Ask, actor: Any, database: asyncpg.Connection
) -> None:
    response = await place_hold("k1", {"reason": "ill", "days": 3})
    assert (response.status_code, response.json()) == (200, {"ok": True})
    row = await database.fetchrow("SELECT * FROM command")
    assert row is not None
    assert row["id"] == derived_id("demo operator/k1", 0)
    assert (row["client"], row["key"], row["actor"]) == ("demo operator", "k1", "operator/demo operator")
    assert (row["kind"], row["number"], row["owner"]) == ("lane", shard_of("d1"), "d1")
    assert (row["name"], row["lender_id"]) == ("place-hold", "bank")
    assert json.loads(row["body"]) == {"reason": "ill", "days": 3}
    assert actor.heard == [f"command_lane:{shard_of('d1')}"]


async def test_the_same_key_and_body_get_the_same_answer_and_are_applied_once(place_hold: Ask, actor: Any) -> None:
    answered = iter([{"hold_id": "h1"}, {"hold_id": "h2"}])
    actor.decide = lambda _row: ("done", next(answered))
    first, again = await place_hold(), await place_hold()
    assert (first.json(), again.json()) == ({"hold_id": "h1"}, {"hold_id": "h1"})
    assert len(actor.applied) == 1


async def test_the_order_of_fields_does_not_make_another_body(place_hold: Ask, actor: Any) -> None:
    await place_hold("k1", {"a": 1, "b": 2})
    assert (await place_hold("k1", {"b": 2, "a": 1})).status_code == 200
    assert len(actor.applied) == 1


@pytest.mark.usefixtures("actor")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"body": {"reason": "moved"}}, id="another body"),
        pytest.param({"debtor": "d2"}, id="another debtor"),
    ],
)
async def test_the_same_key_with_something_else_is_refused(place_hold: Ask, other: dict[str, Any]) -> None:
    await place_hold()
    response = await place_hold(**other)
    assert (response.status_code, response.json()["field"]) == (422, "Idempotency-Key")


async def test_two_clients_may_use_the_same_key(place_hold: Ask, actor: Any) -> None:
    await place_hold("k1")
    assert (await place_hold("k1", {"reason": "moved"}, role=Role.CORE_BANK)).status_code == 200
    assert len(actor.applied) == 2


@pytest.mark.usefixtures("database")
async def test_many_at_once_with_one_key_are_one_command(place_hold: Ask, actor: Any) -> None:
    responses = await asyncio.gather(*(place_hold() for _ in range(30)))
    assert {response.status_code for response in responses} == {200}
    assert len(actor.applied) == 1


async def test_many_at_once_are_all_answered_by_a_small_pool(place_hold: Ask, actor: Any) -> None:
    responses = await asyncio.gather(*(place_hold(f"k{n}", debtor=f"d{n}") for n in range(40)))
    assert {response.status_code for response in responses} == {200}
    assert len(actor.applied) == 40


async def test_a_refusal_is_a_problem_with_its_field(place_hold: Ask, actor: Any) -> None:
    actor.decide = lambda _row: ("refused", {"detail": "a hold stands already", "field": "hold_id"})
    response = await place_hold()
    assert response.status_code == 409
    assert (response.json()["detail"], response.json()["field"]) == ("a hold stands already", "hold_id")
    assert (await place_hold()).json()["detail"] == "a hold stands already"
    assert len(actor.applied) == 1


@pytest.mark.parametrize("command_seconds", [pytest.param(0.2, id="waiting a moment")])
async def test_without_an_answer_in_time_the_key_may_be_repeated(place_hold: Ask, database: asyncpg.Connection) -> None:
    response = await place_hold()
    assert (response.status_code, response.headers["retry-after"]) == (504, "5")
    await database.execute("UPDATE command SET status = 'done', response = '{\"late\": true}'")
    assert (await place_hold()).json() == {"late": True}


async def test_a_lost_notification_is_made_up_for(place_hold: Ask, actor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "RECHECK_SECONDS", 0.05)
    actor.notifies = False
    async with asyncio.timeout(10):
        assert (await place_hold()).status_code == 200


@pytest.mark.usefixtures("actor")
async def test_an_answer_comes_by_notification_and_not_by_looking_again(
    place_hold: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "RECHECK_SECONDS", 60.0)
    async with asyncio.timeout(10):
        assert (await place_hold()).status_code == 200


async def test_a_listener_that_was_cut_off_is_replaced(
    place_hold: Ask, actor: Any, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "RECHECK_SECONDS", 60.0)
    await place_hold("k1")
    cut = await database.fetchval("""
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%command_done%'
    """)
    assert cut == 1
    async with asyncio.timeout(10):
        assert (await place_hold("k2")).status_code == 200
    assert len(actor.applied) == 2


@pytest.mark.usefixtures("actor")
async def test_a_nul_in_the_body_is_refused(place_hold: Ask, database: asyncpg.Connection) -> None:
    response = await place_hold("k1", {"reason": "a\x00b"})
    assert (response.status_code, response.json()["field"]) == (422, "body")
    assert (await place_hold("k2", {"reason": "a\\u0000b"})).status_code == 200
    assert await database.fetchval("SELECT count(*) FROM command") == 1


@pytest.mark.usefixtures("actor")
async def test_closing_gives_every_connection_back(place_hold: Ask, app: FastAPI, engine: AsyncEngine) -> None:
    await place_hold()
    await close(app)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # the pool of an async engine is a queue


async def test_routes_cannot_write_through_their_connection(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/scribble")).status_code == 500
