"""What is tried once everything is at rest: to tell the end of every topic again, and to start every process anew."""

import asyncio
import signal
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.messaging.broker import BrokerUnavailableError, Lane, Outgoing
from shared.service import SHARDS
from shared.settings import SERVICES
from tests.chaos.evidence import Evidence
from tests.chaos.installation import Installation
from tests.chaos.settling import settled, told
from tests.chaos.waiting import eventually

TOPICS = (
    "intake.ingress",
    "intake.events",
    "segmentation.events",
    "segmentation.strategies",
    "outreach.events",
    "outreach.allocations",
    "outreach.agencies",
    "outreach.deliveries",
    "legal.events",
    "intake.profiles",
)
AGAIN = 40
"""How many records of each lane are told again."""

TRIES = 3
_PUT_OFF = ("plan_step", "step_due")
"""A step that falls due on a lane that has yet to hear the bank again is put off, of which nothing is told."""

_COUNTED_UP_TO = ("red_line_log",)
"""How far the red lines are counted goes on by the clock, and by the number of the database's last transaction."""

_MACHINERY = (
    *_PUT_OFF,
    *_COUNTED_UP_TO,
    "actor",
    "worker",
    "cursor_in",
    "lane_out",
    "lane_clock",
    "outbox",
    "alembic_version",
    "operation_log",
)
_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""
_DIGEST = "SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {} AS t"
_ENDED_STEPS = "SELECT count(*) FROM history WHERE type = 'outreach.step-ended.v1'"


async def without_effect(evidence: Evidence) -> None:
    """Invariants 11 and 12: tell the last records of every lane again, byte for byte; end and start every process.

    A step of a plan that falls due meanwhile does have an effect; then it is tried again.
    """
    for number, act in ((11, _tell_again), (12, _restart)):
        for attempt in range(1, TRIES + 1):
            before = await _at_rest(evidence.installation)
            done = await act(evidence)
            after = await _at_rest(evidence.installation)
            if after.steps_ended == before.steps_ended or attempt == TRIES:
                evidence.note(number, done, _differing(before, after))
                break


class AtRest(NamedTuple):
    """How the product stands: every table but the machinery's own as a number of rows and a hash."""

    tables: Mapping[tuple[str, str], tuple[Any, ...]]
    told: list[Any]
    steps_ended: int


async def _at_rest(installation: Installation) -> AtRest:
    await settled(installation)
    tables: dict[tuple[str, str], tuple[Any, ...]] = {}
    for service in SERVICES:
        for (table,) in await installation.rows(service, _TABLES):
            if table not in _MACHINERY:
                (tables[service, table],) = await installation.rows(service, _DIGEST.format(table))
    ((steps,),) = await installation.rows("outreach", _ENDED_STEPS)
    return AtRest(tables, await told(installation), steps)


def _differing(before: AtRest, after: AtRest) -> list[Any]:
    tables = [(*name, rows, after.tables[name]) for name, rows in before.tables.items() if rows != after.tables[name]]
    return [*tables, *([] if before.told == after.told else [(before.told, after.told)])]


async def _tell_again(evidence: Evidence) -> int:
    log = evidence.topics.log
    lanes = [Lane(topic, number) for topic in TOPICS for number in range(SHARDS)]
    ends, firsts = await log.end_offsets(lanes), await log.earliest_offsets(lanes)
    starts = {lane: max(firsts[lane], ends[lane] - AGAIN) for lane in lanes if ends[lane] > firsts[lane]}
    suffixes: dict[Lane, list[Outgoing]] = {}
    reader = await log.reader()
    try:
        await reader.assign(starts)
        while any(len(suffixes.get(lane, ())) < ends[lane] - start for lane, start in starts.items()):
            for record in await reader.fetch(5_000, 5.0):
                if record.offset < ends[record.lane]:
                    again = Outgoing(record.key, record.value, record.headers)
                    suffixes.setdefault(record.lane, []).append(again)
    finally:
        await reader.close()
    await _append(evidence, suffixes)
    return sum(len(records) for records in suffixes.values())


async def _append(evidence: Evidence, batches: Mapping[Lane, list[Outgoing]]) -> None:
    writer = await evidence.topics.log.writer()
    try:
        await writer.append(batches)
    except BrokerUnavailableError as error:
        raise AssertionError("the broker is away although nothing is at it") from error
    finally:
        await writer.close()


async def _restart(evidence: Evidence) -> int:
    """SIGTERM for all, and wait until all are back."""
    installation = evidence.installation
    lives = {part.name: part.starts for part in installation.parts}
    for part in installation.parts:
        part.signal(signal.SIGTERM)

    async def back() -> bool:
        ready = await asyncio.gather(*(part.is_ready() for part in installation.parts), return_exceptions=True)
        return all(one is True for one in ready) and all(part.starts > lives[part.name] for part in installation.parts)

    await eventually("every process is back", back, 180)
    return len(lives)
