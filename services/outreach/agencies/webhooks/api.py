"""Webhooks over HTTP: an agency sees and sets its own, supervisors those of every agency, by the same routes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.register.bodies import AgencyId
from services.outreach.agencies.tenants.tenancy import WebhookKeeper, named, tenant_connection
from services.outreach.agencies.webhooks import commands, signing, store
from services.outreach.agencies.webhooks.addresses import LONGEST_URL, InsideError, checked
from services.outreach.agencies.webhooks.domain import DeliveryState
from shared.contracts.reasons import REASON_LENGTH, REASON_PATTERN
from shared.http.auth import Principal, Role, require
from shared.http.commands import CommandDesk, Commands, IdempotencyKey
from shared.http.database import Connection, read_only
from shared.http.inputs import Instant
from shared.http.paging import Page, PageRequest, Paging, malformed_cursor
from shared.http.problems import Problem
from shared.vault import Vault

DeliveryId = Annotated[str, Path(min_length=32, max_length=32, pattern="^[0-9a-f]+$", description="Its webhook-id.")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]


ADDRESS = (
    r"^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?"
    r"(/[A-Za-z0-9._~/%-]*)?(\?[A-Za-z0-9._~/%=&-]*)?$"
)
"""An address of the web with neither credentials nor a fragment; which of them may be called is looked at besides."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class WebhookToSet(_Body):
    """Where the agency is to be told: https, on port 443 or 8443, outside of every private network."""

    url: str = Field(max_length=LONGEST_URL, pattern=ADDRESS)


class Rotation(_Body):
    """at_once: the secret before signs nothing any more; otherwise both sign for a day."""

    at_once: bool = False


class Switch(_Body):
    """Why, in plain words without digits."""

    reason: Reason


class Since(_Body):
    """From which instant on; at most five hundred deliveries are replayed at once, the oldest first."""

    since: Instant


class WebhookAnswer(_Body):
    """The secret by which calls are signed, in the form of Standard Webhooks. It is shown in this answer only."""

    secret: str


class SwitchAnswer(_Body):
    """How the webhook stands now."""

    enabled: bool


class ReplayAnswer(_Body):
    """How many deliveries are tried again, and whether there are more to ask for."""

    replayed: int
    more: bool


class WebhookView(_Body):
    """Where an agency is told; no secret is shown. `reason` says why it is disabled, or was enabled again."""

    url: str
    enabled: bool
    reason: str
    set_at: datetime
    set_by: str
    older_until: datetime | None = Field(description="Until then the secret before the newest signs as well.")


class DeliveryView(_Body):
    """One fact that the agency is told; `delivery_id` is the webhook-id of every attempt."""

    delivery_id: str
    event_type: str
    debtor_id: str
    payload: str
    state: DeliveryState
    created_at: datetime
    attempts: int
    last_at: datetime | None
    last_status: int = Field(description="Of the last answer; 0 where there was none.")
    last_reason: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose webhook a request is about, and who asks."""

    agency_id: str
    by: Principal


def _own(principal: WebhookKeeper) -> Tenant:
    return Tenant(principal.name, principal)


def _any(agency_id: AgencyId, principal: Annotated[Principal, Depends(require(Role.SUPERVISOR))]) -> Tenant:
    return Tenant(agency_id, principal)


def routes(vault: Vault, *, to_private: bool = False) -> APIRouter:
    """The routes, for agencies about their own, and for supervisors. `vault` seals and opens secrets."""
    router = APIRouter(prefix="/v1", tags=["webhooks"])
    own = ("/agency/webhooks", _own, tenant_connection)
    for prefix, whose, behind in (own, ("/agencies/{agency_id}/webhooks", _any, read_only)):
        _add_reading(router, prefix, whose, behind)
        _add_endpoint(router, prefix, whose, _Secrets(vault), to_private=to_private)
        _add_switching(router, prefix, whose)
        _add_replaying(router, prefix, whose)
    return router


def _add_endpoint(
    router: APIRouter, prefix: str, whose: Callable[..., Tenant], secrets: "_Secrets", *, to_private: bool
) -> None:
    @router.post(prefix, status_code=201)
    async def set_webhook(
        tenant: Annotated[Tenant, Depends(whose)], body: WebhookToSet, desk: Commands, key: IdempotencyKey,
        connection: Connection,
    ) -> WebhookAnswer:  # fmt: skip
        """Have the agency told at an address, under a new secret; it takes the place of the one before."""
        _check(body.url, to_private=to_private)
        secret = await secrets.of(connection, tenant, "set-webhook", key)
        command = commands.SetWebhook(url=body.url, secret=secrets.sealed(tenant, secret))
        await _submit(desk, key, tenant, "set-webhook", command)
        return WebhookAnswer(secret=signing.shown(secret))

    @router.post(prefix + "/rotate")
    async def rotate_secret(
        tenant: Annotated[Tenant, Depends(whose)], body: Rotation, desk: Commands, key: IdempotencyKey,
        connection: Connection,
    ) -> WebhookAnswer:  # fmt: skip
        """Have calls signed by a new secret, and for a day by the one before as well."""
        secret = await secrets.of(connection, tenant, "rotate-webhook-secret", key)
        command = commands.RotateSecret(secret=secrets.sealed(tenant, secret), at_once=body.at_once)
        await _submit(desk, key, tenant, "rotate-webhook-secret", command)
        return WebhookAnswer(secret=signing.shown(secret))


def _add_switching(router: APIRouter, prefix: str, whose: Callable[..., Tenant]) -> None:
    async def switched(tenant: Tenant, body: Switch, desk: CommandDesk, key: str, *, enabled: bool) -> SwitchAnswer:
        command = commands.SwitchWebhook(enabled=enabled, reason=body.reason)
        await _submit(desk, key, tenant, "switch-webhook", command)
        return SwitchAnswer(enabled=enabled)

    @router.post(prefix + "/disable")
    async def disable_webhook(
        tenant: Annotated[Tenant, Depends(whose)], body: Switch, desk: Commands, key: IdempotencyKey
    ) -> SwitchAnswer:
        """Tell the agency nothing; what it would have been told is kept as cancelled, and can be replayed."""
        return await switched(tenant, body, desk, key, enabled=False)

    @router.post(prefix + "/enable")
    async def enable_webhook(
        tenant: Annotated[Tenant, Depends(whose)], body: Switch, desk: Commands, key: IdempotencyKey
    ) -> SwitchAnswer:
        """Tell the agency again; what was cancelled meanwhile is to be replayed."""
        return await switched(tenant, body, desk, key, enabled=True)


def _add_reading(router: APIRouter, prefix: str, whose: Callable[..., Tenant], behind: Callable[..., Any]) -> None:
    """Add what is read; `behind` is the connection that it is read through, an agency's own behind the wall."""
    Reading: TypeAlias = Annotated[AsyncConnection, Depends(behind)]  # a type, if one of this call

    @router.get(prefix)
    async def read_webhook(tenant: Annotated[Tenant, Depends(whose)], connection: Reading) -> WebhookView:
        """Where the agency is told."""
        found = (await connection.execute(store.ENDPOINT, {"agency_id": tenant.agency_id})).first()
        if found is None:
            raise Problem(404, "No webhook", "The agency has set none.", field="agency_id")
        return WebhookView.model_validate(found)

    @router.get(prefix + "/deliveries")
    async def list_deliveries(
        tenant: Annotated[Tenant, Depends(whose)],
        connection: Reading,
        paging: Paging,
        state: DeliveryState | None = None,
    ) -> Page[DeliveryView]:
        """What the agency is told, the newest first, or what is in one state. Their order of arrival is not kept."""
        before, before_id = _place(paging)
        place = {"before": before, "before_id": before_id, "limit": paging.limit}
        rows = (
            await connection.execute(store.DELIVERIES, {"agency_id": tenant.agency_id, "state": state, **place})
        ).all()
        items = [DeliveryView.model_validate(row) for row in rows]
        last = f"{items[-1].created_at.isoformat()}/{items[-1].delivery_id}" if items else None
        return Page(items=items, next=paging.cursor(last, len(items)))


def _add_replaying(router: APIRouter, prefix: str, whose: Callable[..., Tenant]) -> None:
    @router.post(prefix + "/deliveries/{delivery_id}/replay")
    async def replay_delivery(
        tenant: Annotated[Tenant, Depends(whose)], delivery_id: DeliveryId, desk: Commands, key: IdempotencyKey
    ) -> ReplayAnswer:
        """Try one delivery from the beginning that was given up or cancelled."""
        await _submit(desk, key, tenant, "replay-deliveries", commands.ReplayDeliveries(delivery_ids=(delivery_id,)))
        return ReplayAnswer(replayed=1, more=False)

    @router.post(prefix + "/deliveries/replay")
    async def replay_since(
        tenant: Annotated[Tenant, Depends(whose)], body: Since, desk: Commands, key: IdempotencyKey,
        connection: Connection,
    ) -> ReplayAnswer:  # fmt: skip
        """Try everything that was given up or cancelled since an instant from the beginning."""
        command = await _given_up(connection, tenant, body.since, key)
        if command is None:
            return ReplayAnswer(replayed=0, more=False)
        answer = await _submit(desk, key, tenant, "replay-deliveries", command)
        return ReplayAnswer(replayed=len(answer["facts"]), more=len(command.delivery_ids) >= commands.MOST_REPLAYED)


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Makes secrets: one for a request, and the same for every repetition of it under its key."""

    vault: Vault

    async def of(self, connection: AsyncConnection, tenant: Tenant, name: str, key: str) -> bytes:
        known = await _earlier(connection, tenant, name, key)
        if known is None:
            return signing.fresh_secret()
        body = msgspec.json.decode(known, type=_WithSecret)
        return signing.opened(self.vault, tenant.agency_id, body.secret)

    def sealed(self, tenant: Tenant, secret: bytes) -> bytes:
        return signing.sealed(self.vault, tenant.agency_id, secret)


class _WithSecret(msgspec.Struct, frozen=True):
    secret: bytes


async def _earlier(connection: AsyncConnection, tenant: Tenant, name: str, key: str) -> str | None:
    """The command that was given under this key already: what is chosen here must be chosen the same way again."""
    await named(connection, tenant.agency_id)
    asked = {"client": tenant.by.name, "key": key, "name": name, "agency_id": tenant.agency_id}
    found: str | None = (await connection.execute(store.EARLIER, asked)).scalar_one_or_none()
    return found


async def _given_up(
    connection: AsyncConnection, tenant: Tenant, since: datetime, key: str
) -> commands.ReplayDeliveries | None:
    asked, known = f"since {since.isoformat()}", await _earlier(connection, tenant, "replay-deliveries", key)
    if known is not None and (command := msgspec.json.decode(known, type=commands.ReplayDeliveries)).asked == asked:
        return command
    wanted = {"agency_id": tenant.agency_id, "since": since, "limit": commands.MOST_REPLAYED}
    found = tuple((await connection.execute(store.DEAD_SINCE, wanted)).scalars())
    return commands.ReplayDeliveries(delivery_ids=found, asked=asked) if found else None


async def _submit(desk: CommandDesk, key: str, tenant: Tenant, name: str, command: msgspec.Struct) -> dict[str, Any]:
    return await desk.submit(
        kind="webhooks", number=0, owner=tenant.agency_id, name=name, body=command, key=key, principal=tenant.by
    )


def _check(url: str, *, to_private: bool) -> None:
    try:
        checked(url, to_private=to_private)
    except InsideError as error:
        raise Problem(409, "Refused", f"{error}.".capitalize(), field="url") from None


def _place(paging: PageRequest) -> tuple[datetime | None, str]:
    """The place in a cursor. Raises Problem 422 for a cursor of another list."""
    if paging.after is None:
        return None, ""
    instant, _, delivery_id = paging.after.partition("/")
    try:
        before = datetime.fromisoformat(instant)
    except ValueError:
        raise malformed_cursor() from None
    if before.tzinfo is None:
        raise malformed_cursor()
    return before, delivery_id
