"""Which adapter answers for a broker's address."""

from collections.abc import Callable
from datetime import datetime

from shared.frozen import replace
from shared.messaging.broker import Broker
from shared.messaging.embedded_log import EmbeddedLog, utc_now
from shared.messaging.kafka import KafkaBroker
from shared.messaging.kafka_clients import KafkaOptions


async def open_broker(
    url: str,
    *,
    clock: Callable[[], datetime] | None = None,
    kafka: KafkaOptions | None = None,
    patient: bool = False,
) -> Broker:
    """Open `kafka://host:port,host:port`, or the embedded log in the database `postgresql://…/log`.

    `clock` gives the records' timestamps: a virtual one in stepped mode, none for the machine's.
    patient: do not ask whether Kafka answers; whoever uses the broker then finds out, and tries again.
    Raises BrokerUnavailableError, and ValueError for another kind of address.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "kafka":
        options = kafka or KafkaOptions()
        options = replace(options, clock=clock or options.clock)
        return KafkaBroker(rest.split(","), options) if patient else await KafkaBroker.open(rest.split(","), options)
    if scheme in {"postgresql", "postgres"}:
        return await EmbeddedLog.open(url, clock=clock or utc_now)
    message = f"a broker's address starts with kafka:// or postgresql://, not with {scheme}://"
    raise ValueError(message)
