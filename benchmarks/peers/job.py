"""The one job that every design does: read how a loan stands, classify it, keep it if it is newer, tell of it.

Nothing of the product is used here: each peer runs in an environment of its own, and this module with it.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

BATCH: Final = 2000
LINGER_SECONDS: Final = 0.1
SESSION_MS: Final = 2_000
"""How long a consumer may be silent before it is taken for dead: short, since some are killed here."""

COLUMNS: Final = ("shard", "debtor_id", "version", "dpd", "past_due", "currency", "bucket")
TABLE: Final = """
CREATE TABLE job_loan (
    shard smallint NOT NULL, debtor_id text PRIMARY KEY, version bigint NOT NULL, dpd bigint NOT NULL,
    past_due bigint NOT NULL, currency text NOT NULL, bucket text NOT NULL
) WITH (fillfactor = 80)
"""
STAGE: Final = "CREATE TEMP TABLE incoming (LIKE job_loan) ON COMMIT DELETE ROWS"
UPSERT: Final = """
INSERT INTO job_loan AS kept SELECT * FROM incoming ORDER BY debtor_id
ON CONFLICT (debtor_id) DO UPDATE
SET version = excluded.version, dpd = excluded.dpd, past_due = excluded.past_due, currency = excluded.currency,
    bucket = excluded.bucket
WHERE excluded.version > kept.version
RETURNING new.debtor_id, old.version
"""
UPSERT_ONE: Final = """
INSERT INTO job_loan AS kept VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (debtor_id) DO UPDATE
SET version = excluded.version, dpd = excluded.dpd, past_due = excluded.past_due, currency = excluded.currency,
    bucket = excluded.bucket
WHERE excluded.version > kept.version
RETURNING debtor_id
"""

Row = tuple[int, str, int, int, int, str, str]
Message = tuple[bytes, bytes]
"""Key and value of what is told."""


class Config(msgspec.Struct, frozen=True):
    """Where a peer works; `folder` is its own, for what it keeps between starts."""

    bootstrap: str
    dsn: str
    input: str
    output: str
    group: str
    partitions: int
    folder: str


class Data(msgspec.Struct, frozen=True, gc=False):
    """How a loan stands."""

    dpd: int
    past_due: int
    currency: str


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """What a peer needs of an event."""

    debtor_id: str
    case_version: int
    data: Data


class Classified(msgspec.Struct, frozen=True, gc=False):
    """What is told of an applied change, in the envelope of the product's facts."""

    id: str
    type: str
    lender_id: str
    debtor_id: str
    case_version: int
    occurred_at: str
    data: dict[str, str]


decode = msgspec.json.Decoder(Snapshot).decode
_encode = msgspec.json.Encoder().encode


def config() -> Config:
    """What the harness has said on the command line."""
    return msgspec.json.decode(sys.argv[1], type=Config)


def classify(dpd: int) -> str:
    """The bucket of a loan that is so many days past due."""
    if dpd < 1:
        return "current"
    return f"M{min((dpd - 1) // 30 + 1, 7)}"


def row_of(snapshot: Snapshot) -> Row:
    """The row that keeps a snapshot."""
    data = snapshot.data
    bucket = classify(data.dpd)
    return 0, snapshot.debtor_id, snapshot.case_version, data.dpd, data.past_due, data.currency, bucket


def message_of(snapshot: Snapshot) -> Message:
    """What is told of a snapshot that was applied."""
    told = Classified(
        id=f"{snapshot.debtor_id}/{snapshot.case_version}",
        type="job.classified.v1",
        lender_id="bank",
        debtor_id=snapshot.debtor_id,
        case_version=snapshot.case_version,
        occurred_at="2026-11-02T12:00:00Z",
        data={"hold_id": snapshot.debtor_id, "reason": classify(snapshot.data.dpd)},
    )
    return snapshot.debtor_id.encode(), _encode(told)


def newest(snapshots: Iterable[Snapshot]) -> list[Row]:
    """One row a loan, as the newest of its snapshots has it."""
    kept: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        known = kept.get(snapshot.debtor_id)
        if known is None or snapshot.case_version > known.case_version:
            kept[snapshot.debtor_id] = snapshot
    return [row_of(snapshot) for snapshot in kept.values()]


def messages_of(snapshots: Sequence[Snapshot], changed: Iterable[Sequence[Any]]) -> list[Message]:
    """What is told of a batch: each change of each loan that was changed, of which (loan, former version) is known."""
    known = {loan: version or 0 for loan, version in changed}
    told: list[Message] = []
    for snapshot in snapshots:
        before = known.get(snapshot.debtor_id)
        if before is not None and snapshot.case_version > before:
            known[snapshot.debtor_id] = snapshot.case_version
            told.append(message_of(snapshot))
    return told
