"""The register of agencies on a real database, with the API before it: supervisors, and machines that log in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, FastAPI

from services.outreach.agencies.access.api import ASSERTION_TYPE
from services.outreach.agencies.access.machines import Machines
from services.outreach.agencies.access.tokens import TokenSigner
from shared.clock import VirtualClock
from shared.contracts import catalogue
from shared.contracts.envelope import Fact
from shared.contracts.intake import BusinessDateAdvanced
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.frames import records_of
from shared.messaging.postgres_store import PostgresStore
from shared.service import SHARDS
from shared.settings import ApiToken
from tests.integration.outreach.rig import MONDAY, REGISTER, SERVICE, SETTINGS, Actor, answered

EAST, WEST = "east-recovery", "west-recovery"
MORNING = datetime(2026, 3, 2, 2, tzinfo=UTC)
TOKEN_URL = "https://outreach.example/v1/oauth/token"
ANN = ApiToken("ann", "supervisor", "a token of ann the supervisor 01")
OLE = ApiToken("ole", "operator", "a token of ole the operator 0002")
KNOWN = ApiToken(EAST, "agency", "a token of the settings for east")
STRANGE = ApiToken("strange", "agency", "a token for nobody we know of 01")
TERMS: Mapping[str, Any] = {
    "name": "East Recovery Ltd",
    "licence_number": "L-4711",
    "licence_until": "2026-12-31",
    "contract_number": "C-17",
    "contract_from": "2026-01-01",
    "contract_until": "2026-09-30",
    "last_evaluation_on": "2026-02-01",
    "trained_until": "2026-12-31",
    "published": True,
    "capacity": 5000,
    "commission_ppm": [180000, 250000],
}
LONG = "2026-12-31T00:00:00Z"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Client:
    """A machine of an agency, with a key of its own."""

    agency_id: str = EAST
    kid: str = "spring"
    alg: str = "EdDSA"
    key: Any = field(default_factory=Ed25519PrivateKey.generate)
    signed: int = 0

    def jwk(self) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(self.alg)
        public: dict[str, Any] = algorithm.to_jwk(self.key.public_key(), as_dict=True)
        kept: dict[str, Any] = {name: public[name] for name in ("kty", "crv", "x", "y") if name in public}
        return {"kid": self.kid, **kept}

    def assertion(
        self, now: datetime, *, headers: Mapping[str, Any] | None = None, alg: str = "", key: Any = None, **claims: Any
    ) -> str:
        """What it signs; a claim that is None is left out."""
        self.signed += 1
        said = {
            "iss": self.agency_id, "sub": self.agency_id, "aud": TOKEN_URL, "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=1)).timestamp()), "jti": f"{self.kid}-{self.signed}",
        } | claims  # fmt: skip
        content = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(
            content, self.key if key is None else key, algorithm=alg or self.alg,
            headers={"kid": self.kid, **(headers or {})},
        )  # fmt: skip


def p256_client(**other: Any) -> Client:
    return Client(alg="ES256", key=generate_private_key(SECP256R1()), **other)


@dataclass
class Bureau:
    """The register in one process with the API, on a clock of its own."""

    register: Actor
    http: httpx.AsyncClient
    clock: VirtualClock
    machines: Machines
    app: FastAPI
    keys: int = 0

    async def asks(
        self, path: str, body: Any, *, who: ApiToken = ANN, key: str = "", method: str = "POST"
    ) -> httpx.Response:
        """Send a command about agencies, and let the register apply it."""
        self.keys += 1
        self.register.now = self.clock.now()
        headers = {**bearer(who.token), "Idempotency-Key": key or f"key-{self.keys}"}
        request = self.http.request(method, f"/v1/agencies{path}", json=body, headers=headers)
        return await answered(self.register, request)

    async def does(self, path: str, body: Any, **other: Any) -> Any:
        """The same, for what is not refused."""
        answer = await self.asks(path, body, **other)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def lists(self, agency_id: str = EAST, **terms: Any) -> Client:
        """Take an agency into the register, with a client that signs."""
        await self.does("", {**TERMS, "agency_id": agency_id, **terms})
        client = Client(agency_id)
        await self.does(f"/{agency_id}/keys", client.jwk())
        return client

    async def reads(self, path: str = "", who: ApiToken = OLE) -> Any:
        answer = await self.http.get(f"/v1/agencies{path}", headers=bearer(who.token))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def reaches(self, day: Any) -> None:
        """Have the books of the lender stand on a day."""
        await self.register.hear(BusinessDateAdvanced(business_date=day))

    async def in_outbox(self) -> list[Fact]:
        """What the register has told: the same on each of the lanes."""
        lanes: dict[int, list[Fact]] = {}
        for stored in await self.register.store.unacknowledged(0):
            events = [catalogue.decode(record.value) for record in records_of("outreach/register", stored)]
            lanes.setdefault(stored.lane.partition, []).extend(event.data for event in events if event is not None)
        assert len(lanes) in {0, SHARDS}
        assert all(facts == lanes[0] for facts in lanes.values())
        return lanes.get(0, [])

    async def logs_in(self, assertion: str, **form: str) -> httpx.Response:
        """Ask for a token."""
        sent = {
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }  # fmt: skip
        return await self.http.post("/v1/oauth/token", data={**sent, **form})

    async def token(self, client: Client, **form: str) -> str:
        answer = await self.logs_in(client.assertion(self.clock.now()), **form)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    async def own(self, token: str) -> httpx.Response:
        """What the caller with a token sees of itself."""
        return await self.http.get("/v1/agency", headers=bearer(token))


@asynccontextmanager
async def bureau_on(dsn: str, more: APIRouter | None = None, requests_per_second: int = 200) -> AsyncIterator[Bureau]:
    """A process on a database; `more` are routes beside its own."""
    clock = VirtualClock(MORNING)
    signer = TokenSigner(SETTINGS.personal_data_key, "https://outreach.example")
    machines = Machines(signer, TOKEN_URL, clock)
    engine = engine_of(dsn, pool_size=3)
    tokens = (ANN, OLE, KNOWN, STRANGE)
    settings = replace(SETTINGS, tokens=tokens, requests_per_second=requests_per_second)
    app = create_app(replace(SERVICE, machines=machines), settings, engine=engine)
    if more is not None:
        app.include_router(more)
    async with (
        PostgresStore(dsn, "register") as store,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http,
    ):
        bureau = Bureau(Actor(REGISTER, store, now=MORNING), http, clock, machines, app)
        await bureau.register.take()
        await bureau.reaches(MONDAY)
        yield bureau
    await close(app)
    await engine.dispose()
