"""E-mail over SMTP, which knows neither keys nor look-ups: what was begun and not answered stays in doubt."""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr

import aiosmtplib

from services.outreach.contacts.ports import Message, NotTakenError, Receipt, RefusedError, UnansweredError
from shared.carriers import SmtpServer

SECONDS = 10.0
"""How long each answer of the server may take."""

_ADDRESS = re.compile(r"[!#-'*+\-./0-9=?A-Z^_`a-z{|}~]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_FOR_GOOD = 500

_FAILURES = (aiosmtplib.SMTPException, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class SmtpGateway:
    """One mail server. Its refusals of the recipient or of the message are for good; of us, for now."""

    server: SmtpServer
    seconds: float = SECONDS

    @property
    def takes_once(self) -> bool:
        """A server takes whatever it is given."""
        return False

    async def send(self, message: Message) -> Receipt:
        """Have a message taken. Raises RefusedError, NotTakenError, UnansweredError."""
        sender = parseaddr(message.sender)[1]
        if not _ADDRESS.fullmatch(message.recipient):
            raise RefusedError("the contact point is no address for e-mail")
        content, client = _content(message, sender), self._client()
        try:
            await _introduced(client, sender)
            await _addressed(client, message.recipient)
            return await _given(client, content, message.key)
        finally:
            client.close()

    async def look_up(self, key: str) -> Receipt | None:
        """Nothing is known of any key."""
        known: Mapping[str, Receipt] = {}
        return known.get(key)

    def _client(self) -> aiosmtplib.SMTP:
        server = self.server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            timeout=self.seconds,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=None if server.security == "none" else ssl.create_default_context(cafile=server.ca_file),
        )


def _content(message: Message, sender: str) -> bytes:
    """The message as it travels: its id follows from its key, so that copies can be told."""
    content = EmailMessage(policy=SMTP_POLICY)
    try:
        content["From"] = message.sender
        content["To"] = message.recipient
        content["Subject"] = message.subject
        content["Date"] = format_datetime(message.sent_at)
        content["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
        content["Auto-Submitted"] = "auto-generated"
        content.set_content(message.text)
        return content.as_bytes()
    except (MessageError, ValueError):
        raise RefusedError("the message cannot be written as e-mail") from None


async def _introduced(client: aiosmtplib.SMTP, sender: str) -> None:
    """Connect, encrypt, log in, and say who sends."""
    try:
        await client.connect()
        await client.mail(sender)
    except _FAILURES as error:
        raise NotTakenError(f"the mail server cannot be used{_code(error)}") from None


async def _addressed(client: aiosmtplib.SMTP, recipient: str) -> None:
    try:
        await client.rcpt(recipient)
    except aiosmtplib.SMTPRecipientRefused as error:
        raise _refusal(error) from None
    except _FAILURES as error:
        raise NotTakenError(f"the mail server cannot be used{_code(error)}") from None


async def _given(client: aiosmtplib.SMTP, content: bytes, key: str) -> Receipt:
    """Give the text. From here on, only an answer tells what has become of it."""
    try:
        await client.data(content)
    except aiosmtplib.SMTPDataError as error:
        raise _refusal(error) from None
    except _FAILURES:
        raise UnansweredError from None
    return Receipt(reference=f"smtp/{key}", outcome="sent")


def _refusal(error: aiosmtplib.SMTPResponseException) -> Exception:
    """For good or for now; what the server says beside its code may name somebody, and is left out."""
    if error.code < 0:
        return UnansweredError()
    kind = RefusedError if error.code >= _FOR_GOOD else NotTakenError
    return kind(f"the mail server answers {error.code}")


def _code(error: Exception) -> str:
    return f" ({error.code})" if isinstance(error, aiosmtplib.SMTPResponseException) else ""
