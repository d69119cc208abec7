"""Waiting for what a fault brings about: bounded, by looking, never by the clock alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
from aiokafka.errors import KafkaError

from shared.embedded.kafka_server import KafkaServerError
from shared.messaging.broker import BrokerUnavailableError
from shared.postgres.failures import DRIVER_ERRORS
from shared.postgres.server import PostgresServerError

Found = TypeVar("Found")

LOOK_EVERY = 0.1
AWAY = (
    *DRIVER_ERRORS,
    httpx.HTTPError,
    BrokerUnavailableError,
    KafkaError,
    KafkaServerError,
    PostgresServerError,
)
"""What an answer may fail with while another fault is on: then it is asked again."""


class NeverCameTrueError(Exception):
    """What should have come about did not, in the time that it was given."""


class NoEffectError(Exception):
    """A fault has hit nothing in the time that it was given: nobody was there, or nothing was wanted meanwhile."""


class NotHereError(Exception):
    """This machine does not allow this fault; its text says why."""


class TakenError(Exception):
    """Another fault is at what this one needs."""


async def eventually(what: str, ask: Callable[[], Awaitable[Found]], within: float) -> Found:
    """Ask until the answer is true, and return it. Raises NeverCameTrueError."""
    deadline = time.monotonic() + within
    last: object = None
    while time.monotonic() < deadline:
        try:
            found = await ask()
        except AWAY as error:
            last = f"{type(error).__name__}: {error}"
        else:
            if found:
                return found
            last = found
        await asyncio.sleep(LOOK_EVERY)
    message = f"not within {within:g} s: {what} (last seen: {str(last)[:300]})"
    raise NeverCameTrueError(message)
