"""Two agencies on one real database: neither sees a row of the other, also where a query forgets whose it is."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import text

from services.outreach.agencies.api import routes_for_machines
from services.outreach.agencies.documents.desk import agency_routes as documents_routes
from services.outreach.agencies.placements.desk import agency_routes
from services.outreach.agencies.tenants.tenancy import TenantConnection, tenant_connection
from shared.clock import SystemClock
from shared.http.database import read_only
from shared.postgres.databases import AGENCY_ROLE
from tests.conftest import DatabaseOf
from tests.integration.outreach.bureau import ANN, EAST, KNOWN, LONG, WEST, Bureau, bearer, bureau_on
from tests.integration.outreach.people import SIGNER
from tests.integration.outreach.rig import SETTINGS

WALLED = ("agency", "agency_key", "agency_api_key")
OF_THEIR_WORK = (
    "placement",
    "placement_change",
    "placement_document",
    "placement_document_content",
    "payment_report",
    "agency_credit",
    "webhook_endpoint",
    "webhook_delivery",
    "contact",
)
"""Walled off as well: the tests of placements, documents, webhooks and permits over REST look through them."""

OPEN = {"lane_clock"}
"""What has nothing of anybody's: on which day a lender's books stand."""

READ = {*WALLED, *OF_THEIR_WORK, *OPEN}


def forgetful_routes() -> APIRouter:
    """Routes as somebody careless might write them."""
    router = APIRouter()

    @router.get("/v1/example/all/{table}")
    async def forget(table: str, connection: TenantConnection) -> list[str]:
        return list((await connection.execute(text(f"SELECT agency_id FROM {table} ORDER BY 1"))).scalars())

    @router.get("/v1/example/of/{agency_id}")
    async def read_of(agency_id: str, connection: TenantConnection) -> list[str]:
        found = await connection.execute(text("SELECT name FROM agency WHERE agency_id = :id"), {"id": agency_id})
        return list(found.scalars())

    return router


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def bureau(dsn: str) -> AsyncIterator[Bureau]:
    async with bureau_on(dsn, forgetful_routes()) as bureau:
        yield bureau


async def asked(bureau: Bureau, token: str, path: str) -> list[str]:
    answer = await bureau.http.get(f"/v1/example/{path}", headers=bearer(token))
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()
    return found


async def two_agencies(bureau: Bureau) -> tuple[str, str]:
    """Two with a key and an API key each; a token of either."""
    tokens = []
    for agency_id in (EAST, WEST):
        client = await bureau.lists(agency_id)
        await bureau.does(f"/{agency_id}/api-keys", {"scopes": ["permits"], "expires_at": LONG})
        tokens.append(await bureau.token(client))
    return tokens[0], tokens[1]


async def test_a_query_that_forgets_the_tenant_shows_the_tenants_own_rows_alone(bureau: Bureau) -> None:
    east, west = await two_agencies(bureau)
    for table in WALLED:
        for _ in range(3):  # on connections that have served the other in between
            assert await asked(bureau, east, f"all/{table}") == [EAST], table
            assert await asked(bureau, west, f"all/{table}") == [WEST], table
    assert len(await bureau.reads()) == 2, "staff see both, on the same connections"


async def test_another_agencys_name_finds_nothing(bureau: Bureau) -> None:
    east, _ = await two_agencies(bureau)
    assert await asked(bureau, east, f"of/{WEST}") == []
    assert await asked(bureau, east, f"of/{EAST}") == ["East Recovery Ltd"]


async def test_each_sees_itself_and_nothing_of_the_other(bureau: Bureau) -> None:
    east, west = await two_agencies(bureau)
    seen = {(await bureau.own(token)).json()["agency_id"]: (await bureau.own(token)).text for token in (east, west)}
    assert seen.keys() == {EAST, WEST}
    assert WEST not in seen[EAST]
    assert EAST not in seen[WEST]


async def test_what_was_not_walled_off_is_out_of_reach(bureau: Bureau, dsn: str) -> None:
    await two_agencies(bureau)
    connection = await asyncpg.connect(dsn)
    try:
        tables = {row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname='public'")}
        assert {"agency_entry", "used_assertion", "command", "contact_due", "debtor_guard"} <= tables - READ
        await connection.execute("BEGIN")
        await connection.execute(f"SET LOCAL ROLE {AGENCY_ROLE}")
        await connection.execute("SELECT set_config('app.agency', $1, true)", EAST)
        for table in sorted(tables - READ):
            await connection.execute("SAVEPOINT before")
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
                await connection.execute(f"SELECT 1 FROM {table}")
            await connection.execute("ROLLBACK TO before")
        for column in ("agency_key.jwk", "agency_api_key.sha256", "webhook_endpoint.secret", "contact.rules"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SELECT {column} FROM {column.partition('.')[0]}")
            await connection.execute("ROLLBACK TO before")
    finally:
        await connection.close()


async def nameless(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> None:
    """Read a table as the role of tenants, for none."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {AGENCY_ROLE}")
        await connection.fetch(f"SELECT agency_id FROM {table}")


async def test_where_no_tenant_was_named_the_database_refuses(bureau: Bureau, dsn: str) -> None:
    await two_agencies(bureau)
    connection = await asyncpg.connect(dsn)
    try:
        for table in WALLED:
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.agency', $1, true)", EAST)
                await connection.execute(f"SET LOCAL ROLE {AGENCY_ROLE}")
                assert [row[0] for row in await connection.fetch(f"SELECT agency_id FROM {table}")] == [EAST]
            # The setting of a transaction that is over is there still, and empty.
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant was named"):
                await nameless(connection, table)
    finally:
        await connection.close()
    fresh = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant was named"):
            await nameless(fresh, "agency")
    finally:
        await fresh.close()


async def test_the_house_sees_one_tenant_alone_where_one_was_named_and_writes_for_no_other(
    bureau: Bureau, dsn: str
) -> None:
    await two_agencies(bureau)
    connection = await asyncpg.connect(dsn)
    try:
        for table in WALLED:
            every = f"SELECT DISTINCT agency_id FROM {table} ORDER BY 1"
            assert [row[0] for row in await connection.fetch(every)] == [EAST, WEST]
            async with connection.transaction():
                await connection.execute("SELECT set_config('app.agency', $1, true)", EAST)
                assert [row[0] for row in await connection.fetch(every)] == [EAST]
                await connection.execute(f"DELETE FROM {table}")
            assert [row[0] for row in await connection.fetch(every)] == [WEST]
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="violates row-level security"):
                await give_away(connection, table)
    finally:
        await connection.close()


async def give_away(connection: "asyncpg.Connection[asyncpg.Record]", table: str) -> None:
    """Make one tenant's rows another's, with the one named."""
    async with connection.transaction():
        await connection.execute("SELECT set_config('app.agency', $1, true)", WEST)
        await connection.execute(f"UPDATE {table} SET agency_id = $1", EAST)


async def test_every_table_of_agencies_is_walled_off_from_its_owner_too_but_the_ledger(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        bound = await connection.fetch("SELECT relname FROM pg_class WHERE relforcerowsecurity")
        assert {row["relname"] for row in bound} == {*WALLED, *OF_THEIR_WORK} - {"contact"}
    finally:
        await connection.close()


async def test_the_role_of_tenants_owns_nothing_writes_nothing_and_passes_no_wall(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        role = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcanlogin, rolcreaterole FROM pg_roles WHERE rolname = $1", AGENCY_ROLE
        )
        assert role is not None
        assert not any(role.values())
        owned = "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = $1)"
        assert await connection.fetchval(owned, AGENCY_ROLE) == 0
        granted = await connection.fetch(
            "SELECT table_name, privilege_type FROM information_schema.column_privileges WHERE grantee = $1",
            AGENCY_ROLE,
        )
        assert {row["table_name"] for row in granted} == READ
        walls = await connection.fetch("SELECT tablename FROM pg_policies WHERE $1 = ANY (roles)", AGENCY_ROLE)
        assert {row["tablename"] for row in walls} == READ - OPEN
        assert {row["privilege_type"] for row in granted} == {"SELECT"}
        walled = await connection.fetch("SELECT relname FROM pg_class WHERE relrowsecurity")
        assert {row["relname"] for row in walled} >= READ - OPEN
    finally:
        await connection.close()


def test_no_route_for_agencies_reads_through_a_connection_of_the_house() -> None:
    desk, documents = agency_routes(SIGNER, SystemClock()), documents_routes(lambda: SETTINGS.keys)
    routes = [*routes_in(routes_for_machines()), *routes_in(desk), *routes_in(documents)]
    of = "/v1/agency/placements/{placement_id}/documents"
    assert {route.path for route in routes} >= {"/v1/agency", "/v1/oauth/token", "/v1/agency/permits/check", of}
    for route in routes:
        calls = {each.call for each in flat(route)}
        assert read_only not in calls, route.path
    for route in routes:
        reads = tenant_connection in {each.call for each in flat(route)}
        assert reads or route.path == "/v1/oauth/token", route.path


def routes_in(router: APIRouter) -> Iterator[APIRoute]:
    """The routes of a router, and of those that it includes."""
    for each in router.routes:
        if isinstance(each, APIRoute):
            yield each
        else:
            yield from routes_in(each.original_router)  # type: ignore[attr-defined]  # the framework's own, unnamed


def flat(route: APIRoute) -> list[Dependant]:
    """All that a route depends on, however deep."""
    found: list[Dependant] = []
    waiting = list(route.dependant.dependencies)
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].dependencies
    return found


async def test_staff_and_the_bank_are_no_agencies(bureau: Bureau) -> None:
    assert (await bureau.own(ANN.token)).status_code == 403
    await bureau.lists()
    assert (await bureau.own(KNOWN.token)).status_code == 200
