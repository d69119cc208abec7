"""A TCP proxy before a broker, on a thread of its own: it delays answers, cuts and refuses connections."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

HOST = "127.0.0.1"
CHUNK = 1 << 16


class Proxy:
    """Passes connections on from one port to another; `latency` is in seconds and may be changed at any time."""

    def __init__(self, port: int, target: int) -> None:
        """Listen on nothing yet."""
        self.port, self._target = port, target
        self.latency = 0.0
        self.refusing = False
        self.delayed = self.refused = self.answered = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {port}", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._wait(self._listen())

    def cut(self) -> int:
        """Reset every connection; the number of them."""
        return int(self._wait(self._cut()))

    def close(self) -> None:
        """Stop listening, and cut what is open."""
        if self._thread.is_alive():
            self._wait(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)

    async def _cut(self) -> int:
        cut = list(self._open)
        for writer in cut:
            writer.transport.abort()
        return len(cut) // 2

    async def _end(self) -> None:
        self.refusing = True
        if self._server is not None:
            self._server.close()
        await self._cut()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            self.refused += 1
            writer.transport.abort()
            return
        try:
            target_reader, target_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            self.refused += 1
            writer.transport.abort()
            return
        both = {writer, target_writer}
        self._open |= both
        try:
            waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
            forth, back = self._forth(reader, target_writer), self._back(target_reader, waiting)
            await _first_of(forth, back, self._deliver(waiting, writer))
        finally:
            self._open -= both
            for each in both:
                each.transport.abort()

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                writer.write(data)
                await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, waiting: "asyncio.Queue[tuple[float, bytes]]") -> None:
        """What the broker says, each piece due after the latency: they wait side by side, as on a long line."""
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                self.answered += 1
                waiting.put_nowait((self._loop.time() + self.latency, data))

    async def _deliver(self, waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                at, data = await waiting.get()
                if (late := at - self._loop.time()) > 0:
                    self.delayed += 1
                    await asyncio.sleep(late)
                writer.write(data)
                await writer.drain()


async def _first_of(*ways: Coroutine[Any, Any, None]) -> None:
    """Run until the first of them ends, and end the others."""
    tasks = [asyncio.create_task(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
