"""Calls an agency for one attempt of a delivery: signed, to one address that was looked at, and for a few seconds."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from services.outreach.agencies.webhooks.addresses import InsideError, Resolve, checked, pinned, resolve
from services.outreach.agencies.webhooks.domain import LONGEST_WAIT
from services.outreach.agencies.webhooks.hearing import DeliveryHeard
from services.outreach.agencies.webhooks.signing import headers_of, opened
from shared.clock import Clock
from shared.contracts.deliveries import DeliveryBegun
from shared.contracts.envelope import Event
from shared.observability.metrics import WEBHOOK_CALLS
from shared.vault import SealBroken, Vault

SERVICE: Final = "outreach"
SECONDS: Final = 10.0
"""How long a call may take, from the look at its host's name to the head of the answer."""

ALONE: Final = httpx.Limits(max_connections=None, max_keepalive_connections=0)
"""No connection is used twice: two hosts may lie at one address, and each has a certificate of its own."""


@dataclass(slots=True)
class Caller:
    """Calls agencies. Redirections are not followed, no proxy is asked, and of an answer only its head is read."""

    vault: Vault
    to_private: bool = False
    resolving: Resolve = resolve
    seconds: float = SECONDS
    trust: Callable[[], ssl.SSLContext] = httpx.create_ssl_context
    _client: httpx.AsyncClient | None = field(default=None)

    async def call(self, event: Event[DeliveryBegun], clock: Clock) -> DeliveryHeard:
        """Make one attempt, and say what came of it."""
        told = event.data
        try:
            async with asyncio.timeout(self.seconds):
                heard = await self._called(told, clock.now())
        except InsideError as error:
            heard = _heard(told, reason=str(error))
        except SealBroken:
            heard = _heard(told, reason="its secret cannot be opened")
        except TimeoutError:
            heard = _heard(told, reason="no answer in time")
        except (httpx.HTTPError, OSError) as error:
            heard = _heard(told, reason=_way_of(error))
        WEBHOOK_CALLS.labels(SERVICE, _word(heard)).inc()
        return heard

    async def _called(self, told: DeliveryBegun, now: datetime) -> DeliveryHeard:
        url = checked(told.url, to_private=self.to_private)
        address = await pinned(url, self.resolving, told.attempt, to_private=self.to_private)
        keys = [opened(self.vault, told.agency_id, each) for each in told.secrets]
        body = told.payload.encode()
        request = self._opened().build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={
                **headers_of(keys, told.delivery_id, now, body),
                "host": url.netloc.decode("ascii"),
                "content-type": "application/json",
                "user-agent": "fairdue-webhooks/1",
            },
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        answer = await self._opened().send(request, stream=True)
        await answer.aclose()
        return _heard(told, answer.status_code, f"answered {answer.status_code}", _asked(answer.headers, now))

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            transport = httpx.AsyncHTTPTransport(verify=self.trust(), trust_env=False, limits=ALONE)
            self._client = httpx.AsyncClient(
                transport=transport, timeout=self.seconds, follow_redirects=False, trust_env=False
            )
        return self._client

    async def close(self) -> None:
        """Let go of what is open."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


def _heard(told: DeliveryBegun, status: int = 0, reason: str = "", seconds: float = 0.0) -> DeliveryHeard:
    return DeliveryHeard(
        agency_id=told.agency_id,
        delivery_id=told.delivery_id,
        attempt=told.attempt,
        status=status,
        reason=reason,
        seconds=seconds,
    )


def _word(heard: DeliveryHeard) -> str:
    if not heard.status:
        return "unanswered"
    return "taken" if httpx.codes.is_success(heard.status) else "refused"


def _way_of(error: Exception) -> str:
    """What went wrong on the way, without a word of the host's."""
    if isinstance(error, httpx.ConnectError | OSError):
        return "it cannot be reached"
    return "no answer in time" if isinstance(error, httpx.TimeoutException) else "no answer that could be read"


def _asked(headers: Mapping[str, str], now: datetime) -> float:
    """How many seconds we are asked to wait, as a number or as an instant."""
    said, longest = headers.get("retry-after", ""), LONGEST_WAIT.total_seconds()
    if said.isascii() and said.isdecimal():
        return min(float(said[:9]), longest)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return 0.0
    return min(max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()), longest)
