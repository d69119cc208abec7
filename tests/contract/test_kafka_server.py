import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.embedded.kafka_server import KafkaServer, docker_answers, docker_command, missing
from shared.messaging.kafka import KafkaBroker
from shared.ports import free_ports


@pytest.mark.kafka
def test_the_foreground_broker_says_where_it_is_and_ends_cleanly_when_told(tmp_path: Path) -> None:
    if docker_answers():
        pytest.skip("a Docker engine answers, so the jars are not what would run")
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    command = [sys.executable, "-m", "shared.embedded.kafka_server", "--directory", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        asyncio.run(open_and_close(line.split()[3]))
        broker = int((tmp_path / "pid").read_text())
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    with pytest.raises(ProcessLookupError):
        os.kill(broker, 0)


@pytest.mark.kafka
def test_a_broker_that_outlived_its_owner_is_replaced_on_the_same_port(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    first = KafkaServer(tmp_path)
    first.start()
    with KafkaServer(tmp_path) as second:
        assert not first.is_running()
        assert second.bootstrap == first.bootstrap
        asyncio.run(open_and_close(second.bootstrap))


SLOW_TO_DIE = """
import socket, sys, threading
taken = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[2:]]
memory = b"." * 1_000_000_000
for _ in range(60):
    threading.Thread(target=threading.Event().wait).start()
print("ready", flush=True)
"""
"""A gigabyte to give back: its command line is gone some tenths of a second before its ports are."""


@pytest.mark.kafka
def test_the_port_of_a_broker_that_dies_slowly_is_waited_for(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    properties, (broker, controller) = tmp_path / "server.properties", free_ports(2)
    command = [sys.executable, "-c", SLOW_TO_DIE, str(properties), str(broker), str(controller)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dying:
        assert dying.stdout is not None
        assert dying.stdout.readline() == "ready\n"
        properties.write_text(f"listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}\n")
        (tmp_path / "pid").write_text(str(dying.pid))
        with KafkaServer(tmp_path) as server:
            assert server.bootstrap == f"127.0.0.1:{broker}"


async def open_and_close(bootstrap: str) -> None:
    broker = await KafkaBroker.open([bootstrap])
    await broker.close()


def test_where_java_is_missing_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = missing()
    assert reason is not None
    assert "java" in reason


def test_in_docker_the_broker_is_reached_on_loopback_only() -> None:
    command = docker_command(19092)
    assert "127.0.0.1:19092:9092" in command
    assert "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:19092" in command
    assert command[-1].startswith("apache/kafka:4.")
