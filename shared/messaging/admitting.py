"""The first two steps of a turn: how far each actor's cursors move, and which of its records are new."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from shared.messaging.broker import Lane, Record, header_value
from shared.messaging.control import told_before
from shared.messaging.errands import Answered
from shared.messaging.sequence import LANE_HEADER, WATERMARK_HEADER, Admission, Verdict, position_of
from shared.messaging.store import CursorMove, Effects, Gap, Out, Source, Standing
from shared.service import ActorKind


@dataclass(frozen=True, slots=True)
class Batch:
    """What one turn is to apply: the records of each actor in the order of its inputs, and how much else to look for.

    `acknowledged` are counters whose acknowledgements are to be kept; `jumps` move cursors over what the log has lost;
    `answers` are what came of errands; `heard` says how fresh each actor's lane is.
    """

    records: Mapping[int, Sequence[Record]]
    commands: int = 0
    due: int = 0
    acknowledged: Mapping[tuple[int, Lane], Out] = field(default_factory=dict)
    jumps: Sequence[CursorMove] = ()
    answers: Sequence[Answered] = ()
    heard: Mapping[int, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """A batch, where its actors stand, and the instant at which it is applied."""

    standings: Mapping[int, Standing]
    batch: Batch
    now: datetime


@dataclass(slots=True)
class Admitted:
    """What of a batch is new, and how the cursors move."""

    admissions: dict[int, Admission] = field(default_factory=dict)
    fresh: dict[int, list[Record]] = field(default_factory=dict)
    moves: list[CursorMove] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    words: list[Record] = field(default_factory=list)
    """Watermarks: no events, but they say how far a source has told."""


def admit(kind: ActorKind, work: Work) -> Admitted:
    """Judge every record of a batch. At an edge nothing is numbered: the bank's headers are its own affair."""
    admitted = Admitted(moves=list(work.batch.jumps))
    for number, records in work.batch.records.items():
        standing = work.standings[number]
        admission = admitted.admissions.setdefault(number, Admission(standing))
        fresh = admitted.fresh[number] = list[Record]()
        ends: dict[Lane, int] = {}
        for lane, some in groupby(records, attrgetter("lane")):
            of_lane = list(some)
            fresh += of_lane if kind.is_edge else _fresh_of(admission, lane, of_lane, admitted)
            ends[lane] = of_lane[-1].offset + 1
        admitted.moves += [CursorMove(number, lane, standing.cursors.get(lane), end) for lane, end in ends.items()]
    return admitted


def _fresh_of(admission: Admission, lane: Lane, records: Sequence[Record], admitted: Admitted) -> list[Record]:
    follows = admission.follower(lane)
    return [
        each
        for each in records
        if follows(header_value(each.headers, LANE_HEADER)) or _is_fresh(admission, each, admitted)
    ]


def _is_fresh(admission: Admission, record: Record, admitted: Admitted) -> bool:
    position = position_of(record.headers)
    if position is None:
        return _is_unnumbered(admission, record, admitted)
    after = told_before(record) if position.seq == 1 and position.incarnation > 1 else None
    verdict = admission.judge(record.lane, position, after)
    if verdict is Verdict.NEW:
        return True
    admitted.counts[verdict.value] += 1
    return False


def _is_unnumbered(admission: Admission, record: Record, admitted: Admitted) -> bool:
    """A record that nobody numbered is new to us; a watermark is no event, but may show that something is missing."""
    told = position_of(record.headers, WATERMARK_HEADER)
    if told is not None:
        admission.seen(record.lane, told)
        admitted.words.append(record)
    return told is None


def standings_after(work: Work, moves: Sequence[CursorMove], effects: Effects) -> dict[int, Standing]:
    """The standings as they are once the transaction has committed; what was not touched stays the same object."""
    after = dict(work.standings)

    def of(number: int) -> Standing:
        if after[number] is work.standings[number]:
            after[number] = work.standings[number].copy()
        return after[number]

    for move in moves:
        of(move.number).cursors[move.lane] = move.new
    for (number, lane, source), mark in effects.marks.items():
        of(number).marks[lane, source] = mark
    for (number, lane), moved in effects.outs.items():
        of(number).outs[lane] = moved.new
    for (number, lender), day in effects.clocks.items():
        of(number).clocks[lender] = day
    for (number, name), fact in effects.directives.items():
        of(number).directives[name] = fact
    _move_gaps_and_stops(of, effects)
    return after


def _move_gaps_and_stops(of: Callable[[int], Standing], effects: Effects) -> None:
    for (number, lane, source), gap in effects.gaps.items():
        _set_gap(of(number), (lane, source), gap)
    for stop in effects.stops:
        of(stop.number).stopped = stop.reason


def _set_gap(standing: Standing, key: tuple[Lane, Source], gap: Gap | None) -> None:
    if gap is None:
        standing.gaps.pop(key, None)
    else:
        standing.gaps[key] = gap
