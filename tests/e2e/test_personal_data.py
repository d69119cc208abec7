"""Made-up people are planted and looked for everywhere; they are found by number, opened to be sent to, erased."""

import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog

from shared import profiles
from shared.clock import VirtualClock
from shared.contracts import catalogue
from shared.contracts.ingress import ProfileReceived
from shared.contracts.intake import PROFILES, ProfileChanged, SealedProfile
from shared.keys import KeyForgottenError
from shared.messaging.broker import Lane
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.frames import records_of, unpack_record
from shared.messaging.loading import Loading
from shared.messaging.packing import unpacked
from shared.messaging.store import StoredFacts
from shared.profiles import HeldProfile
from shared.settings import SERVICES
from tests.conftest import BlankDatabase, DatabaseOf
from tests.e2e import canaries
from tests.e2e.canaries import CANARIES, Place, found
from tests.e2e.people import (
    BANK,
    OUYANG,
    WILHELMINA,
    Desk,
    People,
    all_of_it_happens,
    desk_of,
    listening,
    of_metrics,
    ouyang,
    posted,
)  # fmt: skip

JSON = {"content-type": "application/json"}
EVERYBODY = (OUYANG, WILHELMINA)


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    with listening() as lines:
        yield lines


@pytest.fixture
async def people(
    log_lines: io.StringIO, database_of: DatabaseOf, blank_database: BlankDatabase, tmp_path: Path
) -> AsyncIterator[People]:
    class Here(People):
        key_file = tmp_path / "data-keys"

    clock = VirtualClock(datetime(2026, 3, 1, tzinfo=UTC))
    log = await EmbeddedLog.open(blank_database(), clock=clock.now)
    urls = {name: database_of(name) for name in SERVICES}
    system = await Here.made(urls, log, clock, blank_database(), seed=1)
    assert isinstance(system, People)
    yield system
    await system.close()
    await log.close()


@pytest.fixture
async def desk(people: People) -> AsyncIterator[Desk]:
    async with desk_of(people) as found_desk:
        yield found_desk


async def everywhere(people: People, desk: Desk, lines: io.StringIO) -> list[Place]:
    """All that is kept, told, logged, counted and answered."""
    keys = [Place("the key store", each.read_bytes()) for each in people.key_file.parent.glob("data-keys*")]
    logged = [Place("the log", line.encode()) for line in lines.getvalue().splitlines()]
    kept = [*await canaries.of_databases(people.owners), *await canaries.of_topics(people.log)]
    return [*kept, *keys, *logged, *of_metrics(), *desk.answers]


# -- canaries ----------------------------------------------------------------------------------------------------------


async def much_is_asked(people: People, desk: Desk) -> None:
    """Searches, refusals and an error that nobody expected; numbers stand in bodies, and where they should not."""
    number, name = CANARIES["a number"], CANARIES["a name"]
    debtor = people.debtor(OUYANG)
    asked = [
        await desk.search("phone", number),
        await desk.search("id_number", CANARIES["an identity number"], role="operator"),
        await desk.search("phone", name),
        await desk.search(name, number),
        await desk.search("phone", number, role="agency"),
        await desk.search("phone", number * 20),
        await desk.erase(debtor, reason=f"{name} 4711"),
        await desk.ask("intake", "GET", "/v1/debtors", params={"lender_id": BANK, "party_id": OUYANG}),
        await desk.ask("intake", "GET", f"/v1/{name}/{number}"),
        await desk.ask("intake", "POST", "/v1/loan-events", **posted(ouyang())),
        await desk.ask("intake", "POST", "/v1/search-debtor", content=f'{{"v": "{name}'.encode(), headers=JSON),
        await desk.ask("intake", "GET", "/v1/dead-letters"),
        await desk.ask("legal", "GET", "/v1/dead-letters"),
        await desk.ask("outreach", "GET", f"/v1/debtors/{debtor}"),
    ]
    assert [answer.status_code for answer in asked] == [
        200, 200, 200, 422, 403, 422, 422, 200, 404, 422, 400, 200, 200, 200,
    ]  # fmt: skip
    await people.owners.rows("intake", "DROP TABLE search_log")
    assert (await desk.search("phone", number)).status_code == 500


async def test_nobody_is_seen_anywhere(people: People, desk: Desk, log_lines: io.StringIO) -> None:
    await all_of_it_happens(people)
    await much_is_asked(people, desk)
    letters = [
        (service, *row)
        for service in ("intake", "legal")
        for row in await people.owners.rows(service, "SELECT kind, reason, field, owner <> '' FROM dead_letter")
    ]
    assert sorted(letters) == [
        ("intake", "ingress", "is not one of the known values", "contacts[1].kind", True),
        ("intake", "ingress", "this is not a CloudEvent of version 1.0", "specversion", False),
        ("legal", "lane", "ValueError in _take", "", True),
    ]
    places = await everywhere(people, desk, log_lines)
    looked_at = {place.where.split(" ")[0].split(".")[0] for place in places}
    assert {*SERVICES, "the"} <= looked_at
    assert {f"{service}.profile" for service in ("intake", "outreach", "legal")} <= {each.where for each in places}
    assert PROFILES in {each.where for each in places}
    assert "request failed" in log_lines.getvalue()
    assert found(places) == {}


@pytest.mark.parametrize("what", CANARIES)
@pytest.mark.parametrize("around", [(b"", b""), (b'{"n":"', b'"}'), (b"xx", b"y")], ids=["alone", "in JSON", "shifted"])
def test_a_canary_is_seen_in_every_form(what: str, around: tuple[bytes, bytes]) -> None:
    text = CANARIES[what]
    for shown in (text.encode(), text.encode("utf-16"), text.encode("utf-16-be"), json.dumps(text).encode()):
        inside = around[0] + shown + around[1]
        for content in (inside, inside.hex().encode(), base64.b64encode(inside), base64.urlsafe_b64encode(inside)):
            if shown == json.dumps(text).encode() and content is not inside and not text.isascii():
                continue  # escaped and then encoded: two wrappings are not looked for
            assert what in canaries.seen(content)


@pytest.mark.parametrize("service", ["intake", "outreach"])
async def test_one_who_is_logged_or_stored_is_seen(
    people: People, desk: Desk, log_lines: io.StringIO, service: str
) -> None:
    structlog.get_logger("test").warning("a careless line", who=CANARIES["a name in Chinese"])
    note = "INSERT INTO operation_log (at, kind, number, actor, operation, detail) VALUES (now(), 'x', 1, 'x', 'x', $1)"
    await people.owners.rows(service, note, CANARIES["a name"].encode().hex())
    assert found(await everywhere(people, desk, log_lines)) == {
        "the log": {"a name in Chinese"},
        f"{service}.operation_log": {"a name"},
    }


# -- finding and opening -----------------------------------------------------------------------------------------------


async def test_staff_find_a_debtor_by_number_and_leave_a_trace(people: People, desk: Desk) -> None:
    await all_of_it_happens(people)
    for kind, value in (("phone", "1009876504711"), ("id_number", "00000019770707471x")):
        answer = await desk.search(kind, value, role="operator")
        assert answer.json() == {"items": [{"debtor_id": people.debtor(OUYANG), "lender_id": BANK}]}
    assert (await desk.search("phone", "0000000000")).json() == {"items": []}
    assert await people.owners.rows("intake", "SELECT actor, kind, found FROM search_log ORDER BY id") == [
        ("operator/demo operator", "phone", 1),
        ("operator/demo operator", "id_number", 1),
        ("supervisor/demo supervisor", "phone", 0),
    ]


@pytest.mark.parametrize("role", ["agency", "core_bank"])
async def test_who_is_no_staff_finds_and_erases_nobody(desk: Desk, people: People, role: str) -> None:
    assert (await desk.search("phone", CANARIES["a number"], role=role)).status_code == 403
    assert (await desk.erase(people.debtor(OUYANG), role=role)).status_code == 403


async def test_an_operator_erases_nobody_and_nobody_erases_whom_no_one_knows(desk: Desk, people: People) -> None:
    assert (await desk.erase(people.debtor(OUYANG), role="operator")).status_code == 403
    assert (await desk.erase(people.debtor("stranger"))).status_code == 404


async def held_by(people: People, service: str, party: str) -> HeldProfile:
    [(lender_id, version, changed_at, sealed)] = await people.owners.rows(
        service, "SELECT lender_id, version, changed_at, sealed FROM profile WHERE debtor_id = $1", people.debtor(party)
    )
    return HeldProfile(
        lender_id, version, changed_at, None if sealed is None else msgspec.json.decode(sealed, type=SealedProfile)
    )


@pytest.mark.parametrize("service", ["outreach", "legal"])
async def test_who_contacts_people_opens_a_contact_point_by_its_id(people: People, service: str) -> None:
    await all_of_it_happens(people)
    held, debtor, keys = await held_by(people, service, OUYANG), people.debtor(OUYANG), people.settings().keys
    opened = {each.kind: profiles.open_contact(held, keys, debtor, each.id) for each in profiles.contacts_of(held)}
    assert opened == {"mobile": CANARIES["a number"], "address": CANARIES["an address in Chinese"]}
    assert profiles.open_name(held, keys, debtor) == CANARIES["a name in Chinese"]


# -- erasure -----------------------------------------------------------------------------------------------------------


class Copy(NamedTuple):
    """A sealed profile, or a sealed raw event, wherever it lies."""

    where: str
    debtor_id: str
    content: SealedProfile | bytes
    place: str = ""


def profile_in(record: Any) -> tuple[str, SealedProfile] | None:
    event = catalogue.decode(record.value)
    if event is None or not isinstance(event.data, ProfileReceived | ProfileChanged):
        return None
    return event.debtor_id, event.data.profile


async def copies(people: People) -> list[Copy]:
    """Every sealed copy in topics, outboxes, dead letters and tables."""
    owners, kept = people.owners, []
    for record in await canaries.records(people.log, ["intake.ingress", PROFILES]):
        kept += [Copy(record.lane.topic, *each) for each in [profile_in(record) if record.value else None] if each]
    columns = "number, topic, partition, incarnation, seq_from, seq_to, body"
    for number, topic, partition, incarnation, first, last, body in await owners.rows(
        "intake", f"SELECT {columns} FROM outbox"
    ):
        stored = StoredFacts(number, Lane(topic, partition), incarnation, first, last, unpacked(body))
        facts = records_of("any", stored)
        kept += [Copy("outbox", *each) for each in map(profile_in, facts) if each]
    letters = "SELECT id, owner, raw FROM dead_letter WHERE owner <> ''"
    for letter_id, _, raw in await owners.rows("legal", letters):
        plain = people.settings().vault.open(raw, table="raw", column="raw", owner=letter_id)
        kept += [Copy("legal's letter", *each) for each in [profile_in(unpack_record(plain))] if each]
    kept += [Copy("the edge's letter", owner, raw, at) for at, owner, raw in await owners.rows("intake", letters)]
    for service in ("intake", "outreach", "legal"):
        for debtor_id, sealed in await owners.rows(service, "SELECT debtor_id, sealed FROM profile"):
            if sealed is not None:
                kept.append(Copy(f"{service}'s table", debtor_id, msgspec.json.decode(sealed, type=SealedProfile)))
    return kept


def opened(people: People, copy: Copy) -> bytes:
    """What a copy says, to one who has everything that this installation has."""
    settings = people.settings()
    if isinstance(copy.content, bytes):
        [ingress, *_] = people.workers("intake")
        return Loading(ingress.kind, settings.vault, settings.keys)._open(copy.content, copy.place, copy.debtor_id)
    held = HeldProfile(BANK, 1, datetime(2026, 1, 1, tzinfo=UTC), copy.content)
    words = [profiles.open_contact(held, settings.keys, copy.debtor_id, each.id) for each in copy.content.contacts]
    return "|".join([profiles.open_name(held, settings.keys, copy.debtor_id), *words]).encode()


PLACES = {
    *("intake.ingress", PROFILES, "outbox", "legal's letter", "the edge's letter"),
    *("intake's table", "outreach's table", "legal's table"),
}


async def test_after_an_erasure_no_copy_anywhere_opens_again(people: People, desk: Desk) -> None:
    await all_of_it_happens(people)
    before = await copies(people)
    assert {copy.where for copy in before} == PLACES
    assert all(canaries.seen(opened(people, copy)) for copy in before)
    for party in EVERYBODY:
        answer = await desk.erase(people.debtor(party))
        assert answer.status_code == 200, answer.text
        for copy in [each for each in before if each.debtor_id == people.debtor(party)]:
            with pytest.raises(KeyForgottenError):
                opened(people, copy)
        assert {copy.debtor_id for copy in before if opens(people, copy)} == {
            people.debtor(each) for each in EVERYBODY[EVERYBODY.index(party) + 1 :]
        }
    after = await copies(people)
    assert {copy.where for copy in after} == PLACES - {"intake's table", "outreach's table", "legal's table"}
    assert not any(opens(people, copy) for copy in after)
    assert (await desk.search("phone", CANARIES["a number"])).json() == {"items": []}


def opens(people: People, copy: Copy) -> bool:
    try:
        return bool(opened(people, copy))
    except KeyForgottenError:
        return False


async def test_a_letter_about_one_who_was_erased_cannot_be_replayed_but_is_discarded(
    people: People, desk: Desk
) -> None:
    await all_of_it_happens(people)
    await desk.erase(people.debtor(OUYANG))
    [(letter,)] = await people.owners.rows("intake", "SELECT id FROM dead_letter WHERE owner <> ''")
    refused = await desk.ask("intake", "POST", f"/v1/dead-letters/{letter}/replay")
    assert (refused.status_code, refused.json()["detail"]) == (409, "what it said was erased")
    discarded = await desk.ask("intake", "POST", f"/v1/dead-letters/{letter}/discard", json={"reason": "erased"})
    assert discarded.status_code == 200
    assert await people.owners.rows("intake", "SELECT * FROM quarantine") == []


async def test_what_the_bank_said_before_an_erasure_is_not_taken_again_and_what_it_says_anew_is(
    people: People, desk: Desk
) -> None:
    await all_of_it_happens(people)
    known = await held_by(people, "outreach", OUYANG)
    people.clock.set(people.clock.now() + timedelta(hours=1))
    await desk.erase(people.debtor(OUYANG))
    erased = people.clock.now()
    await people.write([ouyang(), ouyang(updated_at=erased)], erased)
    await people.settle()
    assert (await held_by(people, "outreach", OUYANG)).sealed is None
    await people.write([ouyang(updated_at=erased + timedelta(seconds=1))], erased)
    await people.settle()
    anew = await held_by(people, "outreach", OUYANG)
    assert known.sealed is not None
    assert anew.sealed is not None
    assert anew.version == known.version + 2
    assert anew.sealed.key_id != known.sealed.key_id
    with pytest.raises(KeyForgottenError):
        profiles.open_name(known, people.settings().keys, people.debtor(OUYANG))
    assert profiles.open_name(anew, people.settings().keys, people.debtor(OUYANG)) == CANARIES["a name in Chinese"]
