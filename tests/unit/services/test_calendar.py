"""Business dates by a lender's calendar: its midnight, its weekends, its country's holidays."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

import pytest

from services import calendar
from shared.clock import VirtualClock
from shared.contracts.core_banking import TOPIC
from shared.messaging.broker import BrokerUnavailableError, Lane, Outgoing
from shared.settings import Lender

BERLIN = Lender("bank-de", "Europe/Berlin", "DE")
SHANGHAI = Lender("bank-cn", "Asia/Shanghai", "CN")
NEW_YORK = Lender("bank-us", "America/New_York", "US")

DATES = {
    "a working day is its own business date": (BERLIN, "2026-11-24T12:00Z", "2026-11-24"),
    "on a Saturday Friday's books stand": (BERLIN, "2026-11-28T12:00Z", "2026-11-27"),
    "on a Sunday Friday's books stand": (BERLIN, "2026-11-29T12:00Z", "2026-11-27"),
    "the day begins at the lender's midnight": (BERLIN, "2026-11-24T23:00Z", "2026-11-25"),
    "a second before that it is yesterday": (BERLIN, "2026-11-24T22:59:59Z", "2026-11-24"),
    "in summer midnight comes an hour earlier by UTC": (BERLIN, "2026-07-14T22:00Z", "2026-07-15"),
    "over Easter the Thursday before stays": (BERLIN, "2026-04-06T12:00Z", "2026-04-02"),
    "after Easter it is Tuesday": (BERLIN, "2026-04-07T12:00Z", "2026-04-07"),
    "on New Year's Day the last day of the old year stands": (BERLIN, "2027-01-01T12:00Z", "2026-12-31"),
    "Christmas and the weekend after it are one": (BERLIN, "2026-12-27T12:00Z", "2026-12-24"),
    "in Shanghai a day is ahead of UTC": (SHANGHAI, "2026-11-24T16:00Z", "2026-11-25"),
    "a long holiday is skipped whole": (SHANGHAI, "2026-10-03T12:00Z", "2026-09-30"),
    "in New York a day is behind UTC": (NEW_YORK, "2026-11-25T04:59Z", "2026-11-24"),
    "a holiday of one country is a working day of another": (BERLIN, "2026-11-26T12:00Z", "2026-11-26"),
    "and a holiday in its own": (NEW_YORK, "2026-11-26T18:00Z", "2026-11-25"),
}


@pytest.mark.parametrize(("lender", "instant", "expected"), DATES.values(), ids=DATES.keys())
def test_business_date(lender: Lender, instant: str, expected: str) -> None:
    told = calendar.business_date(lender, datetime.fromisoformat(instant))
    assert (told.lender_id, told.business_date) == (lender.lender_id, date.fromisoformat(expected))


def at(instant: str) -> VirtualClock:
    """A clock that stands still."""
    return VirtualClock(datetime.fromisoformat(instant))


class Topic:
    """A broker with the public topic, away for as long as `failures` says; stops its caller when it has enough."""

    def __init__(self, stopping: asyncio.Event, enough: int, failures: int = 0) -> None:
        self.said: list[tuple[Lane, Outgoing]] = []
        self._stopping, self._enough, self._failures = stopping, enough, failures

    async def partitions(self, topic: str) -> int:
        assert topic == TOPIC
        if self._failures:
            self._failures -= 1
            raise BrokerUnavailableError("away")
        return 7

    async def writer(self) -> "Topic":
        return self

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        self.said += [(lane, record) for lane, records in batches.items() for record in records]
        if len(self.said) >= self._enough:
            self._stopping.set()

    async def close(self) -> None:
        pass


def ids(topic: Topic) -> list[str]:
    return [dict(record.headers)["ce_id"].decode() for _, record in topic.said]


async def test_each_lenders_date_is_said_under_an_id_that_a_second_process_would_give_too() -> None:
    stopping = asyncio.Event()
    topic = Topic(stopping, enough=2)
    await calendar.keep([BERLIN, NEW_YORK], topic, at("2026-11-26T12:00Z"), stopping)  # type: ignore[arg-type]
    assert ids(topic) == ["bank-de/2026-11-26", "bank-us/2026-11-25"]


async def test_a_date_is_said_once_and_again_only_when_it_has_moved() -> None:
    class AfterTenLooks(VirtualClock):
        looks = 0

        def now(self) -> datetime:
            self.looks += 1
            if self.looks == 10:
                self.set(datetime(2026, 11, 30, 12, tzinfo=UTC))
            return super().now()

    stopping, clock = asyncio.Event(), AfterTenLooks(datetime(2026, 11, 27, 12, tzinfo=UTC))
    topic = Topic(stopping, enough=2)
    await calendar.keep([BERLIN], topic, clock, stopping, look_every=0.0)  # type: ignore[arg-type]
    assert ids(topic) == ["bank-de/2026-11-27", "bank-de/2026-11-30"]


async def test_a_broker_that_is_away_is_tried_again() -> None:
    stopping = asyncio.Event()
    topic = Topic(stopping, enough=1, failures=5)
    clock = at("2026-11-24T12:00Z")
    await calendar.keep([BERLIN], topic, clock, stopping, try_again_after=0.0)  # type: ignore[arg-type]
    assert ids(topic) == ["bank-de/2026-11-24"]
