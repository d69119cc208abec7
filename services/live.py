"""Runs services until stopped: all five on the embedded installation (`up`), or as the environment says."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from services import calendar, local
from services.doctor import Doctor, Limits
from services.installed import DECLARATIONS, declared
from shared.messaging.broker_from_url import open_broker
from shared.messaging.kafka_clients import KafkaOptions
from shared.runtime import Role, Runtime, stop_on_signals
from shared.service import Service
from shared.settings import Settings


async def up(settings: Settings) -> None:
    """The whole system in one process on the embedded installation, with its addresses printed."""
    stopping = stop_on_signals()
    installed = await local.start(settings.data_directory / "up" / "postgres")
    try:
        ready = installed.settings(settings.with_key_file(_data_keys(settings)))
        services = declared(ready)
        await local.migrated(installed, services)
        _announce(services, settings)
        await serve(services, list(Role), ready, installed.broker_url(settings), stopping)
    finally:
        await installed.stop()


async def run(names: Sequence[str], roles: Sequence[Role], settings: Settings) -> None:
    """Some services in some roles, as the environment says; on the embedded broker beside others of this machine."""
    stopping = stop_on_signals()
    settings = settings.with_key_file(_data_keys(settings))
    if not settings.embedded_broker:
        await serve(declared(settings, list(names) or None), roles, settings, settings.broker_url, stopping)
        return
    folder = settings.data_directory / "up" / "postgres"
    ours = not await asyncio.to_thread(local.is_running, folder)
    installed = await local.start(folder)
    try:
        ready = installed.settings(settings)
        await serve(declared(ready, list(names) or None), roles, ready, installed.broker_url(settings), stopping)
    finally:
        if ours:
            await installed.stop()


async def examined(environ: Mapping[str, str], names: Sequence[str], limits: Limits) -> list[str]:
    """What is wrong with the system that the environment names: the one of `up`, or one in production."""
    names = names or tuple(DECLARATIONS)
    if environ.get("FAIRDUE_MODE") != "demo":
        settings = Settings.from_environment(environ, names)
        return await Doctor(settings, declared(settings, list(names)), settings.broker_url, limits).findings()
    settings = Settings.demo(environ)
    folder = settings.data_directory / "up" / "postgres"
    if not await asyncio.to_thread(local.is_running, folder):
        return [f"nothing runs in {folder}"]
    installed = await local.start(folder)
    settings = installed.settings(settings)
    broker_url = installed.broker_url(settings)
    return await Doctor(settings, declared(settings, list(names)), broker_url, limits).findings()


def _data_keys(settings: Settings) -> Path:
    """Where the data keys of debtors lie unless the environment says otherwise: all processes of a demo share them."""
    return settings.data_directory / "up" / "data-keys"


async def serve(
    services: Sequence[Service], roles: Sequence[Role], settings: Settings, broker_url: str, stopping: asyncio.Event
) -> None:
    """Run until `stopping` is set. A Kafka that is away is waited for: nothing is lost meanwhile."""
    kafka = KafkaOptions(security=settings.kafka, replication_factor=settings.topic_replication)
    broker = await open_broker(broker_url, kafka=kafka, patient=True)
    runtime = Runtime(services, roles, settings, broker, stopping=stopping)
    keeping = [_calendar(runtime)] if Role.WORKER in roles and any(each.name == "intake" for each in services) else []
    try:
        await runtime.run()
    finally:
        stopping.set()
        for task in keeping:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await broker.close()


def _calendar(runtime: Runtime) -> "asyncio.Task[None]":
    """Keep the lenders' calendars; should that fail, everything stops, and the error is told at the end."""
    keeping = calendar.keep(runtime.settings.lenders, runtime.broker, runtime.clock, runtime.stopping)
    task = asyncio.create_task(keeping)
    task.add_done_callback(lambda _: runtime.stopping.set())
    return task


def _announce(services: Sequence[Service], settings: Settings) -> None:
    for service in services:
        sys.stdout.write(f"{service.name:<14}http://{settings.host}:{settings.ports[service.name]}/docs\n")
    for token in settings.tokens:
        sys.stdout.write(f"{token.role:<14}Authorization: Bearer {token.token}\n")
    sys.stdout.flush()
