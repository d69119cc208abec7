"""Finding a debtor by a number, and erasing the person."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from services.intake.connectors.sealing import BlindIndex
from services.intake.profiles import store
from services.intake.profiles.commands import REASON_LENGTH, REASON_PATTERN, EraseProfile
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection, answering
from shared.http.problems import Problem

MOST_FOUND = 100

Staff = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]
DebtorId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


class NumberKind(StrEnum):
    """What kind of number somebody is looked for by."""

    PHONE = "phone"
    ID_NUMBER = "id_number"


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Wanted(_Item):
    """A number that a debtor was given, as somebody says or shows it; it is neither kept nor logged."""

    kind: NumberKind
    value: Annotated[SecretStr, Field(min_length=4, max_length=64)]


class Found(_Item):
    """A debtor, by pseudonym."""

    debtor_id: str
    lender_id: str


class FoundDebtors(_Item):
    """The debtors who have the number, at most 100."""

    items: list[Found]


class Erasing(_Item):
    """Why the person is erased, in plain words."""

    reason: Annotated[str, StringConstraints(min_length=3, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]


class Erased(_Item):
    """The erasure is committed; the data key is destroyed at once after it."""

    result: dict[str, Any]


def add_to(router: APIRouter, index: BlindIndex) -> None:
    """Add the routes about people."""

    @router.post("/search-debtor", tags=["people"])
    async def search_debtor(wanted: Wanted, staff: Staff, request: Request) -> FoundDebtors:
        """Find debtors by a phone or identity number; each search is on record with who made it."""
        digest = index.digest(wanted.kind, wanted.value.get_secret_value())
        engine = request.app.state.engine
        async with answering():
            found = await store.search(engine, wanted.kind, digest, actor=staff.actor, limit=MOST_FOUND)
        return FoundDebtors(items=[Found(debtor_id=debtor, lender_id=lender) for debtor, lender in found])

    @router.post("/debtors/{debtor_id}/erase", tags=["people"])
    async def erase_debtor(
        debtor_id: DebtorId,
        body: Erasing,
        supervisor: Supervisor,
        connection: Connection,
        commands: Commands,
        key: IdempotencyKey,
    ) -> Erased:
        """Forget who a debtor is: the data key is destroyed, and no copy anywhere can be opened again."""
        lender_id = await store.lender_of(connection, debtor_id)
        if lender_id is None:
            raise Problem(404, "No such debtor", "Neither a profile nor a case has this debtor.", field="debtor_id")
        result = await commands.submit(
            kind="profiles",
            name="erase-profile",
            owner=debtor_id,
            lender_id=lender_id,
            body=EraseProfile(reason=body.reason),
            key=key,
            principal=supervisor,
        )
        return Erased(result=result)
