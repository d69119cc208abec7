"""Whether the process lives, and whether it can do its work: database, broker, and progress on every owned shard."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.messaging.broker import Broker
from shared.observability import metrics

CHECK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be true; `detail` says what is wrong, without addresses or secrets."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The checks that a part of the process answers for."""

    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every check is passed."""
        return all(check.ok for check in self.checks)


Ready: TypeAlias = Callable[[], Awaitable[Readiness]]


class CheckView(BaseModel):
    """One check of readiness."""

    model_config = ConfigDict(extra="forbid")

    name: str
    ok: bool
    detail: str = ""


class ReadinessView(BaseModel):
    """Whether the process can do its work, check by check."""

    model_config = ConfigDict(extra="forbid")

    ready: bool
    checks: list[CheckView]


class LivenessView(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid")

    service: str
    live: bool = True


async def check_database(engine: AsyncEngine) -> Check:
    """Whether the database answers a query."""

    async def ask() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    return await _check("database", ask())


async def check_broker(broker: Broker, topic: str) -> Check:
    """Whether the broker knows a topic that the service reads."""

    async def ask() -> None:
        await broker.partitions(topic)

    return await _check("broker", ask())


async def _check(name: str, asked: Awaitable[None]) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await asked
    except Exception as error:  # noqa: BLE001  # whatever is wrong, the answer is "not ready"
        return Check(name, ok=False, detail=f"no answer ({type(error).__name__})")
    return Check(name, ok=True)


async def _worker_checks(ready: Ready) -> tuple[Check, ...]:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return (await ready()).checks
    except Exception as error:  # noqa: BLE001
        return (Check("worker", ok=False, detail=f"no answer ({type(error).__name__})"),)


async def readiness(engine: AsyncEngine, broker: Broker | None, topic: str, ready: Ready | None) -> Readiness:
    """All checks; `topic` is one that the broker must know."""
    asked = [check_database(engine)] + ([check_broker(broker, topic)] if broker is not None else [])
    own = await asyncio.gather(*asked)
    return Readiness((*own, *(await _worker_checks(ready) if ready is not None else ())))


def routes() -> APIRouter:
    """The routes that a scheduler of processes and a scraper of metrics ask; they need no token."""
    router = APIRouter(tags=["health"])

    @router.get("/livez")
    async def livez(request: Request) -> LivenessView:
        """Say that the process answers."""
        return LivenessView(service=request.app.state.service)

    @router.get("/readyz", responses={503: {"model": ReadinessView, "description": "A check is not passed."}})
    async def readyz(request: Request, response: Response) -> ReadinessView:
        """Say whether the process can do its work: 200, or 503 with what is wrong."""
        state = request.app.state
        found = await readiness(state.engine, state.broker, state.watched_topic, state.ready)
        response.status_code = 200 if found.ok else 503
        views = [CheckView(name=check.name, ok=check.ok, detail=check.detail) for check in found.checks]
        return ReadinessView(ready=found.ok, checks=views)

    @router.get("/metrics", response_class=Response)
    async def exposition(request: Request) -> Response:
        """Give the service's metrics in Prometheus' text format."""
        return Response(metrics.exposition(request.app.state.service), media_type=metrics.CONTENT_TYPE)

    return router
