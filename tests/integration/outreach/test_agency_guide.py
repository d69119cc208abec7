"""Every example of the guide for agencies does what it says, against a real API."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from services.outreach.agencies.documents.domain import MOST_BYTES, MOST_OF_PLACEMENT, AgencyKind, MediaType
from services.outreach.agencies.payment_reports.domain import ReceivedBy, ReportState
from services.outreach.agencies.payment_reports.views import ReportPayment
from services.outreach.agencies.placements.domain.placement import GRACE
from services.outreach.agencies.register.bodies import NewAgencyBody
from services.outreach.agencies.register.domain import kept_as
from shared.contracts.intake import BusinessDateAdvanced, CaseOpened
from shared.messaging.postgres_store import PostgresStore
from tests.conftest import DatabaseOf
from tests.integration.outreach.agencies.filing import PDF
from tests.integration.outreach.agency_desk import own
from tests.integration.outreach.bureau import ANN, EAST, Bureau, bearer, bureau_on
from tests.integration.outreach.people import ANNA
from tests.integration.outreach.rig import LANE, MONDAY, Actor, answered
from tests.unit.outreach.placing import listed
from tests.unit.outreach.play import case

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


async def ran(example: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """What an example leaves behind, after another; it may wait for answers of this very process."""
    left: dict[str, Any] = dict(before or {})
    await asyncio.to_thread(exec, compile(example, "the guide", "exec"), left)
    return left


def test_every_example_is_looked_at() -> None:
    assert len(of("json")) + len(of("python")) == len(re.findall(r"^```\w", GUIDE, re.MULTILINE)) == 5


async def test_the_examples_in_their_order_lead_to_the_agencys_own_standing(
    database_of: DatabaseOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    [body], (making, asking, *_) = of("json"), of("python")
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


@asynccontextmanager
async def with_a_case(dsn: str, bureau: Bureau) -> AsyncIterator[tuple[Actor, str]]:
    """The lanes, and the placement of a case that the agency has accepted."""
    async with PostgresStore(dsn, "lane") as store:
        lane = Actor(LANE, store, now=bureau.clock.now())
        await lane.take()
        for standing in lane.standings.values():
            standing.directives[kept_as(EAST)] = listed(EAST)
        await lane.hear(BusinessDateAdvanced(business_date=MONDAY))
        await lane.hear(CaseOpened(case=case()), ANNA, 1)
        offer = {"agency_id": EAST, "days": 30}
        offering = bureau.http.post(f"/v1/debtors/{ANNA}/placements", json=offer, headers=keyed(ANN.token, "offer"))
        yield lane, (await answered(lane, offering)).json()["placement_id"]


async def served(lane: Actor, asking: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """What an example leaves behind whose commands the lanes apply meanwhile."""
    working = asyncio.ensure_future(asking)
    while not working.done():
        await lane.commands()
        await asyncio.wait([working], timeout=0.03)
    return working.result()


def keyed(token: str, key: str) -> dict[str, str]:
    return {**bearer(token), "Idempotency-Key": key}


async def test_the_examples_of_documents_and_payments_do_what_they_say(
    database_of: DatabaseOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "receipt.pdf").write_bytes(PDF)
    [body], (making, asking, filing, reporting), dsn = of("json"), of("python"), database_of("outreach")
    async with bureau_on(dsn) as bureau, listening(bureau) as url, with_a_case(dsn, bureau) as (lane, placement_id):
        bureau.clock.set(datetime.now(UTC))
        bureau.machines.audience = f"{url}/v1/oauth/token"
        await bureau.does("", json.loads(body))
        public = (await ran(making))["public"]
        await bureau.does(f"/{EAST}/keys", {"kid": "spring", **{name: public[name] for name in ("kty", "crv", "x")}})
        before = await ran(asking.replace(LENDER, url))
        token = await asyncio.to_thread(before["token"], "placements:write")
        accepting = bureau.http.post(own(placement_id, "accept"), headers=keyed(token, "accept"))
        assert (await answered(lane, accepting)).status_code == 200
        capsys.readouterr()
        filed = await served(lane, ran(filing.replace(LENDER, url), before))
        assert filed["content"] == PDF
        assert f"proof_of_payment of ours {len(PDF)}" in capsys.readouterr().out
        lane.now = datetime.now(UTC)  # by the lender's clock today has come
        await served(lane, ran(reporting, filed))
    assert "2026-000417 50000 CNY is waiting" in capsys.readouterr().out


def test_the_guide_names_every_kind_and_figure() -> None:
    section = GUIDE.partition("## Documents")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section)) >= set(AgencyKind)
    assert set(re.findall(r"`([a-z]+/[a-z]+)`", section)) == set(MediaType)
    for figure in (f"{MOST_BYTES:,}".replace(",", " "), f"{MOST_OF_PLACEMENT} contents", f"{GRACE.days} days"):
        assert figure in " ".join(section.split())


def test_the_guide_says_all_that_a_report_of_a_payment_says() -> None:
    section = GUIDE.partition("## A payment that you have")[2]
    assert set(re.findall(r'^ {4}"([a-z_]+)":', section, re.MULTILINE)) == set(ReportPayment.model_fields)
    assert set(re.findall(r"`([a-z_]+)`", section)) >= {*ReceivedBy, *ReportState} - {ReportState.WITHDRAWN}
    assert f"{GRACE.days} days" in section


def test_the_agency_of_the_guide_shows_every_field() -> None:
    [body] = of("json")
    assert json.loads(body).keys() == NewAgencyBody.model_fields.keys()


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https:)([^)]+)\)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target
