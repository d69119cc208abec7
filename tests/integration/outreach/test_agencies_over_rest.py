"""The register of agencies over REST on a real database: what supervisors write, who may, and what is refused."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import pytest

from shared.contracts.agencies import AgencyListed
from shared.messaging.postgres_store import PostgresStore
from tests.conftest import DatabaseOf
from tests.integration.outreach.bureau import EAST, KNOWN, LONG, OLE, TERMS, Bureau, Client, bureau_on
from tests.integration.outreach.rig import LANE, Actor


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def bureau(dsn: str) -> AsyncIterator[Bureau]:
    async with bureau_on(dsn) as bureau:
        yield bureau


async def test_an_agency_is_listed_changed_suspended_and_resumed_and_all_of_it_is_shown(bureau: Bureau) -> None:
    await bureau.lists()
    assert await bureau.does(f"/{EAST}", {**TERMS, "capacity": 9}, method="PUT") == {
        "agency_id": EAST,
        "state": "active",
    }
    assert (await bureau.does(f"/{EAST}/suspend", {"reason": "called at night"}))["state"] == "suspended"
    assert (await bureau.does(f"/{EAST}/resume", {"reason": "the hearing is over"}))["state"] == "active"
    for number in (1, 2):
        complaint = await bureau.does(f"/{EAST}/complaints", {"reason": "spoke to a neighbour"})
        assert complaint == {"agency_id": EAST, "complaints": number}
    shown = await bureau.reads(f"/{EAST}")
    assert [entry["step"] for entry in shown["entries"]] == [
        "listed", "key added", "changed", "suspended", "resumed", "complained", "complained",
    ]  # fmt: skip
    assert {entry["actor"] for entry in shown["entries"]} == {"supervisor/ann"}
    assert shown["entries"][3]["content"] == {"reason": "called at night"}
    assert (shown["capacity"], shown["complaints"], shown["state_reason"]) == (9, 2, "the hearing is over")
    assert (shown["commission_ppm"], len(shown["scopes"])) == ([180_000, 250_000], 5)
    assert [(key["kid"], key["removed_at"]) for key in shown["keys"]] == [("spring", None)]
    [listed] = await bureau.reads()
    assert listed == {name: value for name, value in shown.items() if name not in {"keys", "api_keys", "entries"}}


async def test_every_lane_keeps_how_an_agency_stands_across_a_restart(bureau: Bureau, dsn: str) -> None:
    await bureau.lists()
    await bureau.does(f"/{EAST}/suspend", {"reason": "called at night"})
    async with PostgresStore(dsn, "lane") as store:
        lanes = Actor(LANE, store)
        await lanes.take()
        for fact in await bureau.in_outbox():
            await lanes.hear(fact)
    async with PostgresStore(dsn, "lane") as store:
        again = Actor(LANE, store)
        await again.take()
        for standing in again.standings.values():
            kept = standing.directives[f"agency/{EAST}"]
            assert isinstance(kept, AgencyListed)
            assert (kept.state, kept.commission_ppm, kept.reason) == (
                "suspended",
                (180_000, 250_000),
                "called at night",
            )


async def test_the_same_write_sent_again_is_answered_the_same(bureau: Bureau) -> None:
    body = {**TERMS, "agency_id": EAST}
    first = await bureau.asks("", body, key="one")
    again = await bureau.asks("", body, key="one")
    other = await bureau.asks("", {**body, "capacity": 1}, key="one")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    assert len(await bureau.in_outbox()) == 1


WRONG_TERMS: Mapping[str, tuple[dict[str, Any], int, str]] = {
    "an id that is none": ({"agency_id": "East"}, 422, "agency_id"),
    "no name": ({"name": ""}, 422, "name"),
    "a name of two lines": ({"name": "a\nb"}, 422, "name"),
    "a number for a date": ({"licence_until": 20261231}, 422, "licence_until"),
    "a negative capacity": ({"capacity": -1}, 422, "capacity"),
    "no number": ({"commission_ppm": [False]}, 422, "commission_ppm.0"),
    "a number in a text": ({"capacity": "5"}, 422, "capacity"),
    "a word for yes": ({"published": "yes"}, 422, "published"),
    "no commission": ({"commission_ppm": []}, 422, "commission_ppm"),
    "more than all that is paid": ({"commission_ppm": [1_000_001]}, 422, "commission_ppm.0"),
    "a scope that is none": ({"scopes": ["everything"]}, 422, "scopes.0"),
    "a field that nobody knows": ({"colour": "red"}, 422, "colour"),
    "a contract that ends too early": ({"contract_until": "2025-12-31"}, 409, "contract_until"),
    "an evaluation to come": ({"last_evaluation_on": "2026-04-01"}, 409, "last_evaluation_on"),
}


async def test_what_an_agency_cannot_be_listed_with_is_named(bureau: Bureau) -> None:
    for name, (changes, status, field) in WRONG_TERMS.items():
        answer = await bureau.asks("", {**TERMS, "agency_id": EAST, **changes})
        assert (answer.status_code, answer.json()["field"]) == (status, field), name
        assert answer.headers["content-type"] == "application/problem+json"
    assert await bureau.in_outbox() == []


def private(client: Client) -> dict[str, Any]:
    return {**client.jwk(), "d": "A" * 43}


WRONG_KEYS: Mapping[str, tuple[dict[str, Any], int, str]] = {
    "a private key": (private(Client()), 422, "OKP.d"),
    "another curve": ({**Client().jwk(), "crv": "Ed448"}, 422, "OKP.crv"),
    "a shared secret": ({"kty": "oct", "k": "AAAA", "kid": "a"}, 422, "body"),
    "an algorithm that is none": ({**Client().jwk(), "alg": "none"}, 422, "OKP.alg"),
    "too few bytes": ({**Client().jwk(), "x": "AAAA"}, 422, "OKP.x"),
    "no point of the curve": ({"kty": "EC", "crv": "P-256", "kid": "a", "x": "A" * 43, "y": "A" * 43}, 409, "x"),
}


async def test_a_key_that_is_no_public_key_is_refused(bureau: Bureau) -> None:
    await bureau.lists()
    for name, (key, status, field) in WRONG_KEYS.items():
        answer = await bureau.asks(f"/{EAST}/keys", key)
        assert (answer.status_code, answer.json()["field"]) == (status, field), name
        assert "AAAA" not in answer.text
    assert len((await bureau.reads(f"/{EAST}"))["keys"]) == 1


WRITES: tuple[tuple[str, Any, str], ...] = (
    ("", {**TERMS, "agency_id": EAST}, "POST"),
    (f"/{EAST}", dict(TERMS), "PUT"),
    (f"/{EAST}/suspend", {"reason": "why"}, "POST"),
    (f"/{EAST}/resume", {"reason": "why"}, "POST"),
    (f"/{EAST}/complaints", {"reason": "why"}, "POST"),
    (f"/{EAST}/keys", Client().jwk(), "POST"),
    (f"/{EAST}/keys/spring/remove", {"reason": "why"}, "POST"),
    (f"/{EAST}/api-keys", {"scopes": ["permits"], "expires_at": LONG}, "POST"),
    (f"/{EAST}/api-keys/0123456789ab/revoke", {"reason": "why"}, "POST"),
)


async def test_supervisors_alone_write_and_of_an_agency_that_nobody_listed_nothing(bureau: Bureau) -> None:
    for path, body, method in WRITES:
        for who in (OLE, KNOWN):
            assert (await bureau.asks(path, body, who=who, method=method)).status_code == 403, path
        if path:
            assert (await bureau.asks(path, body, method=method)).status_code == 404, path
    assert await bureau.in_outbox() == []


async def test_a_reason_with_digits_is_refused(bureau: Bureau) -> None:
    await bureau.lists()
    answer = await bureau.asks(f"/{EAST}/complaints", {"reason": "called 13900001111"})
    assert (answer.status_code, answer.json()["field"]) == (422, "reason")
    assert "13900001111" not in answer.text


async def test_an_api_key_is_shown_once_and_kept_as_a_hash(bureau: Bureau, dsn: str) -> None:
    await bureau.lists()
    issued = await bureau.does(f"/{EAST}/api-keys", {"scopes": ["permits"], "expires_at": LONG}, key="one")
    whole, prefix = issued["api_key"], issued["prefix"]
    assert whole.startswith(f"fd_{prefix}_")
    assert len(whole.removeprefix(f"fd_{prefix}_")) == 43
    again = await bureau.asks(f"/{EAST}/api-keys", {"scopes": ["permits"], "expires_at": LONG}, key="one")
    assert (again.status_code, again.json()["field"]) == (422, "Idempotency-Key")
    shown = await bureau.reads(f"/{EAST}")
    assert [key["prefix"] for key in shown["api_keys"]] == [prefix]
    assert whole not in str(shown) + str(await bureau.in_outbox()) + await everything_in(dsn)


async def everything_in(dsn: str) -> str:
    """All rows of all tables that a secret might have come into."""
    connection = await asyncpg.connect(dsn)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [await connection.fetch(f"SELECT t::text FROM {name['tablename']} t") for name in names]
    finally:
        await connection.close()
    found = "\n".join(row[0] for each in rows for row in each)
    assert EAST in found
    return found
