"""Every example of the guide for agencies does what it says, against a real API."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from services.outreach.agencies.register.bodies import NewAgencyBody
from tests.conftest import DatabaseOf
from tests.integration.outreach.bureau import EAST, Bureau, bureau_on

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "connect-your-agency.md").read_text()
LENDER = "https://outreach.example-bank.com"


def of(language: str) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return found


@asynccontextmanager
async def listening(bureau: Bureau) -> AsyncIterator[str]:
    """The API on a port of the loopback."""
    door = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(bureau.app, log_config=None, lifespan="off", timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving


async def ran(example: str) -> dict[str, Any]:
    """What an example leaves behind; it may wait for answers of this very process."""
    left: dict[str, Any] = {}
    await asyncio.to_thread(exec, compile(example, "the guide", "exec"), left)
    return left


def test_every_example_is_looked_at() -> None:
    assert len(of("json")) + len(of("python")) == len(re.findall(r"^```\w", GUIDE, re.MULTILINE)) == 3


async def test_the_examples_in_their_order_lead_to_the_agencys_own_standing(
    database_of: DatabaseOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    [body], (making, asking) = of("json"), of("python")
    async with bureau_on(database_of("outreach")) as bureau, listening(bureau) as url:
        bureau.clock.set(datetime.now(UTC))
        bureau.machines.audience = f"{url}/v1/oauth/token"
        await bureau.does("", json.loads(body))
        public = (await ran(making))["public"]
        kept = {name: public[name] for name in ("kty", "crv", "x")}
        await bureau.does(f"/{EAST}/keys", {"kid": "spring", **kept})
        assert "'kid': 'spring'" in capsys.readouterr().out
        assert LENDER in asking
        own = (await ran(asking.replace(LENDER, url)))["own"]
    assert (own["agency_id"], own["keys"][0]["kid"]) == (EAST, "spring")
    assert "active 2027-06-30 5000 0" in capsys.readouterr().out


def test_the_agency_of_the_guide_shows_every_field() -> None:
    [body] = of("json")
    assert json.loads(body).keys() == NewAgencyBody.model_fields.keys()


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https:)([^)]+)\)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target
