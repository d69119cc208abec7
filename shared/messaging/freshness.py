"""How fresh a lane is: everything that the bank had said by this instant has been applied here.

An ingress actor says on every lane up to which instant it has read its partition of the public topic. A lane counts
that word once it has applied what the word says was told, and is as fresh as the stalest of all public partitions;
intake's lanes say theirs on to the next service. A lane that has not heard every partition is as old as time.

Who knows nothing of freshness says how far it has told all the same: a consumer learns in no other way that the log has
lost the last that was told before a long silence.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.messaging.broker import Lane, Outgoing, Record
from shared.messaging.control import Watermark, told_record, watermark_of, watermark_record
from shared.messaging.sequence import WATERMARK_HEADER, Position, position_of
from shared.messaging.store import Out, Source, Standing
from shared.service import SHARDS, ActorKind

SAID_AGAIN = 12
"""How many rounds pass before a word that is not about freshness, and has not changed, is said again."""


@dataclass(slots=True)
class Freshness:
    """The watermarks that one worker's actors have heard, in memory only, since new ones come every few seconds."""

    kind: ActorKind
    _heard: dict[int, dict[Source, Watermark]] = field(default_factory=dict)
    _read: dict[int, datetime] = field(default_factory=dict)
    _said: dict[tuple[Source, Lane], tuple[Position, int]] = field(default_factory=dict)

    def read(self, records: Iterable[Record]) -> None:
        """See up to which instant an edge has read the bank's partitions, by records whose turn has committed."""
        for record in records if self.kind.is_edge else ():
            if record.lane.topic == self.kind.inputs[0]:
                self._read[record.lane.partition] = record.timestamp

    def heard(self, words: Iterable[Record], standings: Mapping[int, Standing]) -> None:
        """Take in watermarks whose turn has committed."""
        for record in words:
            number = record.lane.partition
            told = position_of(record.headers, WATERMARK_HEADER)
            watermark = None if told is None else watermark_of(record)
            if watermark is None or told is None or number not in standings:
                continue
            mark = standings[number].marks.get((record.lane, told.source))
            if told.seq == 0 or (mark is not None and tuple(mark) >= (told.incarnation, told.seq)):
                self._heard.setdefault(number, {})[told.source] = watermark

    def of_lane(self, number: int) -> datetime | None:
        """How fresh one actor is, None while it has not heard every source."""
        heard = self._heard.get(number, {})
        if not heard or len(heard) < max(each.sources for each in heard.values()):
            return None
        return min(each.at for each in heard.values())

    def age(self, standings: Mapping[int, Standing], now: datetime) -> float | None:
        """The age in seconds of the stalest lane, None where this kind hears no watermarks or not yet all."""
        marks = [self.of_lane(number) for number in standings]
        known = [mark for mark in marks if mark is not None]
        return (now - min(known)).total_seconds() if known and len(known) == len(marks) else None

    def watermarks(
        self,
        source: Source,
        standings: Mapping[int, Standing],
        ends: Mapping[Lane, int],
        read_at: datetime,
        sources: int,
    ) -> Iterator[tuple[Lane, Outgoing]]:
        """What to say now, on each output lane of each actor.

        `ends` are the end offsets of the public partitions as they were at `read_at`: an edge that has read to the end
        is as fresh as that instant, even if nothing has come for hours.
        """
        for number, standing in standings.items():
            at = self._at_edge(standing, ends, read_at) if self.kind.is_edge else self.of_lane(number)
            if at is None or not (self.kind.is_edge or self.kind.relays_watermarks):
                yield from self._told(f"{source}/{number}", standing)
                continue
            lanes = range(SHARDS) if self.kind.is_edge else (number,)
            for partition in lanes:
                lane = Lane(self.kind.output, partition)
                told = Position(f"{source}/{number}", standing.incarnation, standing.outs.get(lane, Out()).seq)
                yield lane, watermark_record(told, Watermark(at, sources))

    def _told(self, source: Source, standing: Standing) -> Iterator[tuple[Lane, Outgoing]]:
        """How far one actor has told on each of its lanes, where that is news or was last said a while ago."""
        for lane, out in standing.outs.items():
            told = Position(source, standing.incarnation, out.seq)
            last, rounds = self._said.get((source, lane), (None, 0))
            news = told != last or rounds >= SAID_AGAIN
            self._said[source, lane] = (told, 1 if news else rounds + 1)
            if news and out.seq:
                yield lane, told_record(told)

    def _at_edge(self, standing: Standing, ends: Mapping[Lane, int], read_at: datetime) -> datetime | None:
        lane = Lane(self.kind.inputs[0], standing.number)
        if standing.cursors.get(lane, 0) >= ends.get(lane, 0):
            return read_at
        return self._read.get(standing.number)
