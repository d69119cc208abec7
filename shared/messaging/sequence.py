"""Dense sequences per (source, lane): what is new, what is a duplicate, and what is missing.

A source numbers what it tells on one lane 1, 2, 3, … and publishes in that order, so the first occurrence of a number
always follows the first occurrence of the one before. A consumer keeps one mark per (lane, source): at most the mark
is a duplicate, the next one is new, anything further is a gap. While a gap stands, everything of that source is dropped
until the missing number comes: the source re-emits from there to its head.

Nearly every record is the one after the last of its source: what its header must say then is known beforehand, and to
compare it costs a fraction of reading it.

A source whose database went back in time numbers anew under a later incarnation. The first thing that it then tells on
a lane is how far it had told there before, so that nobody goes over to the new numbers with an old one missing.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from shared.messaging.broker import Headers, Lane, header_value
from shared.messaging.store import Gap, Mark, Source, Standing

LANE_HEADER = "lane"
WATERMARK_HEADER = "told-up-to"
SOURCE = r"[^ \x00]{1,200}/[0-9]{1,9}"
"""What a source's name looks like; it is part of a key in the database, which holds no endless ones."""

_SOURCE = re.compile(SOURCE)
_LONGEST_INCARNATION, _LONGEST_SEQ = 9, 18


class Position(NamedTuple):
    """Where a record stands in what its source told on this lane."""

    source: Source
    incarnation: int
    seq: int


class Verdict(Enum):
    """What to do with a record."""

    NEW = "new"
    DUPLICATE = "duplicate"
    MISSING_BEFORE = "missing_before"


def header(headers: Headers, name: str) -> str | None:
    """The text of a header, None where it is absent."""
    value = header_value(headers, name)
    return None if value is None else value.decode("utf-8", "replace")


def position_header(position: Position, name: str = LANE_HEADER) -> tuple[str, bytes]:
    """The transport header that carries a position."""
    return name, b"%b%d" % (position_begins(position.source, position.incarnation), position.seq)


def position_begins(source: Source, incarnation: int) -> bytes:
    """The value of a position's header but for the number at its end."""
    return f"{source} {incarnation} ".encode()


def position_of(headers: Headers, name: str = LANE_HEADER) -> Position | None:
    """Read the position from a record's headers; None where there is none, or none that can be read."""
    value = header_value(headers, name)
    return None if value is None else _read(value)


def _read(value: bytes) -> Position | None:
    parts = value.split(b" ")
    if len(parts) != 3:  # noqa: PLR2004  # a source, an incarnation and a number
        return None
    named, incarnation, seq = parts
    source = _source(named)
    if source is None or not (_is_number(incarnation, _LONGEST_INCARNATION) and _is_number(seq, _LONGEST_SEQ)):
        return None
    return Position(source, int(incarnation), int(seq))


@lru_cache(maxsize=4096)  # every record of a lane names one of a few sources
def _source(named: bytes) -> Source | None:
    text = named.decode("utf-8", "replace")
    return text if _SOURCE.fullmatch(text) else None


def _is_number(digits: bytes, longest: int) -> bool:
    return digits.isdigit() and len(digits) <= longest


@dataclass(slots=True, eq=False)
class _Run:
    """How far one source was admitted in one lane in this turn; `awaited` is what its next header says."""

    begins: bytes
    incarnation: int
    seq: int
    awaited: bytes


@dataclass(slots=True)
class Admission:
    """Judges the records of one actor in one turn, on top of a standing that it leaves as it is."""

    standing: Standing
    gaps: dict[tuple[Lane, Source], Gap | None] = field(default_factory=dict)
    _runs: dict[tuple[Lane, Source], _Run] = field(default_factory=dict)
    _awaited: dict[Lane, dict[bytes, _Run]] = field(default_factory=dict)

    @property
    def marks(self) -> Mapping[tuple[Lane, Source], Mark]:
        """How far each source that was heard in this turn is applied."""
        return {key: Mark(run.incarnation, run.seq) for key, run in self._runs.items()}

    def follower(self, lane: Lane) -> Callable[[bytes | None], bool]:
        """A question about the position headers of one lane: whether a record is the one after the last of its source.

        One that is not may be anything, and is to be judged.
        """
        awaited = self._awaited.setdefault(lane, {})

        def follows(position: bytes | None) -> bool:
            run = awaited.pop(position, None) if position is not None else None
            if run is None:
                return False
            run.seq += 1
            run.awaited = b"%b%d" % (run.begins, run.seq + 1)
            awaited[run.awaited] = run
            return True

        return follows

    def judge(self, lane: Lane, position: Position, after: Mark | None = None) -> Verdict:
        """Say what a record is, and remember it as applied if it is new.

        after: for the first record of an incarnation, how far its source had told under the one before.
        """
        key = (lane, position.source)
        mark = self._mark(key)
        if position.incarnation < mark.incarnation:
            return Verdict.DUPLICATE
        expected = mark.seq + 1 if position.incarnation == mark.incarnation else 1
        if position.seq < expected:
            return Verdict.DUPLICATE
        if position.seq > expected or (expected == 1 and after is not None and after > mark):
            self._miss(key, mark, position.seq)
            return Verdict.MISSING_BEFORE
        self._close(key, position)
        self._follow(key, position)
        return Verdict.NEW

    def seen(self, lane: Lane, position: Position) -> bool:
        """Whether a source's word that it has told up to `position` is met; if not, what is missing is a gap."""
        key = (lane, position.source)
        mark = self._mark(key)
        met = mark >= (position.incarnation, position.seq) or position.seq == 0
        if not met:
            self._miss(key, mark, position.seq)
        return met

    def open_gaps(self) -> Mapping[tuple[Lane, Source], Gap]:
        """The gaps that stand after this turn."""
        merged = {**self.standing.gaps, **self.gaps}
        return {key: gap for key, gap in merged.items() if gap is not None}

    def _mark(self, key: tuple[Lane, Source]) -> Mark:
        run = self._runs.get(key)
        return Mark(run.incarnation, run.seq) if run else self.standing.marks.get(key) or Mark(0, 0)

    def _follow(self, key: tuple[Lane, Source], position: Position) -> None:
        self._lose_sight_of(key)
        begins = position_begins(position.source, position.incarnation)
        run = _Run(begins, position.incarnation, position.seq, b"%b%d" % (begins, position.seq + 1))
        self._runs[key] = self._awaited.setdefault(key[0], {})[run.awaited] = run

    def _lose_sight_of(self, key: tuple[Lane, Source]) -> None:
        """Have the next record of a source judged: it is of another incarnation, or closes a gap."""
        run = self._runs.get(key)
        if run is not None:
            self._awaited[key[0]].pop(run.awaited, None)

    def _miss(self, key: tuple[Lane, Source], mark: Mark, seen: int) -> None:
        """What follows the mark is missing, of whatever incarnation it is; a source's first is 1."""
        self._lose_sight_of(key)
        gap = Gap(mark.incarnation or 1, mark.seq + 1, seen)
        known = self.gaps[key] if key in self.gaps else self.standing.gaps.get(key)
        if known is None or known.incarnation != gap.incarnation:
            self.gaps[key] = gap

    def _close(self, key: tuple[Lane, Source], position: Position) -> None:
        known = self.gaps[key] if key in self.gaps else self.standing.gaps.get(key)
        if known is not None and (position.incarnation, position.seq) >= (known.incarnation, known.from_seq):
            self.gaps[key] = None
