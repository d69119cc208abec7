"""What is made of all that a mail server, a service for short messages and a folder can do to a message."""

import asyncio
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from services.outreach.contacts.adapters.letter_folder import LetterFolder
from services.outreach.contacts.adapters.sms_service import SmsServiceGateway
from services.outreach.contacts.adapters.smtp import SmtpGateway
from services.outreach.contacts.ports import Gateway, NotTakenError, RefusedError, UnansweredError
from services.outreach.sending.providers import sms_client
from shared.carriers import SmsService, SmtpServer
from tests.contract.gateway_sites import KEY, NOW, MailServer, SmsProvider, mail_server, message, sms_service

PERSONAL = ("anna.ceshi", "99887766", "测试安宁")


async def said(gateway: Gateway, channel: str, **other: Any) -> str:
    """How a message ended, in a word, and what was said of it."""
    try:
        await gateway.send(replace(message(channel), **other))
    except (RefusedError, NotTakenError, UnansweredError) as error:
        words = f"{type(error).__name__}: {error}".rstrip(": ")
        return "it names somebody" if [each for each in PERSONAL if each in repr(error)] else words
    return "taken"


# E-mail


async def test_a_mail_says_what_was_written_to_whom_it_is_for_under_an_id_that_follows_from_its_key() -> None:
    server = MailServer()
    async with mail_server(server) as (host, port):
        assert await said(SmtpGateway(SmtpServer(host, port, "none")), "email") == "taken"
    [mail], [envelope] = server.mails, server.envelopes
    assert envelope.mail_from == "service@example.com"
    assert envelope.rcpt_tos == ["anna.ceshi@example.com"]
    assert (mail["From"], mail["To"]) == ("Example Servicing <service@example.com>", "anna.ceshi@example.com")
    assert mail["Subject"] == "您的贷款余额告知"
    assert mail["Message-ID"] == f"<{KEY}@example.com>"
    assert mail["Date"] == format_datetime(NOW)
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == "尊敬的测试安宁\n.\n您好"


ANSWERS = {
    "no": ({}, "HELO", "NotTakenError: the mail server cannot be used"),
    "mail": ({}, "MAIL", "NotTakenError: the mail server cannot be used"),
    "rcpt": ({}, "RCPT", "NotTakenError: the mail server cannot be used"),
    "data": ({}, "DATA", "UnansweredError"),
    "text": ({}, "TEXT", "UnansweredError"),
    "sender later": ({"MAIL": "451 later"}, "", "NotTakenError: the mail server cannot be used (451)"),
    "sender never": ({"MAIL": "550 no"}, "", "NotTakenError: the mail server cannot be used (550)"),
    "recipient later": ({"RCPT": "450 anna.ceshi is busy"}, "", "NotTakenError: the mail server answers 450"),
    "recipient never": ({"RCPT": "550 no anna.ceshi here"}, "", "RefusedError: the mail server answers 550"),
    "text not now": ({"DATA": "451 later"}, "", "NotTakenError: the mail server answers 451"),
    "text never": ({"DATA": "554 no"}, "", "RefusedError: the mail server answers 554"),
    "given, not now": ({"TEXT": "452 full"}, "", "NotTakenError: the mail server answers 452"),
    "given, never": ({"TEXT": "554 spam"}, "", "RefusedError: the mail server answers 554"),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_each_answer_of_a_mail_server_and_each_cut_is_sorted(case: str) -> None:
    says, ends, expected = ANSWERS[case]
    server = MailServer(dict(says), ends)
    async with mail_server(server) as (host, port):
        assert await said(SmtpGateway(SmtpServer(host, port, "none"), seconds=5), "email") == expected
    assert len(server.mails) == (1 if case == "text" else 0)


async def test_a_mail_server_that_is_away_or_silent_has_taken_nothing() -> None:
    away = SmtpGateway(SmtpServer("127.0.0.1", 1, "none"))
    assert await said(away, "email") == "NotTakenError: the mail server cannot be used"
    async with silent() as port:
        mute = SmtpGateway(SmtpServer("127.0.0.1", port, "none"), seconds=0.2)
        assert await said(mute, "email") == "NotTakenError: the mail server cannot be used"


@pytest.mark.parametrize(
    "recipient", ["", "anna", "a@b", "a@x.example, b@x.example", "a@x.example\r\nBcc: b@x.example", "안나@x.example"]
)
async def test_what_is_no_single_address_is_given_to_no_server(recipient: str) -> None:
    server = MailServer()
    async with mail_server(server) as (host, port):
        ended = await said(SmtpGateway(SmtpServer(host, port, "none")), "email", recipient=recipient)
    assert ended == "RefusedError: the contact point is no address for e-mail"
    assert server.envelopes == []


async def test_a_subject_cannot_bring_in_another_header() -> None:
    server = MailServer()
    async with mail_server(server) as (host, port):
        ended = await said(SmtpGateway(SmtpServer(host, port, "none")), "email", subject="x\r\nBcc: b@x.example")
    assert ended == "RefusedError: the message cannot be written as e-mail"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for this machine, in one file."""
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    extension = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    made = [*command.split(), *extension.split(), "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run(made, check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def context_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def logged_in(_server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"fairdue", b"hush"), handled=False)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_mail_travels_encrypted_and_is_given_by_who_has_logged_in(security: Any, certificate: Path) -> None:
    server, context = MailServer(), context_of(certificate)
    options = {"tls": context} if security == "tls" else {"tls_context": context, "require_starttls": True}
    within = security == "starttls"  # a server that is spoken to through TLS from the start does not know of it
    login = {"authenticator": logged_in, "auth_required": within, "auth_require_tls": within}
    async with mail_server(server, **options, **login) as (host, port):
        ours = SmtpServer(host, port, security, "fairdue", "hush", Path(f"{certificate}.crt"))
        assert await said(SmtpGateway(ours), "email") == "taken"
        wrong = replace(ours, password="wrong")
        assert await said(SmtpGateway(wrong), "email") == "NotTakenError: the mail server cannot be used (535)"
        stranger = replace(ours, ca_file=None)
        assert await said(SmtpGateway(stranger), "email") == "NotTakenError: the mail server cannot be used"
    assert len(server.mails) == 1


async def test_a_server_that_cannot_encrypt_is_given_nothing_where_it_should() -> None:
    server = MailServer()
    async with mail_server(server) as (host, port):
        ended = await said(SmtpGateway(SmtpServer(host, port, "starttls")), "email")
    assert ended == "NotTakenError: the mail server cannot be used"
    assert server.envelopes == []


# Short messages


class silent:  # noqa: N801  # it reads as what it is
    """A server on loopback that never answers: it waits for ever, or hangs up once it was asked."""

    def __init__(self, *, hang_up: bool = False) -> None:
        self.hang_up = hang_up
        self.guests: list[asyncio.Task[Any] | None] = []

    async def __aenter__(self) -> int:
        self.server = await asyncio.start_server(self._mute, "127.0.0.1", 0)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def _mute(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.guests.append(asyncio.current_task())
        await reader.read(65536 if self.hang_up else -1)
        writer.close()
        await writer.wait_closed()

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        await asyncio.gather(*(each for each in self.guests if each is not None), return_exceptions=True)
        await self.server.wait_closed()


SOON = format_datetime(datetime.now(UTC) + timedelta(hours=9))
SERVICE_ANSWERS: Mapping[str, tuple[dict[str, Any], str]] = {
    "busy": ({"status": 429, "headers": {"retry-after": "17"}}, "NotTakenError: the service is busy (429) 17.0"),
    "busy, and does not say for how long": ({"status": 429}, "NotTakenError: the service is busy (429) 0.0"),
    "away, for now": (
        {"status": 503, "headers": {"retry-after": SOON}},
        "NotTakenError: the service is busy (503) 3600.0",
    ),
    "broken": ({"status": 503}, "UnansweredError"),
    "broken after it has taken it": ({"status": 500, "taken": True}, "UnansweredError"),
    "behind a gateway that gave up": ({"status": 504, "taken": True}, "UnansweredError"),
    "refusing": (
        {"status": 422, "text": "no such number +8610099887766"},
        "RefusedError: the service refuses the message (422)",
    ),
    "not knowing us": ({"status": 401}, "NotTakenError: the service does not serve us (401) 0.0"),
    "sending us elsewhere": (
        {"status": 307, "headers": {"location": "http://127.0.0.1:1/"}},
        "NotTakenError: the service does not serve us (307) 0.0",
    ),
    "working on the same key": ({"status": 409, "taken": True}, "UnansweredError"),
    "torn in the middle of its answer": ({"torn": True, "taken": True}, "UnansweredError"),
    "silent after it has taken it": ({"slow": 2, "taken": True}, "UnansweredError"),
    "not to be understood": ({"status": 200, "text": "<html>", "taken": True}, "UnansweredError"),
}


@pytest.mark.parametrize("case", SERVICE_ANSWERS)
async def test_a_service_is(case: str) -> None:
    answer, expected = SERVICE_ANSWERS[case]
    provider = SmsProvider(answers=[answer])
    async with sms_service(provider, seconds=0.5) as gateway:
        with pytest.raises((NotTakenError, RefusedError, UnansweredError)) as raised:
            await gateway.send(message("sms"))
        error = raised.value
        seconds = f" {error.seconds}" if isinstance(error, NotTakenError) else ""
        assert f"{type(error).__name__}: {error}".rstrip(": ") + seconds == expected
        assert not [each for each in PERSONAL if each in repr(error)]
        if isinstance(error, UnansweredError) and answer.get("taken"):
            found = await gateway.look_up(KEY)
            assert found is not None
            assert found.reference == f"sms/{KEY[:8]}"
        again = await gateway.send(message("sms"))
        assert again.reference == f"sms/{KEY[:8]}"
    assert list(provider.messages) == [KEY]
    assert provider.messages[KEY] == {"to": "+8610099887766", "text": "尊敬的测试安宁\n.\n您好"}
    assert provider.authorisations == {"Bearer hush"}


@pytest.mark.parametrize("answer", [{"status": 500}, {"torn": True}, {"slow": 2}, {"status": 200, "text": "?"}])
async def test_a_look_up_that_says_nothing_leaves_the_doubt(answer: dict[str, Any]) -> None:
    provider = SmsProvider()
    async with sms_service(provider, seconds=0.5) as gateway:
        await gateway.send(message("sms"))
        provider.answers = [answer]
        with pytest.raises(UnansweredError):
            await gateway.look_up(KEY)


@pytest.mark.parametrize(
    ("written", "given"), [("+86 (100) 9988-7766", "+8610099887766"), ("0100 9988 7766", "010099887766")]
)
async def test_a_number_is_given_without_what_people_write_between_its_digits(written: str, given: str) -> None:
    provider = SmsProvider()
    async with sms_service(provider) as gateway:
        await gateway.send(message("sms", recipient=written))
        refused = await said(gateway, "sms", recipient="call me")
        assert refused == "RefusedError: the contact point is no telephone number"
    assert [each["to"] for each in provider.messages.values()] == [given]


async def test_a_service_that_is_away_has_taken_nothing_and_one_that_hangs_up_may_have() -> None:
    async with sms_client(SmsService("http://127.0.0.1:1/")) as client:
        assert await said(SmsServiceGateway(client), "sms") == "NotTakenError: the service cannot be reached"
    async with silent(hang_up=True) as port, sms_client(SmsService(f"http://127.0.0.1:{port}/")) as client:
        assert await said(SmsServiceGateway(client), "sms") == "UnansweredError"
        with pytest.raises(UnansweredError):
            await SmsServiceGateway(client).look_up(KEY)


# Letters


def files_of(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_letter_is_there_whole_and_nothing_else_is(tmp_path: Path) -> None:
    await LetterFolder(tmp_path).send(message("letter"))
    [file] = files_of(tmp_path)
    assert (file.name, file.read_bytes()) == (f"{KEY}.pdf", b"%PDF-1.3 made up")
    assert file.stat().st_mode & 0o077 == 0


async def test_a_letter_that_was_printed_is_not_put_there_again(tmp_path: Path) -> None:
    folder = LetterFolder(tmp_path)
    receipt = await folder.send(message("letter"))
    (tmp_path / "printed").mkdir()
    (tmp_path / f"{KEY}.pdf").rename(tmp_path / "printed" / f"{KEY}.pdf")
    assert await folder.send(message("letter")) == receipt
    assert await folder.look_up(KEY) == receipt
    assert [each.name for each in files_of(tmp_path)] == ["printed"]
    assert not await folder.pull(KEY)


async def test_of_many_who_hand_over_one_letter_at_once_one_is_first(tmp_path: Path) -> None:
    contents = [b"%PDF " + bytes([each]) * 100_000 for each in range(8)]
    await asyncio.gather(*(LetterFolder(tmp_path).send(message("letter", pdf=each)) for each in contents))
    [file] = files_of(tmp_path)
    assert file.read_bytes() in contents


async def test_a_folder_that_is_away_has_taken_nothing_and_says_nothing_of_any_letter(tmp_path: Path) -> None:
    folder = LetterFolder(tmp_path / "away")
    assert await said(folder, "letter") == "NotTakenError: the folder for letters cannot be used (FileNotFoundError)"
    with pytest.raises(UnansweredError):
        await folder.look_up(KEY)


@pytest.mark.parametrize("key", ["", "../../etc/x", "a/b", "A", "a.b"])
async def test_a_key_cannot_lead_out_of_the_folder(key: str, tmp_path: Path) -> None:
    assert await said(LetterFolder(tmp_path), "letter", key=key) == "RefusedError: a letter cannot be named so"
