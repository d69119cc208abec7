"""Liveness, readiness and what happens when a part is down."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from shared.http import health
from shared.http.app import close, create_app
from shared.http.auth import Role
from shared.http.database import engine_of
from shared.http.health import Check, Readiness
from shared.messaging.broker import BrokerUnavailableError
from shared.service import Service
from shared.settings import Settings

SignIn = Callable[[Role], Mapping[str, str]]


def checks(response: httpx.Response) -> dict[str, bool]:
    """Each check of an answer, and whether it is passed."""
    body = response.json()
    assert body["ready"] is all(check["ok"] for check in body["checks"])
    return {check["name"]: check["ok"] for check in body["checks"]}


async def test_a_process_with_a_database_is_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"service": "example", "live": True}
    response = await client.get("/readyz")
    assert (response.status_code, checks(response)) == (200, {"database": True})


@pytest.mark.parametrize(("ok", "status"), [(True, 200), (False, 503)])
async def test_the_worker_has_a_say(client: httpx.AsyncClient, app: FastAPI, ok: bool, status: int) -> None:  # noqa: FBT001
    async def ready() -> Readiness:
        return Readiness((Check("lane 3 makes progress", ok=ok, detail="stands still for 70 s"),))

    app.state.ready = ready
    response = await client.get("/readyz")
    assert (response.status_code, checks(response)) == (status, {"database": True, "lane 3 makes progress": ok})


@pytest.mark.parametrize(
    ("topics", "status"),
    [
        pytest.param({"core-banking.loan-events.v1"}, 200, id="a broker that has the topic"),
        pytest.param(set[str](), 503, id="a broker that has not"),
    ],
)
async def test_the_broker_has_a_say(client: httpx.AsyncClient, app: FastAPI, topics: set[str], status: int) -> None:
    class Paper:
        async def partitions(self, topic: str) -> int:
            if topic not in topics:
                raise BrokerUnavailableError("at broker.internal:9092")
            return 7

    app.state.broker = Paper()
    response = await client.get("/readyz")
    assert (response.status_code, checks(response)) == (status, {"database": True, "broker": status == 200})
    assert "broker.internal" not in response.text


async def test_a_worker_that_fails_or_hangs_is_not_ready(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails() -> Readiness:
        raise RuntimeError("13900001111")

    async def hangs() -> Readiness:
        await asyncio.Event().wait()
        return Readiness()

    monkeypatch.setattr(health, "CHECK_SECONDS", 0.5)
    for ready in (fails, hangs):
        app.state.ready = ready
        response = await client.get("/readyz")
        assert (response.status_code, checks(response)["worker"]) == (503, False)
        assert "13900001111" not in response.text


async def test_without_a_database_it_lives_and_is_not_ready(
    service: Service, settings: Settings, sign_in: SignIn
) -> None:
    engine = engine_of("postgresql://nobody@127.0.0.1:1/nothing")
    app: Any = create_app(service, settings, engine=engine)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example") as client:
        assert (await client.get("/livez")).status_code == 200
        response = await client.get("/readyz")
        assert (response.status_code, checks(response)) == (503, {"database": False})
        headers = {**sign_in(Role.OPERATOR), "Idempotency-Key": "k"}
        for answer in (
            await client.get("/v1/shards", headers=headers),
            await client.post("/v1/debtors/d1/holds", json={}, headers=headers),
        ):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert answer.json()["title"] == "The database does not answer"
            assert "127.0.0.1" not in answer.text
    await close(app)
    await engine.dispose()


@pytest.mark.parametrize(
    ("statements", "status"),
    [
        pytest.param(["SELECT pg_terminate_backend(pg_backend_pid())"], 503, id="a connection that breaks"),
        pytest.param(["SET LOCAL statement_timeout = 1", "SELECT pg_sleep(9)"], 503, id="no answer in time"),
        pytest.param(["SELECT nonsense"], 500, id="a wrong statement is our fault"),
        pytest.param(["SELECT $1::int"], 500, id="so is a statement without its argument"),
        pytest.param(["DELETE FROM command"], 500, id="so is a statement that writes"),
    ],
)
async def test_only_a_database_that_cannot_answer_is_called_down(
    client: httpx.AsyncClient, statements: list[str], status: int
) -> None:
    response = await client.post("/v1/statements", json=statements)
    assert response.status_code == status
    assert "nonsense" not in response.text


async def test_a_number_that_no_column_holds_is_not_called_a_database_that_is_down(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/items", params={"number": 10**30})).status_code == 500


async def test_a_real_server_starts_answers_and_gives_everything_back(app: FastAPI) -> None:
    # The socket listens before the server is up, so that the first request waits for it.
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/readyz")).status_code == 200
        too_large = await client.post("/v1/scribble", content=b"x" * 2_000_000)
        assert (too_large.status_code, too_large.headers["connection"]) == (413, "close")
        with suppress(httpx.TransportError):  # so much is too much to hear out
            assert (await client.post("/v1/scribble", content=b"x" * 40_000_000)).status_code == 413
        assert (await client.get("/v1/%00")).status_code == 400
        assert (await client.get("/livez")).status_code == 200
    server.should_exit = True
    await serving
    assert app.state.engine.pool.checkedout() == 0
