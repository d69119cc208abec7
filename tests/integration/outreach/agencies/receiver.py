"""An agency's side: a server on the loopback that keeps what it is sent, and checks it as an agency would."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One call."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """By what the receiver knows that it has had it already."""
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        """What it says."""
        content: dict[str, Any] = json.loads(self.body)
        return content

    def signed_by(self, secret: str) -> bool:
        """Whether one of the signatures is by this secret: written from the specification, with none of our code."""
        prefix, _, key = secret.partition("_")
        assert prefix == "whsec"
        content = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = base64.b64encode(hmac.new(base64.b64decode(key), content, hashlib.sha256).digest()).decode()
        given = [each.split(",", 1) for each in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(value, wanted) for version, value in given)


@dataclass
class Receiver:
    """Answers each call as it is told to.

    hangs: keeps the caller waiting. endless: has a head, and a body without end. trickles: has a head without end.
    """

    answer: str = "200 OK"
    headers: tuple[str, ...] = ()
    hangs: bool = False
    endless: bool = False
    trickles: bool = False
    requests: list[Request] = field(default_factory=list)
    url: str = ""
    open: int = 0
    most: int = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one call; a caller that goes away in the middle is none of ours."""
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            self.requests.append(await _read(reader))
            if self.hangs:
                await reader.read()  # until the caller goes away
            else:
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = 10**9 if self.endless else 0
        head = [f"HTTP/1.1 {self.answer}", f"content-length: {length}", "connection: close", *self.headers]
        writer.write("\r\n".join(head).encode())
        while self.trickles and not reader.at_eof():
            writer.write(b"\r\nx-more: 1")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
        writer.write(b"\r\n\r\n")
        await writer.drain()
        if self.endless:
            await reader.read()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[1], headers, body)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/hook?a=b"
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()


async def until(condition: Any, seconds: float = 20.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # the world outside is looked at again
            await asyncio.sleep(0.01)
