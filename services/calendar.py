"""Moves each lender's business date by its calendar, where no core banking system says so itself.

A lender's day begins at midnight in its time zone, on weekdays that are no public holiday of its country. The event's
id is the lender and the date, so that several processes may say it.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import structlog

from services.intake.connectors import cloud_events
from shared.clock import Clock
from shared.contracts.core_banking import TOPIC, BusinessDateAdvanced
from shared.messaging.broker import Broker, BrokerUnavailableError, Lane
from shared.messaging.partitioner import partition_of
from shared.settings import Lender

log = structlog.get_logger(__name__)

LOOK_EVERY = 30.0
TRY_AGAIN_AFTER = 1.0
TRIES_BEFORE_A_WORD = 3
"""The public topic of a new installation comes a moment after us."""

SATURDAY = 5


def business_date(lender: Lender, now: datetime) -> BusinessDateAdvanced:
    """The business date of a lender at an instant: today, or the last business day before it."""
    day = now.astimezone(ZoneInfo(lender.time_zone)).date()
    closed = holidays.country_holidays(lender.country, years={day.year - 1, day.year})
    while day.weekday() >= SATURDAY or day in closed:
        day -= timedelta(days=1)
    return BusinessDateAdvanced(lender_id=lender.lender_id, business_date=day)


async def keep(
    lenders: Iterable[Lender],
    broker: Broker,
    clock: Clock,
    stopping: asyncio.Event,
    *,
    look_every: float = LOOK_EVERY,
    try_again_after: float = TRY_AGAIN_AFTER,
) -> None:
    """Say each lender's business date once whenever it has moved, until stopped; pauses are in seconds."""
    said: set[tuple[str, str]] = set()
    tries = 0
    while not stopping.is_set():
        trouble = await _say_all(lenders, broker, clock, said)
        tries = tries + 1 if trouble else 0
        if tries == TRIES_BEFORE_A_WORD:
            log.warning("waiting", reason=trouble)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), try_again_after if trouble else look_every)


async def _say_all(lenders: Iterable[Lender], broker: Broker, clock: Clock, said: set[tuple[str, str]]) -> str:
    """Say what has moved; why not all of it could be said, where it could not."""
    try:
        for lender in lenders:
            await _say(business_date(lender, clock.now()), broker, clock.now(), said)
    except BrokerUnavailableError as error:
        return f"business date not said: {error}"
    return ""


async def _say(event: BusinessDateAdvanced, broker: Broker, now: datetime, said: set[tuple[str, str]]) -> None:
    place = (event.lender_id, event.business_date.isoformat())
    if place in said:
        return
    record = cloud_events.outgoing(event, source="fairdue/calendar", event_id="/".join(place), time=now)
    lane = Lane(TOPIC, partition_of(event.lender_id.encode(), await broker.partitions(TOPIC)))
    writer = await broker.writer()
    try:
        await writer.append({lane: [record]})
    finally:
        await writer.close()
    said.add(place)
