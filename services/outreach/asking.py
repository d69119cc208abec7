"""What the routes about debtors share: who may ask, whose lender it is, and what a command has led to."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from pydantic import StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.plans import store
from shared.contracts.reasons import REASON_LENGTH, REASON_PATTERN
from shared.http.auth import Principal, Role, require
from shared.http.commands import CommandDesk
from shared.http.problems import Problem

Staff = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]


async def ask(
    desk: CommandDesk, connection: AsyncConnection, *, debtor_id: str, name: str, body: object, key: str, by: Principal
) -> dict[str, Any]:
    """Have a debtor's actor apply a command, and return its answer. Raises Problem."""
    lender_id = await lender_of(connection, debtor_id)
    return await desk.submit(
        kind="lane", owner=debtor_id, lender_id=lender_id, name=name, body=body, key=key, principal=by
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for something about a debtor, under which key, and where it is handed in."""

    desk: CommandDesk
    key: str
    connection: AsyncConnection
    by: Principal

    async def ask(self, debtor_id: str, name: str, body: object) -> dict[str, Any]:
        """Have the debtor's actor apply a command, and return its answer. Raises Problem."""
        return await ask(
            self.desk, self.connection, debtor_id=debtor_id, name=name, body=body, key=self.key, by=self.by
        )


async def lender_of(connection: AsyncConnection, debtor_id: str) -> str:
    """The debtor's lender, by whose business date a command is judged. Raises Problem 404."""
    guard = (await connection.execute(store.GUARD, {"debtor_id": debtor_id})).first()
    # The desk waits on connections of the same pool: one that is kept meanwhile could be the one that it waits for.
    await connection.close()
    if guard is None:
        raise no_such_debtor()
    return str(guard.lender_id)


def no_such_debtor() -> Problem:
    """That outreach knows nobody of this name."""
    return Problem(404, "No such debtor", "Outreach has not heard of a case of this debtor.", field="debtor_id")


def fact(answer: dict[str, Any], wire_name: str) -> dict[str, Any]:
    """The content of the first fact of a type that a command has led to; empty where it led to none."""
    return next((each["data"] for each in answer.get("facts", ()) if each["type"] == wire_name), {})
