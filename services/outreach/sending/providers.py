"""Who carries the messages of each channel in this installation, each behind its circuit breaker and its pace."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import msgspec

from services.outreach.contacts.adapters.letter_folder import LetterFolder
from services.outreach.contacts.adapters.sandbox import SandboxGateway
from services.outreach.contacts.adapters.sandbox_log import PostgresGatewayLog
from services.outreach.contacts.adapters.sms_service import SmsServiceGateway
from services.outreach.contacts.adapters.smtp import SmtpGateway
from services.outreach.contacts.effects import Way
from services.outreach.contacts.ports import Gateway
from services.outreach.sending import senders
from services.outreach.sending.breaker import Breaker
from services.outreach.sending.composing import Composer
from services.outreach.sending.guarded import GuardedGateway, shown_as
from services.outreach.sending.last_look import LastLook
from services.outreach.sending.pacing import Pace, Pacer, Reservoir
from services.outreach.sending.store import Cabinet
from services.outreach.templates.store import shipped
from shared.carriers import SmsService
from shared.clock import SystemClock
from shared.data_files import Form, WrongDataError, read
from shared.settings import SANDBOX, Settings

FILE = Path(__file__).parent / "providers.yaml"

SMS_SECONDS = 10.0

_NAMES = frozenset({"sms", "smtp", "letters"})

Positive = Annotated[int, msgspec.Meta(ge=1)]


class _PaceForm(Form, frozen=True):
    channel: str
    per_second: Positive
    per_minute: Positive
    slack: Annotated[float, msgspec.Meta(ge=0.01, le=5)] = 0.25

    def pace(self) -> Pace:
        return Pace(self.per_second, self.per_minute, self.slack)


class Provider(Form, frozen=True):
    """How a provider is treated."""

    provider: str
    failures: Positive
    seconds: Annotated[float, msgspec.Meta(gt=0)]
    takes_once: bool = True
    paces: tuple[_PaceForm, ...] = ()

    def breaker(self) -> Breaker:
        """A circuit of its own, shown as a metric."""
        return Breaker(self.failures, self.seconds, shown=shown_as(self.provider))

    def pacer(self, channel: str, reservoir: Reservoir) -> Pacer | None:
        """This worker's share of a channel's pace; None where it has no limit."""
        paces = {each.channel: each.pace() for each in self.paces}
        return Pacer(reservoir, self.provider, channel, paces[channel]) if channel in paces else None


class _ProvidersForm(Form, frozen=True):
    version: str
    providers: tuple[Provider, ...]


def read_providers(file: Path = FILE) -> Mapping[str, Provider]:
    """How each provider is treated, by name. Raises WrongDataError."""
    providers: dict[str, Provider] = {}
    for each in read(file, _ProvidersForm).providers:
        if each.provider in providers:
            raise WrongDataError(f"{file.name}: {each.provider} occurs more than once")
        if len({pace.channel for pace in each.paces}) != len(each.paces):
            raise WrongDataError(f"{file.name}: {each.provider} has two paces for one channel")
        providers[each.provider] = each
    if lacking := sorted(_NAMES - providers.keys()):
        raise WrongDataError(f"{file.name}: {lacking[0]} is missing")
    return providers


@dataclass(frozen=True, slots=True)
class Ways:
    """How messages leave, by channel, and what is to be closed at the end."""

    by_channel: Mapping[str, Way]
    closing: Sequence[Callable[[], Awaitable[None]]]

    async def close(self) -> None:
        """Close connections."""
        for close in self.closing:
            await close()


@dataclass(frozen=True, slots=True)
class Guard:
    """What every provider of this process is behind: their paces lie in one place, and one look is for all of them."""

    reservoir: Reservoir
    last_look: LastLook

    def put(self, provider: Provider, channel: str, gateway: Gateway, breaker: Breaker) -> GuardedGateway:
        """A channel of a provider behind it; the breaker may be that of several."""
        pacer = provider.pacer(channel, self.reservoir)
        return GuardedGateway(provider.provider, gateway, breaker, pacer, self.last_look, SystemClock().now)


def ways_of(settings: Settings, public_key: bytes, zones: Mapping[str, str]) -> Ways:
    """The ways of this installation: whoever it names, and the sandbox for the others. Raises WrongDataError."""
    known = read_providers(settings.carriers.providers or FILE)
    sandbox, closing = _sandbox(settings, public_key) if needs_sandbox(settings) else ({}, [])
    paced = known.get("sandbox")
    if not settings.carriers.real and paced is None:
        return Ways({channel: Way(gateway) for channel, gateway in sandbox.items()}, closing)
    cabinet = Cabinet(settings.database_url("outreach"))
    guard = Guard(cabinet, LastLook(cabinet))
    if paced is not None:
        breaker = paced.breaker()
        sandbox = {channel: guard.put(paced, channel, gateway, breaker) for channel, gateway in sandbox.items()}
    carried, more = _carried(settings, known, guard)
    writer = Composer(cabinet, settings.keys, _senders(settings), zones, shipped())
    unread = {channel: Way(gateway) for channel, gateway in sandbox.items()}
    return Ways(
        {**unread, **{channel: Way(gateway, writer) for channel, gateway in carried.items()}},
        [*closing, *more, cabinet.close],
    )


def _sandbox(
    settings: Settings, public_key: bytes
) -> tuple[Mapping[str, Gateway], Sequence[Callable[[], Awaitable[None]]]]:
    """The sandbox for every channel that is worked."""
    log = PostgresGatewayLog(settings.database_url(SANDBOX))
    return dict.fromkeys(settings.carriers.channels, SandboxGateway(log, public_key, answers=True)), [log.close]


def needs_sandbox(settings: Settings) -> bool:
    """Whether a channel has nobody but the sandbox, which demos alone may use."""
    return settings.mode == "demo" and not settings.carriers.real.issuperset(settings.carriers.channels)


def _senders(settings: Settings) -> Mapping[str, senders.Sender]:
    return senders.read_senders(settings.carriers.senders or senders.FILE)


def _carried(
    settings: Settings, known: Mapping[str, Provider], guard: Guard
) -> tuple[Mapping[str, Gateway], Sequence[Callable[[], Awaitable[None]]]]:
    """Who carries each channel that is worked, guarded."""
    carriers = settings.carriers
    made: dict[str, tuple[str, Gateway]] = {}
    closing: list[Callable[[], Awaitable[None]]] = []
    if carriers.smtp is not None:
        made["email"] = ("smtp", SmtpGateway(carriers.smtp))
    if carriers.sms is not None:
        client = sms_client(carriers.sms)
        closing.append(client.aclose)
        made["sms"] = ("sms", SmsServiceGateway(client, known["sms"].takes_once))
    if carriers.letters is not None:
        made["letter"] = ("letters", LetterFolder(carriers.letters))
    worked = {channel: each for channel, each in made.items() if channel in carriers.channels}
    guarded = {
        channel: guard.put(known[name], channel, gateway, known[name].breaker())
        for channel, (name, gateway) in worked.items()
    }
    return guarded, closing


def sms_client(service: SmsService) -> httpx.AsyncClient:
    """A client of the service: our credentials in each call, its redirections not followed."""
    shown = {"Authorization": f"Bearer {service.token}"} if service.token else {}
    return httpx.AsyncClient(base_url=service.url, headers=shown, timeout=SMS_SECONDS)
