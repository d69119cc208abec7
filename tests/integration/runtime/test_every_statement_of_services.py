"""The same on what the services really do: intake's and outreach's lanes, with a mixed batch of a busy morning."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import asyncpg
import msgspec
import pytest

from services.installed import declared
from services.intake.connectors.sending import CHINA
from shared.clock import VirtualClock
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    DebtorUpdated,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.reading import Reading
from shared.messaging.sharding import shard_of
from shared.messaging.worker import Worker
from shared.settings import SERVICES
from shared.stepped import Stepper
from tests.conftest import BlankDatabase, DatabaseOf
from tests.e2e.system import System
from tests.integration.runtime.breaking import Situation, break_off_everywhere, either

BANK = "demo-bank"
MONDAY = date(2026, 3, 2)
TUESDAY, THURSDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=3)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
PARTIES = ("anna", "bert", "carl", "dora", "emil", "faye", "gina", "hans")


def at(hour: int, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time(hour), CHINA)


def overdue(party: str, days: int, amount: int = 90_000, day: date = MONDAY, hour: int = 0) -> LoanOverdue:
    due = Instalment(number=1, due_on=day - timedelta(days=days), principal=amount)
    return LoanOverdue(
        lender_id=BANK, loan_id=f"loan-{party}", party_id=party, as_of=day, posting_cut_off=at(hour, day),
        currency="CNY", instalments=(due,), outstanding=amount, district="CN-310101",
    )  # fmt: skip


def paid(party: str, amount: int, name: str = "1") -> PaymentPosted:
    return PaymentPosted(
        lender_id=BANK, loan_id=f"loan-{party}", party_id=party, payment_id=f"{party}-{name}", amount=amount,
        currency="CNY", posted_at=at(7, TUESDAY),
    )  # fmt: skip


def taken_back(payment: PaymentPosted) -> PaymentReversed:
    return PaymentReversed(
        lender_id=BANK, loan_id=payment.loan_id, party_id=payment.party_id, payment_id=payment.payment_id,
        amount=payment.amount, currency="CNY", posted_at=payment.posted_at, reversed_at=at(8, MONDAY + timedelta(2)),
    )  # fmt: skip


EVENING: Sequence[Fact] = (
    BusinessDateAdvanced(lender_id=BANK, business_date=MONDAY),
    *(overdue(party, days) for party, days in zip(PARTIES[:6], (8, 9, 62, 45, 12, 29), strict=True)),
)
"""The first night: six cases."""

MORNING: Sequence[Fact] = (
    paid("anna", 90_000),
    paid("bert", 40_000),
    taken_back(paid("bert", 40_000)),
    paid("carl", 90_000, "2"),
    msgspec.structs.replace(paid("dora", 1_000), currency="no code"),
    paid("dora", 2_000, "3"),
    paid("emil", 500, "4"),
    paid("emil", 501, "4"),  # contradicts the one before
    LoanClosed(lender_id=BANK, loan_id="loan-emil", reason=ClosingReason.SOLD, closed_at=at(9)),
    overdue("gina", 20),
    DebtorUpdated(lender_id=BANK, party_id="anna", updated_at=at(9), name="Anna"),
)
"""The next morning: a cure, a part payment and its reversal, two that are set apart, a new one."""


@dataclass
class Bank:
    """All five services, of which a test lets some stand still."""

    system: System
    urls: dict[str, str]
    log: EmbeddedLog
    log_dsn: str

    @property
    def lanes(self) -> Sequence[int]:
        return sorted({shard_of(self.debtor(party)) for party in PARTIES})

    def debtor(self, party: str) -> str:
        return self.system.settings().vault.pseudonym(BANK, party)

    async def says(self, now: datetime, *facts: Fact) -> None:
        self.system.clock.set(now)
        await self.system.write(facts, now)

    async def work(self, *names: str) -> None:
        """Only these kinds of actors do what there is to do, in the order of the flow."""
        workers = [worker for worker in self.system.workers() if worker.name.removeprefix("test/") in names]
        stepper = Stepper(workers, self.log, self.system.ticks)
        await self.system.ticks.advance(0, 0)
        await stepper.start()
        await stepper.settle()
        await stepper.close()

    async def command(self, name: str, party: str, **body: str) -> None:
        connection = await asyncpg.connect(self.urls["outreach"])
        owner = self.debtor(party)
        await connection.execute(
            "INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash) "
            "VALUES ($1, 'test', $1, 'lane', $2, $3, $4, $5, 'operator/x', $6, '')",
            f"{name}-{party}", shard_of(owner), name, owner, BANK, msgspec.json.encode(body).decode(),
        )  # fmt: skip
        await connection.close()

    async def situation(self, service: str) -> Situation:
        """The lanes of a service before all that waits for them; everybody else goes home."""
        settings = self.system.settings()
        (declaration,) = declared(settings, [service])
        kind = next(kind for kind in declaration.actors if kind.name == "lane")
        await self.system.close()
        await self.log.close()
        dsn, clock = self.urls[service], self.system.clock
        return Situation(service, kind, dsn, self.log_dsn, self.lanes, clock, settings.vault)


@pytest.fixture
async def bank(database_of: DatabaseOf, blank_database: BlankDatabase) -> Bank:
    """A night has passed: cases are open, plans run, somebody is on hold."""
    clock = VirtualClock(at(6))
    log_dsn = blank_database()
    log = await EmbeddedLog.open(log_dsn, clock=clock.now)
    urls = {name: database_of(name) for name in SERVICES}
    system = await System.made(urls, log, clock, blank_database(), seed=1)
    found = Bank(system, urls, log, log_dsn)
    await found.says(at(6), *EVENING[:1])
    await system.settle()
    await found.says(at(6), *EVENING[1:])
    await system.settle()
    await found.command("place-hold", "bert", reason="asked for time", until=str(TUESDAY))
    clock.set(at(7))
    await system.settle()
    await system.give_up()
    return found


async def dates_heard_but_nothing_done(bank: Bank) -> None:
    """Intake's lanes know the new date, and have not yet looked at what falls due by it."""
    await bank.says(
        at(6, THURSDAY),
        BusinessDateAdvanced(lender_id=BANK, business_date=THURSDAY),
    )
    await bank.work("intake/ingress")
    worker: Worker = next(worker for worker in bank.system.workers("intake") if worker.kind.name == "lane")
    await worker.take(bank.lanes)
    reading = Reading(worker, bank.log, worker.kind.inputs)
    await worker.turn(await reading.fetch(1000, 0.0))
    await worker.flush()
    await worker.turn((), settle=True)
    await reading.close()
    await worker.close()


async def test_intake_ends_the_same_wherever_the_connection_is_lost(bank: Bank) -> None:
    await dates_heard_but_nothing_done(bank)
    await bank.says(at(9, THURSDAY), *MORNING)
    await bank.work("intake/ingress")
    situation = await bank.situation("intake")
    _, said = await situation.undisturbed()
    for words in (
        "UPDATE collection_case",
        "UPDATE bucket_due",
        "DELETE FROM bucket_due",
        "INTO parked",
        "INTO dead_l",
    ):
        assert any(words in each for each in said), words
    assert {"collection_case", "loan", "payment", "history"} < set(said)
    cuts = await break_off_everywhere(situation, either)
    sys.stdout.write(f"{cuts} places at which the connection was lost\n")


async def test_outreach_ends_the_same_wherever_the_connection_is_lost(bank: Bank) -> None:
    upstream = ("intake/ingress", "intake/lane", "segmentation/lane", "legal/lane")
    await bank.says(at(9), overdue("gina", 20))
    await bank.work(*upstream, "outreach/lane")
    await bank.says(at(9), overdue("hans", 20))
    await bank.work(*upstream)
    await bank.says(at(10, TUESDAY), paid("hans", 90_000), *MORNING)
    await bank.work(*upstream)
    await bank.says(
        at(23, TUESDAY),
        BusinessDateAdvanced(lender_id=BANK, business_date=TUESDAY),
    )
    await bank.work(*upstream)
    await bank.command("place-hold", "faye", reason="is ill")
    await bank.command("release-hold", "carl", hold_id="nobody knows it", reason="a test")
    situation = await bank.situation("outreach")
    _, said = await situation.undisturbed()
    for words in (
        "UPDATE plan ",
        "UPDATE plan_step",
        "DELETE FROM step_due",
        "INTO refused_treatment",
        "UPDATE command",
    ):
        assert any(words in each for each in said), words
    assert {"debtor_guard", "plan", "hold", "history"} < set(said)
    cuts = await break_off_everywhere(situation, either)
    sys.stdout.write(f"{cuts} places at which the connection was lost\n")
