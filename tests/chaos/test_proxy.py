"""The line to a broker, made slow, cut and refused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from shared.ports import free_port
from tests.chaos.proxy import HOST, Proxy

LATE = 0.15


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(100):
                writer.write(data)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    echoing: set[asyncio.Task[None]] = set()
    target = await asyncio.start_server(lambda *line: echoing.add(asyncio.create_task(echo(*line))), HOST, 0)
    proxy = Proxy(free_port(), target.sockets[0].getsockname()[1])
    proxy.start()
    yield proxy
    await asyncio.to_thread(proxy.close)
    target.close()
    await asyncio.gather(*echoing)


class Caller:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def of(cls, proxy: Proxy) -> "Caller":
        return cls(*await asyncio.open_connection(HOST, proxy.port))

    async def ask(self, what: bytes) -> bytes:
        self._writer.write(what)
        return await asyncio.wait_for(self._reader.read(100), 5)

    async def is_cut_off(self) -> bool:
        try:
            return await self.ask(b"still there?") == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._writer.close()


async def test_what_is_said_comes_back(proxy: Proxy) -> None:
    caller = await Caller.of(proxy)
    assert await caller.ask(b"hello") == b"hello"
    assert proxy.delayed == 0
    caller.close()


async def test_a_slow_line_answers_late(proxy: Proxy) -> None:
    caller = await Caller.of(proxy)
    await caller.ask(b"quick")
    proxy.latency = LATE
    began = asyncio.get_running_loop().time()
    assert await caller.ask(b"slow") == b"slow"
    assert asyncio.get_running_loop().time() - began >= LATE
    assert proxy.delayed == 1
    caller.close()


async def test_a_cut_resets_what_is_open_and_lets_others_in(proxy: Proxy) -> None:
    caller = await Caller.of(proxy)
    await caller.ask(b"hello")
    assert await asyncio.to_thread(proxy.cut) == 1
    assert await caller.is_cut_off()
    again = await Caller.of(proxy)
    assert await again.ask(b"hello") == b"hello"
    caller.close()
    again.close()


async def test_a_line_that_is_down_lets_nobody_in(proxy: Proxy) -> None:
    proxy.refusing = True
    caller = await Caller.of(proxy)
    assert await caller.is_cut_off()
    assert proxy.refused == 1
    caller.close()
