"""Kafka is away: at the start, and later. State is kept, the process says so and waits, and nothing is lost."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.embedded.kafka_server import KafkaServer, missing
from tests.integration.live.process import Product, eventually, overdue

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

WATCHED = ("intake", "analytics")


@pytest.fixture(scope="module")
def broker(home: Path) -> Iterator[KafkaServer]:
    """A broker of this module's own, not started; its port stays the same."""
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    server = KafkaServer(home / "kafka", heap="256m")
    server.start()
    server.stop()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def product(home: Path, broker: KafkaServer) -> Iterator[Product]:
    """The system, started while its broker is down."""
    product = Product(home, settings={"BROKER_URL": f"kafka://{broker.bootstrap}"})
    product.start()
    yield product
    product.clean_up()


def reasons(product: Product, service: str) -> dict[str, str]:
    """The checks of readiness that are not passed, and why; nothing where it is ready or not there."""
    answer = product.get(service, "/readyz")
    if answer.status_code != 503:
        return {}
    return {check["name"]: check["detail"] for check in answer.json()["checks"] if not check["ok"]}


def refused(product: Product, party: str) -> httpx.Response:
    """What a bank hears whose event cannot be taken."""
    return product.say(overdue(party))


def test_a_start_without_broker_says_so_and_works_once_it_comes(product: Product, broker: KafkaServer) -> None:
    found = eventually(lambda: reasons(product, "intake"))
    assert found["workers"] in {"the broker does not answer", "not started"}
    assert eventually(lambda: reasons(product, "intake").get("broker"))
    assert product.get("intake", "/livez").status_code == 200
    eventually(lambda: re.search(r"\[warning *\] waiting .*reason=.?broker: ", product.said()))
    eventually(lambda: reasons(product, "intake").get("workers") == "the broker does not answer")
    assert refused(product, "too-early").status_code == 503
    broker.start()
    product.await_ready(patience=90)
    assert product.say(overdue("first")).status_code == 202
    assert eventually(lambda: product.case(product.debtor("first")))["status"] == "open"
    eventually(lambda: product.of_debtor("analytics", product.debtor("first")))
    assert "Traceback" not in product.said()


def test_a_broker_that_goes_and_comes_back_costs_nothing(product: Product, broker: KafkaServer) -> None:
    before = product.case(product.debtor("first"))
    taken = [f"before-{number}" for number in range(50)]
    assert product.say(*(overdue(party) for party in taken)).status_code == 202
    broker.stop()
    for service in WATCHED:
        assert eventually(lambda service=service: reasons(product, service), 120.0)  # type: ignore[misc]
    assert refused(product, "meanwhile").status_code == 503
    assert product.case(product.debtor("first")) == before
    eventually(lambda: any(detail for detail in reasons(product, "intake").values()))
    assert product.process is not None
    assert product.process.poll() is None
    broker.start()
    product.await_ready(patience=120)
    for party in taken:
        debtor_id = product.debtor(party)
        eventually(lambda debtor_id=debtor_id: product.case(debtor_id))  # type: ignore[misc]
        eventually(lambda debtor_id=debtor_id: product.of_debtor("analytics", debtor_id))  # type: ignore[misc]
    assert product.say(overdue("meanwhile")).status_code == 202
    eventually(lambda: product.case(product.debtor("meanwhile")))
    for service in WATCHED:
        eventually(lambda service=service: product.lag(service) == 0)  # type: ignore[misc]
    assert "Traceback" not in product.said()


def test_a_signal_ends_it_within_seconds_though_the_broker_is_away(product: Product, broker: KafkaServer) -> None:
    broker.stop()
    eventually(lambda: reasons(product, "intake"), 120.0)
    assert product.end(signal.SIGTERM, within=30.0) == 0
    assert "Traceback" not in product.said()
