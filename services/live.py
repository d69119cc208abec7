"""Runs services until stopped: all five on the embedded installation (`up`), or as the environment says."""

import asyncio
import sys
from collections.abc import Sequence

from services import calendar, local
from services.installed import declared
from shared.messaging.broker import Broker, BrokerUnavailableError
from shared.messaging.broker_from_url import open_broker
from shared.messaging.kafka_clients import KafkaOptions
from shared.runtime import Role, Runtime
from shared.service import Service
from shared.settings import Settings


async def up(settings: Settings) -> None:
    """The whole system in one process on the embedded installation, with its addresses printed."""
    installed = await local.start(settings.data_directory / "up" / "postgres")
    try:
        ready = installed.settings(settings)
        services = declared(ready)
        await local.migrated(installed, services)
        for service in services:
            sys.stdout.write(f"{service.name:<14}http://{settings.host}:{settings.ports[service.name]}/docs\n")
        for token in settings.tokens:
            sys.stdout.write(f"{token.role:<14}Authorization: Bearer {token.token}\n")
        sys.stdout.flush()
        await serve(services, list(Role), ready, installed.broker_url(settings))
    finally:
        await installed.stop()


async def serve(services: Sequence[Service], roles: Sequence[Role], settings: Settings, broker_url: str) -> None:
    """Run until SIGTERM or Ctrl-C."""
    broker = await _broker(broker_url, settings)
    runtime = Runtime(services, roles, settings, broker)
    try:
        async with asyncio.TaskGroup() as tasks:
            if Role.WORKER in roles and any(service.name == "intake" for service in services):
                tasks.create_task(calendar.keep(settings.lenders, broker, runtime.clock, runtime.stopping))
            tasks.create_task(_run(runtime))
    finally:
        await broker.close()


async def _run(runtime: Runtime) -> None:
    try:
        await runtime.run()
    finally:
        runtime.stopping.set()


async def _broker(url: str, settings: Settings) -> Broker:
    """Open the broker; one that is away is waited for, since nothing is lost meanwhile."""
    options = KafkaOptions(security=settings.kafka)
    while True:
        try:
            return await open_broker(url, kafka=options)
        except BrokerUnavailableError as error:
            sys.stderr.write(f"waiting for the broker: {error}\n")
            await asyncio.sleep(2)  # a broker that is away says nothing when it comes back
