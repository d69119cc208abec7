"""One service's HTTP application: its own routes, health, metrics, operations, and errors as problems."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts import core_banking
from shared.http import commands, health, middleware, openapi, problems, publishing
from shared.http.auth import Tokens
from shared.http.operations import Lags
from shared.http.rates import Paced, Rates
from shared.messaging.broker import Broker
from shared.service import Service
from shared.settings import Settings
from shared.tracing.exporting import Exporter


def create_app(
    service: Service,
    settings: Settings,
    *,
    engine: AsyncEngine,
    broker: Broker | None = None,
    ready: health.Ready | None = None,
    lags: Lags | None = None,
    command_seconds: float = commands.WAIT_SECONDS,
    max_body: int = middleware.MAX_BODY,
    exporter: Exporter | None = None,
) -> FastAPI:
    """Build the application of one service; engine and broker stay the caller's to close.

    ready: what the workers of this process have to say about each shard that they own, None where there are none.
    lags: records behind, by (kind, number), where somebody knows.
    command_seconds: how long a write waits for its actor. max_body: bytes. exporter: takes the spans of requests.
    """
    app = FastAPI(title=f"Fairdue {service.name}", version="1", lifespan=_lifespan, redoc_url=None)
    app.state.service, app.state.engine, app.state.broker = service.name, engine, broker
    app.state.watched_topic = next((kind.inputs[0] for kind in service.actors if kind.inputs), core_banking.TOPIC)
    app.state.ready, app.state.lags = ready, lags
    app.state.tokens, app.state.machines = Tokens(settings.tokens), service.machines
    app.state.commands = commands.CommandDesk(engine, service.name, wait_seconds=command_seconds)
    app.state.public_topic = publishing.writer_on_public_topic(broker)
    app.add_middleware(middleware.Limited, max_body=max_body)
    rates = Rates(settings.requests_per_second)
    app.add_middleware(Paced, rates=rates, tokens=app.state.tokens, machines=service.machines)
    app.add_middleware(middleware.Observed, service=service.name, exporter=exporter)
    problems.add_to(app)
    openapi.add_routes(app, service)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await close(app)


async def close(app: FastAPI) -> None:
    """Give back what the application opened; a server does so by itself when it stops."""
    await app.state.commands.close()
    await app.state.public_topic.close()
