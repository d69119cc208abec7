"""Faults of Kafka and of the line to it: killed, frozen, slow, cut off, and records gone before they were read."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.embedded.kafka_server import HOST
from shared.messaging.broker import Lane
from shared.service import SHARDS
from tests.chaos.parts import Part
from tests.chaos.stage import Fault, Stage
from tests.chaos.waiting import NoEffectError

LATENCY = 0.15
_MARKS = "SELECT topic, partition, source, min(last_seq) FROM source_mark GROUP BY topic, partition, source"
CONSUMERS = (
    ("intake.events", "segmentation"),
    ("intake.events", "outreach"),
    ("intake.events", "legal"),
    ("intake.events", "analytics"),
    ("segmentation.events", "outreach"),
    ("segmentation.events", "analytics"),
    ("outreach.events", "segmentation"),
)
"""Internal topics on which there is always something new, each with a reader whose processes do not tell on it.

The bank's topic is never cut: nobody could tell it again.
"""


async def kill_broker(stage: Stage, chance: random.Random) -> str:
    """Kill -9 of a broker, and its start. Where others are left, the bank must be served meanwhile."""
    nodes = stage.installation.brokers.nodes
    with stage.holding("broker"):
        node = chance.choice(nodes)
        await asyncio.to_thread(node.kill)
        try:
            if len(nodes) > 1:
                await stage.until_accepted(20)
        finally:
            await stage.until_started("the broker", node.start)
        await stage.until("every partition has all its copies", lambda: _all_in_sync(stage))
        await stage.until_accepted(20)
    return f"broker {nodes.index(node) + 1} of {len(nodes)}"


async def freeze_broker(stage: Stage, chance: random.Random) -> str:
    """SIGSTOP to a broker until nothing is answered any more, then SIGCONT."""
    brokers = stage.installation.brokers
    with stage.holding("broker"):
        number = chance.randrange(len(brokers.nodes))
        silent = _Silence(stage, number)
        brokers.nodes[number].signal(signal.SIGSTOP)
        try:
            await stage.until_felt("the broker is silent", silent.lasts)
        finally:
            brokers.nodes[number].signal(signal.SIGCONT)
        await stage.until_accepted(20)
    return f"broker {number + 1}, silent for {silent.SECONDS:g} s"


class _Silence:
    """Whether a broker has answered nothing for some seconds."""

    SECONDS = 4.0

    def __init__(self, stage: Stage, number: int) -> None:
        self._proxy = stage.installation.brokers.proxies[number]
        self._answered, self._since = -1, 0.0

    async def lasts(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._proxy.answered != self._answered:
            self._answered, self._since = self._proxy.answered, now
        return now - self._since >= self.SECONDS


async def slow_line(stage: Stage, _chance: random.Random) -> str:
    """Every answer of the brokers comes 150 ms late, while the bank sends on."""
    proxies = stage.installation.brokers.proxies
    with stage.holding("line"):
        before = sum(proxy.delayed for proxy in proxies)
        for proxy in proxies:
            proxy.latency = LATENCY

        async def felt() -> bool:
            return sum(proxy.delayed for proxy in proxies) >= before + 200

        try:
            await stage.until_felt("200 answers came late", felt)
            await stage.until_accepted(60)
        finally:
            for proxy in proxies:
                proxy.latency = 0.0
    return f"{sum(proxy.delayed for proxy in proxies) - before} answers late"


async def cut_line(stage: Stage, chance: random.Random) -> str:
    """Every connection to the brokers is reset; sometimes new ones are refused until somebody has tried."""
    proxies = stage.installation.brokers.proxies
    refusing = chance.random() < 0.5
    with stage.holding("line"):
        refused = sum(proxy.refused for proxy in proxies)
        for proxy in proxies:
            proxy.refusing = refusing

        async def turned_away() -> bool:
            return not refusing or sum(proxy.refused for proxy in proxies) >= refused + 10

        try:
            cut = sum([await asyncio.to_thread(proxy.cut) for proxy in proxies])
            await stage.until_felt("somebody was turned away", turned_away)
        finally:
            for proxy in proxies:
                proxy.refusing = False
        await stage.until_accepted(20)
    return f"{cut} connections" + (", and some refused" if refusing else "")


# -- records that are gone ---------------------------------------------------------------------------------------------


async def delete_records(stage: Stage, chance: random.Random) -> str:
    """Records of an internal topic deleted ahead of a frozen consumer, which must then have them told again."""
    topic, service = chance.choice(CONSUMERS)
    workers = stage.workers_of(service)
    with stage.holding("line", "broker", *(part.name for part in workers)):
        await stage.until_held(service)
        sizes = [part.log.stat().st_size for part in workers]
        await _frozen(stage, workers)
        try:
            deleted = await _deleted_ahead(stage, topic, service)
        finally:
            for part in workers:
                part.signal(signal.SIGCONT)
        await _heard(stage, service, deleted)
        if not any(part.said("gap_repaired", size) for part, size in zip(workers, sizes, strict=True)):
            raise NoEffectError(f"{topic} was told again before {service} missed anything")
    return f"{len(deleted)} lanes of {topic} ahead of {service}"


async def _frozen(stage: Stage, workers: Sequence[Part]) -> None:
    for part in workers:
        await stage.coverage.look(part)
        part.signal(signal.SIGSTOP)


async def _deleted_ahead(stage: Stage, topic: str, service: str) -> Sequence[Lane]:
    """Let facts pile up on some lanes and delete them, unread by the consumer; which lanes.

    One answer of the broker may be on its way to a frozen consumer: what comes after the first news is in none.
    """
    lanes = [Lane(topic, partition) for partition in range(SHARDS)]
    await stage.topics.read_on(lanes)
    await stage.until_felt(f"there is news on {topic}", lambda: _news(stage, lanes))
    ahead = await stage.until_felt(f"there is more of it, unread by {service}", lambda: _news(stage, lanes))
    await _delete(stage, {lane: stage.topics.places[lane] for lane in ahead})
    return ahead


async def _news(stage: Stage, lanes: Sequence[Lane]) -> list[Lane]:
    """Lanes on which there are more facts than at the last look."""
    seen = Counter(stage.topics.facts)
    await stage.topics.read_on(lanes)
    return [lane for lane in lanes if stage.topics.facts[lane] > seen[lane]]


async def _heard(stage: Stage, service: str, lanes: Sequence[Lane]) -> None:
    """Wait until a consumer has what was deleted: it asked for it, or a teller that was killed has told it again."""
    told = {(lane, source): last for (source, lane), last in stage.topics.told().items() if lane in lanes}

    async def heard() -> bool:
        marks = await stage.installation.rows(service, _MARKS)
        known = {(Lane(topic, number), source): last for topic, number, source, last in marks}
        return all(known.get(place, 0) >= last for place, last in told.items())

    async def whole() -> bool:
        return not await stage.installation.rows(service, "SELECT 1 FROM gap")

    await stage.until(f"{service} has heard what was deleted", heard)
    await stage.until(f"{service} misses nothing", whole)


async def _delete(stage: Stage, before: dict[Lane, int]) -> None:
    async with _administering(stage) as admin:
        await admin.delete_records(
            {TopicPartition(*lane): RecordsToDelete(before_offset=offset) for lane, offset in before.items()}, 20_000
        )


async def _all_in_sync(stage: Stage) -> bool:
    copies = stage.installation.brokers.replication
    async with _administering(stage) as admin:
        topics = await admin.describe_topics()
    return all(len(one["isr"]) == copies and one["leader"] >= 0 for topic in topics for one in topic["partitions"])


@asynccontextmanager
async def _administering(stage: Stage) -> AsyncIterator[Any]:
    servers = [f"{HOST}:{proxy.port}" for proxy in stage.installation.brokers.proxies]
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=20_000)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


FAULTS = (
    Fault("kill-broker", "kill -9 of a broker", 2, kill_broker),
    Fault("freeze-broker", "SIGSTOP to a broker, SIGCONT", 1, freeze_broker),
    Fault("slow-line", "150 ms of latency on every answer of the broker", 2, slow_line),
    Fault("cut-line", "every connection to the broker cut", 4, cut_line),
    Fault("lost-records", "records of an internal topic deleted ahead of a consumer", 2, delete_records),
)
