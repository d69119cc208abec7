"""A house for which two agencies work, on a loop and a port of its own: all that is an agency's has its name in it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from typing import Any

import asyncpg
import httpx

from services.outreach.agencies.register.domain import kept_as
from shared.contracts import intake
from shared.contracts.envelope import derived_id
from shared.contracts.placements import PlacementEnd, PlacementEnded
from shared.messaging.postgres_store import PostgresStore
from shared.settings import ApiToken
from tests.integration.outreach.agency_desk import CALL, offered, own, paid, placed
from tests.integration.outreach.bureau import LONG, TERMS, Client
from tests.integration.outreach.people import Office, office_of
from tests.integration.outreach.rig import MONDAY, SERVICE, SETTINGS, Actor, answered
from tests.unit.outreach.placing import listed

AGENCIES = ("kingfisher", "marmalade")
TOKENS = {name: ApiToken(name, "agency", f"a token of the agency {name} 0001") for name in AGENCIES}
OFTEN = 100_000
"""Requests a second that nobody reaches."""


@dataclass
class Estate:
    """What is one agency's: everything by which it could be recognised, and what others could ask for."""

    agency: str
    debtors: list[str] = field(default_factory=list)
    placements: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    permits: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)

    @property
    def marks(self) -> list[str]:
        """None of these is ever to be told to anybody else; its name stands in all that is said of it."""
        ids = (self.debtors, self.placements, self.contacts, self.deliveries, self.prefixes, self.reports)
        return [self.agency, *chain.from_iterable(ids)]


def ids_of(estates: Sequence[Estate]) -> Mapping[str, list[str]]:
    """The ids of several agencies, by where they are asked for."""
    return {
        "path.placement_id": [each for estate in estates for each in estate.placements],
        "path.contact_id": [each for estate in estates for each in estate.contacts],
        "path.delivery_id": [each for estate in estates for each in estate.deliveries],
        "path.report_id": [each for estate in estates for each in estate.reports],
        "path.debtor_id": [each for estate in estates for each in estate.debtors],
        "path.agency_id": [estate.agency for estate in estates],
        "path.month": [f"{MONDAY:%Y-%m}"],
        "body.contact_id": [each for estate in estates for each in estate.contacts],
        "body.permit": [each for estate in estates for each in estate.permits],
    }


@dataclass
class House:
    """The process: the API, the lanes, who tells agencies, and the register."""

    dsn: str
    office: Office
    webhooks: Actor
    register: Actor
    estates: dict[str, Estate] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.office.client.base_url).rstrip("/")

    async def does(self, actor: Actor, path: str, body: Any, role: str) -> Any:
        """Have one actor apply a command, which is not refused."""
        answer: httpx.Response = await answered(actor, self.office.ask(path, body, role=role))
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def serve(self, until: "asyncio.Future[None]") -> None:
        """Apply what is asked for; time stands still, so nothing else happens."""
        while not until.done():
            if await self.office.worker.has_work():
                await self.office.worker.turn((), commands=1000)
            await self.webhooks.commands()
            await asyncio.wait([until], timeout=0.02)

    async def settle(self, agency: str) -> None:
        """Take an agency in, and have it at work."""
        estate = self.estates[agency] = Estate(agency)
        await self._list(estate)
        await self._place(estate)
        await self._tell(estate)

    async def _list(self, estate: Estate) -> None:
        name = estate.agency
        about = {"name": f"{name} Recovery", "licence_number": f"L-{name}", "contract_number": f"C-{name}"}
        await self.does(self.register, "/v1/agencies", {**TERMS, **about, "agency_id": name}, "supervisor")
        key = Client(name, kid=f"{name}-key").jwk()
        await self.does(self.register, f"/v1/agencies/{name}/keys", key, "supervisor")
        asked = {"scopes": ["permits"], "expires_at": LONG}
        issued = await self.does(self.register, f"/v1/agencies/{name}/api-keys", asked, "supervisor")
        estate.prefixes.append(issued["prefix"])
        await self.does(self.webhooks, "/v1/agency/webhooks", {"url": f"https://{name}.example/hook"}, name)

    async def _place(self, estate: Estate) -> None:
        """One that is worked, was called and has paid; one that is asked back; and one that is offered."""
        name, estate.debtors = estate.agency, [derived_id(estate.agency, number) for number in range(3)]
        worked, wanted, open_offer = estate.debtors
        for debtor_id in estate.debtors:
            await self.office.know(debtor_id)
        estate.placements = [
            await placed(self.office, name, worked),
            await placed(self.office, name, wanted),
            await offered(self.office, name, open_offer),
        ]
        for placement_id in estate.placements[:2]:
            granted = await self.office.post(own(placement_id, "permits"), CALL, role=name)
            assert granted.status_code == 201, granted.text
            estate.contacts.append(granted.json()["contact_id"])
            estate.permits.append(granted.json()["permit"])
        await paid(self.office, f"{name}-payment", 10_003, 2, debtor_id=worked)
        estate.reports.append(await self._report(estate.placements[0], name))
        asked = {"reason": f"{name} is too slow", "objections_until": "2026-03-06"}
        recall = f"/v1/debtors/{wanted}/placements/{estate.placements[1]}/recall"
        assert (await self.office.post(recall, asked, role="supervisor")).status_code == 200

    async def _report(self, placement_id: str, name: str) -> str:
        """A payment that the agency says it has, and that nobody has booked."""
        said = {"receipt": f"{name}-receipt", "amount": 77, "currency": "CNY", "paid_on": "2026-03-01"}
        answer = await self.office.post(own(placement_id, "payments"), {**said, "received_by": "agency"}, role=name)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["report_id"])

    async def _tell(self, estate: Estate) -> None:
        """One delivery that was cancelled, and one that waits."""
        name, fact = estate.agency, self._fact(estate)
        of = f"/v1/agencies/{name}/webhooks"
        await self.does(self.webhooks, f"{of}/disable", {"reason": f"{name} moves house"}, "supervisor")
        await self.webhooks.hear(fact, estate.debtors[0])
        await self.does(self.webhooks, f"{of}/enable", {"reason": f"{name} has moved"}, "supervisor")
        await self.webhooks.hear(fact, estate.debtors[1])
        shown = (await self.office.read("/v1/agency/webhooks/deliveries", name)).json()["items"]
        assert sorted(each["state"] for each in shown) == ["cancelled", "waiting"]
        estate.deliveries = [each["delivery_id"] for each in shown]

    @staticmethod
    def _fact(estate: Estate) -> PlacementEnded:
        return PlacementEnded(
            placement_id=estate.placements[0],
            agency_id=estate.agency,
            end=PlacementEnd.RECALLED,
            reason=f"{estate.agency} is done",
        )


@contextmanager
def working_for_two(dsn: str) -> Iterator[House]:
    """The house at work, on a thread of its own."""
    began: list[House | BaseException] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    until: asyncio.Future[None] = loop.create_future()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_work(dsn, until, began, ready)), daemon=True)
    thread.start()
    try:
        assert ready.wait(120)
        [house] = began
        if isinstance(house, BaseException):
            raise house
        yield house
    finally:
        loop.call_soon_threadsafe(until.cancel)
        thread.join(30)
        loop.close()
    assert len(began) == 1, began


async def _work(
    dsn: str, until: "asyncio.Future[None]", began: list["House | BaseException"], ready: threading.Event
) -> None:
    """Work until told otherwise; whatever goes wrong is for the other thread to see."""
    settings = replace(SETTINGS, tokens=(*SETTINGS.tokens, *TOKENS.values()), requests_per_second=OFTEN)
    try:
        async with (
            office_of(dsn, settings) as office,
            PostgresStore(dsn, "webhooks") as webhooks,
            PostgresStore(dsn, "register") as register,
        ):
            house = House(dsn, office, _actor("webhooks", webhooks, office), _actor("register", register, office))
            await _begin(house)
            began.append(house)
            ready.set()
            await house.serve(until)
    except BaseException as error:
        began.append(error)
        raise
    finally:
        ready.set()


def _actor(name: str, store: PostgresStore, office: Office) -> Actor:
    kind = next(each for each in SERVICE.actors if each.name == name)
    return Actor(kind, store, now=office.clock.now())


async def _begin(house: House) -> None:
    await house.webhooks.take()
    await house.register.take()
    await house.register.hear(intake.BusinessDateAdvanced(business_date=MONDAY))
    for standing in house.office.worker.standings.values():
        standing.directives.update({kept_as(name): listed(name) for name in AGENCIES})
    await house.office.hear(intake.BusinessDateAdvanced(business_date=date(2026, 3, 2)), 0, "")
    for name in AGENCIES:
        await house.settle(name)


# -- what is whose -----------------------------------------------------------------------------------------------------

_COLUMNS = """
SELECT c.table_name, array_agg(c.column_name::text) FROM information_schema.columns c
JOIN pg_tables t ON t.tablename = c.table_name AND t.schemaname = 'public'
WHERE c.table_schema = 'public' GROUP BY c.table_name ORDER BY c.table_name
"""


def rows_of(dsn: str, estate: Estate) -> dict[str, list[str]]:
    """Every row that is an agency's, of its debtors, or of what it has asked for, by table."""
    return asyncio.run(_rows_of(dsn, estate))


async def _rows_of(dsn: str, estate: Estate) -> dict[str, list[str]]:
    connection = await asyncpg.connect(dsn)
    try:
        found = {}
        for table, columns in await connection.fetch(_COLUMNS):
            if whose := _whose(columns):
                query = f"SELECT t::text FROM {table} t WHERE {whose} ORDER BY 1"
                found[table] = [row[0] for row in await connection.fetch(query, [estate.agency, *estate.debtors])]
        return {table: rows for table, rows in found.items() if rows}
    finally:
        await connection.close()


def _whose(columns: Sequence[str]) -> str:
    names = [name for name in ("agency_id", "debtor_id", "owner", "client") if name in columns]
    return " OR ".join(f"t.{name} = ANY ($1::text[])" for name in names)
