"""The five services with their APIs and data keys, some made-up people, and what goes wrong with them."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
import msgspec
import structlog

from services.installed import declared
from services.intake.connectors.cloud_events import STRUCTURED, outgoing
from shared import logs, profiles
from shared.assembly import workers_of
from shared.contracts.core_banking import (
    TOPIC,
    BusinessDateAdvanced,
    ContactKind,
    ContactOwner,
    ContactPoint,
    Instalment,
    LoanOverdue,
    PartyProfile,
)
from shared.contracts.envelope import Event, Moment
from shared.contracts.intake import ProfileChanged
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.broker import Lane, Outgoing
from shared.messaging.worker import Worker
from shared.observability import metrics
from shared.service import Service
from shared.settings import SERVICES, Settings
from tests.e2e.canaries import CANARIES, Place
from tests.e2e.system import System

BANK = "demo-bank"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
OUYANG, WILHELMINA = CANARIES["a party of the bank"], CANARIES["another party"]


class People(System):
    """The system with its keys in a file, and a legal that fails at the profile of Wilhelmina, quoting her."""

    key_file: ClassVar[Path]

    def settings(self, batch: int = 2000) -> Settings:
        return super().settings(batch).with_key_file(self.key_file)

    def workers(self, *services: str, batch: int = 2000) -> list[Worker]:
        settings = self.settings(batch)
        chosen = [self._failing(each) for each in declared(settings, list(services) or None)]
        return workers_of(chosen, settings, self.log, self.clock, "test")

    def _failing(self, service: Service) -> Service:
        if service.name != "legal":
            return service
        [kind] = service.actors
        return replace(service, actors=(replace(kind, handlers={**kind.handlers, ProfileChanged: self._take}),))

    def _take(self, state: Any, event: Event[ProfileChanged], now: Moment) -> Any:
        after, told = profiles.take(state, event, now)
        if event.debtor_id == self.debtor(WILHELMINA):
            raise ValueError(profiles.open_name(after.profile, self.settings().keys, event.debtor_id))
        return after, told

    def debtor(self, party: str) -> str:
        return self.settings().vault.pseudonym(BANK, party)

    async def hear_garbage(self, *records: Outgoing) -> None:
        """Let the bank write what is none of its events."""
        writer = await self.log.writer()
        await writer.append({Lane(TOPIC, 1): list(records)})
        await writer.close()
        await self.settle()


def ouyang(**changes: Any) -> PartyProfile:
    whole = PartyProfile(
        lender_id=BANK,
        party_id=OUYANG,
        updated_at=AT,
        name=CANARIES["a name in Chinese"],
        id_number=CANARIES["an identity number"],
        contacts=(
            ContactPoint(kind=ContactKind.MOBILE, value=CANARIES["a number"]),
            ContactPoint(kind=ContactKind.ADDRESS, value=CANARIES["an address in Chinese"]),
        ),
        time_zones=("Asia/Shanghai",),
    )
    return msgspec.structs.replace(whole, **changes)


def wilhelmina() -> PartyProfile:
    return PartyProfile(
        lender_id=BANK,
        party_id=WILHELMINA,
        updated_at=AT,
        name=CANARIES["a name"],
        id_number=CANARIES["another identity number"],
        contacts=(
            ContactPoint(kind=ContactKind.PHONE, value=CANARIES["a number with blanks"], owner=ContactOwner.GUARANTOR),
            ContactPoint(kind=ContactKind.EMAIL, value=CANARIES["an e-mail address"]),
            ContactPoint(kind=ContactKind.ADDRESS, value=CANARIES["an address"]),
        ),
        language="de-DE",
    )


def overdue(party: str) -> LoanOverdue:
    return LoanOverdue(
        lender_id=BANK, loan_id=f"loan-{party[-1]}", party_id=party, as_of=date(2026, 3, 2), posting_cut_off=AT,
        currency="CNY", instalments=(Instalment(number=1, due_on=date(2026, 2, 20), principal=100_000),),
    )  # fmt: skip


def malformed(profile: PartyProfile) -> Outgoing:
    """A profile whose last contact point is of no known kind."""
    written = outgoing(profile, source="/bank", event_id=f"malformed {profile.party_id}", time=AT)
    content = json.loads(written.value)
    content["contacts"][-1]["kind"] = "pigeon"
    return msgspec.structs.replace(written, value=json.dumps(content, ensure_ascii=False).encode())


def unreadable() -> Outgoing:
    """Bytes of which nobody can say whose they are."""
    return Outgoing(None, f'{{"name": "{CANARIES["a text in an event that nobody can read"]}'.encode(), ())


async def all_of_it_happens(people: People) -> None:
    """Loans, profiles, and what cannot be read or applied."""
    people.clock.set(AT)
    moved = BusinessDateAdvanced(lender_id=BANK, business_date=date(2026, 3, 2))
    await people.write([moved, *map(overdue, (OUYANG, WILHELMINA)), ouyang(), wilhelmina()], AT)
    await people.settle()
    await people.hear_garbage(malformed(ouyang()), unreadable())


# -- over REST -----------------------------------------------------------------------------------------------------


class Desk:
    """The staff's way in to all services; it remembers every answer."""

    def __init__(self, people: People, clients: Mapping[str, httpx.AsyncClient]) -> None:
        self._people, self._clients = people, clients
        self.answers: list[Place] = []

    async def ask(self, service: str, method: str, path: str, role: str = "supervisor", **more: Any) -> httpx.Response:
        """Ask, and let the actors work until there is an answer."""
        token = next(each.token for each in self._people.settings().tokens if each.role == role)
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": f"key-{len(self.answers)}"}
        headers |= more.pop("headers", {})
        asked = asyncio.ensure_future(self._clients[service].request(method, path, headers=headers, **more))
        while not asked.done():
            await asyncio.wait([asked], timeout=0.05)
            await self._people.settle()
        answer = await asked
        self.answers.append(Place(f"the answer of {service} to {method} {path}", answer.content))
        self.answers[-1] = Place(self.answers[-1].where, answer.content + repr(answer.headers.raw).encode())
        return answer

    async def search(self, kind: str, value: str, **more: Any) -> httpx.Response:
        return await self.ask("intake", "POST", "/v1/search-debtor", json={"kind": kind, "value": value}, **more)

    async def erase(self, debtor_id: str, reason: str = "asked by the debtor", **more: Any) -> httpx.Response:
        return await self.ask("intake", "POST", f"/v1/debtors/{debtor_id}/erase", json={"reason": reason}, **more)


@asynccontextmanager
async def desk_of(people: People) -> AsyncIterator[Desk]:
    """The APIs of all services, without sockets."""
    settings = people.settings()
    engines = {name: engine_of(people.owners.urls[name], pool_size=2) for name in SERVICES}
    apps = {
        each.name: create_app(each, settings, engine=engines[each.name], broker=people.log)
        for each in declared(settings)
    }
    clients = {
        name: httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test")
        for name, app in apps.items()
    }
    try:
        yield Desk(people, clients)
    finally:
        for name in SERVICES:
            await clients[name].aclose()
            await close(apps[name])
            await engines[name].dispose()


def posted(profile: PartyProfile) -> dict[str, Any]:
    """What a bank sends for a malformed profile over REST."""
    written = malformed(profile)
    attributes = {name.removeprefix("ce_"): value.decode() for name, value in written.headers}
    body = {**attributes, "data": json.loads(written.value)}
    return {"content": json.dumps(body), "headers": {"content-type": STRUCTURED}, "role": "core_bank"}


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """Whatever is logged meanwhile, as production writes it."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    logs.configure("production", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = before
    root.setLevel(level)


def of_metrics() -> list[Place]:
    return [Place(f"the metrics of {name}", metrics.exposition(name)) for name in SERVICES]
