"""Who may call what."""

from collections.abc import Callable, Mapping

import httpx
import pytest

from shared.http.auth import Role

SignIn = Callable[[Role], Mapping[str, str]]


@pytest.mark.parametrize("role", [pytest.param(role, id=f"{role.value} is known by their token") for role in Role])
async def test_each_caller_is_known(client: httpx.AsyncClient, sign_in: SignIn, role: Role) -> None:
    response = await client.get("/v1/whoami", headers=sign_in(role))
    assert response.json()["actor"].startswith(f"{role.value}/")


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        pytest.param(None, 'Bearer realm="fairdue"', id="no header"),
        pytest.param("Basic dXNlcjpwYXNz", 'Bearer realm="fairdue"', id="another scheme"),
        pytest.param("Bearer nobody", 'Bearer realm="fairdue", error="invalid_token"', id="an unknown token"),
        pytest.param("Bearer ", 'Bearer realm="fairdue"', id="an empty token"),
        pytest.param("Bearer \u00e4", 'Bearer realm="fairdue", error="invalid_token"', id="a token outside ASCII"),
    ],
)
async def test_an_unknown_caller_is_challenged(client: httpx.AsyncClient, header: str | None, challenge: str) -> None:
    headers = {} if header is None else {b"Authorization": header.encode()}
    response = await client.get("/v1/whoami", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == challenge
    assert response.json()["field"] == "Authorization"


async def test_a_caller_of_another_role_is_told_which_roles_may(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    response = await client.post("/v1/debts", json={"phone": "1"}, headers=sign_in(Role.AGENCY))
    assert response.status_code == 403
    assert "core_bank, supervisor" in response.json()["detail"]


async def test_a_caller_of_the_right_role_passes(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    assert (await client.post("/v1/debts", json={"phone": "1"}, headers=sign_in(Role.CORE_BANK))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/dead-letters"),
        ("GET", "/v1/dead-letters/x"),
        ("POST", "/v1/dead-letters/x/replay"),
        ("POST", "/v1/dead-letters/x/discard"),
        ("GET", "/v1/shards"),
        ("POST", "/v1/shards/lane/1/resume"),
        ("GET", "/v1/quarantines"),
    ],
)
@pytest.mark.parametrize("role", [Role.CORE_BANK, Role.AGENCY, None])
async def test_operations_are_for_people_on_call(
    client: httpx.AsyncClient, sign_in: SignIn, method: str, path: str, role: Role | None
) -> None:
    headers = {"Idempotency-Key": "k", **(sign_in(role) if role is not None else {})}
    response = await client.request(method, path, json={"reason": "because"}, headers=headers)
    assert response.status_code == (401 if role is None else 403)


async def test_an_operator_may_not_discard(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    headers = {"Idempotency-Key": "k", **sign_in(Role.OPERATOR)}
    response = await client.post("/v1/dead-letters/x/discard", json={"reason": "because"}, headers=headers)
    assert response.status_code == 403
    assert "supervisor" in response.json()["detail"]
