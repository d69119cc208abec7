"""Providers of messages as they really are, each on loopback, and what they have taken."""

import asyncio
import gc
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, Header, Request, Response

from services.outreach.contacts.adapters.letter_folder import LetterFolder
from services.outreach.contacts.adapters.sandbox import MemoryGatewayLog, SandboxGateway
from services.outreach.contacts.adapters.sms_service import SmsServiceGateway
from services.outreach.contacts.adapters.smtp import SmtpGateway
from services.outreach.contacts.permits import Permit, Signer
from services.outreach.contacts.ports import Gateway, Message
from services.outreach.sending.providers import sms_client
from shared.carriers import SmsService, SmtpServer

SIGNER = Signer(bytes(32))
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"
RECIPIENTS = {"sms": "+8610099887766", "email": "anna.ceshi@example.com", "letter": "上海市样例路17号"}


def message(channel: str, key: str = KEY, **other: Any) -> Message:
    """A message under a good permit."""
    permit = Permit(
        permit_id="c",
        debtor_id="d",
        channel=channel,
        purpose="collection",
        key=key,
        pack="CN",
        pack_version="1",
        permitted_at=NOW,
        expires_at=NOW + timedelta(seconds=60),
    )
    content: dict[str, Any] = {
        "recipient": RECIPIENTS[channel],
        "sender": "Example Servicing <service@example.com>",
        "subject": "您的贷款余额告知" if channel != "sms" else "",
        "text": "尊敬的测试安宁\n.\n您好",
        "pdf": b"%PDF-1.3 made up" if channel == "letter" else b"",
    } | other
    return Message(
        key=key,
        contact_id="c",
        debtor_id="d",
        lender_id="l",
        channel=channel,
        template="t",
        sent_at=NOW,
        permit=SIGNER.signed(permit),
        expires_at=permit.expires_at,
        **content,
    )


@dataclass
class Site:
    """A gateway, by which channel it is tried, and the key of each message that its provider has taken."""

    gateway: Gateway
    channel: str
    taken: Callable[[], Sequence[str]]


@asynccontextmanager
async def sandbox(_folder: Path) -> AsyncIterator[Site]:
    """The gateway that reaches nobody."""
    log = MemoryGatewayLog()
    yield Site(SandboxGateway(log, SIGNER.public_key), "sms", lambda: list(log.taken))


@asynccontextmanager
async def letters(folder: Path) -> AsyncIterator[Site]:
    """A folder that a printer watches."""
    yield Site(LetterFolder(folder), "letter", lambda: [each.stem for each in folder.glob("*.pdf")])


# -- short messages ------------------------------------------------------------------------------------------------


@dataclass
class SmsProvider:
    """A service for short messages: it takes each key once. `answers` are what comes of the next calls instead.

    An answer is a status with headers; with `taken` the message is taken all the same, and with `torn` the connection
    is closed in the middle of the answer.
    """

    messages: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    authorisations: set[str] = field(default_factory=set)

    def app(self) -> FastAPI:
        """The service."""
        app = FastAPI()
        app.add_api_route("/v1/messages", self.post, methods=["POST"], status_code=202)
        app.add_api_route("/v1/messages/{key}", self.get, methods=["GET"])
        app.add_api_route("/v1/messages/{key}", self.delete, methods=["DELETE"])
        return app

    async def post(self, request: Request, idempotency_key: str = Header(), authorization: str = Header("")) -> Any:
        self.calls.append("POST")
        self.authorisations.add(authorization)
        answer = self.answers.pop(0) if self.answers else {}
        if not answer or answer.get("taken"):
            self.messages.setdefault(idempotency_key, await request.json())
        return await self._answered(answer, {"id": idempotency_key[:8], "status": "queued"})

    async def get(self, key: str) -> Any:
        self.calls.append("GET")
        answer = self.answers.pop(0) if self.answers else {"status": 200 if key in self.messages else 404}
        return await self._answered(answer, {"id": key[:8], "status": "delivered"})

    async def delete(self, key: str) -> Response:
        self.calls.append("DELETE")
        return Response(status_code=204 if self.messages.pop(key, None) else 409)

    async def _answered(self, answer: Mapping[str, Any], body: dict[str, str]) -> Any:
        await asyncio.sleep(answer.get("slow", 0))
        if answer.get("torn"):
            return Response(b"{", headers={"content-length": "100"})
        if answer.get("status", 200) == 200 and "text" not in answer:
            return body
        return Response(answer.get("text", ""), answer["status"], answer.get("headers", {}))


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """An application on loopback: where it is."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await task
        listening.close()


@asynccontextmanager
async def sms_service(provider: SmsProvider, seconds: float = 5.0) -> AsyncIterator[SmsServiceGateway]:
    """The gateway to a service."""
    async with serving(provider.app()) as address, sms_client(SmsService(f"{address}/v1/", "hush")) as client:
        client.timeout = seconds
        yield SmsServiceGateway(client)


@asynccontextmanager
async def sms(_folder: Path) -> AsyncIterator[Site]:
    """A service that behaves."""
    provider = SmsProvider()
    async with sms_service(provider) as gateway:
        yield Site(gateway, "sms", lambda: list(provider.messages))


# -- e-mail ----------------------------------------------------------------------------------------------------------


@dataclass
class MailServer:
    """A mail server. `says` are its answers in place of the usual, and `ends` the phase in which it hangs up."""

    says: dict[str, str] = field(default_factory=dict)
    ends: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    connections: list["_Faulty"] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail, unless told otherwise."""
        if "TEXT" in self.says:
            return self.says["TEXT"]
        self.envelopes.append(envelope)
        parsed = message_from_bytes(envelope.original_content or b"", policy=policy.SMTP)
        self.mails.append(parsed)
        if self.ends == "TEXT":
            server.transport.abort()  # type: ignore[union-attr]  # there is one
        return "250 taken"

    def protocol(self, **options: Any) -> SMTP:
        """One connection."""
        self.connections.append(_Faulty(self, hostname="mail.example.com", **options))
        return self.connections[-1]

    async def hang_up(self) -> None:
        """End the connections that are still there, and let go of their writers while the loop still runs."""
        for each in self.connections:
            if isinstance(each.transport, asyncio.WriteTransport):
                each.transport.abort()
            if each._handler_coroutine is not None:
                await asyncio.gather(each._handler_coroutine, return_exceptions=True)
            each._writer = None  # type: ignore[assignment]  # it is let go of
        self.connections.clear()
        gc.collect()


class _Faulty(SMTP):
    """Hangs up or answers otherwise in a phase: HELO, MAIL, RCPT, DATA (before the text), TEXT (after it)."""

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        if not await self._struck("HELO"):
            await super().smtp_EHLO(hostname)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        if not await self._struck("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        if not await self._struck("RCPT"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if not await self._struck("DATA"):
            await super().smtp_DATA(arg)

    async def _struck(self, phase: str) -> bool:
        server: MailServer = self.event_handler
        if server.ends == phase:
            self.transport.abort()  # type: ignore[union-attr]  # there is one
            return True
        if phase in server.says:
            await self.push(server.says[phase])
            return True
        return False


@asynccontextmanager
async def mail_server(
    server: MailServer, *, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[tuple[str, int]]:
    """A mail server on loopback: where it is."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: server.protocol(**options), "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()
    finally:
        listening.close()
        await server.hang_up()
        await listening.wait_closed()


@asynccontextmanager
async def smtp(_folder: Path) -> AsyncIterator[Site]:
    """A mail server that behaves."""
    server = MailServer()

    def taken() -> list[str]:
        return [each["Message-ID"].strip("<>").partition("@")[0] for each in server.mails]

    async with mail_server(server) as (host, port):
        yield Site(SmtpGateway(SmtpServer(host, port, "none"), seconds=5), "email", taken)


SITES = (sandbox, sms, letters, smtp)
