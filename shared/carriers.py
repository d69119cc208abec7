"""Who carries messages in an installation: a mail server, a service for short messages, a folder for letters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from shared.addresses import is_loopback, is_plain_address
from shared.environment import Environment, SettingsError

Security: TypeAlias = Literal["tls", "starttls", "none"]

_PORTS: Final[Mapping[Security, int]] = {"tls": 465, "starttls": 587, "none": 25}
_SCHEMES: Final[Mapping[str, Security]] = {"smtps": "tls", "smtp": "starttls", "smtp+plain": "none"}

CHANNELS: Final = ("sms", "email", "letter", "phone")
"""By what people can be contacted; nobody carries calls so far but the sandbox."""

CARRIED_BY: Final[Mapping[str, str]] = {
    "sms": "FAIRDUE_SMS_URL",
    "email": "FAIRDUE_SMTP_URL",
    "letter": "FAIRDUE_LETTER_FOLDER",
}
"""What says who carries a channel."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """A mail server; `ca_file` is for one whose certificate no public authority signed."""

    host: str
    port: int
    security: Security
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class SmsService:
    """A service that takes short messages, and what we show it."""

    url: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Carriers:
    """Which channels are worked, and who carries each; nobody where nothing was said.

    senders, providers: files that take the place of those that come with the product.
    """

    channels: tuple[str, ...] = CHANNELS
    smtp: SmtpServer | None = None
    sms: SmsService | None = None
    letters: Path | None = None
    senders: Path | None = None
    providers: Path | None = None

    @property
    def real(self) -> frozenset[str]:
        """The channels that somebody carries who reaches people."""
        found = {"email": self.smtp, "sms": self.sms, "letter": self.letters}
        return frozenset(channel for channel, carrier in found.items() if carrier is not None)


def read_carriers(read: Environment) -> Carriers:
    """What the environment says. Raises SettingsError."""
    return Carriers(
        channels=_channels(read),
        smtp=_smtp(read),
        sms=_sms(read),
        letters=_letters(read),
        senders=read.file("FAIRDUE_SENDERS"),
        providers=read.file("FAIRDUE_PROVIDERS"),
    )


def refuse_the_sandbox(carriers: Carriers, *, told: bool) -> None:
    """Every channel in use needs somebody who carries it, and has to be named. Raises SettingsError."""
    if not told:
        raise SettingsError("FAIRDUE_CHANNELS", "is not set; it needs the channels by which people are contacted")
    for channel in carriers.channels:
        if channel not in CARRIED_BY:
            raise SettingsError("FAIRDUE_CHANNELS", f"nobody carries {channel} but the sandbox, which is for demos")
        if channel not in carriers.real:
            raise SettingsError(CARRIED_BY[channel], f"is not set, and the sandbox for {channel} is for demos")
    if carriers.senders is None:
        raise SettingsError("FAIRDUE_SENDERS", "is not set; it needs a file that says who writes for each lender")
    _refuse_open_ways(carriers)


def _refuse_open_ways(carriers: Carriers) -> None:
    if carriers.smtp and carriers.smtp.security == "none" and not is_loopback(carriers.smtp.host):
        raise SettingsError("FAIRDUE_SMTP_URL", "without encryption a mail server may only be on this machine")
    sms = urlsplit(carriers.sms.url) if carriers.sms else None
    if sms and sms.scheme != "https" and not is_loopback(sms.hostname or ""):
        raise SettingsError("FAIRDUE_SMS_URL", "without encryption a service may only be on this machine")


def _channels(read: Environment) -> tuple[str, ...]:
    variable = "FAIRDUE_CHANNELS"
    given = tuple(each.strip() for each in read.text(variable, ",".join(CHANNELS)).split(","))
    if not set(given) <= set(CHANNELS) or len(set(given)) != len(given):
        raise SettingsError(variable, f"needs some of {', '.join(CHANNELS)}, each once")
    return given


def _smtp(read: Environment) -> SmtpServer | None:
    variable = "FAIRDUE_SMTP_URL"
    if not read.text(variable):
        return None
    try:
        parts = urlsplit(read.text(variable))
        security = _SCHEMES[parts.scheme]
        host, port = parts.hostname, parts.port or _PORTS[security]
    except (ValueError, KeyError):
        host, port, security, parts = None, 0, "none", urlsplit("")
    if not host or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise SettingsError(variable, "needs smtp://user:password@host:port, or smtps:// or smtp+plain://")
    ca_file = read.file("FAIRDUE_SMTP_CA_FILE")
    return SmtpServer(host, port, security, unquote(parts.username or ""), unquote(parts.password or ""), ca_file)


def _sms(read: Environment) -> SmsService | None:
    variable = "FAIRDUE_SMS_URL"
    url = read.text(variable)
    if not url:
        return None
    if not is_plain_address(url):
        raise SettingsError(variable, "needs https://host/path; what is shown to it goes into FAIRDUE_SMS_TOKEN")
    return SmsService(url.rstrip("/") + "/", read.text("FAIRDUE_SMS_TOKEN"))


def _letters(read: Environment) -> Path | None:
    variable = "FAIRDUE_LETTER_FOLDER"
    if not read.text(variable):
        return None
    folder = Path(read.text(variable))
    if not folder.is_dir():
        raise SettingsError(variable, "there is no such folder")
    return folder
