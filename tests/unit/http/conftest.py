"""An application around a service that does nothing, without a database or a broker behind it."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from structlog.testing import capture_logs

from shared.http.app import create_app
from shared.http.auth import Principal, Role, require
from shared.http.commands import IdempotencyKey
from shared.http.database import engine_of
from shared.http.paging import Page, Paging
from shared.http.problems import Problem
from shared.service import Service
from shared.settings import Settings

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


class Debt(BaseModel):
    """What the example takes in."""

    model_config = ConfigDict(extra="forbid")

    phone: str = Field(pattern="^[0-9]+$")
    amounts: list[int] = []


def example_routes() -> APIRouter:
    """Routes that show every kind of answer."""
    router = APIRouter(prefix="/v1")
    bank = Annotated[Principal, Depends(require(Role.CORE_BANK, Role.SUPERVISOR))]

    @router.get("/whoami")
    async def whoami(principal: Annotated[Principal, Depends(require())]) -> dict[str, str]:
        return {"actor": principal.actor}

    @router.post("/debts")
    async def take(debt: Debt, _principal: bank) -> Debt:
        return debt

    @router.post("/keyed")
    async def keyed(key: IdempotencyKey) -> dict[str, int]:
        return {"length": len(key)}

    @router.get("/list")
    async def listed(paging: Paging) -> Page[int]:
        start = int(paging.after or "0")
        items = list(range(start + 1, min(start + paging.limit, 7) + 1))
        return Page[int](items=items, next=paging.cursor(str(items[-1]) if items else None, len(items)))

    @router.get("/debtors/{debtor_id}")
    async def debtor(debtor_id: str) -> None:
        raise Problem(404, "No such case", "No case is known for that debtor.", field="debtor_id")

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the phone number is 13900001111")

    return router


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log to ourselves; written out, an unexpected error takes seconds where nobody has set the log up."""
    with capture_logs():
        yield


@pytest.fixture
def service() -> Service:
    """A service with the example's routes and no actors."""
    return Service("example", (), example_routes, Path())


@pytest.fixture
def settings() -> Settings:
    """The settings of the demo, whose tokens are known."""
    return Settings.demo()


@pytest.fixture
def sign_in(settings: Settings) -> Callable[[Role], Mapping[str, str]]:
    """Headers for a caller of a role."""
    tokens = {token.role: token.token for token in settings.tokens}
    return lambda role: {"Authorization": f"Bearer {tokens[role.value]}"}


@pytest.fixture
async def client(service: Service, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the example; its database is down, its limit is 1,000 bytes."""
    engine = engine_of(NOWHERE)
    app: Any = create_app(service, settings, engine=engine, max_body=1_000)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example") as found:
        yield found
    await engine.dispose()
