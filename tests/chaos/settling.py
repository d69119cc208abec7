"""The end of a run: nothing is hurt any more, and the product comes to rest, in bounded time."""

import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shared.messaging.broker import Lane
from shared.settings import SERVICES
from tests.chaos.installation import Installation
from tests.chaos.waiting import eventually
from tests.e2e.invariants import OF_EVERY_SERVICE

AT_REST = (
    "all that was told is acknowledged",
    "nothing is missed",
    "nobody is quarantined",
    "nothing is parked",
    "no command waits",
)
"""The invariants of a system at rest that say whether it is."""

SETTLES_WITHIN = 300.0
"""A contact in doubt is looked up once its permit has expired, and again some time later."""
LOOKS = 3
"""Looks in a row that find it at rest, with nothing told in between."""

# What a worker put off while its clock ran hours ahead stays put off: it is late, and not left undone.
_PLANS_DUE = "SELECT count(*) FROM plan_due WHERE due_at < now() + interval '5 minutes' HAVING count(*) > 0"
_IN_DOUBT = "SELECT count(*) FROM contact WHERE state = 'sending' HAVING count(*) > 0"
_TOLD = "SELECT coalesce(sum(out_seq), 0)::bigint, coalesce(sum(acked_seq), 0)::bigint FROM lane_out"
_CURSORS = "SELECT kind, number, topic, partition, next_offset FROM cursor_in"


async def settled(installation: Installation, within: float = SETTLES_WITHIN) -> float:
    """Wait until nothing moves; the seconds that it took. Raises NeverCameTrueError."""
    began = time.monotonic()
    seen: list[Any] = []

    async def look() -> bool:
        restless = await _held(installation) or await unrest(installation)
        seen.append(restless or await told(installation))
        return not restless and len(seen) >= LOOKS and all(each == seen[-1] for each in seen[-LOOKS:])

    try:
        await eventually("the product is at rest", look, within)
    except Exception as error:
        error.add_note(f"last seen: {str(seen[-1:])[:1000]}")
        raise
    return time.monotonic() - began


@asynccontextmanager
async def standing_still(installation: Installation) -> AsyncIterator[None]:
    """The product at rest, its workers frozen: nothing falls due while it is looked at."""
    while True:
        await settled(installation)
        at_rest = await told(installation)
        for part in installation.workers:
            part.signal(signal.SIGSTOP)
        if await told(installation) == at_rest and not await unrest(installation):
            break
        _thaw(installation)
    try:
        yield
    finally:
        _thaw(installation)


def _thaw(installation: Installation) -> None:
    for part in installation.workers:
        part.signal(signal.SIGCONT)


async def _held(installation: Installation) -> str:
    for service in SERVICES:
        if unheld := await installation.unheld(service):
            return f"{service}: nobody works for {unheld[:3]}"
    return ""


async def unrest(installation: Installation) -> str:
    """Why it is not at rest; empty where it is."""
    behind = await _behind(installation)
    if behind:
        return f"unread: {len(behind)}, {behind[:3]}"
    if due := await installation.rows("outreach", _PLANS_DUE):
        return f"plans to be made in a moment: {due}"
    if doubts := await installation.rows("outreach", _IN_DOUBT):
        return f"contacts in doubt: {doubts}"
    for service in SERVICES:
        for what in AT_REST:
            if rows := await installation.rows(service, OF_EVERY_SERVICE[what]):
                return f"{service}: not so: {what}: {len(rows)}, {rows[:2]}"
    return ""


async def _behind(installation: Installation) -> list[Any]:
    """Lanes that are not read to their ends, but for the one record, a watermark, that may come while we look."""
    assert installation.log is not None
    cursors = [(service, *row) for service in SERVICES for row in await installation.rows(service, _CURSORS)]
    ends = await installation.log.end_offsets(sorted({Lane(row[3], row[4]) for row in cursors}))
    return [row for row in cursors if ends[Lane(row[3], row[4])] - row[5] > 1]


async def told(installation: Installation) -> list[Any]:
    """How far each service has told."""
    return [await installation.rows(service, _TOLD) for service in SERVICES]
