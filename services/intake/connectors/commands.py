"""What each command of the connectors does, once its arguments are understood."""

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from services.intake.connectors import mambu
from services.intake.connectors.bridging import Bridge, Position, Source
from services.intake.connectors.cloud_events import outgoing
from services.intake.connectors.csv_files.running import Job, run
from services.intake.connectors.debezium import outbox, tables
from services.intake.connectors.fineract.events import Core
from services.intake.connectors.fineract.messages import Fineract
from services.intake.connectors.fineract.schemas import Schemas
from services.intake.connectors.iso20022 import camt054, pacs004
from services.intake.connectors.iso20022.money import Collecting
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.positions import PositionFile
from services.intake.connectors.sending import Outcome, Refused, Sent, key_of
from shared.contracts import core_banking
from shared.messaging.appending import Topic
from shared.messaging.broker import Broker, TopicSpec
from shared.messaging.broker_from_url import open_broker
from shared.messaging.kafka_clients import KafkaOptions
from shared.runtime import stop_on_signals
from shared.settings import Settings, SettingsError


async def send_csv(chosen: Namespace) -> int:
    """Send a file of rows, or what of it was not sent yet; 1 where rows were refused."""
    job = Job(chosen.file, chosen.lender, chosen.report, chosen.encoding, chosen.zone, chosen.corrections)
    async with _public_topic() as topic:
        done = await run(job, topic.append)
    sys.stdout.write(f"{done.sent:,} events sent, {done.refused:,} refused: {chosen.report}\n")
    return int(done.refused > 0)


async def send_notices(chosen: Namespace) -> int:
    """Send notices of credit and returns, file by file; 1 where a part was refused."""
    collecting = Collecting(chosen.lender, chosen.zone, chosen.loan)
    with Postings(chosen.payments) as postings:
        async with _public_topic() as topic:
            codes = [
                await _told(
                    topic, f"/iso20022/{chosen.lender}", file.name, _read(file.read_bytes(), collecting, postings)
                )
                for file in chosen.files
            ]
    return max(codes)


def _read(data: bytes, collecting: Collecting, postings: Postings) -> Sequence[Outcome]:
    is_return = pacs004.MESSAGE.encode() in data and camt054.MESSAGE.encode() not in data
    read = pacs004.read if is_return else camt054.read
    return read(data, collecting, postings)


async def send_batches(chosen: Namespace) -> int:
    """Send what Mambu streams, line by line, as it comes on standard input; 1 where an event was refused."""
    loop, code = asyncio.get_running_loop(), 0
    async with _public_topic() as topic:
        number = 0
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline, mambu.LONGEST):
            number += 1
            code |= await _told(topic, f"/mambu/{chosen.lender}", f"line {number}", mambu.read(line, chosen.lender))
    return code


async def _told(topic: Topic, source: str, name: str, outcomes: Iterable[Outcome]) -> int:
    """Send what became events and say what was refused; whether anything was."""
    sent = [each for each in outcomes if isinstance(each, Sent)]
    refused = [each for each in outcomes if isinstance(each, Refused)]
    await topic.append([
        outgoing(each.fact, source=source, event_id=each.event_id, time=each.time, key=key_of(each.fact))
        for each in sent
    ])  # fmt: skip
    for each in refused:
        sys.stderr.write(f"{': '.join(part for part in (name, *each) if part)}\n")
    sys.stdout.write(f"{name}: {len(sent):,} events sent, {len(refused):,} refused\n")
    return int(bool(refused))


# -- bridges -----------------------------------------------------------------------------------------------------------


def from_fineract(chosen: Namespace) -> Source:
    """A Fineract's topic of external events."""
    core = Core(chosen.lender, chosen.zone, chosen.tenant, chosen.portfolio, chosen.jurisdiction, chosen.language)
    fineract = Fineract(Schemas(chosen.schemas), core)
    return Source(chosen.topic, fineract.source, lambda record: fineract.read(record.value))


def from_outbox(chosen: Namespace) -> Source:
    """A topic on which Debezium tells an outbox."""
    read = partial(outbox.read, lender_id=chosen.lender)
    return Source(
        chosen.topic, f"/outbox/{chosen.lender}", lambda record: read(record.value, record.headers, record.timestamp)
    )


def from_tables(chosen: Namespace) -> Source:
    """A topic on which Debezium tells the changes of tables."""
    mapped = tables.read_tables(chosen.map)
    return Source(
        chosen.topic,
        f"/tables/{chosen.lender}",
        lambda record: tables.read(record.value, mapped, chosen.lender),
    )


async def bridge(chosen: Namespace) -> int:
    """Carry a topic of the core's over to ours until SIGTERM or Ctrl-C."""
    make: Callable[[Namespace], Source] = chosen.source
    source, stopping = make(chosen), stop_on_signals()
    async with _broker() as broker:
        bridging = Bridge(broker, source, PositionFile(chosen.position, Position))
        await bridging.run(stopping)
    sys.stdout.write(", ".join(f"{count:,} {what}" for what, count in bridging.counts.items()) + "\n")
    return 0


@asynccontextmanager
async def _broker() -> AsyncIterator[Broker]:
    # A connector needs none of the product's keys and tokens, so it does not ask for them as the services do.
    settings = Settings.demo(os.environ, ())
    if settings.embedded_broker:
        raise SettingsError("BROKER_URL", "needs kafka://host:port,host:port")
    broker = await open_broker(settings.broker_url, kafka=KafkaOptions(security=settings.kafka))
    try:
        yield broker
    finally:
        await broker.close()


@asynccontextmanager
async def _public_topic() -> AsyncIterator[Topic]:
    async with _broker() as broker:
        await broker.ensure_topics([TopicSpec(core_banking.TOPIC, None)])
        topic = Topic(broker, core_banking.TOPIC)
        try:
            yield topic
        finally:
            await topic.close()
