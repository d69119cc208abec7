"""REST writes are commands: a row that the actor of the shard applies, so that each shard has one writer.

The same client and key with the same body gets the same answer, however often it is sent; another body is refused.
"""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import msgspec
from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.envelope import derived_id
from shared.contracts.reading import holds_nul
from shared.http.answers import Answers, Waiter
from shared.http.auth import Principal
from shared.http.database import answering, release
from shared.http.problems import Problem
from shared.messaging.sharding import shard_of
from shared.observability import metrics

WAIT_SECONDS = 15.0
"""How long a caller waits for the actor's answer."""

KEY_PATTERN = r"^[!-.0-~]{1,200}$"
"""Printable ASCII without blanks or a slash, which separates the client from the key in a command's id."""

IdempotencyKey = Annotated[
    str, Header(alias="Idempotency-Key", pattern=KEY_PATTERN, description="Names this write; repeat it to ask again.")
]

Release: TypeAlias = Callable[[], Awaitable[None]]

# No arbiter is named: the id follows from client and key, so either of the two unique indexes may meet a twin first.
_INSERT = text("""
    INSERT INTO command
    (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash, status, created_at)
    VALUES (:id, :client, :key, :kind, :number, :name, :owner, :lender_id, :actor, CAST(:body AS jsonb), :body_hash,
            'pending', now())
    ON CONFLICT DO NOTHING RETURNING id
""")
_NOTIFY = text("SELECT pg_notify('command_' || :kind, :number)")
_FIND = text("SELECT body_hash, status, response FROM command WHERE id = :id")

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command stands: "pending", "done" or "refused", with what the actor answered."""

    body_hash: bytes
    status: str
    response: dict[str, Any]


class CommandDesk:
    """Takes commands and waits for what the actors make of them.

    release: called before the wait, so that a request does not keep a connection of the pool while it waits for one.
    """

    def __init__(
        self, engine: AsyncEngine, service: str, *, wait_seconds: float = WAIT_SECONDS, release: Release | None = None
    ) -> None:
        self._engine, self._service, self._wait_seconds, self._release = engine, service, wait_seconds, release
        self._answers = Answers(engine)

    def releasing(self, release: Release) -> "CommandDesk":
        """The same desk, for one request."""
        desk = copy(self)
        desk._release = release  # noqa: SLF001  # a copy of this very class
        return desk

    async def submit(
        self,
        *,
        kind: str,
        name: str,
        body: object,
        key: str,
        principal: Principal,
        owner: str = "",
        number: int | None = None,
        lender_id: str = "",
    ) -> dict[str, Any]:
        """Have a command applied by the actor of `owner` (or `number`, which wins), and return its response.

        `body` is a msgspec Struct, a pydantic model or a dict. Raises Problem: 400 for a bad key, 422 for a key that
        was used for another command, 409 where the actor refuses, 503 without a database, 504 when it takes too long.
        """
        row = _row(kind, _number(owner, number), name, owner, lender_id, body, key, principal)
        if self._release is not None:
            await self._release()
        async with answering(), self._answers.of(row["id"]) as answered:
            outcome = await self._insert(row)
            if outcome.body_hash != row["body_hash"]:
                raise Problem(422, "Key already used", "It was sent with another command.", field="Idempotency-Key")
            if outcome.status == "pending":
                outcome = await self._settled(row["id"], answered)
        metrics.COMMANDS.labels(self._service, name, outcome.status).inc()
        return _answer(outcome)

    async def close(self) -> None:
        """Stop listening."""
        await self._answers.close()

    async def _insert(self, row: dict[str, Any]) -> Outcome:
        async with self._engine.begin() as connection:
            inserted = (await connection.execute(_INSERT, row)).first()
            if inserted is not None:
                await connection.execute(_NOTIFY, {"kind": row["kind"], "number": str(row["number"])})
                return Outcome(row["body_hash"], "pending", {})
        return await self._find(row["id"])

    async def _settled(self, command_id: str, answered: Waiter) -> Outcome:
        deadline = time.monotonic() + self._wait_seconds
        while True:
            await answered.next(deadline - time.monotonic())
            outcome = await self._find(command_id)
            if outcome.status != "pending" or time.monotonic() >= deadline:
                return outcome

    async def _find(self, command_id: str) -> Outcome:
        async with self._engine.connect() as connection:
            found = (await connection.execute(_FIND, {"id": command_id})).one()
        return Outcome(found.body_hash, found.status, _response(found.response))


def _number(owner: str, number: int | None) -> int:
    if number is not None:
        return number
    return shard_of(owner) if owner else 0


def _row(
    kind: str, number: int, name: str, owner: str, lender_id: str, body: object, key: str, principal: Principal
) -> dict[str, Any]:
    if not re.fullmatch(KEY_PATTERN[1:-1], key or ""):
        detail = "Send an Idempotency-Key that names this write."
        raise Problem(400, "Missing or malformed header", detail, field="Idempotency-Key")
    plain = body.model_dump(mode="json") if isinstance(body, BaseModel) else msgspec.to_builtins(body)
    encoded = _encode(plain)
    if holds_nul(encoded):
        raise Problem(422, "Invalid input", "The body holds a NUL character.", field="body")
    whole = _encode([kind, number, name, owner, lender_id, plain])
    return {
        "id": derived_id(f"{principal.name}/{key}", 0),
        "client": principal.name,
        "key": key,
        "kind": kind,
        "number": number,
        "name": name,
        "owner": owner,
        "lender_id": lender_id,
        "actor": principal.actor,
        "body": encoded.decode(),
        "body_hash": hashlib.sha256(whole).digest(),
    }


def _response(stored: Any) -> dict[str, Any]:
    found = msgspec.json.decode(stored) if isinstance(stored, str | bytes) else stored
    return found if isinstance(found, dict) else {}


def _answer(outcome: Outcome) -> dict[str, Any]:
    if outcome.status == "pending":
        raise Problem(
            504,
            "Not applied yet",
            "The command is accepted and will be applied; repeat it with the same Idempotency-Key for the answer.",
            headers={"Retry-After": "5"},
        )
    if outcome.status == "refused":
        response = outcome.response
        raise Problem(409, "Refused", str(response.get("detail", "")), field=str(response.get("field") or ""))
    return outcome.response


def command_desk(request: Request) -> CommandDesk:
    """The application's desk."""
    desk: CommandDesk = request.app.state.commands
    return desk.releasing(lambda: release(request))


Commands = Annotated[CommandDesk, Depends(command_desk)]
"""Where a route hands in what it wants written. Submitting closes the request's read-only `Connection`: read first."""
