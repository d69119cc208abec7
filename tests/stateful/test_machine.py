"""Any sequence of what the bank, the operators and misfortune do: what must hold holds at every step and in the end.

`STATEFUL_EXAMPLES=2000 pytest tests/stateful` looks longer; a failure prints the steps, as few as it takes.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Coroutine, Iterator, Mapping
from datetime import timedelta
from typing import Any

import hypothesis
import msgspec
import pytest
import structlog
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from services.intake.connectors.cloud_events import outgoing
from shared.contracts.core_banking import (
    BusinessDateAdvanced,
    ClosingReason,
    Instalment,
    LoanClosed,
    LoanOverdue,
    OfLoan,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.envelope import Fact
from shared.messaging.sharding import shard_of
from shared.settings import SERVICES
from tests.conftest import Administrator
from tests.integration.runtime.cutting import Interruption, backend_ended, cable_pulled
from tests.stateful.model import LOANS, POISON, Model, Said
from tests.stateful.plant import ALL, LONGEST, PARTITIONS, Plant
from tests.stateful.resting import resolve_everything, rest_is_right
from tests.stateful.standing import Standing

EXAMPLES, STEPS = int(os.environ.get("STATEFUL_EXAMPLES", "20")), 40
BANK = "demo-bank"
KINDS = (
    *("intake/ingress", "intake/lane", "intake/profiles", "segmentation/lane", "segmentation/publisher"),
    *("outreach/lane", "outreach/allocator", "outreach/register", "outreach/webhooks", "legal/lane", "analytics/lane"),
)
kinds = st.sampled_from(KINDS)
loans = st.sampled_from(sorted(LOANS))
partitions = st.integers(0, PARTITIONS - 1)
amounts = st.sampled_from((100, 400, 1_000, 60_000, POISON))
places = st.integers(0, 1_000)
ways = st.sampled_from((cable_pulled, backend_ended))


class Collections(RuleBasedStateMachine):
    """The bank, the operators, five services, and their misfortunes."""

    plant: Plant
    runner: "asyncio.Runner"

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.standing = Standing(self.plant.owners)
        self.holds = self.commands = 0

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have something done, and look at everything that it has touched."""

        async def done() -> Any:
            answer = await work
            touched, self.plant.touched = self.plant.touched, set()
            await self.standing.check(touched)
            return answer

        return self.runner.run(done())

    @initialize(begun=st.booleans())
    def somebody_owes_already(self, begun: bool) -> None:  # noqa: FBT001  # drawn
        """Or nothing has happened yet."""
        self.plant.lanes = sorted({shard_of(self.debtor(loan)) for loan in LOANS})
        self.do(self.plant.emptied())
        self.days_pass(1, 0)
        if begun:
            self.bank_reports("loan-1", [(20, 1_000)], 1)
            self.bank_reports("loan-3", [(70, 60_000), (9, 400)], 2)
            self.the_whole_flow_moves()

    def teardown(self) -> None:
        """Everything comes to rest, and is looked at; an example that has failed already only ends."""
        if sys.exc_info()[0] is None:
            self.do(self._at_rest())
        self.runner.run(self.plant.deserted())

    async def _at_rest(self) -> None:
        for loan in sorted({each.fact.loan_id for each in self.model.said if isinstance(each.fact, OfLoan)}):
            if loan not in self.model.introduced:
                await self._reported(loan, [])
        self.plant.release.bad = False
        await resolve_everything(self.plant, self.commanded)
        await rest_is_right(self.plant, self.model)

    def debtor(self, loan: str) -> str:
        """The pseudonym of a loan's party."""
        return self.plant.settings.vault.pseudonym(BANK, LOANS[loan])

    # -- the bank ------------------------------------------------------------------------------------------------

    def says(self, fact: Fact, partition: int, *, bad: bool = False) -> None:
        """One thing more."""
        self.do(self._said(fact, partition, bad=bad))

    async def _said(self, fact: Fact, partition: int, *, bad: bool = False) -> None:
        """Nothing is said at the same instant as another."""
        said = Said(f"event-{len(self.model.said)}", partition, fact, bad)
        self.model.said.append(said)
        await self._written(said)
        self.plant.clock.set(self.plant.clock.now() + timedelta(seconds=1))

    async def _written(self, said: Said) -> None:
        now = self.plant.clock.now()
        await self.plant.say(said.partition, outgoing(said.fact, source="/bank", event_id=said.event_id, time=now))

    @rule(loan=loans, due=st.lists(st.tuples(st.integers(-3, 100), amounts), max_size=3), partition=partitions)
    def bank_reports(self, loan: str, due: list[tuple[int, int]], partition: int) -> None:
        """A snapshot; it names the party."""
        self.do(self._reported(loan, due, partition))

    async def _reported(self, loan: str, due: list[tuple[int, int]], partition: int = 0) -> None:
        unpaid = [
            Instalment(number=number, due_on=self.model.on - timedelta(days), principal=amount)
            for number, (days, amount) in enumerate(due, 1)
        ]
        self.model.introduced.add(loan)
        snapshot = LoanOverdue(
            lender_id=BANK, loan_id=loan, party_id=LOANS[loan], as_of=self.model.on, currency="CNY",
            posting_cut_off=self.plant.clock.now(), instalments=tuple(unpaid), district="CN-310101",
        )  # fmt: skip
        await self._said(snapshot, partition)

    @rule(loan=loans, amount=amounts, late=st.sampled_from((0, 0, 1, 5)), named=st.booleans(), partition=partitions)
    def bank_posts(self, loan: str, amount: int, late: int, named: bool, partition: int) -> None:  # noqa: FBT001  # drawn
        """A payment, some days ago; it may name the loan alone, which nobody may know yet."""
        posted = self.plant.clock.now() - timedelta(days=late, milliseconds=500)
        payment = PaymentPosted(
            lender_id=BANK, loan_id=loan, party_id=LOANS[loan] if named else "", amount=amount, currency="CNY",
            payment_id=f"payment-{len(self.model.said)}", posted_at=posted,
        )  # fmt: skip
        self.says(payment, partition)

    @precondition(lambda self: self.model.payments())
    @rule(place=places, partition=partitions)
    def bank_takes_back(self, place: int, partition: int) -> None:
        paid: Any = self.some(self.model.payments(), place).fact
        if any(isinstance(fact, PaymentReversed) and fact.payment_id == paid.payment_id for fact in self.model.good()):
            return
        reversal = PaymentReversed(
            lender_id=BANK, loan_id=paid.loan_id, party_id=paid.party_id, payment_id=paid.payment_id,
            amount=paid.amount, currency="CNY", posted_at=paid.posted_at, reversed_at=self.plant.clock.now(),
        )  # fmt: skip
        self.says(reversal, partition)

    @rule(loan=loans, reason=st.sampled_from(ClosingReason), partition=partitions)
    def bank_closes(self, loan: str, reason: ClosingReason, partition: int) -> None:
        now = self.plant.clock.now()
        self.says(LoanClosed(lender_id=BANK, loan_id=loan, reason=reason, closed_at=now), partition)

    @rule(days=st.sampled_from((1, 1, 3, 12)), partition=partitions)
    def days_pass(self, days: int, partition: int) -> None:
        """Some days later the books stand on that day."""
        self.plant.clock.set(self.plant.clock.now() + timedelta(days))
        self.model.on = self.plant.clock.now().date()
        self.says(BusinessDateAdvanced(lender_id=BANK, business_date=self.model.on), partition)

    @rule(hours=st.integers(1, 20))
    def hours_pass(self, hours: int) -> None:
        """Within a day; no date moves."""
        self.plant.clock.set(self.plant.clock.now() + timedelta(hours=hours))

    @precondition(lambda self: self.model.repeatable())
    @rule(place=places)
    def bank_repeats(self, place: int) -> None:
        """The same event once more, under the same id."""
        said = self.some(self.model.repeatable(), place)
        self.model.said.append(said)
        self.do(self._written(said))

    @rule(loan=loans, partition=partitions)
    def bank_errs(self, loan: str, partition: int) -> None:
        """Something that no reader can accept, about a debtor whom it names."""
        paid = PaymentPosted(
            lender_id=BANK, loan_id=loan, party_id=LOANS[loan], payment_id=f"bad-{len(self.model.said)}", amount=1,
            currency="none", posted_at=self.plant.clock.now(),
        )  # fmt: skip
        self.says(paid, partition, bad=True)

    @precondition(lambda self: self.model.contradictable())
    @rule(place=places)
    def bank_contradicts_itself(self, place: int) -> None:
        """A payment once more, with another amount."""
        said = self.some(self.model.contradictable(), place)
        self.says(msgspec.structs.replace(said.fact, amount=7), said.partition)

    # -- the machinery -------------------------------------------------------------------------------------------

    @rule(kind=kinds, limit=st.sampled_from((1, 3, ALL)))
    def somebody_reads(self, kind: str, limit: int) -> None:
        """And commits, and publishes nothing."""
        self.do(self.plant.read(kind, limit))

    @rule(kind=kinds)
    def somebody_publishes(self, kind: str) -> None:
        self.do(self.plant.publish(kind))

    @rule(through=st.integers(1, len(KINDS)))
    def the_flow_moves(self, through: int) -> None:
        """One kind after the other, as far as some place."""
        self.do(self._moved(KINDS[:through]))

    @rule()
    def the_whole_flow_moves(self) -> None:
        self.do(self._moved(KINDS))

    async def _moved(self, through: tuple[str, ...]) -> None:
        async with asyncio.timeout(LONGEST):
            for kind in through:
                while await self.plant.read(kind):
                    await self.plant.publish(kind)
                await self.plant.publish(kind)

    @rule()
    def the_other_lanes_move(self) -> None:
        self.do(self.plant.other_lanes())

    # -- misfortunes ---------------------------------------------------------------------------------------------

    def brought(self, kind: str, news: bool) -> None:  # noqa: FBT001  # drawn
        """Those before a kind in the flow have moved, so that it has something to lose; or nobody has."""
        if news:
            self.do(self._moved(KINDS[: KINDS.index(kind)]))

    @rule(kind=kinds, news=st.booleans(), number=st.integers(0, 30), way=ways, survives=st.booleans())
    def the_connection_is_lost(self, kind: str, news: bool, number: int, way: Interruption, survives: bool) -> None:  # noqa: FBT001  # drawn
        """Before one of the statements of a transaction."""
        self.brought(kind, news)
        self.do(self.plant.broken_off(kind, number, way, survives=survives))

    @rule(kind=kinds, news=st.booleans(), survives=st.booleans())
    def the_answer_to_commit_is_lost(self, kind: str, news: bool, survives: bool) -> None:  # noqa: FBT001  # drawn
        self.brought(kind, news)
        self.do(self.plant.broken_off(kind, ALL, cable_pulled, survives=survives))

    @rule(kind=kinds, news=st.booleans())
    def somebody_dies_after_commit(self, kind: str, news: bool) -> None:  # noqa: FBT001  # drawn
        """Before publishing."""
        self.brought(kind, news)
        self.do(self.plant.read(kind))
        self.do(self.plant.dies(kind))

    @rule(kind=kinds, news=st.booleans(), arrives=st.booleans())
    def the_answer_of_the_log_is_lost(self, kind: str, news: bool, arrives: bool) -> None:  # noqa: FBT001  # drawn
        """And then somebody writes down what was acknowledged."""
        self.brought(kind, news)
        self.do(self.plant.read(kind))
        self.do(self.plant.published_unheard(kind, arrives=arrives))
        self.do(self.plant.read(kind))

    @rule(kind=kinds, news=st.booleans())
    def somebody_takes_over(self, kind: str, news: bool) -> None:  # noqa: FBT001  # drawn
        """The former one is frozen with something in hand."""
        self.brought(kind, news)
        self.do(self.plant.superseded(kind))

    @precondition(lambda self: self.plant.zombies)
    @rule(place=places)
    def a_zombie_speaks(self, place: int) -> None:
        self.do(self.plant.speaks_late(place % len(self.plant.zombies)))

    @precondition(lambda self: self.plant.zombies)
    @rule(place=places)
    def a_zombie_wakes(self, place: int) -> None:
        self.do(self.plant.wakes(place % len(self.plant.zombies)))

    @rule(kind=kinds)
    def somebody_is_frozen_in_a_transaction(self, kind: str) -> None:
        self.do(self.plant.frozen_within(kind))

    # -- operators -----------------------------------------------------------------------------------------------

    @rule(loan=loans, days=st.sampled_from((None, 2)))
    def operator_holds(self, loan: str, days: int | None) -> None:
        until = {"until": str(self.model.on + timedelta(days))} if days else {}
        self.do(self.commanded("outreach", "lane", "place-hold", self.debtor(loan), {"reason": "a test", **until}))

    @rule(place=places)
    def operator_lets_go(self, place: int) -> None:
        self.do(self._let_go(place))

    async def _let_go(self, place: int) -> None:
        held = await self.plant.owners.rows("outreach", "SELECT debtor_id, hold_id FROM hold ORDER BY 1, 2")
        if held:
            debtor, hold = self.some(held, place)
            await self.commanded("outreach", "lane", "release-hold", debtor, {"hold_id": hold, "reason": "a test"})

    @rule(place=places, name=st.sampled_from(("replay-letter", "discard-letter")))
    def operator_resolves(self, place: int, name: str) -> None:
        self.do(self._resolved(place, name))

    async def _resolved(self, place: int, name: str) -> None:
        letters = await self.plant.owners.rows("intake", "SELECT id, kind, number FROM dead_letter ORDER BY 1")
        if letters:
            letter, kind, number = self.some(letters, place)
            await self.commanded("intake", kind, name, "", {"letter_id": letter, "reason": "a test"}, number)

    @rule()
    def another_release(self) -> None:
        """Intake is mended, or broken again; whoever works has the former one until somebody else takes over."""
        self.plant.release.bad = not self.plant.release.bad

    async def commanded(
        self, service: str, kind: str, name: str, owner: str, body: Mapping[str, Any], number: int | None = None
    ) -> None:
        """Leave a command."""
        self.commands += 1
        row = {
            "id": f"command-{self.commands:04}", "kind": kind, "name": name, "owner": owner, "lender_id": BANK,
            "number": shard_of(owner) if number is None else number, "body": json.dumps(body),
            "created_at": self.plant.clock.now(),
        }  # fmt: skip
        await self.plant.command(service, row)

    @staticmethod
    def some(choices: Any, place: int) -> Any:
        """One of them."""
        return choices[place % len(choices)]


@pytest.fixture
def collections(administrator: Administrator) -> Iterator[type[Collections]]:
    """The machine on one set of databases, emptied before each example; nothing is logged but what fails."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    made = {name: administrator.create(administrator.template_of(name), name) for name in SERVICES}
    beside = [administrator.create("template0") for _ in range(2)]
    with asyncio.Runner() as runner:
        plant = runner.run(Plant.built({name: dsn for name, (_, dsn) in made.items()}, beside[0][1], beside[1][1]))
        yield type("Collections", (Collections,), {"plant": plant, "runner": runner})
        runner.run(plant.close())
    structlog.reset_defaults()  # the databases go with their server: dropping so much takes longer than an example


@pytest.mark.slow
@pytest.mark.timeout(0)  # how long it takes is asked for
def test_whatever_happens_what_must_hold_holds(collections: type[Collections]) -> None:
    settings = hypothesis.settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, database=None, report_multiple_bugs=False
    )
    run_state_machine_as_test(collections, settings=settings)
