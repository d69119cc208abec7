"""How routes ask a debtor's actor for something, and what they find in its answer."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.plans.store import GUARD
from shared.http.auth import Principal
from shared.http.commands import CommandDesk
from shared.http.problems import Problem


async def ask(
    desk: CommandDesk, connection: AsyncConnection, *, debtor_id: str, name: str, body: object, key: str, by: Principal
) -> dict[str, Any]:
    """Have a debtor's actor apply a command, and return its answer. Raises Problem."""
    lender_id = await lender_of(connection, debtor_id)
    return await desk.submit(
        kind="lane", owner=debtor_id, lender_id=lender_id, name=name, body=body, key=key, principal=by
    )


async def lender_of(connection: AsyncConnection, debtor_id: str) -> str:
    """The debtor's lender, by whose business date a command is judged. Raises Problem 404."""
    guard = (await connection.execute(GUARD, {"debtor_id": debtor_id})).first()
    # The desk waits on connections of the same pool: one that is kept meanwhile could be the one that it waits for.
    await connection.close()
    if guard is None:
        raise no_such_debtor()
    return str(guard.lender_id)


def no_such_debtor() -> Problem:
    """The problem for a debtor who is not known here."""
    return Problem(404, "No such debtor", "Outreach has not heard of a case of this debtor.", field="debtor_id")


def fact_in(answer: dict[str, Any], wire_name: str) -> dict[str, Any]:
    """What was told of this name, empty where nothing was."""
    return next((fact["data"] for fact in answer.get("facts", ()) if fact["type"] == wire_name), {})
