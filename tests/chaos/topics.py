"""Every record of every internal topic, read from its first to its last and judged on the way.

What a fault is about to delete is read before: each lane is read on from where this reader stands.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.intake.connectors.synthetic_people import FAMILY_NAMES, GIVEN_NAMES
from shared.messaging.broker import Broker, Lane, Record
from shared.messaging.sequence import WATERMARK_HEADER, Position, header, position_of

_NAMES = "|".join(family + given for family in FAMILY_NAMES for given in GIVEN_NAMES)
PERSONAL = re.compile(
    rf"\+86100[0-9]{{8}}|(?<![0-9A-F])000000[0-9]{{12}}(?![0-9A-F])|p-[0-9]{{7}}(?:-x)?@example\.com|样例路|(?:{_NAMES})".encode(),
    re.IGNORECASE,
)
"""The canaries: phones, identity numbers, mail and street addresses and names, as the synthetic bank makes them up."""

_STEP = 5_000


@dataclass
class Topics:
    """What was seen on the lanes so far."""

    log: Broker
    places: dict[Lane, int] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)
    facts: Counter[Lane] = field(default_factory=Counter)
    numbered: int = 0
    duplicates: int = 0
    holes: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    bodies: dict[tuple[Lane, str, int], dict[int, int]] = field(default_factory=dict)

    async def read_on(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """Read these lanes to their ends of now; where they ended."""
        ends = await self.log.end_offsets(lanes)
        firsts = await self.log.earliest_offsets(lanes)
        starts = {lane: self.places.get(lane, 0) for lane in lanes}
        self.lost += [
            f"{lane.topic}/{lane.partition}: {starts[lane]} to {firsts[lane]} were never read"
            for lane in lanes
            if firsts[lane] > starts[lane]
        ]
        behind = {lane: start for lane, start in starts.items() if start < ends[lane]}
        if behind:
            await self._read(behind, ends)
        return ends

    async def _read(self, starts: Mapping[Lane, int], ends: Mapping[Lane, int]) -> None:
        reader = await self.log.reader()
        try:
            await reader.assign(starts)
            while any(self.places.get(lane, 0) < ends[lane] for lane in starts):
                for record in await reader.fetch(_STEP, 5.0):
                    self._see(record)
        finally:
            await reader.close()

    def _see(self, record: Record) -> None:
        self.places[record.lane] = record.offset + 1
        self.records[record.lane.topic] += 1
        if found := PERSONAL.search(record.value) or PERSONAL.search(record.key or b""):
            self.leaks.append(f"{record.lane.topic}/{record.lane.partition}/{record.offset} at {found.start()}")
        position = position_of(record.headers)
        if position is not None:
            self._number(record, position)
        elif header(record.headers, WATERMARK_HEADER) is None and not record.lane.topic.endswith(".control"):
            self.holes.append(f"{record.lane.topic}/{record.lane.partition}/{record.offset} has no number")

    def _number(self, record: Record, position: Position) -> None:
        self.numbered += 1
        self.facts[record.lane] += 1
        known = self.bodies.setdefault((record.lane, position.source, position.incarnation), {})
        body = hash((record.key, record.value, record.headers))
        if position.seq in known:
            self.duplicates += 1
            if known[position.seq] != body:
                self.conflicts.append(f"{record.lane.topic}/{record.lane.partition}: {position}")
        elif position.seq != len(known) + 1:
            self.holes.append(f"{record.lane.topic}/{record.lane.partition}: {position} after {len(known)}")
        known[position.seq] = body

    def told(self) -> dict[tuple[str, Lane], int]:
        """How many different facts each source has on each lane."""
        return {(source, lane): len(known) for (lane, source, _), known in self.bodies.items()}
