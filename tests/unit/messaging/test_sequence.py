"""Dense sequences: what is new, what is a duplicate, what is missing."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.broker import Lane
from shared.messaging.sequence import Admission, Position, Verdict, position_header, position_of
from shared.messaging.store import Gap, Mark, Standing

LANE, OTHER = Lane("toy.in", 3), Lane("toy.in", 4)
SOURCE = "toy/lane/3"
NEW, DUPLICATE, MISSING = Verdict.NEW, Verdict.DUPLICATE, Verdict.MISSING_BEFORE


def at(seq: int, incarnation: int = 1, source: str = SOURCE) -> Position:
    return Position(source, incarnation, seq)


def standing(**fields: Any) -> Standing:
    return Standing(3, 1, **fields)


def other(seq: int) -> Position:
    return at(seq, source="toy/lane/4")


def judged(admission: Admission, positions: Sequence[Position]) -> list[Verdict]:
    return [admission.judge(LANE, position) for position in positions]


def followed(admission: Admission, positions: Sequence[Position]) -> list[Verdict]:
    """Judged where they are not seen to be the next of their source."""
    follows = admission.follower(LANE)
    return [NEW if follows(position_header(position)[1]) else admission.judge(LANE, position) for position in positions]


VERDICTS = [
    pytest.param([at(1), at(2), at(3)], [NEW] * 3, {}, id="a dense sequence is new throughout"),
    pytest.param(
        [at(1), at(1), at(2), at(1), at(2)],
        [NEW, DUPLICATE, NEW, DUPLICATE, DUPLICATE],
        {},
        id="what was seen is a duplicate",
    ),
    pytest.param([at(2)], [MISSING], {SOURCE: Gap(1, 1, 2)}, id="a sequence begins at one"),
    pytest.param(
        [at(1), at(4), at(5)], [NEW, MISSING, MISSING], {SOURCE: Gap(1, 2, 4)}, id="behind a gap everything is dropped"
    ),
    pytest.param(
        [at(1), at(3), at(2), at(3), at(4)],
        [NEW, MISSING, NEW, NEW, NEW],
        {},
        id="a gap ends when it is told again from there on",
    ),
    pytest.param(
        [at(1), at(4), at(2), at(4)],
        [NEW, MISSING, NEW, MISSING],
        {SOURCE: Gap(1, 3, 4)},
        id="a gap filled in part is a later gap",
    ),
    pytest.param([at(1), at(2), at(1, 2), at(2, 2)], [NEW] * 4, {}, id="a new incarnation begins at one"),
    pytest.param([at(1), at(1, 2), at(2)], [NEW, NEW, DUPLICATE], {}, id="an old incarnation is over"),
    pytest.param([at(1), at(3, 2)], [NEW, MISSING], {SOURCE: Gap(1, 2, 3)}, id="a new incarnation may have a gap"),
    pytest.param(
        [at(1), at(5), at(2, 2), at(1, 2)],
        [NEW, MISSING, MISSING, NEW],
        {},
        id="a gap ends where the next incarnation does not say that something came before",
    ),
    pytest.param([at(1), other(1), other(2), at(2)], [NEW] * 4, {}, id="each source counts by itself"),
]


BEGINNINGS = [
    pytest.param(Mark(1, 7), Mark(1, 7), NEW, {}, id="all of the former one was heard"),
    pytest.param(Mark(1, 9), Mark(1, 7), NEW, {}, id="more was heard than the source remembers"),
    pytest.param(Mark(1, 5), Mark(1, 7), MISSING, {SOURCE: Gap(1, 6, 1)}, id="something of the former one is missing"),
    pytest.param(Mark(1, 9), Mark(2, 1), MISSING, {SOURCE: Gap(1, 10, 1)}, id="a whole incarnation was missed"),
    pytest.param(Mark(0, 0), Mark(1, 7), MISSING, {SOURCE: Gap(1, 1, 1)}, id="nothing was ever heard"),
    pytest.param(Mark(3, 1), Mark(1, 7), DUPLICATE, {}, id="it has begun before"),
]


@pytest.mark.parametrize(("heard", "told", "verdict", "gaps"), BEGINNINGS)
def test_nobody_goes_over_to_a_new_incarnation_with_something_missing(
    heard: Mark, told: Mark, verdict: Verdict, gaps: dict[str, Gap]
) -> None:
    admission = Admission(standing(marks={(LANE, SOURCE): heard}))
    assert admission.judge(LANE, at(1, 3), told) is verdict
    assert admission.open_gaps() == {(LANE, source): gap for source, gap in gaps.items()}


@pytest.mark.parametrize(("positions", "verdicts", "gaps"), VERDICTS)
@pytest.mark.parametrize("admitted", [judged, followed])
def test_records_are_judged_by_their_numbers(
    positions: Any, verdicts: Any, gaps: dict[str, Gap], admitted: Callable[..., list[Verdict]]
) -> None:
    admission = Admission(standing())
    assert admitted(admission, positions) == verdicts
    assert admission.open_gaps() == {(LANE, source): gap for source, gap in gaps.items()}


def test_each_lane_counts_by_itself() -> None:
    admission = Admission(standing())
    assert [admission.judge(lane, at(1)) for lane in (LANE, OTHER)] == [NEW, NEW]


def test_a_standing_is_gone_on_from_and_left_as_it_is() -> None:
    known = standing(marks={(LANE, SOURCE): Mark(1, 7)}, gaps={(LANE, SOURCE): Gap(1, 8, 9)})
    admission = Admission(known)
    assert judged(admission, [at(7), at(9), at(8), at(9)]) == [DUPLICATE, MISSING, NEW, NEW]
    assert admission.marks == {(LANE, SOURCE): Mark(1, 9)}
    assert (admission.gaps, admission.open_gaps()) == ({(LANE, SOURCE): None}, {})
    assert known == standing(marks={(LANE, SOURCE): Mark(1, 7)}, gaps={(LANE, SOURCE): Gap(1, 8, 9)})


WORDS = [
    pytest.param(at(7), True, {}, id="all is met"),
    pytest.param(at(6), True, {}, id="more is met"),
    pytest.param(at(8), False, {SOURCE: Gap(1, 8, 8)}, id="one is missing"),
    pytest.param(at(0, 2), True, {}, id="a new incarnation has told nothing"),
    pytest.param(at(2, 2), False, {SOURCE: Gap(1, 8, 2)}, id="a new incarnation was missed"),
    pytest.param(at(0, source="toy/lane/9"), True, {}, id="an unknown source has told nothing"),
    pytest.param(at(3, source="toy/lane/9"), False, {"toy/lane/9": Gap(1, 1, 3)}, id="an unknown source was missed"),
]


@pytest.mark.parametrize(("word", "met", "gaps"), WORDS)
def test_a_word_of_how_far_a_source_has_told_shows_what_is_missing(
    word: Position, gaps: dict[str, Gap], *, met: bool
) -> None:
    admission = Admission(standing(marks={(LANE, SOURCE): Mark(1, 7)}))
    assert admission.seen(LANE, word) is met
    assert admission.open_gaps() == {(LANE, source): gap for source, gap in gaps.items()}
    assert admission.marks == {}


@st.composite
def overlapping(draw: st.DrawFn) -> tuple[int, list[int]]:
    """How much is told, and two publishers' records as a lane may hold them.

    Each publishes in order from somewhere it knows to be acknowledged, and no gap is ever left: a publisher begins at
    most one beyond what the lane already holds.
    """
    many = draw(st.integers(1, 30))
    lane: list[int] = []
    nexts = [1, draw(st.integers(1, many))]
    while min(max(lane, default=0), many) < many:
        who = draw(st.integers(0, 1))
        if nexts[who] > many or nexts[who] > max(lane, default=0) + 1:
            who = 1 - who
        lane.append(nexts[who])
        again = draw(st.integers(0, 9))
        nexts[who] = nexts[who] + 1 if again else max(1, nexts[who] - draw(st.integers(0, 5)))
    return many, lane


@given(overlapping())
def test_any_interleaving_of_two_publishers_is_admitted_once_and_in_order(case: tuple[int, list[int]]) -> None:
    many, lane = case
    admission = Admission(standing())
    admitted = [seq for seq in lane if admission.judge(LANE, at(seq)) is NEW]
    assert admitted == list(range(1, many + 1))
    assert admission.open_gaps() == {}


@given(st.lists(st.integers(1, 12), max_size=60), st.integers(0, 60))
def test_whatever_comes_is_admitted_densely_however_it_is_cut_into_turns(seqs: list[int], cut: int) -> None:
    first = Admission(standing())
    before = judged(first, [at(seq) for seq in seqs[:cut]])
    second = Admission(standing(marks=dict(first.marks), gaps=dict(first.open_gaps())))
    after = judged(second, [at(seq) for seq in seqs[cut:]])
    admitted = [seq for seq, verdict in zip(seqs, [*before, *after], strict=True) if verdict is NEW]
    assert admitted == list(range(1, len(admitted) + 1))
    whole = Admission(standing())
    assert judged(whole, [at(seq) for seq in seqs]) == [*before, *after]
    assert whole.open_gaps() == second.open_gaps()


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([1, 1, 1, 2])), min_size=4, max_size=40))
def test_what_is_only_compared_is_admitted_as_if_it_were_judged(said: list[tuple[int, int]]) -> None:
    slow, fast = Admission(standing()), Admission(standing())
    positions = [at(*each) for each in said]
    assert followed(fast, positions) == judged(slow, positions)
    assert (fast.marks, fast.open_gaps()) == (slow.marks, slow.open_gaps())


def test_most_records_are_only_compared() -> None:
    admission = Admission(standing(marks={(LANE, SOURCE): Mark(1, 7)}))
    follows = admission.follower(LANE)
    headers = [position_header(at(seq))[1] for seq in (8, 9, 10, 12)]
    assert not follows(headers[0])
    assert admission.judge(LANE, at(8)) is NEW
    assert [follows(header) for header in (*headers[1:], None)] == [True, True, False, False]


@given(st.integers(1, 10**9 - 1), st.integers(0, 10**18 - 1))
def test_a_position_survives_its_header(incarnation: int, seq: int) -> None:
    position = at(seq, incarnation)
    assert position_of((("type", b"x"), position_header(position))) == position


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"toy/lane/3 1",
        b"toy/lane/3 1 x",
        b"toy/lane/3 -1 5",
        b"toy/lane/3  5",
        b"toy/lane/3 1 5 6",
        b"toy 1 5",
        b"toy/lane/x 1 5",
        b"toy/\x00/3 1 5",
        b"toy/lane/3 1 9223372036854775808",
        "toy/lane/3 1 ٣".encode(),
        b"\xff/lane/3 1 \xff",
    ],
)
def test_what_is_no_position_is_none(value: bytes) -> None:
    assert position_of((("lane", value),)) is None


def test_without_the_header_there_is_no_position() -> None:
    assert position_of((("other", b"toy/lane/3 1 5"),)) is None
