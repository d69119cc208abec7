"""Made-up people are planted in documents and looked for everywhere: in rows, logs, metrics and answers."""

import base64
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from services.outreach.agencies.documents.domain import BEGINNINGS, MediaType
from shared.keys import KeyForgottenError
from tests.conftest import DatabaseOf
from tests.e2e import canaries
from tests.e2e.canaries import CANARIES, Place, found
from tests.e2e.owners import Owners
from tests.e2e.people import listening, of_metrics
from tests.integration.outreach.agencies.filing import filed, given, of_debtor, rows, said, under
from tests.integration.outreach.agency_desk import placed, with_agencies
from tests.integration.outreach.people import ANNA, MORNING, Office
from tests.integration.outreach.rig import SETTINGS

WHO = "\n".join(CANARIES.values()).encode()
EVIDENCE, PAPER = BEGINNINGS[MediaType.PNG] + WHO, BEGINNINGS[MediaType.PDF] + WHO
UNREADABLE = base64.b64encode(WHO).decode()


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    with listening() as lines:
        yield lines


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(log_lines: io.StringIO, dsn: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with with_agencies(dsn, SETTINGS.with_key_file(tmp_path / "data-keys")) as office:
        yield office


async def refusals(office: Office, placement_id: str) -> list[httpx.Response]:
    """What is answered to contents that cannot be filed."""
    sent = (
        said(content=WHO),
        said(content=PAPER, media_type="image/png"),
        said(content=EVIDENCE, media_type="image/png", kind="correspondence"),
        {**said(), "content": UNREADABLE + "!"},
        {**said(), "content": CANARIES["a name"]},
        {**said(), "kind": CANARIES["a name"]},
        {**said(), "media_type": CANARIES["a number"]},
        {**said(), "name": CANARIES["a name"]},
    )
    return [await office.post(under(placement_id), each, role="alpha") for each in sent]


def of_key_store(folder: Path) -> list[Place]:
    return [Place("the key store", each.read_bytes()) for each in folder.glob("data-keys*")]


async def test_nobody_is_seen_anywhere_but_in_what_is_downloaded(
    office: Office, dsn: str, log_lines: io.StringIO, tmp_path: Path
) -> None:
    placement_id = await placed(office)
    evidence = await filed(office, placement_id, content=EVIDENCE, media_type="image/png")
    paper = await given(office, placement_id, content=PAPER)
    refused = await refusals(office, placement_id)
    assert [each.status_code for each in refused] == [422, 422, 409, 422, 422, 422, 422, 422]
    downloads = [
        await office.read(under(placement_id, evidence["document_id"]), "alpha"),
        await office.read(of_debtor(paper["document_id"]), "operator"),
    ]
    assert all(found([Place("a download", each.content)])["a download"] == {*CANARIES} for each in downloads)
    await rows(dsn, "ALTER TABLE placement_document_content RENAME COLUMN sealed TO lost")
    failed = await office.post(under(placement_id), said(content=PAPER + b"."), role="alpha")
    assert (failed.status_code, "request failed" in log_lines.getvalue()) == (500, True)
    answers = [
        *refused,
        failed,
        await office.read(under(placement_id), "alpha"),
        await office.read(of_debtor(), "operator"),
    ]
    places = [
        *await canaries.of_databases(Owners({"outreach": dsn})),
        *(Place("the log", line.encode()) for line in log_lines.getvalue().splitlines()),
        *of_key_store(tmp_path),
        *of_metrics(),
        *(Place("an answer", each.content + repr(each.headers).encode()) for each in answers),
    ]
    looked_at = {place.where for place in places}
    assert {
        "outreach.placement_document_content",
        "outreach.command",
        "outreach.outbox",
        "the log",
        "the key store",
    } <= looked_at
    assert found(places) == {}


async def test_once_the_key_is_gone_no_copy_opens(office: Office, dsn: str) -> None:
    placement_id = await placed(office)
    document_id = (await filed(office, placement_id, content=EVIDENCE, media_type="image/png"))["document_id"]
    [(key_id, copy)] = await rows(dsn, "SELECT key_id, sealed FROM placement_document_content")
    keys, place = office.settings.keys, {"table": "placement_document_content", "owner": ANNA}
    assert keys.opening(ANNA, key_id).open(copy, column=f"content/{placement_id}", **place) == EVIDENCE
    keys.forget(ANNA, MORNING)
    with pytest.raises(KeyForgottenError):
        keys.opening(ANNA, key_id)
    assert (await office.read(under(placement_id, document_id), "alpha")).status_code == 410
