"""The wall between tenants: what agency routes read through, and whom they let pass."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.outreach.agencies.register.domain import Scope
from shared.http.auth import Principal, Role, require
from shared.http.database import answering

_ROLE = text("SET LOCAL ROLE fairdue_agency")
_TENANT = text("SELECT set_config('app.agency', :agency_id, true)")

Agency = Annotated[Principal, Depends(require(Role.AGENCY))]
"""The agency that asks, whatever its token is good for; its `name` is its id."""

PlacementsReader = Annotated[Principal, Depends(require(Role.AGENCY, scope=Scope.PLACEMENTS_READ))]
PlacementsWriter = Annotated[Principal, Depends(require(Role.AGENCY, scope=Scope.PLACEMENTS_WRITE))]
PermitAsker = Annotated[Principal, Depends(require(Role.AGENCY, scope=Scope.PERMITS))]
WebhookKeeper = Annotated[Principal, Depends(require(Role.AGENCY, scope=Scope.WEBHOOKS))]
StatementReader = Annotated[Principal, Depends(require(Role.AGENCY, scope=Scope.STATEMENTS_READ))]


async def tenant_connection(request: Request, agency: Agency) -> AsyncIterator[AsyncConnection]:
    """A read-only connection for the agency that asks, and the only one that a route for agencies may read through.

    Its transaction has the role `fairdue_agency`, so that the database shows the rows of this agency alone, in the
    tables that a migration walled off (`SELECT wall_off('t'); GRANT SELECT ON t TO fairdue_agency`), and no others.
    Queries name the agency all the same. Like any `Connection` it is given back when a command is handed in, so read
    first.
    """
    engine: AsyncEngine = request.app.state.engine
    async with answering(), engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        await connection.execute(_ROLE)
        await connection.execute(_TENANT, {"agency_id": agency.name})
        request.state.connection = connection
        yield connection


TenantConnection = Annotated[AsyncConnection, Depends(tenant_connection)]
"""See `tenant_connection`."""


async def named(connection: AsyncConnection, agency_id: str) -> None:
    """Name the tenant on a connection of the house, so that the forced wall shows it that agency's rows alone.

    For what a command of an agency's has to look up before it is handed in, in tables that agencies do not read.
    """
    await connection.execute(_TENANT, {"agency_id": agency_id})
