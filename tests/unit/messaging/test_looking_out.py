"""What a live loop does beyond its first look while its second stands, it does because something fell due."""

from datetime import timedelta

from shared.messaging.lookout import LOOK_APART
from tests.unit.messaging.living import IN_A_MINUTE, live
from tests.unit.messaging.toy import NOW, TODAY, Added, Day

IN_TWO_MINUTES = NOW + timedelta(minutes=2)


async def test_what_a_turn_writes_is_done_at_its_instant() -> None:
    async with live() as it:
        await it.say(Added(amount=2000))
        await it.until_rings(1)
        it.clock.seconds += LOOK_APART
        await it.until_rings(0)


async def test_what_was_seen_at_the_last_look_is_done_at_its_instant() -> None:
    async with live() as it:
        await it.has_a_ring_to_come()
        await it.looks()
        it.clock.seconds += LOOK_APART
        it.clock.set(IN_A_MINUTE)
        await it.until_rings(0)


async def test_what_comes_after_it_is_done_at_its_instant_too() -> None:
    async with live() as it:
        await it.has_a_ring_to_come()
        await it.has_a_ring_to_come(IN_TWO_MINUTES, "d2")
        await it.looks()
        for instant, left in ((IN_A_MINUTE, 1), (IN_TWO_MINUTES, 0)):
            it.clock.seconds += LOOK_APART
            it.clock.set(instant)
            await it.until_rings(left)


async def test_a_new_date_of_the_lenders_is_gone_by_at_once() -> None:
    async with live() as it:
        await it.say(Added(amount=1500))
        await it.until(lambda: it.rows("counter_alarm") == 1)
        await it.say(Day(business_date=TODAY + timedelta(days=1)), debtor_id="")
        it.clock.seconds += LOOK_APART
        await it.until(lambda: it.rows("counter_alarm") == 0)


async def test_before_its_instant_nothing_is_done() -> None:
    async with live() as it:
        await it.has_a_ring_to_come()
        it.clock.seconds += LOOK_APART
        await it.say(Added(amount=1), debtor_id="d2")
        await it.until(lambda: it.rows("counter_total") == 2)
        assert it.rows("counter_ring") == 1
