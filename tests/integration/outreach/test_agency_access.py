"""How machines of agencies log in on a real database: tokens for what they sign, API keys, and every refusal."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends

from services.outreach.agencies.tenants.tenancy import PlacementsReader, PlacementsWriter
from shared.http.auth import Principal, Role, require
from tests.conftest import DatabaseOf
from tests.integration.outreach.bureau import (
    EAST,
    KNOWN,
    LONG,
    MORNING,
    STRANGE,
    TERMS,
    TOKEN_URL,
    WEST,
    Bureau,
    Client,
    bearer,
    bureau_on,
    p256_client,
)

ALL = "permits placements:read placements:write statements:read webhooks"


def example_routes() -> APIRouter:
    router = APIRouter()

    @router.get("/v1/example/read")
    async def read(agency: PlacementsReader) -> str:
        return agency.actor

    @router.get("/v1/example/write")
    async def write(agency: PlacementsWriter) -> str:
        return agency.actor

    @router.get("/v1/example/anybody")
    async def anybody(caller: Annotated[Principal, Depends(require(Role.AGENCY))]) -> str:
        return caller.actor

    return router


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def bureau(dsn: str) -> AsyncIterator[Bureau]:
    async with bureau_on(dsn, example_routes()) as bureau:
        yield bureau


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def test_a_machine_gets_a_token_for_what_it_signed_and_sees_its_own_agency(bureau: Bureau) -> None:
    client = await bureau.lists()
    answer = await bureau.logs_in(client.assertion(MORNING))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    given = answer.json()
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 600, ALL)
    own = await bureau.own(given["access_token"])
    assert own.status_code == 200
    assert own.json() == {
        **TERMS, "agency_id": EAST, "state": "active", "state_reason": "", "complaints": 0,
        "scopes": ["placements:read", "placements:write", "permits", "webhooks", "statements:read"],
        "keys": [{"kid": "spring", "alg": "EdDSA", "added_at": "2026-03-02T02:00:00Z"}], "api_keys": [],
    }  # fmt: skip


async def test_a_token_says_what_it_is_by_the_profile_of_access_tokens(bureau: Bureau) -> None:
    client = await bureau.lists()
    token = await bureau.token(client, scope="permits placements:read")
    header = jwt.get_unverified_header(token)
    claims = claims_of(token)
    assert (header["typ"], header["alg"]) == ("at+jwt", "EdDSA")
    assert claims.pop("jti")
    began = int(MORNING.timestamp())
    assert claims == {
        "iss": "https://outreach.example", "aud": "https://outreach.example", "sub": EAST, "client_id": EAST,
        "tenant": EAST, "scope": "permits placements:read", "kid": "spring", "iat": began, "exp": began + 600,
    }  # fmt: skip


async def test_es256_serves_as_well(bureau: Bureau) -> None:
    await bureau.lists()
    client = p256_client(kid="nist")
    await bureau.does(f"/{EAST}/keys", client.jwk())
    assert (await bureau.own(await bureau.token(client))).status_code == 200


def unsigned(client: Client) -> str:
    """An assertion that says it needs no signature."""
    head, body, _ = client.assertion(MORNING).split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": client.kid}).encode()).decode().rstrip("=")
    assert head != none
    return f"{none}.{body}."


def seconds(**delta: float) -> int:
    return int((MORNING + timedelta(**delta)).timestamp())


def wrong_assertions(east: Client, west: Client) -> Mapping[str, tuple[str, str]]:
    """What is wrong, the assertion, and what is said of it."""
    stranger = Ed25519PrivateKey.generate()
    return {
        "expired": (east.assertion(MORNING, exp=seconds()), "has expired"),
        "good for too long": (east.assertion(MORNING, exp=seconds(minutes=5, seconds=1)), "longer than five minutes"),
        "not good yet": (east.assertion(MORNING, nbf=seconds(seconds=31)), "not good yet"),
        "issued tomorrow": (east.assertion(MORNING, iat=seconds(days=1)), "not good yet"),
        "a time that is none": (east.assertion(MORNING, exp="soon"), "no number of seconds"),
        "for somebody else": (east.assertion(MORNING, aud="https://other.example"), "for somebody else"),
        "for us and somebody else": (
            east.assertion(MORNING, aud=[TOKEN_URL, "https://other.example"]), "for somebody else",
        ),
        "without an audience": (east.assertion(MORNING, aud=None), "lacks aud"),
        "without an expiry": (east.assertion(MORNING, exp=None), "lacks exp"),
        "without an id": (east.assertion(MORNING, jti=None), "lacks jti"),
        "with an endless id": (east.assertion(MORNING, jti="j" * 129), "lacks jti"),
        "without an issuer": (east.assertion(MORNING, iss=None), "lacks iss"),
        "with another subject": (east.assertion(MORNING, sub=WEST), "another subject"),
        "an unknown kid": (east.assertion(MORNING, headers={"kid": "autumn"}), "no such key"),
        "without a kid": (east.assertion(MORNING, headers={"kid": ""}), "lacks kid"),
        "another agency's kid": (
            replace(west, agency_id=EAST).assertion(MORNING), "no such key",
        ),
        "under another agency's name": (east.assertion(MORNING, iss=WEST, sub=WEST), "not signed with that key"),
        "an agency that nobody listed": (Client("nobody").assertion(MORNING), "no such key"),
        "signed by somebody else": (east.assertion(MORNING, key=stranger), "not signed with that key"),
        "signed in another way than the key's": (p256_client().assertion(MORNING), "no such key"),
        "no signature": (unsigned(east), "EdDSA or ES256"),
        "a shared secret": (east.assertion(MORNING, alg="HS256", key="s" * 32), "EdDSA or ES256"),
        "no JWT": ("not.a.jwt", "no JWT"),
        "far too long": ("a" * 8193, "too long"),
    }  # fmt: skip


async def test_whoever_cannot_say_who_they_are_gets_no_token(bureau: Bureau) -> None:
    east, west = await bureau.lists(EAST), Client(WEST, kid="west")
    await bureau.lists(WEST)
    await bureau.does(f"/{WEST}/keys", west.jwk())
    for name, (assertion, why) in wrong_assertions(east, west).items():
        answer = await bureau.logs_in(assertion)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), name
        assert why in answer.json()["error_description"], name
    for client in (east, west):
        assert (await bureau.logs_in(client.assertion(MORNING))).status_code == 200


async def test_an_assertion_is_good_for_one_token(bureau: Bureau) -> None:
    east, west = await bureau.lists(EAST), await bureau.lists(WEST)
    assertion = east.assertion(MORNING, jti="one")
    assert (await bureau.logs_in(assertion)).status_code == 200
    again = await bureau.logs_in(assertion)
    assert (again.status_code, again.json()["error_description"]) == (401, "the assertion was used before")
    assert (await bureau.logs_in(east.assertion(MORNING, jti="one"))).status_code == 401
    assert (await bureau.logs_in(west.assertion(MORNING, jti="one"))).status_code == 200
    later = MORNING + timedelta(minutes=5)
    bureau.clock.set(later)
    assert (await bureau.logs_in(assertion)).json()["error_description"] == "the assertion has expired"
    assert (await bureau.logs_in(east.assertion(later, jti="one"))).status_code == 200, "what has expired is forgotten"


WRONG_FORMS: Mapping[str, tuple[dict[str, str], str]] = {
    "another grant": ({"grant_type": "password"}, "unsupported_grant_type"),
    "another kind of assertion": ({"client_assertion_type": "urn:other"}, "invalid_request"),
    "a scope that is none": ({"scope": "everything"}, "invalid_scope"),
    "a scope too wide": ({"scope": "permits webhooks"}, "invalid_scope"),
}


async def test_a_form_that_does_not_fit_is_refused_in_the_words_of_the_rfc(bureau: Bureau) -> None:
    client = await bureau.lists(scopes=["permits"])
    for name, (form, error) in WRONG_FORMS.items():
        answer = await bureau.logs_in(client.assertion(MORNING), **form)
        assert (answer.status_code, answer.json()["error"]) == (400, error), name
    other = await bureau.logs_in(client.assertion(MORNING), client_id=WEST)
    assert (other.status_code, other.json()["error"]) == (401, "invalid_client")
    for body in (b"", b"\xff=1", b"grant_type=client_credentials", b"grant_type=a&grant_type=b", b"{}"):
        answer = await bureau.http.post("/v1/oauth/token", content=body)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), body
    given = await bureau.logs_in(client.assertion(MORNING), client_id=EAST)
    assert (given.status_code, given.json()["scope"]) == (200, "permits")


async def refused(bureau: Bureau, client: Client, shown: str) -> str:
    """Why neither a new token nor the one that is shown opens anything."""
    answer = await bureau.logs_in(client.assertion(bureau.clock.now()))
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    old = await bureau.own(shown)
    assert old.status_code == 401
    assert 'error="invalid_token"' in old.headers["www-authenticate"]
    why: str = answer.json()["error_description"]
    assert why.lower() == old.json()["detail"].lower().rstrip(".")
    return why


async def test_an_agency_that_may_not_work_gets_no_token_and_what_it_has_opens_nothing_at_once(
    bureau: Bureau,
) -> None:
    client = await bureau.lists()
    token = await bureau.token(client)
    issued = await bureau.does(f"/{EAST}/api-keys", {"scopes": ["permits"], "expires_at": LONG})
    for shown in (token, issued["api_key"], KNOWN.token):
        assert (await bureau.own(shown)).status_code == 200
    await bureau.does(f"/{EAST}/suspend", {"reason": "called at night"})
    for shown in (token, issued["api_key"], KNOWN.token):
        assert await refused(bureau, client, shown) == "the agency is suspended"
    await bureau.does(f"/{EAST}/resume", {"reason": "the hearing is over"})
    assert (await bureau.own(token)).status_code == 200
    await bureau.does(f"/{EAST}", {**TERMS, "licence_until": "2026-03-01"}, method="PUT")
    assert await refused(bureau, client, token) == "the agency's licence has lapsed"
    await bureau.does(f"/{EAST}", {**TERMS, "contract_from": "2026-03-03"}, method="PUT")
    assert await refused(bureau, client, token) == "the agency's contract has not begun"
    await bureau.reaches(date(2026, 3, 3))
    assert (await bureau.own(token)).status_code == 200, "the books have reached the first day"
    await bureau.does(f"/{EAST}", {**TERMS, "contract_until": "2026-03-02"}, method="PUT")
    assert await refused(bureau, client, token) == "the agency's contract has ended"


async def test_one_key_takes_the_place_of_another_without_a_moment_between(bureau: Bureau) -> None:
    old = await bureau.lists()
    new = Client(kid="summer")
    before = await bureau.token(old)
    await bureau.does(f"/{EAST}/keys", new.jwk())
    after = await bureau.token(new)
    third = await bureau.asks(f"/{EAST}/keys", Client(kid="autumn").jwk())
    assert (third.status_code, third.json()["field"]) == (409, "kid")
    assert (await bureau.own(before)).status_code == (await bureau.own(after)).status_code == 200
    await bureau.does(f"/{EAST}/keys/spring/remove", {"reason": "it was replaced"})
    assert (await bureau.logs_in(old.assertion(MORNING))).json()["error_description"] == "that agency has no such key"
    assert (await bureau.own(before)).status_code == 401, "nor does a token that was got with it"
    assert (await bureau.own(after)).status_code == 200


def forged(token: str, **claims: Any) -> str:
    return jwt.encode(
        {**claims_of(token), **claims}, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"typ": "at+jwt"}
    )


async def test_a_token_that_is_not_ours_or_no_more_is_not_known(bureau: Bureau) -> None:
    client = await bureau.lists()
    await bureau.lists(WEST)
    token = await bureau.token(client)
    head, body, signature = token.split(".")
    other = base64.urlsafe_b64encode(json.dumps({**claims_of(token), "sub": WEST}).encode()).decode().rstrip("=")
    wrong = (
        forged(token), forged(token, sub=WEST), f"{head}.{other}.{signature}", f"{head}.{body}.", "a.b.c",
        client.assertion(MORNING), "fd_0123456789ab_" + "a" * 43, "fd_", token + "a",
    )  # fmt: skip
    for shown in wrong:
        answer = await bureau.own(shown)
        assert (answer.status_code, answer.json()["detail"]) == (401, "The bearer token is not known."), shown
    bureau.clock.set(MORNING + timedelta(minutes=10) - timedelta(seconds=1))
    assert (await bureau.own(token)).status_code == 200
    bureau.clock.set(MORNING + timedelta(minutes=10))
    assert (await bureau.own(token)).status_code == 401


async def test_a_token_opens_what_its_scopes_say_and_one_of_the_settings_all(bureau: Bureau) -> None:
    client = await bureau.lists()
    token = await bureau.token(client, scope="placements:read")

    async def code(path: str, shown: str) -> int:
        return (await bureau.http.get(f"/v1/example/{path}", headers=bearer(shown))).status_code

    assert [await code(path, token) for path in ("read", "write", "anybody")] == [200, 403, 200]
    assert [await code(path, KNOWN.token) for path in ("read", "write", "anybody")] == [200, 200, 200]
    answer = await bureau.http.get("/v1/example/write", headers=bearer(token))
    assert 'error="insufficient_scope", scope="placements:write"' in answer.headers["www-authenticate"]
    staff = await bureau.http.get("/v1/agencies", headers=bearer(token))
    assert staff.status_code == 403, "what is for staff is not for agencies, whatever the scope"
    await bureau.does(f"/{EAST}", {**TERMS, "scopes": ["permits"]}, method="PUT")
    assert await code("read", token) == 403, "what is taken from the agency is taken from its tokens"


async def test_api_keys_expire_are_revoked_and_replace_each_other(bureau: Bureau) -> None:
    await bureau.lists()
    body = {"scopes": ["placements:read"], "expires_at": "2026-03-03T02:00:00Z"}
    first, second = [(await bureau.does(f"/{EAST}/api-keys", body)) for _ in range(2)]
    third = await bureau.asks(f"/{EAST}/api-keys", body)
    assert (third.status_code, third.json()["field"]) == (409, "prefix")
    for issued in (first, second):
        assert (await bureau.own(issued["api_key"])).status_code == 200
    own = (await bureau.own(first["api_key"])).json()
    assert {key["prefix"] for key in own["api_keys"]} == {first["prefix"], second["prefix"]}
    assert (await bureau.http.get("/v1/example/write", headers=bearer(first["api_key"]))).status_code == 403
    other = f"fd_{first['prefix']}_{second['api_key'].rpartition('_')[2]}"
    assert (await bureau.own(other)).status_code == 401, "the prefix alone opens nothing"
    await bureau.does(f"/{EAST}/api-keys/{first['prefix']}/revoke", {"reason": "it was sent by mail"})
    assert (await bureau.own(first["api_key"])).status_code == 401
    bureau.clock.set(datetime.fromisoformat("2026-03-03T02:00:00Z"))
    assert (await bureau.own(second["api_key"])).status_code == 401


async def test_a_key_for_more_than_a_year_or_more_than_the_agency_may_is_refused(bureau: Bureau) -> None:
    await bureau.lists(scopes=["permits"])
    for changes, field in (
        ({"expires_at": "2027-03-04T02:00:00Z"}, "expires_at"), ({"scopes": ["webhooks"]}, "scopes"),
    ):  # fmt: skip
        answer = await bureau.asks(f"/{EAST}/api-keys", {"scopes": ["permits"], "expires_at": LONG, **changes})
        assert (answer.status_code, answer.json()["field"]) == (409, field)


async def test_an_agency_of_the_settings_that_the_register_does_not_know_is_told_so(bureau: Bureau) -> None:
    assert (await bureau.own(STRANGE.token)).status_code == 404


async def test_an_agency_that_asks_too_often_is_slowed_down_under_its_name_whatever_it_shows(dsn: str) -> None:
    async with bureau_on(dsn, requests_per_second=2) as bureau:
        east, west = await bureau.lists(EAST), await bureau.lists(WEST)
        tokens = [await bureau.token(east), await bureau.token(east)]
        issued = await bureau.does(f"/{EAST}/api-keys", {"scopes": ["permits"], "expires_at": LONG})
        other = await bureau.token(west)
        assert (await bureau.own(issued["api_key"])).status_code == 200
        codes = [(await bureau.own(tokens[number % 2])).status_code for number in range(21)]
        assert 429 in codes
        assert (await bureau.own(issued["api_key"])).status_code == 429
        assert (await bureau.own(other)).status_code == 200
