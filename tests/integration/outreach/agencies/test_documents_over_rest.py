"""Documents over real HTTP on real PostgreSQL: what was filed comes back as it was, to whom it is meant for."""

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.outreach.agencies.documents import store
from services.outreach.agencies.documents.domain import BEGINNINGS, MOST_BYTES, MOST_OF_PLACEMENT, MediaType
from services.outreach.agencies.documents.sealing import sealed
from shared.contracts import intake
from shared.postgres.databases import AGENCY_ROLE
from tests.conftest import DatabaseOf
from tests.integration.outreach.agencies.filing import (
    JPEG,
    MANDATE,
    PDF,
    PNG,
    filed,
    given,
    of_debtor,
    problem,
    rows,
    said,
    under,
)
from tests.integration.outreach.agency_desk import (
    BERTA,
    CALL,
    NOBODYS,
    offered,
    own,
    placed,
    shown,
    with_agencies,
)
from tests.integration.outreach.bureau import bearer, bureau_on
from tests.integration.outreach.people import ANNA, MORNING, Office
from tests.integration.outreach.rig import SETTINGS

KEPT = ("placement_document", "placement_document_content", "command", "outbox", "personal_data_read")


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def office(dsn: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with with_agencies(dsn, SETTINGS.with_key_file(tmp_path / "data-keys")) as office:
        yield office


async def listed(office: Office, placement_id: str, role: str = "alpha") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await shown(office, under(placement_id), role))["items"]
    return found


async def handed_back(office: Office, placement_id: str) -> None:
    answer = await office.post(own(placement_id, "hand-back"), {"reason": "nobody found"}, role="alpha")
    assert answer.status_code == 200, answer.text


async def day(office: Office, today: date) -> None:
    """The books of the lender stand on a day."""
    await office.hear(intake.BusinessDateAdvanced(business_date=today), 0, "")


# -- on file -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "media_type"), [(PDF, "application/pdf"), (JPEG, "image/jpeg"), (PNG, "image/png")], ids=str
)
async def test_what_was_filed_comes_back_as_it_was(office: Office, dsn: str, content: bytes, media_type: str) -> None:
    placement_id = await placed(office)
    answer = await filed(office, placement_id, content=content, media_type=media_type)
    assert (answer["placement_id"], answer["kind"], answer["size"]) == (placement_id, "proof_of_payment", len(content))
    [found] = await listed(office, placement_id)
    assert answer.items() <= found.items()
    assert (found["by_lender"], found["contact_id"], found["filed_on"]) == (False, "", "2026-03-02")
    assert not {"filed_by", "agency_id", "debtor_id", "content", "sealed", "key_id"} & found.keys()
    for path, role in (
        (under(placement_id, found["document_id"]), "alpha"),
        (of_debtor(found["document_id"]), "operator"),
    ):
        download = await office.read(path, role)
        assert (download.status_code, download.headers["content-type"], download.content) == (200, media_type, content)
        assert download.headers["x-content-sha256"] == hashlib.sha256(content).hexdigest() != found["sha256"]
        assert download.headers["content-disposition"].startswith("attachment; ")
        assert (download.headers["cache-control"], download.headers["x-content-type-options"]) == (
            "no-store",
            "nosniff",
        )
    notes = await rows(dsn, "SELECT actor, debtor_id, what, document_id FROM personal_data_read ORDER BY id")
    assert notes == [
        (who, ANNA, "document", found["document_id"]) for who in ("agency/alpha", "operator/demo operator")
    ]


@pytest.mark.parametrize("role", ["operator", "supervisor"])
async def test_an_agency_is_given_papers_and_finds_them_among_its_changes(office: Office, role: str) -> None:
    placement_id = await placed(office)
    evidence, paper = await filed(office, placement_id), await given(office, placement_id, role)
    by_lender = {each["document_id"]: each["by_lender"] for each in await listed(office, placement_id)}
    assert by_lender == {evidence["document_id"]: False, paper["document_id"]: True}
    assert (await office.read(under(placement_id, paper["document_id"]), "alpha")).content == MANDATE
    changes = (await shown(office, "/v1/agency/placements/changes", "alpha"))["items"]
    assert [(each["change"], each["document_id"]) for each in changes] == [
        ("offered", ""),
        ("accepted", ""),
        ("document_filed", paper["document_id"]),
    ]
    everything = (await office.get(of_debtor()))["items"]
    assert [each["document_id"] for each in everything] == sorted(by_lender)
    assert {each["filed_by"] for each in everything} == {"agency/alpha", f"{role}/demo {role}"}
    assert {each["agency_id"] for each in everything} == {"alpha"}


async def test_staff_are_shown_what_all_agencies_have_filed_in_pages(office: Office) -> None:
    first = await placed(office)
    of_first = await filed(office, first)
    await handed_back(office, first)
    second = await placed(office, "beta")
    of_second = await filed(office, second, role="beta", content=PNG, media_type="image/png")
    page = await office.get(f"{of_debtor()}?limit=1")
    rest = await office.get(f"{of_debtor()}?limit=1&after={page['next']}")
    found = {each["document_id"]: each["agency_id"] for each in (*page["items"], *rest["items"])}
    assert found == {of_first["document_id"]: "alpha", of_second["document_id"]: "beta"}
    assert len(await listed(office, second, "beta")) == len(await listed(office, first)) == 1


async def test_a_document_of_a_contact_names_it_and_of_no_others(office: Office) -> None:
    placement_id = await placed(office)
    contact_id = (await office.post(own(placement_id, "permits"), CALL, role="alpha")).json()["contact_id"]
    await filed(office, placement_id, kind="correspondence", contact_id=contact_id)
    assert [each["contact_id"] for each in await listed(office, placement_id)] == [contact_id]
    refused = await office.post(
        under(placement_id), said(PNG, media_type="image/png", contact_id=NOBODYS), role="alpha"
    )
    assert (refused.status_code, refused.json()["field"]) == (409, "contact_id")


async def test_filed_twice_it_is_on_file_once(office: Office, dsn: str) -> None:
    placement_id = await placed(office)
    first = await filed(office, placement_id, key="once")
    assert await filed(office, placement_id, key="once") == first
    assert await filed(office, placement_id, key="another-key") == first
    other = await office.post(under(placement_id), said(content=PDF + b"."), role="alpha", key="once")
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    as_else = await office.post(under(placement_id), said(kind="correspondence"), role="alpha")
    assert (as_else.status_code, as_else.json()["field"]) == (409, "content")
    assert await listed(office, placement_id) == [{**(await listed(office, placement_id))[0], **first}]
    told = "SELECT count(*) FROM history WHERE type = 'outreach.placement-document-filed.v1'"
    assert await rows(dsn, told) == [(1,)]


async def test_what_was_given_twice_is_one_change(office: Office) -> None:
    placement_id = await placed(office)
    assert await given(office, placement_id) == await given(office, placement_id, "supervisor")
    changes = (await shown(office, "/v1/agency/placements/changes", "alpha"))["items"]
    assert [each["change"] for each in changes].count("document_filed") == 1


async def test_the_largest_is_taken(office: Office) -> None:
    placement_id = await placed(office)
    content = PDF.ljust(MOST_BYTES, b".")
    answer = await filed(office, placement_id, content=content)
    assert (await office.read(under(placement_id, answer["document_id"]), "alpha")).content == content


# -- refused -----------------------------------------------------------------------------------------------------------

SECRET = "6222 0000 4711"
"""Of a content that is refused: not to be repeated."""


@pytest.mark.parametrize(
    ("changed", "status", "field"),
    [
        pytest.param({"media_type": "image/png"}, 422, "content", id="a PDF that is said to be a picture"),
        pytest.param({"content": base64.b64encode(f"<svg>{SECRET}".encode()).decode()}, 422, "content", id="no PDF"),
        pytest.param({"content": f"{SECRET}!"}, 422, "content", id="no base64"),
        pytest.param({"content": base64.b64encode(PDF).decode() + "\n"}, 422, "content", id="base64 and a line's end"),
        pytest.param({"content": "测试"}, 422, "content", id="no ASCII"),
        pytest.param({"content": ""}, 422, "content", id="nothing"),
        pytest.param({"content": None}, 422, "content", id="null"),
        pytest.param(
            {"content": base64.b64encode(PDF.ljust(MOST_BYTES + 1, b".")).decode()}, 422, "content", id="too large"
        ),
        pytest.param({"content": "A" * 1_100_000}, 413, "body", id="larger than any request"),
        pytest.param({"media_type": "text/html"}, 422, "media_type", id="what runs"),
        pytest.param({"kind": "mandate"}, 422, "kind", id="what only the lender gives"),
        pytest.param({"kind": SECRET}, 422, "kind", id="no kind"),
        pytest.param({"contact_id": SECRET}, 422, "contact_id", id="no contact's id"),
        pytest.param({"name": SECRET}, 422, "name", id="a field that does not exist"),
    ],
)
async def test_what_cannot_be_filed_names_its_field_and_repeats_nothing(
    office: Office, dsn: str, changed: dict[str, Any], status: int, field: str
) -> None:
    placement_id = await placed(office)
    answer = await office.post(under(placement_id), {**said(), **changed}, role="alpha")
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert "4711" not in answer.text.replace(answer.json()["instance"], "")  # a random name may hold any digits
    assert len(answer.text) < 1000
    assert await rows(dsn, "SELECT document_id FROM placement_document_content") == []
    assert await rows(dsn, "SELECT name FROM command WHERE name LIKE 'file-%'") == []


async def test_an_agency_and_another(office: Office, dsn: str) -> None:
    await office.know(BERTA)
    alphas, betas = await placed(office), await placed(office, "beta", BERTA)
    document_id = (await filed(office, alphas))["document_id"]
    of_beta = (await filed(office, betas, role="beta"))["document_id"]
    before = [await rows(dsn, f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in KEPT]
    theirs, nobodys = [
        [
            await office.read(under(placement_id), "beta"),
            await office.read(under(placement_id, document_id), "beta"),
            await office.post(under(placement_id), said(PNG, media_type="image/png"), role="beta"),
        ]
        for placement_id in (alphas, NOBODYS)
    ]
    assert [problem(each) for each in theirs] == [problem(each) for each in nobodys]
    assert {each.status_code for each in theirs} == {404}
    through_its_own = await office.read(under(betas, document_id), "beta")
    assert problem(through_its_own) == problem(await office.read(under(betas, NOBODYS), "beta"))
    assert through_its_own.status_code == 404
    assert [await rows(dsn, f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in KEPT] == before
    assert [each["document_id"] for each in await listed(office, betas, "beta")] == [of_beta]


async def test_a_query_that_forgets_the_tenant_shows_its_own_alone(office: Office, dsn: str) -> None:
    await office.know(BERTA)
    await filed(office, await placed(office))
    await filed(office, await placed(office, "beta", BERTA), role="beta")
    connection = await asyncpg.connect(dsn)
    try:
        for table in ("placement_document", "placement_document_content"):
            everybodys = await connection.fetch(f"SELECT agency_id FROM {table} ORDER BY 1")
            assert [row[0] for row in everybodys] == ["alpha", "beta"]
            async with connection.transaction():
                await connection.execute(f"SET LOCAL ROLE {AGENCY_ROLE}")
                await connection.execute("SELECT set_config('app.agency', 'beta', true)")
                assert [row[0] for row in await connection.fetch(f"SELECT agency_id FROM {table}")] == ["beta"]
    finally:
        await connection.close()


async def test_each_query_names_the_agency_also_where_the_database_would_show_all(office: Office) -> None:
    placement_id = await placed(office)
    document_id = (await filed(office, placement_id))["document_id"]
    of = {"placement_id": placement_id, "document_id": document_id, "after": None, "limit": 10}
    async with office.engine.connect() as connection:
        for query in (store.OWN_PLACE, store.OWN_DOCUMENTS, store.OWN_DOCUMENT):
            seen = [(await connection.execute(query, {**of, "agency": name})).all() for name in ("alpha", "beta")]
            assert list(map(len, seen)) == [1, 0], query


async def test_a_document_is_not_read_through_another_placement_of_the_same_agency(office: Office) -> None:
    await office.know(BERTA)
    one, other = await placed(office), await placed(office, debtor_id=BERTA)
    document_id = (await filed(office, one))["document_id"]
    assert await listed(office, other) == []
    assert (await office.read(under(other, document_id), "alpha")).status_code == 404
    assert (await office.read(of_debtor(document_id, BERTA), "operator")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        pytest.param("GET", of_debtor(), "alpha", 403, id="an agency at the desk of staff"),
        pytest.param("GET", of_debtor(NOBODYS), "alpha", 403, id="or for one of them"),
        pytest.param("POST", f"/v1/debtors/{ANNA}/placements/{NOBODYS}/documents", "alpha", 403, id="or to give one"),
        pytest.param("GET", under(NOBODYS), "operator", 403, id="staff at an agency's"),
        pytest.param("POST", under(NOBODYS), "supervisor", 403, id="or to file there"),
        pytest.param("GET", of_debtor(debtor_id=BERTA), "operator", 404, id="of a debtor who is not known"),
        pytest.param("GET", of_debtor(NOBODYS), "operator", 404, id="a document that is not there"),
        pytest.param("POST", f"/v1/debtors/{ANNA}/placements/{NOBODYS}/documents", "operator", 404, id="no placement"),
        pytest.param("GET", of_debtor("nonsense"), "operator", 422, id="no id"),
    ],
)
async def test_what_is_not_answered(office: Office, method: str, path: str, role: str, status: int) -> None:
    body = said(kind="mandate")
    answer = await (office.read(path, role) if method == "GET" else office.post(path, body, role=role))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        pytest.param("GET", under(NOBODYS), "placements:read", id="to list"),
        pytest.param("GET", under(NOBODYS, NOBODYS), "placements:read", id="to download"),
        pytest.param("POST", under(NOBODYS), "placements:write", id="to file"),
    ],
)
async def test_a_token_for_something_else_does_not_do(dsn: str, method: str, path: str, scope: str) -> None:
    scopes = {"placements:read", "placements:write", "permits"}
    async with bureau_on(dsn) as bureau:
        client = await bureau.lists(scopes=sorted(scopes))
        for asked_for, status in ((" ".join(scopes - {scope}), 403), (scope, 404)):
            headers = {**bearer(await bureau.token(client, scope=asked_for)), "Idempotency-Key": "k"}
            answer = await bureau.http.request(method, path, json=said(), headers=headers)
            assert answer.status_code == status, answer.text


# -- what lies where ---------------------------------------------------------------------------------------------------


async def test_a_content_whose_command_was_refused_is_never_shown(office: Office, dsn: str) -> None:
    placement_id = await offered(office)
    refused = await office.post(under(placement_id), said(), role="alpha")
    assert (refused.status_code, refused.json()["detail"]) == (409, "the placement was not accepted")
    [(left,)] = await rows(dsn, "SELECT document_id FROM placement_document_content")
    await office.post(own(placement_id, "accept"), role="alpha")
    assert await listed(office, placement_id) == (await office.get(of_debtor()))["items"] == []
    for path, role in ((under(placement_id, left), "alpha"), (of_debtor(left), "operator")):
        assert (await office.read(path, role)).status_code == 404
    assert (await filed(office, placement_id))["document_id"] == left
    assert (await office.read(under(placement_id, left), "alpha")).content == PDF


async def test_without_a_content_nothing_is_put_on_file(office: Office, dsn: str) -> None:
    placement_id = await placed(office)
    await rows(dsn, "ALTER TABLE placement_document_content RENAME TO lost")
    assert (await office.post(under(placement_id), said(), role="alpha")).status_code == 500
    assert await rows(dsn, "SELECT name FROM command WHERE name = 'file-agency-document'") == []
    await rows(dsn, "ALTER TABLE lost RENAME TO placement_document_content")
    assert await listed(office, placement_id) == []


async def test_what_lies_is_what_was_filed_or_is_not_shown(office: Office, dsn: str) -> None:
    placement_id = await placed(office)
    document_id = (await filed(office, placement_id))["document_id"]
    other = sealed(PDF + b"?", office.settings.keys, ANNA, placement_id)
    await rows(dsn, "UPDATE placement_document_content SET sealed = $1", other.sealed)
    answer = await office.read(under(placement_id, document_id), "alpha")
    assert (answer.status_code, problem(answer)["title"]) == (500, "Internal error")


async def test_a_placement_has_so_many_documents_and_no_more(office: Office, dsn: str) -> None:
    placement_id = await placed(office)
    many = """
        INSERT INTO placement_document_content
        SELECT $1, 'd' || number, $2, 'alpha', 'k', '', now() FROM generate_series(2, $3::int) AS number
    """
    await rows(dsn, many, ANNA, placement_id, MOST_OF_PLACEMENT)
    last = await filed(office, placement_id)
    refused = await office.post(under(placement_id), said(PDF + b"."), role="alpha")
    assert (refused.status_code, problem(refused)["title"]) == (409, "Too many documents")
    assert await filed(office, placement_id) == last


# -- after the end, and after an erasure -------------------------------------------------------------------------------


async def test_after_the_end_documents_are_filed_and_read_for_sixty_days(office: Office) -> None:
    placement_id = await placed(office)
    early = (await filed(office, placement_id))["document_id"]
    await handed_back(office, placement_id)
    await day(office, date(2026, 5, 1))
    late = (await filed(office, placement_id, content=PNG, media_type="image/png"))["document_id"]
    assert (await office.read(under(placement_id, late), "alpha")).content == PNG
    await day(office, date(2026, 5, 2))
    refused = await office.post(under(placement_id), said(JPEG, media_type="image/jpeg"), role="alpha")
    assert (refused.status_code, refused.json()["detail"]) == (409, "the placement has ended too long ago")
    for document_id in (early, late):
        unread = await office.read(under(placement_id, document_id), "alpha")
        assert (unread.status_code, problem(unread)["field"]) == (403, "placement_id")
    assert {each["document_id"] for each in await listed(office, placement_id)} == {early, late}
    assert (await office.read(of_debtor(early), "operator")).content == PDF, "staff read on"


async def test_of_an_erased_person_nothing_is_read_and_nothing_new_is_kept(office: Office) -> None:
    placement_id = await placed(office)
    document_id = (await filed(office, placement_id))["document_id"]
    office.settings.keys.forget(ANNA, MORNING)
    for path, role in ((under(placement_id, document_id), "alpha"), (of_debtor(document_id), "operator")):
        gone = await office.read(path, role)
        assert (gone.status_code, problem(gone)["title"]) == (410, "Erased")
    assert [each["document_id"] for each in await listed(office, placement_id)] == [document_id]
    for told in (False, True):
        if told:
            await office.hear(intake.ProfileErased(version=1, erased_at=MORNING), 0)
        refused = await office.post(under(placement_id), said(), role="alpha")
        assert (refused.status_code, refused.json()["field"]) == (409, "placement_id"), told
    assert len((await office.get(of_debtor()))["items"]) == 1


def test_the_contents_of_these_tests_begin_as_they_should() -> None:
    for media_type, content in zip((MediaType.PDF, MediaType.JPEG, MediaType.PNG), (PDF, JPEG, PNG), strict=True):
        assert content.startswith(BEGINNINGS[media_type])
