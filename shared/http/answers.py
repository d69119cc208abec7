"""Who waits for which command: one LISTEN for all requests of a process, and a slow re-check in case it broke."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CHANNEL = "command_done"
RECHECK_SECONDS = 2.0
"""A notification can be lost with the connection that listens; then the row is looked at this often."""


class Waiter:
    """One request's wait; woken by a notification for its command, or for all."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Have the request look at its row."""
        self._woken.set()

    async def next(self, seconds: float) -> None:
        """Wait until it is worth looking at the row again, at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(seconds, RECHECK_SECONDS))):
                await self._woken.wait()
        self._woken.clear()


class Answers:
    """Listens on `command_done`, whose payload is the id of the command, or nothing for "look, all of you"."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiters: dict[str, set[Waiter]] = {}
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self._connecting = asyncio.Lock()

    @asynccontextmanager
    async def of(self, command_id: str) -> AsyncIterator[Waiter]:
        """A waiter that hears of one command from now on, so that no answer falls between reading and waiting."""
        await self._listen()
        waiter = Waiter()
        self._waiters.setdefault(command_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[command_id].discard(waiter)
            if not self._waiters[command_id]:
                del self._waiters[command_id]

    async def close(self) -> None:
        """Give the connection back; those who still wait look at their rows."""
        connection, self._connection, self._driver = self._connection, None, None
        self._wake_all()
        if connection is not None:
            with suppress(SQLAlchemyError, OSError):
                await connection.invalidate()
                await connection.close()

    async def _listen(self) -> None:
        async with self._connecting:
            if self._driver is not None and not self._driver.is_closed():
                return
            await self.close()
            connection = await self._engine.connect()
            self._connection, self._driver = connection, (await connection.get_raw_connection()).driver_connection
            await self._driver.add_listener(CHANNEL, self._on_notification)
            self._driver.add_termination_listener(lambda _driver: self._wake_all())

    def _on_notification(self, _driver: Any, _pid: int, _channel: str, payload: str) -> None:
        if payload in self._waiters:
            for waiter in self._waiters[payload]:
                waiter.wake()
        elif not payload:
            self._wake_all()

    def _wake_all(self) -> None:
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.wake()
