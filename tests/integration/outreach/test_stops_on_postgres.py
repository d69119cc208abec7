"""What is stopped between its permit and its provider, on real PostgreSQL: while it is written, while it waits."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from shared.contracts import legal
from shared.contracts.envelope import Fact
from shared.contracts.segmentation import Channel
from shared.messaging.errands import Call, Errands
from tests.integration.outreach.test_contacts_on_postgres import ANNA
from tests.integration.outreach.test_letters_on_postgres import Real, assigned, real
from tests.unit.outreach.play import payment
from tests.unit.outreach.saying import pays
from tests.unit.outreach.sending.written import POINTS

__all__ = ["real"]


@dataclass(slots=True)
class Slow(Errands):
    """Errands that nobody has begun yet."""

    calls: list[Call] = field(default_factory=list)

    def start(self, calls: Iterable[Call]) -> None:
        self.calls.extend(calls)


async def permitted_and_not_begun(real: Real) -> Call:
    """A message under a committed permit, which its worker has yet to have sent."""
    await real.knows(*POINTS)
    await real.sending.hear(assigned(Channel.SMS), 1)
    await real.sending.wait(minutes=2)
    worker, clock = real.sending.worker, real.sending.clock
    worker.errands = Slow(worker.kind, clock)
    [due] = await real.rows("SELECT due_at FROM step_due")
    clock.set(due["due_at"])
    await worker.turn((), due=10)
    [call] = worker.errands.calls
    return call


async def test_a_plan_that_was_stopped_while_its_message_was_being_written_sends_nothing(real: Real) -> None:
    """The permit is committed, its worker is slow, and a payment comes in between."""
    call = await permitted_and_not_begun(real)
    worker, clock = real.sending.worker, real.sending.clock
    await real.sending.hear(payment(), 2)
    heard = await worker.kind.errands[type(call.event.data)](call.event, clock)
    assert (heard.delivery, heard.reason) == ("pulled", "its plan was stopped meanwhile")
    assert real.sms.calls == []


HOLD = legal.HoldPlaced(hold_id="legal-1", reason="matter opened")


PAID = pays("p-1", 10_000, 3)


@pytest.mark.parametrize("stop", [payment(), HOLD], ids=["a payment", "a hold"])
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.EMAIL])
async def test_a_message_that_is_stopped_while_it_waits_for_its_token_is_not_sent(
    real: Real, channel: Channel, stop: Fact
) -> None:
    """It is permitted and written, the provider has been asked often enough, and the stop is committed meanwhile."""
    await real.knows(*POINTS)
    await real.sending.hear(assigned(channel), 1)
    real.meanwhile = [stop]
    await real.sending.wait(days=1)
    assert real.meanwhile == [], "it did wait"
    assert (real.sms.calls, real.mail.mails) == ([], [])
    [ended] = await real.rows("SELECT state, reason FROM contact")
    assert ended == {"state": "not_made", "reason": "pulled back before it was delivered"}
    [step] = await real.rows("SELECT state, reason FROM plan_step")
    assert step == {"state": "failed", "reason": "pulled back before it was delivered"}


@pytest.mark.parametrize("stop", [None, HOLD, PAID], ids=["nothing", "a hold", "what was promised"])
async def test_a_reminder_of_a_promise_is_sent_unless_something_comes_while_it_waits(
    real: Real, stop: Fact | None
) -> None:
    await real.knows(*POINTS)
    await real.promise("2026-03-06")
    real.meanwhile = [] if stop is None else [stop]
    await real.sending.wait(days=4)
    assert real.meanwhile == []
    texts = [message["text"] for message in real.sms.messages.values()]
    assert ["约定的还款日即将到来" in text for text in texts] == ([True] if stop is None else [])
    [reminder] = await real.rows("SELECT state, template FROM contact WHERE plan_number = 0 AND channel = 'sms'")
    assert reminder == {"state": "made" if stop is None else "not_made", "template": "remind_promise"}


async def test_only_contacts_that_no_stop_has_overtaken_stand_and_all_are_read_at_once(real: Real) -> None:
    await permitted_and_not_begun(real)
    [contact] = await real.rows("SELECT contact_id FROM contact")
    asked = {contact["contact_id"]: ANNA, "0" * 32: ANNA}
    assert await real.cabinet.standing(asked) == {contact["contact_id"]}
    assert await real.cabinet.standing({contact["contact_id"]: "b" * 32}) == frozenset()
    await real.sending.hear(payment(), 2)
    assert await real.cabinet.standing(asked) == frozenset()
