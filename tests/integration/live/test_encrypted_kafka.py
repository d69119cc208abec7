"""Kafka over TLS with a login, as the settings of an installation say; and what is said where one of them is wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.embedded.kafka_server import HOST, KafkaServer, missing
from shared.messaging.broker import BrokerUnavailableError, Lane, Outgoing, TopicSpec
from shared.messaging.broker_from_url import open_broker
from shared.messaging.kafka_clients import KafkaOptions
from shared.ports import free_ports
from shared.settings import KafkaSecurity, Settings
from tests.contract.broker_cases import take, values
from tests.integration.live.certificates import Authority

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]

NAME, PASSWORD = "fairdue", "open-sesame-1"
LANE = Lane("encrypted.v1", 0)


class Encrypted(NamedTuple):
    """A broker that speaks TLS, and the authority that its certificate is by."""

    url: str
    authority: Path

    def security(self, **changes: str) -> KafkaSecurity:
        """What an installation with this environment uses."""
        environment = {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": NAME,
            "KAFKA_SASL_PASSWORD": PASSWORD,
            "KAFKA_CA_FILE": str(self.authority),
            **changes,
        }
        return Settings.demo(environment).kafka


def settings_of(authority: Authority, clients: int, plain: int, quorum: int) -> dict[str, str]:
    chain, key = (pem.replace("\n", "\\n") for pem in authority.for_this_machine())
    login = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{NAME}="{PASSWORD}";'
    return {
        "controller.quorum.voters": f"1@{HOST}:{quorum}",
        "listeners": f"PLAINTEXT://{HOST}:{plain},CONTROLLER://{HOST}:{quorum},CLIENTS://{HOST}:{clients}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{plain},CLIENTS://{HOST}:{clients}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CLIENTS:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": chain,
        "ssl.keystore.key": key,
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": login,
    }


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    folder = tmp_path_factory.mktemp("encrypted")
    authority = Authority.in_folder(folder)
    clients, plain, quorum = free_ports(3)
    settings = settings_of(authority, clients, plain, quorum)
    with KafkaServer(folder / "kafka", port=plain, settings=settings):
        yield Encrypted(f"kafka://{HOST}:{clients}", authority.file)


async def test_records_go_there_and_back(encrypted: Encrypted) -> None:
    broker = await open_broker(encrypted.url, kafka=KafkaOptions(security=encrypted.security()))
    await broker.ensure_topics([TopicSpec(LANE.topic, 1)])
    writer, reader = await broker.writer(), await broker.reader()
    await writer.append({LANE: [Outgoing(b"key", b"told in secret")]})
    await reader.assign({LANE: 0})
    assert values(await take(reader, 1)) == ["told in secret"]
    for part in (writer, reader, broker):
        await part.close()


WRONG: list[tuple[str, Callable[[Encrypted, Path], KafkaSecurity]]] = [
    ("another password", lambda encrypted, _: encrypted.security(KAFKA_SASL_PASSWORD="guessed-and-wrong")),
    ("another name", lambda encrypted, _: encrypted.security(KAFKA_SASL_USERNAME="somebody")),
    ("no login", lambda encrypted, _: encrypted.security(KAFKA_SECURITY_PROTOCOL="SSL")),
    (
        "a certificate by nobody whom we trust",
        lambda encrypted, folder: encrypted.security(KAFKA_CA_FILE=str(Authority.in_folder(folder).file)),
    ),
    ("no encryption", lambda encrypted, _: encrypted.security(KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT")),
]


@pytest.mark.parametrize(("_case", "security"), WRONG, ids=[case for case, _ in WRONG])
async def test_nobody_gets_in_with(
    encrypted: Encrypted, tmp_path: Path, _case: str, security: Callable[[Encrypted, Path], KafkaSecurity]
) -> None:
    options = KafkaOptions(security=security(encrypted, tmp_path), deadline_seconds=5)
    with pytest.raises(BrokerUnavailableError) as refused:
        await open_broker(encrypted.url, kafka=options)
    assert PASSWORD not in str(refused.value)
    assert "guessed-and-wrong" not in str(refused.value)
