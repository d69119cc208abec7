"""One call of an agency over a real socket: what is sent, what is made of each answer, and where nothing is sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from services.outreach.agencies.webhooks import signing
from services.outreach.agencies.webhooks.hearing import DeliveryHeard
from services.outreach.agencies.webhooks.sending import Caller
from shared.clock import VirtualClock
from shared.contracts.deliveries import DeliveryBegun
from shared.contracts.envelope import Event
from shared.settings import Settings
from tests.integration.live.certificates import Authority
from tests.integration.outreach.agencies.receiver import Receiver, receiving

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
VAULT = Settings.demo({}).vault
SECRET, OLDER = b"n" * 32, b"o" * 32
PAYLOAD = '{"type":"outreach.placement-ended.v1","data":{"reason":"gelöscht"}}'
ID = "ab" * 16


@dataclass
class Names:
    """What names resolve to, and how often somebody asked."""

    addresses: Sequence[str]
    asked: int = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.addresses


def begun(url: str, *secrets: bytes) -> Event[DeliveryBegun]:
    sealed = tuple(signing.sealed(VAULT, "north", each) for each in secrets or (SECRET,))
    told = DeliveryBegun(agency_id="north", delivery_id=ID, attempt=1, url=url, secrets=sealed, payload=PAYLOAD)
    return Event(
        id="e", type="outreach.delivery-begun.v1", lender_id="bank", debtor_id="d", occurred_at=NOW, recorded_at=NOW,
        data=told,
    )  # fmt: skip


async def called(caller: Caller, url: str, *secrets: bytes) -> DeliveryHeard:
    return await caller.call(begun(url, *secrets), VirtualClock(NOW))


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    caller = Caller(VAULT, to_private=True)
    yield caller
    await caller.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_a_call_carries_the_payload_to_the_byte_and_a_signature_that_holds(
    caller: Caller, receiver: Receiver
) -> None:
    heard = await called(caller, receiver.url)
    assert (heard.status, heard.delivery_id, heard.attempt, heard.agency_id) == (200, ID, 1, "north")
    [request] = receiver.requests
    assert (request.target, request.body, request.id) == ("/hook?a=b", PAYLOAD.encode(), ID)
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert request.headers["content-type"] == "application/json"
    assert request.signed_by(signing.shown(SECRET))
    assert not request.signed_by(signing.shown(OLDER))


async def test_during_rotation_each_secret_signs(caller: Caller, receiver: Receiver) -> None:
    await called(caller, receiver.url, SECRET, OLDER)
    [request] = receiver.requests
    assert request.signed_by(signing.shown(SECRET))
    assert request.signed_by(signing.shown(OLDER))
    assert not request.signed_by(signing.shown(b"x" * 32))
    assert len(request.headers["webhook-signature"].split(" ")) == 2


LATER = format_datetime(NOW + timedelta(minutes=5), usegmt=True)
PAST = format_datetime(NOW - timedelta(minutes=5), usegmt=True)


@pytest.mark.parametrize(
    ("answer", "said", "status", "seconds"),
    [
        ("204 No Content", "", 204, 0),
        ("500 Oh", "", 500, 0),
        ("410 Gone", "", 410, 0),
        ("429 Slow", "90", 429, 90),
        ("503 Later", LATER, 503, 300),
        ("503 Later", PAST, 503, 0),
        ("429 Slow", "9" * 4000, 429, 86_400),
        ("429 Slow", "-5", 429, 0),
        ("429 Slow", "soon", 429, 0),
        ("429 Slow", "Mon, 99 Foo 2026", 429, 0),
    ],
)
async def test_an_answer_is_what_its_head_says(
    caller: Caller, receiver: Receiver, answer: str, said: str, status: int, seconds: float
) -> None:
    receiver.answer, receiver.headers = answer, (f"retry-after: {said}",) if said else ()
    heard = await called(caller, receiver.url)
    assert (heard.status, heard.seconds) == (status, seconds)
    assert len(receiver.requests) == 1


async def test_a_redirection_is_an_answer_and_leads_nowhere(caller: Caller, receiver: Receiver) -> None:
    async with receiving() as other:
        receiver.answer, receiver.headers = "307 There", (f"location: {other.url}",)
        assert (await called(caller, receiver.url)).status == 307
        assert other.requests == []


async def test_a_receiver_that_hangs_is_given_up(caller: Caller, receiver: Receiver) -> None:
    receiver.hangs, caller.seconds = True, 0.3
    heard = await asyncio.wait_for(called(caller, receiver.url), 10)
    assert (heard.status, heard.reason) == (0, "no answer in time")


async def test_of_an_answer_only_its_head_is_read(caller: Caller, receiver: Receiver) -> None:
    receiver.endless, caller.seconds = True, 20.0
    assert (await called(caller, receiver.url)).status == 200


async def test_a_head_without_end_is_given_up_in_time(caller: Caller, receiver: Receiver) -> None:
    receiver.trickles, caller.seconds = True, 0.5
    heard = await asyncio.wait_for(called(caller, receiver.url), 10)
    assert (heard.status, heard.reason) == (0, "no answer in time")


@pytest.mark.parametrize("answer", ["", "nonsense", "200"])
async def test_what_is_no_http_is_no_answer(caller: Caller, receiver: Receiver, answer: str) -> None:
    receiver.answer = answer
    receiver.headers = ("a b c",)
    heard = await called(caller, receiver.url)
    assert (heard.status, heard.reason) == (0, "no answer that could be read")


async def test_nobody_there_is_no_answer(caller: Caller) -> None:
    async with receiving() as gone:
        url = gone.url
    heard = await called(caller, url)
    assert (heard.status, heard.reason) == (0, "it cannot be reached")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "https://127.0.0.1/"])
async def test_outside_a_demo_this_machine_is_not_called(receiver: Receiver, url: str) -> None:
    caller = Caller(VAULT)
    heard = await called(caller, url.format(port=receiver.url.split(":")[2].partition("/")[0]))
    assert heard.status == 0
    assert heard.reason in {"only https is called", "only the ports 443 and 8443 are called",
                            "the address lies in a private network"}  # fmt: skip
    assert receiver.requests == []
    await caller.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_a_name_that_resolves_to_an_address_inside_is_not_called(address: str) -> None:
    names = Names([address])
    caller = Caller(VAULT, resolving=names)
    heard = await called(caller, "https://north.example/hook")
    assert (heard.status, heard.reason, names.asked) == (0, "the address lies in a private network", 1)
    await caller.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.in_folder(tmp_path / "authority")


def for_name(authority: Authority, name: str, folder: Path) -> ssl.SSLContext:
    chain, key = authority.for_name(name)
    (folder / "chain.pem").write_text(chain)
    (folder / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(("certified", "status"), [("north.example", 200), ("south.example", 0)])
async def test_a_name_is_looked_up_once_and_its_certificate_must_be_of_that_name(
    authority: Authority, tmp_path: Path, certified: str, status: int
) -> None:
    names = Names(["127.0.0.1"])
    trust = ssl.create_default_context(cafile=authority.file)
    caller = Caller(VAULT, to_private=True, resolving=names, trust=lambda: trust)
    async with receiving(for_name(authority, certified, tmp_path)) as receiver:
        port = receiver.url.split(":")[2].partition("/")[0]
        heard = await called(caller, f"https://north.example:{port}/hook")
        assert (heard.status, names.asked) == (status, 1)
        assert [each.headers["host"] for each in receiver.requests] == ([f"north.example:{port}"] if status else [])
    await caller.close()


async def test_a_secret_of_another_agency_signs_nothing(caller: Caller, receiver: Receiver) -> None:
    event = begun(receiver.url)
    stolen = signing.sealed(VAULT, "south", SECRET)
    told = DeliveryBegun(
        agency_id="north", delivery_id=ID, attempt=1, url=receiver.url, secrets=(stolen,), payload=event.data.payload
    )
    heard = await caller.call(
        Event(id="e", type="", lender_id="", occurred_at=NOW, recorded_at=NOW, data=told), VirtualClock(NOW)
    )
    assert (heard.status, heard.reason) == (0, "its secret cannot be opened")
    assert receiver.requests == []
