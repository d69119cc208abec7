"""Machines of agencies as callers: by a token of ours or an API key, as long as the register stands behind them."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.outreach.agencies.access import api_keys, store
from services.outreach.agencies.access.tokens import Shown, TokenSigner
from shared.clock import Clock, SystemClock
from shared.http.auth import Principal, Role, not_authenticated
from shared.http.database import answering
from shared.settings import Settings

TOKEN_PATH: Final = "/v1/oauth/token"  # noqa: S105  # the end of an address
MOST_KEPT: Final = 10_000
"""API keys whose owner is remembered, so that their rate counts for the agency before the database is asked."""


def machines_of(settings: Settings) -> "Machines":
    """Those that log in at the address of these settings."""
    signer = TokenSigner(settings.personal_data_key, settings.token_url.removesuffix(TOKEN_PATH))
    return Machines(signer, settings.token_url, SystemClock())


@dataclass(slots=True)
class Machines:
    """Knows machines by what they show; each request asks the register, so that a suspension holds at once.

    audience: whom the assertions of clients must be for.
    """

    signer: TokenSigner
    audience: str
    clock: Clock
    _seen: OrderedDict[bytes, str] = field(default_factory=OrderedDict)

    def named(self, token: str) -> str:
        """The agency of a token, or of an API key that was good before; "" for all else."""
        shown = self._opened(token)
        return shown.agency_id if shown is not None else self._seen.get(_digest(token), "")

    async def find(self, token: str, engine: AsyncEngine) -> Principal | None:
        """The agency's machine with that token, None where there is none. Raises Problem 401, 503."""
        shown = self._opened(token)
        if shown is not None:
            return await self._by_token(shown, engine)
        prefix = api_keys.prefix_in(token)
        return await self._by_api_key(token, prefix, engine) if prefix else None

    async def check(self, caller: Principal, engine: AsyncEngine) -> None:
        """Raise Problem 401 where the register knows an agency of the settings, and does not let it work."""
        await self._standing(caller.name, engine)

    async def _by_token(self, shown: Shown, engine: AsyncEngine) -> Principal:
        stands = await self._standing(shown.agency_id, engine, shown.kid)
        if stands is None or not stands.signs:
            raise not_authenticated("The key that this token was asked for with counts no more.")
        return Principal(shown.agency_id, Role.AGENCY, shown.scopes & stands.scopes)

    async def _by_api_key(self, key: str, prefix: str, engine: AsyncEngine) -> Principal | None:
        async with answering(), engine.connect() as connection:
            rows = await store.api_keys(connection, prefix, self.clock.now())
        row = next((row for row in rows if api_keys.matches(key, row.sha256)), None)
        if row is None:
            return None
        self._remember(key, row.agency_id)
        stands = await self._standing(row.agency_id, engine)
        may = stands.scopes if stands is not None else frozenset()
        return Principal(row.agency_id, Role.AGENCY, store.scopes_in(row.scopes) & may)

    async def _standing(self, agency_id: str, engine: AsyncEngine, kid: str = "") -> store.Stands | None:
        async with answering(), engine.connect() as connection:
            stands = await store.standing_of(connection, agency_id, self.clock.now().date(), kid)
        if stands is not None and stands.why_not:
            raise not_authenticated(f"{stands.why_not[0].upper()}{stands.why_not[1:]}.")
        return stands

    def _opened(self, token: str) -> Shown | None:
        return self.signer.opened(token, self.clock.now()) if token.count(".") == 2 else None  # noqa: PLR2004  # of a JWT

    def _remember(self, key: str, agency_id: str) -> None:
        self._seen[_digest(key)] = agency_id
        self._seen.move_to_end(_digest(key))
        if len(self._seen) > MOST_KEPT:
            self._seen.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
