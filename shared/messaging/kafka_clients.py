"""How aiokafka's clients are set up, started and ended: every wait has an end, every error is the port's.

aiokafka retries for ever where it can (idempotent batches, a fetcher without a broker); a deadline of ours ends that.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError
from aiokafka.record import default_records

from shared.messaging.broker import BrokerUnavailableError
from shared.settings import KafkaSecurity

_log = structlog.stdlib.get_logger("kafka")

_CLOSE_SECONDS: Final = 5.0
_FOR_EVER: Final = 2**63 - 1

CONSUMER: Final[Mapping[str, Any]] = {
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "check_crcs": True,
    "fetch_min_bytes": 1,
    "fetch_max_wait_ms": 250,
    "fetch_max_bytes": 8 << 20,
    "max_partition_fetch_bytes": 1 << 20,
}
PRODUCER: Final[Mapping[str, Any]] = {
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "zstd",
    "max_batch_size": 512 << 10,
    # Batches come whole and closed, so aiokafka never lingers over them: the worker has waited for company before.
    "linger_ms": 5,
}


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """What an installation may choose.

    retention: how long the topics that we create keep their records; None keeps them for ever.
    deadline_seconds: how long the broker may take to answer before it counts as unavailable.
    clock: gives the records' timestamps (a virtual clock in stepped mode); None leaves them to the machine's clock.
        Topics created with a clock keep records for ever, since their age means nothing to the broker.
    """

    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    replication_factor: int = 1
    retention: timedelta | None = timedelta(days=7)
    deadline_seconds: float = 30.0
    clock: Callable[[], datetime] | None = None

    def client(self, servers: Sequence[str]) -> dict[str, Any]:
        """The keyword arguments that each aiokafka client takes."""
        return {
            "bootstrap_servers": list(servers),
            "client_id": "fairdue",
            "request_timeout_ms": int(self.deadline_seconds * 1000),
            "metadata_max_age_ms": 60_000,
            "security_protocol": self.security.protocol,
            "ssl_context": _ssl_context(self.security),
            "sasl_mechanism": self.security.mechanism or "PLAIN",
            "sasl_plain_username": self.security.username,
            "sasl_plain_password": self.security.password,
        }

    def topic(self) -> dict[str, str]:
        """The settings of a topic that we create."""
        kept = None if self.clock is not None else self.retention
        settings = {
            "cleanup.policy": "delete",
            "retention.ms": "-1" if kept is None else str(int(kept.total_seconds() * 1000)),
            "compression.type": "producer",
            "unclean.leader.election.enable": "false",
            "min.insync.replicas": str(max(1, self.replication_factor - 1)),
        }
        if self.clock is not None:
            settings["message.timestamp.after.max.ms"] = str(_FOR_EVER)
        return settings


@cache
def warn_if_slow() -> None:
    """Say once when aiokafka runs without its C extensions: it works then, many times slower."""
    if "_crecords" not in default_records.DefaultRecordBatchBuilder.__module__:
        _log.warning("aiokafka runs without its C extensions, expect a fraction of the speed")


@asynccontextmanager
async def answering(seconds: float) -> AsyncIterator[None]:
    """Everything that means "no answer, outcome unknown" becomes the port's one error."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
        reason = str(error) or f"no answer within {seconds:g} s"
        raise BrokerUnavailableError(f"Kafka: {type(error).__name__}: {reason}") from error


async def start(client: Any, seconds: float) -> None:
    """Start a client of aiokafka, or leave nothing of it behind. Raises BrokerUnavailableError."""
    try:
        async with answering(seconds):
            await client.start()
    except BaseException:
        await end(client)
        raise


async def end(client: Any) -> None:
    """Stop a client of aiokafka, in bounded time; what it still has to say does not matter."""
    if not await _ended(client.stop if hasattr(client, "stop") else client.close):
        # Its `stop` can end half-way, by a cancellation of its own or a dead broker: the sockets are still open.
        await _ended(_network(client).close)


async def abandon(producer: Any) -> None:
    """Stop a producer without waiting for its batches, which its own `stop` would do for ever."""
    sending = producer._sender.sender_task  # noqa: SLF001  # there is no public way to give up
    for _ in range(10):  # the first cancel makes it wait for requests in flight, the next ones end these
        if sending.done():
            break
        sending.cancel()
        await asyncio.wait([sending], timeout=0.2)
    producer._closed = True  # noqa: SLF001
    await _ended(producer.client.close)


async def _ended(stop: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Whether it stopped in order. In a task of its own, so that its cancellations are not taken for ours."""
    stopping = asyncio.create_task(stop())
    await asyncio.wait([stopping], timeout=_CLOSE_SECONDS)
    if not stopping.done():
        stopping.cancel()
        await asyncio.wait([stopping], timeout=_CLOSE_SECONDS)
    if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
        return True
    _log.debug("a Kafka client did not stop in order")
    return False


def _network(client: Any) -> Any:
    return client.client if hasattr(client, "client") else client._client  # noqa: SLF001


def _ssl_context(security: KafkaSecurity) -> ssl.SSLContext | None:
    if not security.protocol.endswith("SSL"):
        return None
    return ssl.create_default_context(cafile=security.ca_file)
