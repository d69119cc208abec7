"""Counts the red lines as the ledger grows: of each debtor of whom something is new, once more and whole.

What has been counted is remembered as a place in the history and one in the gateway's own log. A look goes on from
there, over a bounded number of rows, and counts every debtor that they name afresh, so that nothing depends on whether
a row is looked at once or twice. Both logs are appended to by many transactions, which commit in another order than
they got their places: a place is counted up to only once every transaction that was running when it was seen has ended.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from services.outreach.contacts.red_line_queries import EXISTS, Connection, read_ledger, read_sent, read_stops
from services.outreach.contacts.red_lines import Entry, Sent, Source, Stop, by_source

RowT = TypeVar("RowT", Entry, Sent, Stop)

AT_ONCE: Final = 500
"""Rows of a log that one transaction goes on by."""

PIECES: Final = 20
"""Transactions of one look: a ledger that was never counted is caught up with over several looks."""

_NEWEST = """
SELECT coalesce(max(id), 0) AS newest, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS horizon,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS ended
FROM {log}
"""
_KNOWN = "INSERT INTO red_line_log (source) VALUES ($1) ON CONFLICT DO NOTHING"
_PLACE = "SELECT counted, seen, horizon FROM red_line_log WHERE source = $1 FOR UPDATE SKIP LOCKED"
_MOVE = "UPDATE red_line_log SET counted = $2, seen = $3, horizon = $4 WHERE source = $1"
_COUNTED = "SELECT coalesce((SELECT counted FROM red_line_log WHERE source = $1), 0)"
_FORGET = "DELETE FROM red_line WHERE debtor_id = ANY($1)"
_KEEP = "INSERT INTO red_line (debtor_id, line, source, times) VALUES ($1, $2, $3, $4)"
_TOTALS = "SELECT line, source, sum(times)::bigint AS times FROM red_line GROUP BY line, source"

_NAMED = {
    Source.LEDGER: """
        SELECT DISTINCT debtor_id FROM history WHERE id > $1 AND id <= $2 AND type LIKE 'outreach.contact-%'
    """,
    Source.GATEWAY: "SELECT DISTINCT debtor_id FROM taken WHERE id > $1 AND id <= $2",
}
_LOG = {Source.LEDGER: "history", Source.GATEWAY: "taken"}


@dataclass(frozen=True, slots=True)
class Newest:
    """How far a log goes, which transactions it may yet grow below that by, and which have ended for certain."""

    newest: int
    horizon: int
    ended: int


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a log is counted, and up to where it was seen when transactions before `horizon` were running."""

    counted: int
    seen: int
    horizon: int

    def with_seen(self, log: Newest) -> "Place":
        """Where to count up to next; a log that has become shorter is another one, and counted from its beginning."""
        counted = self.counted if self.counted <= log.newest else 0
        if counted == log.newest:
            return Place(counted, counted, 0)
        if counted < self.seen <= log.newest:
            return Place(counted, self.seen, self.horizon)
        return Place(counted, log.newest, log.horizon)

    def moved(self, log: Newest) -> "Place":
        """One piece further, where nothing below can still be added."""
        if log.ended < self.horizon:
            return self
        return Place(min(self.counted + AT_ONCE, self.seen), self.seen, self.horizon)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one look can show: crossings by line and source, and how many rows of each log are yet to be counted."""

    crossed: Mapping[tuple[str, Source], int]
    behind: Mapping[Source, int]


async def look(outreach: Connection, sandbox: "Connection | None", zones: Mapping[str, str]) -> Counts:
    """Go on counting, unless another process does, and say what is known. Raises asyncpg's errors and OSError."""
    logs = {Source.LEDGER: outreach, **({Source.GATEWAY: sandbox} if sandbox is not None else {})}
    behind: dict[Source, int] = {}
    for source, log in logs.items():
        newest = await _newest(log, source)
        for _ in range(PIECES):
            if not await _piece(source, newest, outreach, sandbox, zones):
                break
        behind[source] = max(newest.newest - await outreach.fetchval(_COUNTED, source), 0)
    totals = await outreach.fetch(_TOTALS)
    return Counts({(row["line"], Source(row["source"])): row["times"] for row in totals}, behind)


async def _newest(log: Connection, source: Source) -> Newest:
    if source is Source.GATEWAY and not await log.fetchval(EXISTS):
        return Newest(0, 0, 0)
    [row] = await log.fetch(_NEWEST.format(log=_LOG[source]))
    return Newest(**row)


async def _piece(
    source: Source, newest: Newest, outreach: Connection, sandbox: "Connection | None", zones: Mapping[str, str]
) -> bool:
    """Count one piece of a log; whether there may be more."""
    await outreach.execute(_KNOWN, source)
    async with outreach.transaction():
        found = await outreach.fetch(_PLACE, source)
        if not found:
            return False
        before = Place(**found[0])
        seen = before.with_seen(newest)
        after = seen.moved(newest)
        if after.counted > seen.counted:
            log = sandbox if source is Source.GATEWAY and sandbox is not None else outreach
            named = await log.fetch(_NAMED[source], seen.counted, after.counted)
            await _count([row["debtor_id"] for row in named], outreach, sandbox, zones)
        if after != before:
            await outreach.execute(_MOVE, source, after.counted, after.seen, after.horizon)
        return after.counted > seen.counted


async def _count(
    debtors: Sequence[str], outreach: Connection, sandbox: "Connection | None", zones: Mapping[str, str]
) -> None:
    """Count the red lines of some debtors, and keep those that were crossed in the place of what was kept before."""
    if not debtors:
        return
    sent = _by_debtor(await read_sent(sandbox, debtors) if sandbox is not None else ())
    ledger = _by_debtor(await read_ledger(outreach, zones, debtors))
    stops = _by_debtor(await read_stops(outreach, debtors))
    rows = [
        (debtor, line, source, times)
        for debtor in debtors
        for source, lines in by_source(ledger[debtor], sent[debtor], stops[debtor]).items()
        for line, times in lines.items()
        if times
    ]
    await outreach.execute(_FORGET, debtors)
    await outreach.executemany(_KEEP, rows)


def _by_debtor(rows: Iterable[RowT]) -> Mapping[str, list[RowT]]:
    found: defaultdict[str, list[RowT]] = defaultdict(list)
    for row in rows:
        found[row.debtor_id].append(row)
    return found
