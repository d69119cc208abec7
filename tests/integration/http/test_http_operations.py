"""What people on call see and do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from shared.http.auth import Role
from shared.http.paging import encode_cursor

SignIn = Callable[[Role], Mapping[str, str]]
Get = Callable[..., Awaitable[httpx.Response]]
Post = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def get(client: httpx.AsyncClient, sign_in: SignIn) -> Get:
    """Asks as an operator; takes a path and the query."""

    async def ask(path: str, **query: Any) -> httpx.Response:
        return await client.get(path, params=query, headers=sign_in(Role.OPERATOR))

    return ask


@pytest.fixture
def post(client: httpx.AsyncClient, sign_in: SignIn) -> Post:
    """Writes with a key; takes a path, a body and a role."""

    async def ask(path: str, body: object = None, role: Role = Role.SUPERVISOR, key: str = "k1") -> httpx.Response:
        return await client.post(path, json=body, headers={**sign_in(role), "Idempotency-Key": key})

    return ask


@pytest.fixture
async def letters(database: asyncpg.Connection) -> list[str]:
    """Five dead letters of lane 7, of which the last is replayed; their ids in order."""
    ids = [f"letter-{n}" for n in range(5)]
    for n, letter_id in enumerate(ids):
        await database.execute(
            """INSERT INTO dead_letter (id, kind, number, topic, partition, log_offset, lender_id, owner, event_id,
               event_type, reason, field, raw, status, buried_at) VALUES ($1, 'lane', 7, 'intake.ingress', 7, $2,
               'bank', $3, 'e', 'ingress.loan-reported.v1', 'is too large', 'amount', 'sealed bytes', $4, now())""",
            letter_id, n, f"d{n}", "replayed" if n == 4 else "open",
        )  # fmt: skip
    return ids


async def walk(get: Get, path: str, **query: Any) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(10):
        page = (await get(path, **query, **after)).json()
        found += page["items"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}
    pytest.fail("the list does not end")


@pytest.mark.parametrize("limit", [1, 2, 5, 500])
async def test_letters_come_in_pages_without_their_bytes(get: Get, letters: list[str], limit: int) -> None:
    found = await walk(get, "/v1/dead-letters", limit=limit)
    assert [letter["id"] for letter in found] == letters
    assert "raw" not in found[0]
    assert "sealed bytes" not in str(found)
    assert (found[0]["reason"], found[0]["field"]) == ("is too large", "amount")


async def test_letters_can_be_chosen_by_status(get: Get, letters: list[str]) -> None:
    assert [found["id"] for found in await walk(get, "/v1/dead-letters", status="replayed", limit=1)] == letters[4:]
    assert (await get("/v1/dead-letters", status="eaten")).json()["field"] == "status"


async def test_one_letter(get: Get, letters: list[str]) -> None:
    assert (await get(f"/v1/dead-letters/{letters[1]}")).json()["owner"] == "d1"
    missing = await get("/v1/dead-letters/none")
    assert (missing.status_code, missing.json()["field"]) == (404, "letter_id")


@pytest.mark.usefixtures("letters")
async def test_replaying_is_a_command_for_the_letters_actor(
    post: Post, actor: Any, database: asyncpg.Connection
) -> None:
    response = await post("/v1/dead-letters/letter-1/replay", role=Role.OPERATOR)
    assert (response.status_code, response.json()) == (200, {"result": {"ok": True}})
    row = await database.fetchrow("SELECT kind, number, owner, lender_id, name, body, actor FROM command")
    assert row is not None
    assert tuple(row) == (
        "lane", 7, "d1", "bank", "replay-letter", '{"letter_id": "letter-1"}', "operator/demo operator",
    )  # fmt: skip
    assert len(actor.applied) == 1


@pytest.mark.usefixtures("letters", "actor")
async def test_discarding_needs_a_reason(post: Post, database: asyncpg.Connection) -> None:
    path = "/v1/dead-letters/letter-1/discard"
    for body in ({}, {"reason": ""}, {"reason": "    "}, {"reason": "x" * 501}):
        response = await post(path, body)
        assert (response.status_code, response.json()["field"]) == (422, "reason")
    assert (await post(path, {"reason": " sent by mistake "})).status_code == 200
    assert await database.fetchval("SELECT name || body::text FROM command") == (
        'discard-letter{"reason": "sent by mistake", "letter_id": "letter-1"}'
    )


@pytest.mark.parametrize("act", ["replay", "discard"])
async def test_a_letter_that_is_not_there_makes_no_command(post: Post, database: asyncpg.Connection, act: str) -> None:
    assert (await post(f"/v1/dead-letters/none/{act}", {"reason": "because"})).status_code == 404
    assert await database.fetchval("SELECT count(*) FROM command") == 0


@pytest.fixture
async def shards(database: asyncpg.Connection) -> None:
    """A lane at work and one that has stopped."""
    await database.execute("""
        INSERT INTO actor (kind, number, epoch, owner, stopped_reason, stopped_at) VALUES
        ('lane', 1, 4, 'worker-1', NULL, NULL), ('lane', 0, 3, 'worker-1', 'too many dead letters', now())
    """)


@pytest.mark.usefixtures("shards")
async def test_shards_are_listed_with_what_stopped_them(get: Get, app: FastAPI) -> None:
    async def lags() -> Mapping[tuple[str, int], int]:
        return {("lane", 1): 12}

    app.state.lags = lags
    found = (await get("/v1/shards")).json()
    assert [(shard["number"], shard["epoch"], shard["stopped_reason"], shard["lag"]) for shard in found] == [
        (0, 3, "too many dead letters", None),
        (1, 4, None, 12),
    ]


@pytest.mark.usefixtures("shards", "actor")
async def test_resuming_a_shard_is_a_command_to_it(post: Post, database: asyncpg.Connection) -> None:
    assert (await post("/v1/shards/lane/0/resume", {})).json()["field"] == "reason"
    assert (await post("/v1/shards/lane/0/resume", {"reason": "fixed"}, role=Role.OPERATOR)).status_code == 200
    row = await database.fetchrow("SELECT kind, number, owner, name, body FROM command")
    assert row is not None
    assert tuple(row) == ("lane", 0, "", "resume-shard", '{"reason": "fixed"}')


@pytest.mark.usefixtures("shards")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("lane/9", 404, id="a number without an actor"),
        pytest.param("train/0", 404, id="a kind that is not there"),
        pytest.param("lane/x", 422, id="no number"),
        pytest.param("lane/99999999999999999999", 422, id="a number too large to be one"),
        pytest.param("lane/-1", 422, id="a negative number"),
    ],
)
async def test_a_shard_that_is_not_there(post: Post, path: str, status: int) -> None:
    response = await post(f"/v1/shards/{path}/resume", {"reason": "because"})
    assert (response.status_code, response.json()["field"]) == (status, "number")


async def test_quarantines_come_in_pages(get: Get, database: asyncpg.Connection) -> None:
    rows = [("d1", "l1"), ("d1", "l2"), ("d2", "l0"), ("d3/x", "l9")]
    for owner, letter in rows:
        await database.execute("INSERT INTO quarantine VALUES ('lane', 7, $1, $2, now())", owner, letter)
    for limit in (1, 2, 3, 4):
        found = await walk(get, "/v1/quarantines", limit=limit)
        assert [(one["owner"], one["letter_id"]) for one in found] == rows


async def test_a_strange_cursor_is_no_error(get: Get) -> None:
    for key in ("", "no slash", "a/b/c"):
        assert (await get("/v1/quarantines", after=encode_cursor(key))).status_code == 200


async def test_the_database_may_go_and_come_back(get: Get, database: asyncpg.Connection) -> None:
    assert (await get("/v1/shards")).status_code == 200
    await database.execute("""
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
    """)
    responses = await asyncio.gather(*(get("/v1/shards") for _ in range(3)))
    assert [response.status_code for response in responses] == [200] * 3
