"""Has what a service watches looked at every few seconds, for as long as the process runs."""

import asyncio
import contextlib
from typing import Final

import structlog

from shared.postgres.failures import DRIVER_ERRORS
from shared.service import Watch

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 15.0


async def keep_looking(service: str, watch: Watch, stopping: asyncio.Event, every: float = LOOK_EVERY) -> None:
    """Look until stopped; a database that is away is told, and looked at again."""
    watch.begin()
    try:
        while not stopping.is_set():
            try:
                await watch.look()
            except (*DRIVER_ERRORS, TimeoutError) as error:
                log.warning("watch_waits", service=service, reason=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), every)
    finally:
        await watch.close()
