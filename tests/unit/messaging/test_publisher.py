"""Publishing: in order, again after any error, and nothing skipped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, Outgoing, Writer
from shared.messaging.frames import FramedFact, frame
from shared.messaging.publisher import AT_ONCE, Publisher
from shared.messaging.sequence import position_of
from shared.messaging.store import StoredFacts

LANE, OTHER = Lane("toy.out", 3), Lane("toy.out", 4)


def facts(seq_from: int, seq_to: int, number: int = 3, lane: Lane = LANE, incarnation: int = 1) -> StoredFacts:
    framed = [FramedFact(b"d1", "toy", "", str(seq).encode()) for seq in range(seq_from, seq_to + 1)]
    return StoredFacts(number, lane, incarnation, seq_from, seq_to, frame(framed))


@dataclass
class FakeLog:
    """A log whose writers fail as often as told, having kept a part of what they were given."""

    lanes: dict[Lane, list[Outgoing]] = field(default_factory=dict)
    failures: list[float] = field(default_factory=list)
    opened: int = 0
    meanwhile: Callable[[], None] = lambda: None

    async def writer(self) -> "FakeWriter":
        self.opened += 1
        return FakeWriter(self)

    def texts(self, lane: Lane = LANE) -> list[str]:
        return [record.value.decode() for record in self.lanes.get(lane, [])]


@dataclass
class FakeWriter:
    log: FakeLog
    broken: bool = False

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        assert not self.broken, "a writer that failed must be replaced"
        self.log.meanwhile()
        kept = self.log.failures.pop(0) if self.log.failures else 1.0
        for lane, records in batches.items():
            self.log.lanes.setdefault(lane, []).extend(records[: int(len(records) * kept)])
        if kept < 1:
            self.broken = True
            raise BrokerUnavailableError("away")

    async def close(self) -> None:
        self.broken = True


def publisher_on(log: FakeLog) -> Publisher:
    broker: Broker = log  # type: ignore[assignment]  # a publisher asks for a writer and no more
    return Publisher(broker, "toy/lane")


def test_the_fake_is_a_writer() -> None:
    writer: Writer = FakeWriter(FakeLog())
    assert isinstance(writer, FakeWriter)


async def test_facts_are_published_in_order_with_their_positions() -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.submit([facts(1, 2), facts(1, 1, 4, OTHER), facts(3, 3)])
    assert publisher.pending == 4
    await publisher.flush()
    assert (log.texts(), log.texts(OTHER), publisher.pending) == (["1", "2", "3"], ["1"], 0)
    positions = [position_of(record.headers) for record in log.lanes[LANE]]
    assert positions == [("toy/lane/3", 1, seq) for seq in (1, 2, 3)]
    assert publisher.acknowledged == {(3, LANE): (1, 3), (4, OTHER): (1, 1)}


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.7])
async def test_after_an_error_everything_unacknowledged_goes_again_by_a_new_writer(kept: float) -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.submit([facts(1, 2)])
    await publisher.flush()
    log.failures = [kept, kept]
    publisher.submit([facts(3, 5), facts(6, 6)])
    for _ in range(2):
        with pytest.raises(BrokerUnavailableError):
            await publisher.flush()
        assert publisher.acknowledged == {(3, LANE): (1, 2)}
        assert publisher.pending == 4
    publisher.submit([facts(7, 7)])
    await publisher.flush()
    part = ["3", "4", "5", "6"][: int(4 * kept)]
    assert log.texts() == ["1", "2", *part, *part, "3", "4", "5", "6", "7"]
    assert (log.opened, publisher.acknowledged) == (3, {(3, LANE): (1, 7)})


async def test_a_broker_that_gives_no_writer_loses_nothing() -> None:
    class Away(FakeLog):
        async def writer(self) -> FakeWriter:
            self.opened += 1
            if self.opened < 3:
                raise BrokerUnavailableError("away")
            return FakeWriter(self)

    log = Away()
    publisher = publisher_on(log)
    publisher.submit([facts(1, 2)])
    for _ in range(2):
        with pytest.raises(BrokerUnavailableError):
            await publisher.flush()
    await publisher.flush()
    assert log.texts() == ["1", "2"]


async def test_the_facts_of_lost_actors_are_left_to_their_successor() -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.submit([facts(1, 1), facts(1, 2, 4, OTHER), facts(2, 2)])
    publisher.drop([3])
    await publisher.flush()
    assert (log.texts(), log.texts(OTHER)) == ([], ["1", "2"])
    publisher.drop([4])
    assert publisher.acknowledged == {}


async def test_actors_lost_while_their_facts_are_under_way_do_not_cost_others_theirs() -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.submit([facts(1, 1), facts(1, 2, 4, OTHER), facts(2, 2)])
    log.meanwhile = lambda: publisher.drop([3])
    await publisher.flush()
    log.meanwhile = lambda: None
    publisher.submit([facts(3, 3, 4, OTHER)])
    await publisher.flush()
    assert (log.texts(OTHER), publisher.pending) == (["1", "2", "3"], 0)


async def test_what_is_submitted_while_others_are_under_way_follows() -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.submit([facts(1, 1)])
    more = [facts(2, 2), facts(3, 3)]
    log.meanwhile = lambda: publisher.submit([more.pop(0)] if more else [])
    await publisher.flush()
    assert (log.texts(), publisher.acknowledged) == (["1", "2", "3"], {(3, LANE): (1, 3)})


async def test_much_goes_in_several_appends() -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.submit([facts(1, AT_ONCE), facts(AT_ONCE + 1, AT_ONCE + 5)])
    log.failures = [1.0, 0.0]
    with pytest.raises(BrokerUnavailableError):
        await publisher.flush()
    assert publisher.acknowledged == {(3, LANE): (1, AT_ONCE)}
    await publisher.flush()
    assert log.texts() == [str(seq) for seq in range(1, AT_ONCE + 6)]


async def test_a_notice_goes_once_and_behind_the_facts() -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.submit([facts(1, AT_ONCE), facts(AT_ONCE + 1, AT_ONCE + 1)])
    publisher.notice(LANE, Outgoing(None, b"notice"))
    await publisher.flush()
    await publisher.flush()
    assert log.texts()[-2:] == [str(AT_ONCE + 1), "notice"]
    assert log.texts().count("notice") == 1


async def test_a_notice_given_while_another_is_under_way_is_not_forgotten() -> None:
    log = FakeLog()
    publisher = publisher_on(log)
    publisher.notice(LANE, Outgoing(None, b"first"))
    more = [Outgoing(None, b"second")]

    def notice() -> None:
        if more:
            publisher.notice(LANE, more.pop())

    log.meanwhile = notice
    await publisher.flush()
    assert log.texts() == ["first", "second"]


async def test_a_new_incarnation_counts_as_further_than_an_old_one() -> None:
    publisher = publisher_on(FakeLog())
    publisher.submit([facts(8, 9), facts(1, 2, incarnation=2)])
    await publisher.flush()
    assert publisher.acknowledged == {(3, LANE): (2, 2)}
