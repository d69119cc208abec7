from datetime import UTC, datetime, timedelta

from shared.messaging.broker import Lane, Record
from shared.messaging.control import told_before
from shared.messaging.frames import records_of
from shared.messaging.renewing import incarnation_after, renewal
from shared.messaging.sequence import Position, position_of
from shared.messaging.store import Mark, Operation, Out, Standing

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
OUT, QUIET = Lane("toy.out", 3), Lane("toy.out", 4)


def test_an_incarnation_is_named_by_the_clock_so_that_two_restores_of_one_backup_differ() -> None:
    first, second = incarnation_after(1, NOW), incarnation_after(1, NOW + timedelta(seconds=1))
    assert 1 < first < second < 10**9


def test_an_incarnation_follows_its_former_one_even_where_the_clock_went_back() -> None:
    assert incarnation_after(10**8 * 9, NOW) == 10**8 * 9 + 1


def test_each_lane_that_was_told_on_hears_first_how_far() -> None:
    standing = Standing(3, 5, 4, outs={OUT: Out(17, 12, b"head"), QUIET: Out()})
    effects = renewal("toy/lane/3", standing, "worker-1", NOW)
    [stored] = effects.facts
    assert effects.renewed == {3: stored.incarnation}
    [record] = records_of("toy/lane/3", stored)
    assert position_of(record.headers) == Position("toy/lane/3", stored.incarnation, 1)
    assert told_before(Record(OUT, 0, record.key, record.value, record.headers, NOW)) == Mark(4, 17)
    [(place, (old, out))] = effects.outs.items()
    assert (place, old, out.seq, out.acked) == ((3, OUT), b"head", 1, 0)
    assert out.head != b"head"
    assert effects.operations == [Operation(3, NOW, "worker-1", "renewed", "the database went back in time")]
