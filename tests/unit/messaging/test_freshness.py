"""How fresh a lane is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.ingress import EventRefused, RefusalResolved
from shared.messaging.broker import Lane, Record
from shared.messaging.control import Watermark, watermark_of, watermark_record
from shared.messaging.freshness import SAID_AGAIN, Freshness
from shared.messaging.sequence import WATERMARK_HEADER, Position, position_of
from shared.messaging.store import Mark, Out, Standing
from shared.service import SHARDS
from tests.unit.messaging.toy import KIND, OUT

T0 = datetime(2031, 5, 6, 7, tzinfo=UTC)
IN = Lane("toy.in", 3)
EDGE = replace(KIND, name="ingress", refusal=EventRefused, resolution=RefusalResolved)
RELAY = replace(KIND, relays_watermarks=True)


def after(minutes: int) -> datetime:
    return T0 + timedelta(minutes=minutes)


def word(source: int, minutes: int, seq: int, *, sources: int = 2, incarnation: int = 1, lane: Lane = IN) -> Record:
    """A source's word, as it lies on a lane."""
    position = Position(f"intake/ingress/{source}", incarnation, seq)
    out = watermark_record(position, Watermark(after(minutes), sources))
    return Record(lane, 0, out.key, out.value, out.headers, T0)


def standings(**marks: int) -> dict[int, Standing]:
    """Actor 3 with how far each source is applied."""
    known = {(IN, f"intake/ingress/{name[1:]}"): Mark(1, seq) for name, seq in marks.items()}
    return {3: Standing(3, 1, marks=known)}


FRESH = [
    pytest.param([word(0, 5, 7), word(1, 9, 4)], after(5), id="as fresh as its stalest source"),
    pytest.param([word(0, 5, 7)], None, id="not known before all sources are heard"),
    pytest.param([], None, id="not known before any source is heard"),
    pytest.param([word(0, 5, 8), word(1, 9, 4)], None, id="a word whose facts are not applied does not count"),
    pytest.param([word(0, 5, 6), word(1, 9, 0)], after(5), id="a source may have told nothing"),
    pytest.param([word(0, 5, 7), word(1, 9, 4), word(0, 20, 7)], after(9), id="a later word replaces an earlier one"),
    pytest.param([word(0, 5, 7), word(1, 9, 4), word(0, 20, 8)], after(5), id="one that does not count replaces none"),
    pytest.param([word(0, 5, 1, incarnation=2), word(1, 9, 4)], None, id="an incarnation not yet seen does not count"),
    pytest.param(
        [word(2, 5, 0, sources=3), word(0, 5, 7), word(1, 9, 4)], after(5), id="a new partition is waited for"
    ),
]


@pytest.mark.parametrize(("heard", "fresh"), FRESH)
def test_a_lane_is_as_fresh_as_what_it_has_applied(heard: list[Record], fresh: datetime | None) -> None:
    freshness = Freshness(KIND)
    freshness.heard(heard, standings(s0=7, s1=4))
    assert freshness.of_lane(3) == fresh


def test_a_lane_that_is_not_held_is_not_heard() -> None:
    freshness = Freshness(KIND)
    freshness.heard([word(0, 5, 0, sources=1, lane=Lane("toy.in", 4))], standings())
    assert freshness.of_lane(4) is None


def test_the_age_is_that_of_the_stalest_lane_once_all_are_known() -> None:
    freshness = Freshness(KIND)
    both = {number: Standing(number, 1) for number in (3, 4)}
    freshness.heard([word(0, 5, 0, sources=1)], both)
    assert freshness.age(both, after(10)) is None
    freshness.heard([word(0, 8, 0, sources=1, lane=Lane("toy.in", 4))], both)
    assert freshness.age(both, after(10)) == 300
    assert freshness.age({}, after(10)) is None


def said(
    freshness: Freshness, held: Mapping[int, Standing], ends: Mapping[Lane, int] | None = None
) -> dict[Lane, tuple[Watermark | None, Position | None]]:
    found = freshness.watermarks("toy/lane", held, ends or {}, after(60), 7)
    records = [(lane, Record(lane, 0, out.key, out.value, out.headers, T0)) for lane, out in found]
    return {lane: (watermark_of(record), position_of(record.headers, WATERMARK_HEADER)) for lane, record in records}


def test_an_edge_that_has_read_everything_is_as_fresh_as_the_look_at_the_end() -> None:
    held = {3: Standing(3, 1, cursors={IN: 12}, outs={Lane(OUT, 5): Out(9, 9)}, incarnation=2)}
    words = said(Freshness(EDGE), held, {IN: 12})
    assert set(words) == {Lane(OUT, number) for number in range(SHARDS)}
    assert words[Lane(OUT, 5)] == (Watermark(after(60), 7), Position("toy/lane/3", 2, 9))
    assert words[Lane(OUT, 6)] == (Watermark(after(60), 7), Position("toy/lane/3", 2, 0))


def test_an_edge_that_is_behind_is_as_fresh_as_what_it_has_read() -> None:
    freshness = Freshness(EDGE)
    held = {3: Standing(3, 1, cursors={IN: 12})}
    assert said(freshness, held, {IN: 13}) == {}
    freshness.read([Record(IN, 11, None, b"", (), after(2))])
    assert said(freshness, held, {IN: 13})[Lane(OUT, 0)][0] == Watermark(after(2), 7)


def test_an_edge_whose_topic_is_empty_says_so() -> None:
    assert said(Freshness(EDGE), {3: Standing(3, 1)}, {IN: 0})[Lane(OUT, 0)][0] == Watermark(after(60), 7)


def test_who_does_not_know_how_fresh_it_is_says_how_far_it_has_told_now_and_then() -> None:
    freshness = Freshness(KIND)
    held = {3: Standing(3, 1, outs={Lane(OUT, 3): Out(4, 4), Lane(OUT, 5): Out()})}
    assert said(freshness, held) == {Lane(OUT, 3): (None, Position("toy/lane/3", 1, 4))}
    assert [said(freshness, held) for _ in range(SAID_AGAIN - 1)] == [{}] * (SAID_AGAIN - 1)
    assert said(freshness, held) != {}
    assert said(freshness, held) == {}
    held[3].outs[Lane(OUT, 3)] = Out(5, 4)
    assert said(freshness, held) == {Lane(OUT, 3): (None, Position("toy/lane/3", 1, 5))}


def test_a_lane_that_relays_says_its_own_freshness_on_its_own_lane() -> None:
    freshness = Freshness(RELAY)
    held = {3: Standing(3, 1, outs={Lane(OUT, 3): Out(4, 0)})}
    assert said(freshness, held) == {Lane(OUT, 3): (None, Position("toy/lane/3", 1, 4))}
    freshness.heard([word(0, 5, 0, sources=1)], held)
    assert said(freshness, held) == {Lane(OUT, 3): (Watermark(after(5), 7), Position("toy/lane/3", 1, 4))}


def test_a_lane_that_has_told_nothing_and_does_not_relay_says_nothing() -> None:
    freshness = Freshness(KIND)
    held = {3: Standing(3, 1)}
    freshness.heard([word(0, 5, 0, sources=1)], held)
    assert said(freshness, held) == {}
