"""Every error is a problem that names the field and echoes nothing."""

from collections.abc import Callable, Mapping

import httpx
import pytest
from structlog.testing import capture_logs

from shared.http.auth import Role

SignIn = Callable[[Role], Mapping[str, str]]
SECRET = "13900001111"  # a made-up phone number that no answer or log may show


def problem(response: httpx.Response, status: int) -> dict[str, object]:
    """The problem in an answer."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, object] = response.json()
    assert found["status"] == status
    assert found["instance"] == f"urn:uuid:{response.headers['x-request-id']}"
    return found


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        pytest.param('{"phone": "x13900001111"}', 422, "phone", id="a value of the wrong form names its field"),
        pytest.param('{"phone": "1", "amounts": [1, "13900001111x"]}', 422, "amounts.1", id="an item names its place"),
        pytest.param('{"phone": "1", "name": "13900001111"}', 422, "name", id="an unknown field is refused by name"),
        pytest.param("{}", 422, "phone", id="a missing field is named"),
        pytest.param("[13900001111", 400, "body", id="a body that is no JSON is malformed"),
        pytest.param("", 422, "body", id="a missing body is named"),
    ],
)
async def test_bad_input_is_named_and_not_echoed(
    client: httpx.AsyncClient, sign_in: SignIn, body: str, status: int, field: str
) -> None:
    headers = {**sign_in(Role.CORE_BANK), "Content-Type": "application/json"}
    response = await client.post("/v1/debts", content=body, headers=headers)
    found = problem(response, status)
    assert found["field"] == field
    assert SECRET not in response.text


@pytest.mark.parametrize(
    ("key", "accepted"),
    [
        pytest.param(None, False, id="a missing key is refused"),
        pytest.param("", False, id="an empty key is refused"),
        pytest.param("two words", False, id="a blank is refused"),
        pytest.param("a/b", False, id="a slash is refused"),
        pytest.param("k" * 201, False, id="a key of 201 characters is refused"),
        pytest.param("6f1c-2:x.y_z~!", True, id="printable ASCII is accepted"),
    ],
)
async def test_idempotency_key(client: httpx.AsyncClient, key: str | None, accepted: bool) -> None:  # noqa: FBT001
    response = await client.post("/v1/keyed", headers={} if key is None else {"Idempotency-Key": key})
    if accepted:
        assert response.status_code == 200
    else:
        assert problem(response, 400)["field"] == "Idempotency-Key"


async def test_a_problem_of_a_route_is_answered_as_it_is(client: httpx.AsyncClient) -> None:
    found = problem(await client.get("/v1/debtors/x"), 404)
    assert found["type"] == "urn:fairdue:problem:no-such-case"
    assert (found["title"], found["field"]) == ("No such case", "debtor_id")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/v1/nothing", 404, id="a route that is not there"),
        pytest.param("DELETE", "/v1/debts", 405, id="a method that is not there"),
        pytest.param("GET", "/v1/debtors/a%00b", 400, id="a NUL in the path"),
        pytest.param("GET", "/v1/list?after=%00", 400, id="a NUL in the query"),
    ],
)
async def test_the_frameworks_errors_are_problems(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    problem(await client.request(method, path), status)


async def test_an_unexpected_error_shows_nothing_to_the_caller(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        response = await client.get("/v1/broken")
    assert problem(response, 500)["title"] == "Internal error"
    assert SECRET not in response.text
    assert "RuntimeError" not in response.text
    assert [line["event"] for line in lines] == ["request failed", "request"]
    assert lines[0]["error"] == ["RuntimeError"]
    assert lines[0]["places"][-1].endswith(" broken")
    assert SECRET not in str(lines)


async def test_of_very_many_errors_some_are_named(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    response = await client.post(
        "/v1/debts", json={"phone": "1", "amounts": ["x"] * 150}, headers=sign_in(Role.CORE_BANK)
    )
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 50
