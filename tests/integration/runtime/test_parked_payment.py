"""A payment that cannot be applied, or waits behind something that cannot, stops outreach: real services."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from services.intake import service as intake
from services.intake.connectors.cloud_events import outgoing
from services.outreach import service as outreach
from services.segmentation import service as segmentation
from shared.assembly import topics_of, workers_of
from shared.clock import VirtualClock
from shared.contracts.core_banking import TOPIC, BusinessDateAdvanced
from shared.contracts.envelope import Event
from shared.contracts.ingress import PaymentReceived
from shared.messaging.broker import Lane, Outgoing
from shared.messaging.embedded_log import EmbeddedLog
from shared.service import Service
from shared.settings import Settings
from shared.stepped import Stepper
from shared.ticks import Ticks
from tests.unit.intake.play import day, instalment, payment, snapshot

AT = datetime(2024, 3, 5, 6, tzinfo=UTC)
DECLARED = (intake.declare, segmentation.declare, outreach.declare)
NAMES = ("intake", "segmentation", "outreach")


class House:
    """Three services in stepped mode, and the bank's partition in front of them."""

    def __init__(self, settings: Settings, beside: str) -> None:
        self.settings, self._beside, self._written = settings, beside, 0
        self.services: list[Service] = [declare(settings) for declare in DECLARED]
        self._clock = VirtualClock(AT)

    async def open(self) -> None:
        """Begin, or begin again after a new release."""
        self._log = await EmbeddedLog.open(self._beside, clock=self._clock.now)
        await self._log.ensure_topics(topics_of(self.services))
        self._ticks = await Ticks.open(self._beside)
        await self._ticks.begin({})
        workers = workers_of(self.services, self.settings, self._log, self._clock, "test")
        self._stepper = Stepper(workers, self._log, self._ticks)
        await self._stepper.start()

    async def tells(self, *facts: Any) -> None:
        """The bank says something, and everything runs until nothing moves; bytes make a bad event of their kind."""
        records = []
        for fact in facts:
            self._written += 1
            whole = fact[0] if isinstance(fact, tuple) else fact
            record = outgoing(whole, source="/bank", event_id=str(self._written), time=AT, key=b"any")
            records.append(msgspec.structs.replace(record, value=fact[1]) if isinstance(fact, tuple) else record)
        await self._append(records)
        await self._stepper.settle()

    async def _append(self, records: list[Outgoing]) -> None:
        writer = await self._log.writer()
        await writer.append({Lane(TOPIC, 2): records})
        await writer.close()

    async def commands(self, service: str, name: str, body: object) -> None:
        """An operator's command about the one open letter of a service."""
        encoded = msgspec.json.encode(body).decode()
        await self._execute(
            service,
            "INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash) "
            "SELECT id || $1, 'x', id || $1, kind, number, $1, owner, lender_id, 'operator/x', "
            "$2::jsonb || jsonb_build_object('letter_id', id), '' FROM dead_letter WHERE status = 'open'",
            name,
            encoded,
        )
        await self._stepper.settle()

    async def rows(self, service: str, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in a service's database."""
        connection = await asyncpg.connect(self.settings.database_url(service))
        found = [tuple(row) for row in await connection.fetch(query)]
        await connection.close()
        return found

    async def _execute(self, service: str, statement: str, *arguments: Any) -> None:
        connection = await asyncpg.connect(self.settings.database_url(service))
        await connection.execute(statement, *arguments)
        await connection.close()

    async def close(self) -> None:
        """Stop."""
        await self._stepper.close()
        await self._ticks.close()
        await self._log.close()


@pytest.fixture
async def house(database_of: Callable[[str], str], blank_database: Callable[[], str]) -> AsyncIterator[House]:
    settings = Settings.demo().with_databases({name: database_of(name) for name in NAMES})
    found = House(settings, blank_database())
    await found.open()
    yield found
    await found.close()


LENDER = "demo-bank"


def overdue() -> Any:
    reported = snapshot("2024-03-05", instalment("2024-02-20", 900)).loan
    return msgspec.structs.replace(reported, party_id="party-1")


def paid(number: int) -> Any:
    return msgspec.structs.replace(payment("2024-03-06", 300, name=f"payment-{number}").payment, party_id="party-1")


BAD = (paid(1), b'{"lender_id":"demo-bank","loan_id":"loan-1","party_id":"party-1","payment_id":"p","amount":"much"}')
HOLDS = "SELECT source, placed_by, released FROM hold"
WAITING = "SELECT count(*)::int FROM parked"


async def test_parked_payment_leads_to_a_hold_when_the_edge_refuses_an_event(house: House) -> None:
    await house.tells(BusinessDateAdvanced(lender_id=LENDER, business_date=day("2024-03-05")), overdue())
    assert await house.rows("outreach", HOLDS) == []
    await house.tells(BAD, paid(2))
    assert await house.rows("intake", "SELECT kind, field, status FROM dead_letter") == [("ingress", "amount", "open")]
    assert await house.rows("intake", WAITING) == [(1,)]
    assert await house.rows("outreach", HOLDS) == [("quarantine", "intake", False)]
    assert await house.rows("outreach", "SELECT * FROM step_due") == []
    await house.commands("intake", "discard-letter", {"reason": "the bank sends it again"})
    assert await house.rows("intake", WAITING) == [(0,)]
    assert await house.rows("outreach", HOLDS) == [("quarantine", "intake", True)]
    assert await house.rows("intake", "SELECT payment_id, amount FROM payment") == [("payment-2", 300)]


def failing(_state: Any, event: Event[PaymentReceived], _now: Any) -> Any:
    raise ZeroDivisionError(event.data.payment.payment_id)


async def test_parked_payment_leads_to_a_hold_when_a_handler_fails(house: House) -> None:
    await house.tells(BusinessDateAdvanced(lender_id=LENDER, business_date=day("2024-03-05")), overdue())
    await house.close()
    whole = house.services[0]
    edge, lane, *others = whole.actors
    broken = replace(lane, handlers={**lane.handlers, PaymentReceived: failing})
    house.services[0] = replace(whole, actors=(edge, broken, *others))
    await house.open()
    await house.tells(paid(1), paid(2))
    found = await house.rows("intake", "SELECT kind, reason, status FROM dead_letter")
    assert found == [("lane", "ZeroDivisionError in failing", "open")]
    assert await house.rows("intake", WAITING) == [(1,)]
    assert await house.rows("outreach", HOLDS) == [("quarantine", "intake", False)]
    await house.close()
    house.services[0] = whole
    await house.open()
    await house.commands("intake", "replay-letter", {})
    assert await house.rows("intake", "SELECT status, resolved_by FROM dead_letter") == [("replayed", "operator/x")]
    assert await house.rows("intake", WAITING) == [(0,)]
    assert await house.rows("outreach", HOLDS) == [("quarantine", "intake", True)]
    assert await house.rows("intake", "SELECT payment_id FROM payment ORDER BY 1") == [("payment-1",), ("payment-2",)]
