"""One Kafka node, or a cluster of three, each behind a proxy that its clients know it by."""

import asyncio
import base64
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from shared.embedded.kafka_server import HOST, KafkaServer, fetch_jars
from shared.ports import free_ports
from tests.chaos.proxy import Proxy


class Ports(NamedTuple):
    """Where one node listens: for clients behind its proxy, for the other nodes, for the quorum; and its proxy."""

    clients: int
    nodes: int
    quorum: int
    proxy: int


class Brokers:
    """The nodes. Clients reach them through `url`, which names the proxies."""

    def __init__(self, folder: Path, number: int) -> None:
        """Choose ports; nothing runs yet."""
        free = free_ports(number * len(Ports._fields))
        ports = [Ports(*free[node::number]) for node in range(number)]
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.replication = number
        self.proxies = [Proxy(each.proxy, each.clients) for each in ports]
        self.nodes = [
            KafkaServer(
                folder / f"broker-{node}",
                heap="512m" if number == 1 else "384m",
                port=ports[node - 1].clients,
                settings=_settings(node, ports),
                cluster=cluster,
            )
            for node in range(1, number + 1)
        ]

    @property
    def url(self) -> str:
        """The proxies, as the product is told."""
        return "kafka://" + ",".join(f"{HOST}:{proxy.port}" for proxy in self.proxies)

    async def start(self) -> None:
        """Start all of them, since a quorum answers only once most of it is there; none is left half begun."""
        for proxy in self.proxies:
            proxy.start()
        await asyncio.to_thread(fetch_jars)  # once, and not by all of them at the same time
        starts = (asyncio.to_thread(node.start) for node in self.nodes)
        for failed in await asyncio.gather(*starts, return_exceptions=True):
            if failed is not None:
                raise failed

    async def stop(self) -> None:
        """End them, and the proxies."""
        await asyncio.gather(*(asyncio.to_thread(node.kill) for node in self.nodes))
        for proxy in self.proxies:
            await asyncio.to_thread(proxy.close)


def _settings(node: int, ports: Sequence[Ports]) -> dict[str, str]:
    mine, copies = ports[node - 1], str(len(ports))
    listeners = {"PLAINTEXT": mine.clients, "NODES": mine.nodes, "CONTROLLER": mine.quorum}
    advertised = {"PLAINTEXT": mine.proxy, "NODES": mine.nodes}
    return {
        "node.id": str(node),
        "controller.quorum.voters": ",".join(f"{n}@{HOST}:{each.quorum}" for n, each in enumerate(ports, start=1)),
        "listeners": _listed(listeners),
        "advertised.listeners": _listed(advertised),
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,NODES:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "inter.broker.listener.name": "NODES",
        "default.replication.factor": copies,
        "offsets.topic.replication.factor": copies,
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
        "log.retention.check.interval.ms": "3600000",
    }


def _listed(listeners: dict[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())
