"""The events of the one job, what has to come of them, and whether it did."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from benchmarks.our_job import Snapshot
from benchmarks.peers import job
from shared.contracts.envelope import Event, derived_id
from shared.messaging.broker import Lane, Outgoing, Record
from shared.messaging.partitioner import partition_of
from shared.messaging.sequence import WATERMARK_HEADER, Position, header, position_header

STALE: Final = 50
"""One of so many updates is older than what is known."""

AT: Final = datetime(2026, 11, 2, 12, tzinfo=UTC)

Change = tuple[str, int]
"""A loan and the version that it came to."""


class _Told(msgspec.Struct, gc=False):
    debtor_id: str
    case_version: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Told).decode


@dataclass(frozen=True, slots=True)
class Load:
    """Events in order: first every loan is new, then every loan is known; `changes` are those that have to be told."""

    records: Sequence[tuple[Lane, Outgoing]]
    changes: frozenset[Change]
    rows: Mapping[str, job.Row]


@dataclass
class Bank:
    """Makes loads for one topic; numbers what it tells on each lane, as the product's services do."""

    topic: str
    partitions: int

    def __post_init__(self) -> None:
        """Nothing has been told yet."""
        self._told: Counter[int] = Counter()

    def load(self, events: int, names: str, seed: int = 1) -> Load:
        """So many events about half as many loans, or one."""
        chance, loans = random.Random(seed), max(events // 2, 1)
        snapshots = [_snapshot(f"{names}-{number:07d}", 1, chance) for number in range(loans)]
        snapshots += [_again(snapshots[number], number, chance) for number in range(events - loans)]
        newest: dict[str, job.Snapshot] = {}
        changes = set[Change]()
        for each in snapshots:
            known = newest.get(each.debtor_id)
            if known is None or each.case_version > known.case_version:
                newest[each.debtor_id] = each
                changes.add((each.debtor_id, each.case_version))
        rows = {name: job.row_of(each) for name, each in newest.items()}
        return Load([self._record(each) for each in snapshots], frozenset(changes), rows)

    def _record(self, snapshot: job.Snapshot) -> tuple[Lane, Outgoing]:
        partition = partition_of(snapshot.debtor_id.encode(), self.partitions)
        self._told[partition] += 1
        position = Position(f"bank/lane/{partition}", 1, self._told[partition])
        headers = (("type", b"job.snapshot.v1"), position_header(position))
        return Lane(self.topic, partition), Outgoing(snapshot.debtor_id.encode(), _value(snapshot), headers)


def _snapshot(name: str, version: int, chance: random.Random) -> job.Snapshot:
    return job.Snapshot(name, version, job.Data(chance.randrange(240), chance.randrange(10**6), "CNY"))


def _again(first: job.Snapshot, number: int, chance: random.Random) -> job.Snapshot:
    return _snapshot(first.debtor_id, 1 if number % STALE == 0 else 2, chance)


def _value(snapshot: job.Snapshot) -> bytes:
    data = Snapshot(dpd=snapshot.data.dpd, past_due=snapshot.data.past_due, currency=snapshot.data.currency)
    return _encode(
        Event(
            id=derived_id(snapshot.debtor_id, snapshot.case_version),
            type="job.snapshot.v1",
            lender_id="bank",
            debtor_id=snapshot.debtor_id,
            case_version=snapshot.case_version,
            occurred_at=AT,
            recorded_at=AT,
            data=data,
        )
    )


def change_of(record: Record) -> Change | None:
    """The change that a record of the output tells; None for the runtime's own marks."""
    if header(record.headers, WATERMARK_HEADER) is not None:
        return None
    told = _decode(record.value)
    return told.debtor_id, told.case_version


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a design did its job: rows that are not as they should be, changes never told, changes told again."""

    wrong_rows: int
    lost: int
    repeated: int


def judged(loads: Iterable[Load], rows: Mapping[str, job.Row], told: Counter[Change]) -> Judged:
    """Hold what a design has kept and told against what it was given."""
    every = list(loads)
    expected = {name: row for load in every for name, row in load.rows.items()}
    changes = {change for load in every for change in load.changes}
    names = expected.keys() | rows.keys()
    wrong = sum(expected.get(name, ())[2:] != rows.get(name, ())[2:] for name in names)
    return Judged(wrong, len(changes - told.keys()), sum(told.values()) - len(told))
