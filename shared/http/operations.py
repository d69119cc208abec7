"""What people on call do in any service: resolve dead letters, look at quarantines, resume stopped shards."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import NO_NUL
from shared.http.paging import Page, Paging
from shared.http.problems import Problem

Lags: TypeAlias = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]
"""How many records each actor, by kind and number, is behind; actors that are not listed are not known."""

OnCall = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]
Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=3, max_length=500, pattern=r"^[^\x00]*[^\s\x00][^\x00]+[^\s\x00][^\x00]*$"
    ),
]
LetterId = Annotated[str, Path(max_length=200, pattern=NO_NUL)]


class LetterStatus(StrEnum):
    """Where a dead letter stands."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class DeadLetter(_View):
    """An event that could not be applied. What it said is sealed and is not shown."""

    id: str
    kind: str
    number: int
    topic: str
    partition: int
    log_offset: int
    lender_id: str
    owner: str = Field(description="The debtor whose later events are parked; empty where none is known.")
    event_id: str
    event_type: str
    reason: str
    field: str
    status: LetterStatus
    buried_at: datetime
    resolved_at: datetime | None
    resolved_by: str | None
    resolution: str | None


class Shard(_View):
    """One actor of the service, who works for it, and why it stands still if it does."""

    kind: str
    number: int
    owner: str | None = Field(description="The worker that has taken it.")
    epoch: int
    stopped_reason: str | None
    stopped_at: datetime | None
    lag: int | None = Field(default=None, description="Records behind, where this process knows.")


class Quarantine(_View):
    """A debtor whose events are parked, because of one dead letter."""

    kind: str
    number: int
    owner: str
    letter_id: str
    since: datetime


class WithReason(_View):
    """Why a person does this; it goes into the audit trail, so it names no debtor."""

    reason: Reason


class Applied(_View):
    """The actor has applied the command."""

    result: dict[str, Any]


_LETTER = """SELECT id, kind, number, topic, partition, log_offset, lender_id, owner, event_id, event_type, reason,
    field, status, buried_at, resolved_at, resolved_by, resolution FROM dead_letter"""
_LETTERS = text(
    _LETTER
    + """ WHERE (CAST(:status AS text) IS NULL OR status = :status) AND (CAST(:after AS text) IS NULL OR id > :after)
    ORDER BY id LIMIT :limit"""
)
_ONE_LETTER = text(_LETTER + " WHERE id = :id")
_SHARDS = text("SELECT kind, number, owner, epoch, stopped_reason, stopped_at FROM actor ORDER BY kind, number")
_ONE_SHARD = text("SELECT 1 FROM actor WHERE kind = :kind AND number = :number")
_QUARANTINES = text("""
    SELECT kind, number, owner, letter_id, since FROM quarantine
    WHERE CAST(:owner AS text) IS NULL OR (owner, letter_id) > (:owner, :letter_id)
    ORDER BY owner, letter_id LIMIT :limit
""")


async def list_dead_letters(
    _principal: OnCall,
    connection: Connection,
    paging: Paging,
    status: Annotated[LetterStatus | None, Query(description="Only letters that stand so.")] = None,
) -> Page[DeadLetter]:
    """List dead letters, by id."""
    wanted = {"status": status, "after": paging.after, "limit": paging.limit}
    items = [DeadLetter.model_validate(row) for row in await connection.execute(_LETTERS, wanted)]
    return Page[DeadLetter](items=items, next=paging.cursor(items[-1].id if items else None, len(items)))


async def read_dead_letter(_principal: OnCall, connection: Connection, letter_id: LetterId) -> DeadLetter:
    """Read one dead letter."""
    return await _letter(connection, letter_id)


async def replay_dead_letter(
    principal: OnCall, connection: Connection, commands: Commands, key: IdempotencyKey, letter_id: LetterId
) -> Applied:
    """Apply the letter's event again, as it is, and then what was parked behind it."""
    letter = await _letter(connection, letter_id)
    return await _resolve(letter, commands, "replay-letter", {"letter_id": letter_id}, key, principal)


async def discard_dead_letter(
    principal: Supervisor,
    connection: Connection,
    commands: Commands,
    key: IdempotencyKey,
    letter_id: LetterId,
    body: WithReason,
) -> Applied:
    """Give the letter's event up for good, and apply what was parked behind it."""
    letter = await _letter(connection, letter_id)
    wanted = {"letter_id": letter_id, "reason": body.reason}
    return await _resolve(letter, commands, "discard-letter", wanted, key, principal)


async def list_shards(request: Request, _principal: OnCall, connection: Connection) -> list[Shard]:
    """List the service's actors."""
    lags: Lags | None = request.app.state.lags
    behind = await lags() if lags is not None else {}
    found = [Shard.model_validate(row) for row in await connection.execute(_SHARDS)]
    return [shard.model_copy(update={"lag": behind.get((shard.kind, shard.number))}) for shard in found]


async def resume_shard(
    principal: OnCall,
    connection: Connection,
    commands: Commands,
    key: IdempotencyKey,
    kind: Annotated[str, Path(max_length=64, pattern=NO_NUL)],
    number: Annotated[int, Field(ge=0, le=32_767)],
    body: WithReason,
) -> Applied:
    """Let a stopped shard go on."""
    if (await connection.execute(_ONE_SHARD, {"kind": kind, "number": number})).first() is None:
        raise Problem(404, "No such shard", "The service has no actor of that kind and number.", field="number")
    result = await commands.submit(
        kind=kind, number=number, name="resume-shard", body={"reason": body.reason}, key=key, principal=principal
    )
    return Applied(result=result)


async def list_quarantines(_principal: OnCall, connection: Connection, paging: Paging) -> Page[Quarantine]:
    """List the debtors whose events are parked."""
    owner, _, letter_id = (paging.after or "").rpartition("/")
    wanted = {"owner": owner if paging.after else None, "letter_id": letter_id, "limit": paging.limit}
    items = [Quarantine.model_validate(row) for row in await connection.execute(_QUARANTINES, wanted)]
    last = f"{items[-1].owner}/{items[-1].letter_id}" if items else None
    return Page[Quarantine](items=items, next=paging.cursor(last, len(items)))


async def _letter(connection: AsyncConnection, letter_id: str) -> DeadLetter:
    row = (await connection.execute(_ONE_LETTER, {"id": letter_id})).first()
    if row is None:
        raise Problem(404, "No such dead letter", "No letter has that id here.", field="letter_id")
    return DeadLetter.model_validate(row)


async def _resolve(
    letter: DeadLetter, commands: Commands, name: str, body: dict[str, str], key: str, principal: Principal
) -> Applied:
    result = await commands.submit(
        kind=letter.kind,
        number=letter.number,
        owner=letter.owner,
        lender_id=letter.lender_id,
        name=name,
        body=body,
        key=key,
        principal=principal,
    )
    return Applied(result=result)


def routes() -> APIRouter:
    """The routes for people on call, the same in every service."""
    router = APIRouter(prefix="/v1", tags=["operations"])
    router.get("/dead-letters")(list_dead_letters)
    router.get("/dead-letters/{letter_id}")(read_dead_letter)
    router.post("/dead-letters/{letter_id}/replay")(replay_dead_letter)
    router.post("/dead-letters/{letter_id}/discard")(discard_dead_letter)
    router.get("/shards")(list_shards)
    router.post("/shards/{kind}/{number}/resume")(resume_shard)
    router.get("/quarantines")(list_quarantines)
    return router
