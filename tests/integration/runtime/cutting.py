"""A store that says where in a transaction it stands, so that a test can break it off between any two statements."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import asyncpg

from shared.messaging.postgres_line import PostgresLine
from shared.messaging.postgres_store import PostgresStore

Interruption: TypeAlias = Callable[["CountingStore"], Awaitable[None]]

_SAYING = ("execute", "fetch", "fetchrow", "fetchval", "copy_records_to_table")


class CountingStore(PostgresStore):
    """Before each statement on its connection, and after COMMIT, the test is asked.

    said: the statements since BEGIN, in their order; the next one is not among them yet.
    """

    def __init__(self, dsn: str, kind: str, take_over_after: str = "500ms") -> None:
        super().__init__(dsn, kind, take_over_after=take_over_after)
        self._line = _AskingLine(self, dsn, self._line._session)
        self.interruption: Interruption | None = None
        self.said: list[str] = []

    async def asked(self) -> None:
        """Let the test interrupt."""
        if self.interruption is not None:
            await self.interruption(self)

    def cut(self) -> None:
        """Lose the connection, as when a cable is pulled or the process dies."""
        self._line.terminate()


class _AskingLine(PostgresLine):
    def __init__(self, store: CountingStore, dsn: str, session: Mapping[str, str]) -> None:
        super().__init__(dsn, session)
        self._store = store

    async def _connected(self) -> Any:
        return _Asking(await super()._connected(), self._store)


class _Asking:
    """A connection, statement by statement."""

    def __init__(self, connection: Any, store: CountingStore) -> None:
        self._connection, self._store = connection, store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        return self._saying(found) if name in _SAYING else found

    def _saying(self, method: Any) -> Any:
        async def say(statement: str, *arguments: Any, **named: Any) -> Any:
            if statement == "BEGIN":
                self._store.said = []
            await self._store.asked()
            self._store.said.append(statement)
            answer = await method(statement, *arguments, **named)
            if statement == "COMMIT":
                await self._store.asked()
            return answer

        return say


def before(number: int, cut: Interruption) -> Interruption:
    """Interrupt once, when so many statements were said since BEGIN (BEGIN is the first)."""

    async def interrupt(store: CountingStore) -> None:
        if len(store.said) == number:
            store.interruption = None
            await cut(store)
            if store.said[-1:] == ["COMMIT"]:
                raise asyncpg.ConnectionDoesNotExistError("the answer was lost")

    return interrupt


async def cable_pulled(store: CountingStore) -> None:
    """Our side is gone: the server finds out by itself."""
    store.cut()


async def backend_ended(store: CountingStore) -> None:
    """The server's side is gone: we find out with the next statement."""
    connection = store._line._connection
    assert connection is not None
    killer = await asyncpg.connect(store._line._dsn)
    await killer.execute("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
    await killer.close()
