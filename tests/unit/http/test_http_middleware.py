"""What every request goes through: limits, ids, traces, logs and counts."""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx
import pytest
from starlette.types import Message
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from shared.http import tracing
from shared.http.auth import Role
from shared.http.middleware import Limited

SignIn = Callable[[Role], Mapping[str, str]]


async def pieces(count: int) -> AsyncIterator[bytes]:
    """A body that does not announce its length; the first of its pieces says it all."""
    yield b'{"phone": "1"}'.ljust(100)
    for _ in range(count - 1):
        yield b" " * 100


async def test_a_body_that_announces_too_much_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/debts", content=b"x" * 1_001)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["field"] == "body"


async def test_what_announces_far_too_much_is_refused_unread() -> None:
    async def never(*_: object) -> Any:
        pytest.fail("the body was read")

    async def keep(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "state": {"request_id": "r"}}
    for announced in (b"16001", b"9" * 4_000):
        await Limited(never, max_body=1_000)({**scope, "headers": [(b"content-length", announced)]}, never, keep)
        assert sent.pop(0)["status"] == 413
        sent.clear()


@pytest.mark.parametrize(("count", "status"), [(1, 200), (10, 200), (11, 413), (1_000, 413)])
async def test_a_body_of_unknown_length_is_counted(
    client: httpx.AsyncClient, sign_in: SignIn, count: int, status: int
) -> None:
    response = await client.post(
        "/v1/debts", content=pieces(count), headers={**sign_in(Role.CORE_BANK), "Content-Type": "application/json"}
    )
    assert response.status_code == status


async def test_a_body_at_the_limit_passes(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    response = await client.post(
        "/v1/debts",
        content=b'{"phone": "1"}'.ljust(1_000),
        headers={**sign_in(Role.CORE_BANK), "Content-Type": "application/json"},
    )
    assert response.status_code == 200


async def test_the_log_names_the_template_and_never_what_was_asked(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/v1/debtors/13900001111", params={"phone": "13900001111"})
    assert [(line["event"], line["route"], line["status"]) for line in lines] == [
        ("request", "/v1/debtors/{debtor_id}", 404)
    ]
    assert "13900001111" not in str(lines)


async def test_a_path_that_no_route_knows_is_not_logged(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.get("/13900001111")
    assert [line["route"] for line in lines] == ["none"]


async def test_requests_are_counted_by_template(client: httpx.AsyncClient) -> None:
    await client.get("/v1/debtors/counted")
    await client.request("WHATEVER", "/v1/debtors/counted")
    metrics = (await client.get("/metrics")).text
    assert 'route="/v1/debtors/{debtor_id}"' in metrics
    assert "/v1/debtors/counted" not in metrics
    assert "WHATEVER" not in metrics


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("incoming", "kept"),
    [
        pytest.param(TRACE, True, id="a well-formed trace goes on"),
        pytest.param(None, False, id="without one a new trace begins"),
        pytest.param("00-00000000000000000000000000000000-b7ad6b7169203331-01", False, id="an empty trace is not kept"),
        pytest.param("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False, id="an empty span is not kept"),
        pytest.param(TRACE.upper(), False, id="upper case is not well-formed"),
        pytest.param("ff" + TRACE[2:], False, id="version ff is not one"),
        pytest.param(TRACE + "\n", False, id="nothing may follow"),
    ],
)
async def test_trace(incoming: str | None, kept: bool) -> None:  # noqa: FBT001
    trace = tracing.begin(incoming)
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", trace)
    assert (trace[3:35] == TRACE[3:35]) is kept
    assert trace[36:52] != TRACE[36:52]
    assert tracing.current_trace() == trace


async def test_nothing_stays_bound_after_a_request(client: httpx.AsyncClient) -> None:
    await client.get("/livez")
    assert get_contextvars() == {}


async def test_each_request_has_its_own_id(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/livez")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
