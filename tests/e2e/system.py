"""All five services in one process, on databases and a log that a test hands in, with the bank's side to write on."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.installed import declared
from services.intake.connectors.cloud_events import outgoing
from shared.assembly import topics_of, workers_of
from shared.clock import VirtualClock
from shared.contracts import core_banking
from shared.contracts.envelope import Fact
from shared.messaging.broker import Broker, Lane, Outgoing, TopicSpec
from shared.messaging.worker import Worker
from shared.settings import Settings, WorkerTuning
from shared.stepped import Stepper
from shared.ticks import Ticks
from tests.e2e.owners import Owners

PUBLIC_PARTITIONS = 7


@dataclass
class System:
    """The services under a virtual clock; `ticks` lie in a database of their own."""

    owners: Owners
    log: Broker
    clock: VirtualClock
    ticks: Ticks
    chance: random.Random
    stepper: Stepper | None = None
    written: int = 0
    _heard: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def made(cls, urls: Mapping[str, str], log: Broker, clock: VirtualClock, beside: str, seed: int) -> "System":
        """Topics that are there, and services that hold every actor."""
        ticks = await Ticks.open(beside)
        await ticks.begin({})
        system = cls(Owners(urls), log, clock, ticks, random.Random(seed))
        await log.ensure_topics(
            [TopicSpec(core_banking.TOPIC, PUBLIC_PARTITIONS), *topics_of(declared(system.settings()))[1:]]
        )
        await system.take()
        return system

    def settings(self, batch: int = 2000) -> Settings:
        return replace(Settings.demo({}), database_urls=dict(self.owners.urls), worker=WorkerTuning(batch_size=batch))

    def workers(self, *services: str, batch: int = 2000) -> list[Worker]:
        """A worker for each kind of actor of these services (all by default), in the order of the flow."""
        settings = self.settings(batch)
        return workers_of(declared(settings, list(services) or None), settings, self.log, self.clock, "test")

    async def take(self, *services: str) -> None:
        """Have new workers take every actor of these services, or of all; the others stand still."""
        await self.give_up()
        self.stepper = Stepper(self.workers(*services), self.log, self.ticks)
        await self.stepper.start()

    async def give_up(self) -> None:
        """Close the workers; whatever they have not read stays where it is."""
        stepper, self.stepper = self.stepper, None
        if stepper is not None:
            await stepper.close()

    async def settle(self) -> None:
        """Let everything happen that follows from what was written."""
        assert self.stepper is not None
        await self.ticks.advance(0, 0)
        await self.stepper.settle()

    async def write(self, facts: Sequence[Fact], time: datetime) -> None:
        """Write what the bank says, with random keys and so on random partitions, in the order given."""
        batches: dict[Lane, list[Outgoing]] = {}
        for fact in facts:
            self.written += 1
            key = self.chance.randbytes(8)
            lane = Lane(core_banking.TOPIC, self.chance.randrange(PUBLIC_PARTITIONS))
            record = outgoing(fact, source="/bank", event_id=f"event-{self.written}", time=time, key=key)
            batches.setdefault(lane, []).append(record)
        writer = await self.log.writer()
        await writer.append(batches)
        await writer.close()

    async def told(self) -> list[str]:
        """What was told since last asked, service by service in the order of the flow, without facts of no debtor."""
        news: list[str] = []
        for service in ("intake", "segmentation", "outreach", "legal"):
            rows = await self.owners.rows(
                service,
                "SELECT id, type, data FROM history WHERE debtor_id <> '' AND id > $1 ORDER BY id",
                self._heard.get(service, 0),
            )
            news += [described(name, data) for _, name, data in rows]
            self._heard[service] = max((number for number, _, _ in rows), default=self._heard.get(service, 0))
        return news

    async def close(self) -> None:
        """Close everything that was opened here; the log is its owner's to close."""
        await self.give_up()
        await self.ticks.close()


def described(name: str, data: str) -> str:
    """A fact in few words: its name, and what tells it from others of that name."""
    content = json.loads(data)
    words = [content[word] for word in _WORDS.get(name.removesuffix(".v1"), ())]
    because = content.get("explanation", {}).get("inputs", {}).get("because")
    return " ".join([name.removesuffix(".v1"), *words, *([f"({because})"] if because else [])])


_WORDS: Mapping[str, Sequence[str]] = {
    "segmentation.case-segmented": ("stage",),
    "segmentation.tier-assigned": ("tier",),
    "segmentation.treatment-assigned": ("stage",),
    "outreach.plan-started": ("stage",),
    "outreach.plan-stopped": ("reason",),
    "outreach.step-ended": ("channel", "state"),
    "legal.matter-closed": ("reason",),
    "legal.hold-released": ("reason",),
}
