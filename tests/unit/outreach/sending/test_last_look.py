"""Messages wait for a token, and stops come meanwhile: none that was stopped leaves, and it costs others little."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.outreach.contacts.ports import Message, PutOffError, Receipt, StoppedError
from services.outreach.sending.breaker import Breaker
from services.outreach.sending.guarded import GuardedGateway
from services.outreach.sending.last_look import SHARED_FOR, LastLook
from services.outreach.sending.pacing import Pace, Pacer
from tests.unit.outreach.sending.test_pacing import Bucket, QuickLoop, most_within, quickly

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
PACE = Pace(per_second=10, per_minute=6000, slack=0.25)


@dataclass
class Books:
    """The register in memory: when each contact is stopped, and what every look asked for."""

    loop: QuickLoop
    stops: Mapping[str, float] = field(default_factory=dict)
    takes: float = 0.0
    away: bool = False
    looks: list[list[str]] = field(default_factory=list)

    async def standing(self, contacts: Mapping[str, str]) -> Collection[str]:
        self.looks.append(sorted(contacts))
        if self.away:
            raise PutOffError("our own database does not answer", 15.0)
        found = {each for each in contacts if self.stops.get(each, float("inf")) > self.loop.time()}
        await asyncio.sleep(self.takes)
        return found


@dataclass
class Sender:
    """One process: a provider that takes all it is given, and everything that stands before it."""

    loop: QuickLoop
    books: Books
    pace: Pace = PACE
    sent: dict[str, float] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    takes_once: bool = True

    def __post_init__(self) -> None:
        self.bucket = Bucket(self.loop, cycle([0.0]))
        pacer = Pacer(self.bucket, "sms", "sms", self.pace, self.loop.time)
        look = LastLook(self.books, self.loop.time)
        self.gateway = GuardedGateway("test", self, Breaker(99, 30), pacer, look, self.now)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.loop.time())

    async def send(self, message: Message) -> Receipt:
        self.sent[message.contact_id] = self.loop.time()
        return Receipt("r", "sent")

    async def look_up(self, key: str) -> Receipt | None:
        return None

    async def deliver(self, name: str, after: float = 0.0, left: float = 60.0) -> None:
        await asyncio.sleep(after)
        try:
            await self.gateway.send(message(name, self.now() + timedelta(seconds=left)))
        except (StoppedError, PutOffError) as error:
            self.ended[str(error)] += 1

    async def all(self, many: int, **of: Any) -> None:
        await asyncio.gather(*(self.deliver(f"c{number:03}", **of) for number in range(many)))


def message(name: str, expires_at: datetime) -> Message:
    return Message(
        key=name,
        contact_id=name,
        debtor_id=f"debtor of {name}",
        lender_id="l",
        channel="sms",
        template="t",
        sent_at=NOON,
        permit="p",
        expires_at=expires_at,
    )


def test_what_is_stopped_while_it_waits_for_its_token_does_not_leave() -> None:
    async def work(loop: QuickLoop) -> None:
        sender = Sender(loop, Books(loop, {"c005": 0.5, "c007": 60.0}))
        await sender.all(10)
        assert sorted(sender.sent) == [f"c00{number}" for number in range(10) if number != 5]
        assert sender.ended == {"it was stopped meanwhile": 1}

    quickly(work)


def test_without_a_pace_it_is_looked_all_the_same() -> None:
    async def work(loop: QuickLoop) -> None:
        sender = Sender(loop, Books(loop, {"c001": 0.0}))
        sender.gateway = GuardedGateway(
            "test", sender, Breaker(99, 30), None, LastLook(sender.books, loop.time), sender.now
        )
        await sender.all(3)
        assert sorted(sender.sent) == ["c000", "c002"]

    quickly(work)


def test_one_look_is_for_all_that_wait_and_whose_turn_comes_within_a_moment() -> None:
    async def work(loop: QuickLoop) -> None:
        sender = Sender(loop, Books(loop), Pace(per_second=100, per_minute=6000, slack=0.25))
        await sender.all(400)
        assert len(sender.sent) == 400
        assert len(sender.books.looks[0]) == 400
        assert len(sender.books.looks) <= 1 + max(sender.sent.values()) / SHARED_FOR, "not one for each"

    quickly(work)


def test_a_token_that_was_not_used_is_for_whoever_comes_next() -> None:
    """The bucket is not asked for another one: the provider's pace loses nothing."""

    async def work(loop: QuickLoop) -> None:
        books = Books(loop, {"c000": 0.0})
        sender = Sender(loop, books)
        await sender.deliver("c000")
        await sender.deliver("c001")
        assert sender.sent == {"c001": 0.0}
        assert sender.bucket.claims == [1]
        assert sender.ended == {"it was stopped meanwhile": 1}

    quickly(work)


def test_a_token_that_was_given_back_lapses_as_any_other() -> None:
    async def work(loop: QuickLoop) -> None:
        sender = Sender(loop, Books(loop, {"c000": 0.0}))
        await sender.deliver("c000")
        await sender.deliver("c001", after=10.0)
        assert sender.sent == {"c001": 10.0}
        assert sender.bucket.claims == [1, 1]

    quickly(work)


def test_a_token_that_lapses_during_the_look_is_not_used() -> None:
    """Else a slow look would bunch the calls of many tokens into one second."""

    async def work(loop: QuickLoop) -> None:
        books = Books(loop, takes=0.3)
        sender = Sender(loop, books)
        task = asyncio.ensure_future(sender.deliver("c000"))
        await asyncio.sleep(0.2)
        books.takes = 0.0
        await task
        assert sender.sent == {"c000": 0.3}
        assert sender.bucket.claims == [1, 1]

    quickly(work)


def test_a_permit_that_expires_during_the_look_is_not_used() -> None:
    async def work(loop: QuickLoop) -> None:
        sender = Sender(loop, Books(loop, takes=5.0))
        await sender.deliver("c000", left=3.0)
        assert sender.sent == {}
        assert sender.ended == {"the permit has expired": 1}
        assert loop.time() == 3.0, "and nobody waits for the books any longer"

    quickly(work)


def test_where_the_books_do_not_answer_everything_is_put_off_at_once() -> None:
    async def work(loop: QuickLoop) -> None:
        sender = Sender(loop, Books(loop, away=True))
        await sender.all(5)
        assert sender.sent == {}
        assert sender.ended == {"our own database does not answer": 5}

    quickly(work)


@settings(max_examples=100)
@given(
    stops=st.lists(st.none() | st.floats(0, 5), min_size=1, max_size=30),
    takes=st.sampled_from([0.0, 0.001, 0.05, 0.2]),
    after=st.lists(st.sampled_from([0.0, 0.0, 0.3, 2.0]), min_size=1, max_size=5),
    per_second=st.integers(1, 20),
)
def test_nothing_leaves_that_was_stopped_before_its_look_and_the_pace_holds(
    stops: list[float | None], takes: float, after: list[float], per_second: int
) -> None:
    async def work(loop: QuickLoop) -> None:
        known = {f"c{number:03}": stop for number, stop in enumerate(stops) if stop is not None}
        sender = Sender(loop, Books(loop, known, takes), Pace(per_second, 6000, 0.25))
        names = [f"c{number:03}" for number in range(len(stops))]
        await asyncio.gather(*(sender.deliver(name, when) for name, when in zip(names, cycle(after), strict=False)))
        assert len(sender.sent) + sender.ended.total() == len(stops)
        assert not [name for name, at in sender.sent.items() if at - known.get(name, 99) > takes + SHARED_FOR]
        assert not [name for name in names if name not in known and name not in sender.sent]
        assert most_within(list(sender.sent.values()), 1) <= per_second

    quickly(work)
