"""Workers share a provider's tokens: whatever their clocks, delays and loads, no window sees more calls than it may."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.outreach.contacts.ports import PutOffError
from services.outreach.sending.pacing import Grant, Pace, Pacer


class QuickLoop(asyncio.SelectorEventLoop):
    """A loop in which nobody waits: where nothing is ready, its clock jumps to what comes next."""

    passed = 0.0

    def time(self) -> float:
        return self.passed

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled:
            self.passed = max(self.passed, scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


def quickly(work: Callable[[QuickLoop], Coroutine[Any, Any, None]]) -> None:
    loop = QuickLoop()
    try:
        loop.run_until_complete(work(loop))
    finally:
        loop.close()


@dataclass
class Bucket:
    """The bucket in memory, on a clock of its own, behind a network that takes its time both ways."""

    loop: QuickLoop
    delays: Iterator[float]
    next_at: float = float("-inf")
    claims: list[int] = field(default_factory=list)

    async def claim(self, provider: str, channel: str, many: int, spacing: float, horizon: float) -> Grant | None:
        await asyncio.sleep(next(self.delays))
        now = self.loop.time()
        granted = None
        if self.next_at <= now + horizon:
            first = max(self.next_at, now)
            self.next_at = first + many * spacing
            self.claims.append(many)
            granted = Grant(first - now, many)
        await asyncio.sleep(next(self.delays))
        return granted

    async def behind(self, provider: str, channel: str) -> float:
        return max(0.0, self.next_at - self.loop.time())


@dataclass
class Worker:
    """A worker whose clock stands elsewhere, and which is often held up when it wants to go on."""

    loop: QuickLoop
    bucket: Bucket
    pace: Pace
    offset: float
    lags: Iterator[float]
    asked: list[float]
    put_off: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.bucket, "sms", "sms", self.pace, lambda: self.loop.time() + self.offset, self.sleep)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds + next(self.lags))

    async def call(self, after: float, patience: float) -> None:
        await asyncio.sleep(after)
        try:
            await self.pacer.turn(patience)
        except PutOffError as error:
            self.put_off.append(error.seconds)
        else:
            self.asked.append(self.loop.time())


def most_within(moments: Sequence[float], seconds: float) -> int:
    """The most calls in any window, half open, of so many seconds."""
    ordered = sorted(moments)
    return max((sum(start <= each < start + seconds - 1e-9 for each in ordered) for start in ordered), default=0)


SECONDS = st.floats(0, 2)
SHORT = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.05, 0.2, 0.6, 3.0]), min_size=1, max_size=8)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "pace": Pace(
            draw(st.integers(1, 20)), draw(st.sampled_from([1, 2, 5, 100])), draw(st.sampled_from([0.05, 0.25, 1.0]))
        ),
        "delays": draw(SHORT),
        "workers": draw(st.lists(st.tuples(st.floats(-100, 100), SHORT), min_size=1, max_size=4)),
        "calls": draw(st.lists(st.tuples(SECONDS, st.floats(0, 150)), min_size=1, max_size=60)),
    }


LATE_AND_THEN_IN_TIME = {
    "pace": Pace(5, 2, 0.25),
    "delays": [0.0],
    "workers": [(0.0, [0.2, 0.0, 0.0])],
    "calls": [(0.0, 150.0), (0.0, 150.0), (0.0, 150.0)],
}


@settings(max_examples=100)
@given(worlds())
@example(LATE_AND_THEN_IN_TIME)
def test_no_window_sees_more_calls_than_it_may(world: dict[str, Any]) -> None:
    asked: list[float] = []
    pace: Pace = world["pace"]

    async def work(loop: QuickLoop) -> None:
        bucket = Bucket(loop, cycle(world["delays"]))
        workers = [Worker(loop, bucket, pace, offset, cycle(lags), asked) for offset, lags in world["workers"]]
        calls = zip(cycle(workers), world["calls"], strict=False)
        await asyncio.gather(*(worker.call(after, patience) for worker, (after, patience) in calls))

    quickly(work)
    assert most_within(asked, 1) <= pace.per_second
    assert most_within(asked, 60) <= pace.per_minute


def test_a_single_worker_that_is_never_late_gets_nearly_the_whole_rate() -> None:
    asked: list[float] = []
    pace = Pace(per_second=10, per_minute=6000, slack=0.25)

    async def work(loop: QuickLoop) -> None:
        worker = Worker(loop, Bucket(loop, cycle([0.0])), pace, 7.0, cycle([0.0]), asked)
        await asyncio.gather(*(worker.call(0, 60) for _ in range(400)))

    quickly(work)
    assert len(asked) == 400
    assert asked[-1] == pytest.approx(399 * 0.125)


def test_who_would_wait_longer_than_it_may_is_put_off_and_takes_no_token_from_others() -> None:
    asked: list[float] = []

    async def work(loop: QuickLoop) -> None:
        bucket = Bucket(loop, cycle([0.0]))
        worker = Worker(loop, bucket, Pace(1, 60, 0.25), 0.0, cycle([0.0]), asked)
        await asyncio.gather(*(worker.call(0, 10) for _ in range(50)))
        assert len(asked) + len(worker.put_off) == 50
        apart = [later - sooner for sooner, later in pairwise(sorted(worker.put_off))]
        assert min(worker.put_off) >= 5
        assert apart == pytest.approx([worker.pace.spacing] * len(apart)), "who was put off comes back in turn"
        assert bucket.next_at <= 10 + worker.pace.spacing

    quickly(work)
    assert 8 <= len(asked) <= 10


def test_where_others_hold_the_tokens_of_a_long_time_none_is_taken() -> None:
    async def work(loop: QuickLoop) -> None:
        bucket = Bucket(loop, cycle([0.0]), next_at=100.0)
        worker = Worker(loop, bucket, Pace(1, 60, 0.25), 0.0, cycle([0.0]), [])
        await worker.call(0, 10)
        assert worker.put_off == [100.0]
        assert bucket.next_at == 100.0

    quickly(work)


def test_tokens_are_taken_in_blocks() -> None:
    claims: list[int] = []

    async def work(loop: QuickLoop) -> None:
        bucket = Bucket(loop, cycle([0.0]), claims=claims)
        worker = Worker(loop, bucket, Pace(100, 6000, 0.25), 0.0, cycle([0.0]), [])
        await asyncio.gather(*(worker.call(0, 60) for _ in range(800)))

    quickly(work)
    assert len(claims) < 30
    assert max(claims) == Pace(100, 6000, 0.25).block == 80


def test_a_token_that_its_worker_came_too_late_for_lapses() -> None:
    asked: list[float] = []

    async def work(loop: QuickLoop) -> None:
        bucket = Bucket(loop, cycle([0.0]))
        late = Worker(loop, bucket, Pace(10, 6000, 0.25), 0.0, cycle([1.0, 0.0]), asked)
        await asyncio.gather(*(late.call(0, 60) for _ in range(3)))
        assert sum(bucket.claims) > 3

    quickly(work)
    assert len(asked) == 3
