"""A core's own Kafka topic is carried over to ours: at least once, under the same names, and past bad input."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.intake.connectors.bridging import Bridge, Position, Source, WrongPositionError
from services.intake.connectors.cloud_events import decode
from services.intake.connectors.fineract.events import Core
from services.intake.connectors.fineract.messages import Fineract
from services.intake.connectors.fineract.schemas import Schemas
from services.intake.connectors.positions import PositionFile
from services.intake.connectors.sealing import Sealer
from shared.contracts import core_banking
from shared.embedded.kafka_server import KafkaServer
from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, Outgoing, Record, TopicSpec
from shared.messaging.broker_from_url import open_broker
from shared.settings import Settings
from tests.unit.connectors import avro

PAYMENT = "LoanTransactionMakeRepaymentPostBusinessEvent"
SEALER = Sealer.for_trying(Settings.demo({}).vault)
NUMBERS = count(1)
LONGEST = 60.0


def payment(number: int) -> bytes:
    record = {
        "id": number,
        "loanId": number % 7,
        "currency": {"code": "INR"},
        "amount": Decimal(number),
        "submittedOnDate": "2031-05-05",
    }
    return avro.message(PAYMENT, "LoanTransactionDataV1", record, idempotencyKey=f"key-{number}")


@pytest.fixture
async def broker(kafka: KafkaServer) -> AsyncIterator[Broker]:
    broker = await open_broker(f"kafka://{kafka.bootstrap}")
    yield broker
    await broker.close()


@pytest.fixture
def schemas(tmp_path: Path) -> Path:
    return avro.write_schemas(tmp_path / "schemas")


@pytest.fixture
async def source(broker: Broker, schemas: Path) -> Source:
    """A topic of this test alone, told under a name of its own: all tests share the public topic."""
    topic = f"external-events-{next(NUMBERS)}-{os.getpid()}"
    await broker.ensure_topics([TopicSpec(topic, 3), TopicSpec(core_banking.TOPIC, None)])
    fineract = Fineract(Schemas([schemas]), Core("bank"))
    return Source(topic, f"/{topic}", lambda record: fineract.read(record.value))


async def write(broker: Broker, topic: str, values: Sequence[bytes]) -> None:
    writer = await broker.writer()
    lanes: dict[Lane, list[Outgoing]] = {}
    for number, value in enumerate(values):
        lanes.setdefault(Lane(topic, number % 3), []).append(Outgoing((number % 3).to_bytes(8, "big"), value))
    await writer.append(lanes)
    await writer.close()


async def read_all(broker: Broker, topic: str) -> list[Record]:
    lanes = [Lane(topic, partition) for partition in range(await broker.partitions(topic))]
    ends, begins = await broker.end_offsets(lanes), await broker.earliest_offsets(lanes)
    reader, found = await broker.reader(), list[Record]()
    await reader.assign(begins)
    while len(found) < sum(ends[lane] - begins[lane] for lane in lanes):
        found += await reader.fetch(1_000, 1.0)
    await reader.close()
    return found


async def events(broker: Broker, source: str) -> list[tuple[str, str]]:
    """The id and the payment of each event of a source, as ingress reads it."""
    found = []
    for record in await read_all(broker, core_banking.TOPIC):
        if dict(record.headers)["ce_source"] == source.encode():
            event = decode(record, SEALER)
            assert event is not None
            found.append((event.id, event.data.payment_id))
    return found


@contextlib.asynccontextmanager
async def running(bridge: Bridge) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(bridge.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def until(bridge: Bridge, **counts: int) -> None:
    async with asyncio.timeout(LONGEST):
        while any(bridge.counts[name] < least for name, least in counts.items()):  # type: ignore[index]  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def kept(folder: Path) -> PositionFile[Position]:
    return PositionFile(folder / "position", Position)


async def test_every_message_arrives_once_and_a_bad_one_is_kept_aside_with_its_reason(
    broker: Broker, source: Source, tmp_path: Path
) -> None:
    await write(broker, source.topic, [payment(1), b"\x00nonsense", payment(2), payment(3)])
    bridge = Bridge(broker, source, kept(tmp_path))
    async with running(bridge):
        await until(bridge, sent=3, refused=1)
        await write(broker, source.topic, [payment(4)])
        await until(bridge, sent=4)
    assert sorted(each[1] for each in await events(broker, source.name)) == ["1", "2", "3", "4"]
    [aside] = await read_all(broker, source.refused)
    headers = dict(aside.headers)
    assert aside.value == b"\x00nonsense"
    assert aside.key == (1).to_bytes(8, "big")
    assert headers["refused_reason"] == b"is not in Avro's single-object encoding"
    assert headers["refused_from"] == f"{source.topic}/1/0".encode()


async def test_a_bridge_goes_on_where_another_ended_and_names_what_it_tells_again_the_same(
    broker: Broker, source: Source, tmp_path: Path
) -> None:
    await write(broker, source.topic, [payment(number) for number in range(20)][1:])
    first = Bridge(broker, source, kept(tmp_path))
    async with running(first):
        await until(first, sent=19)
    position = kept(tmp_path).read()
    await write(broker, source.topic, [payment(20)])
    second = Bridge(broker, source, kept(tmp_path))
    async with running(second):
        await until(second, sent=1)
    assert second.counts["sent"] == 1
    assert position is not None
    kept(tmp_path).keep(Position(source.topic, {}))
    third = Bridge(broker, source, kept(tmp_path))
    async with running(third):
        await until(third, sent=20)
    told = await events(broker, source.name)
    assert len(told) == 40
    assert len(set(told)) == 20


class Faltering:
    """A broker whose writers fail now and then, before or after what they were given is there."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def writer(self) -> "FalteringWriter":
        return FalteringWriter(self, await self._broker.writer())


class FalteringWriter:
    def __init__(self, faltering: Faltering, writer: Any) -> None:
        self._faltering, self._writer = faltering, writer

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        if self._faltering.failed == 0:
            self._faltering.failed += 1
            raise BrokerUnavailableError("not taken")
        await self._writer.append(batches)
        if self._faltering.failed == 1:
            self._faltering.failed += 1
            raise BrokerUnavailableError("taken, and the answer is lost")

    async def close(self) -> None:
        await self._writer.close()


async def test_a_broker_that_falters_costs_doubles_of_the_same_name_and_no_event(
    broker: Broker, source: Source, tmp_path: Path
) -> None:
    await write(broker, source.topic, [payment(number) for number in range(1, 10)])
    faltering = Faltering(broker)
    bridge = Bridge(faltering, source, kept(tmp_path))
    async with running(bridge):
        await until(bridge, sent=9)
    told = await events(broker, source.name)
    assert faltering.failed == 2
    assert sorted({each[1] for each in told}) == [str(number) for number in range(1, 10)]
    assert len(set(told)) == 9 < len(told)


async def test_a_position_of_another_topic_is_refused(broker: Broker, source: Source, tmp_path: Path) -> None:
    kept(tmp_path).keep(Position("other", {0: 5}))
    with pytest.raises(WrongPositionError, match="the position is of topic other, not of external-events"):
        await Bridge(broker, source, kept(tmp_path)).run(asyncio.Event())


# -- as a command --------------------------------------------------------------------------------------------------


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "services.intake.connectors", *map(str, arguments)]


async def test_the_command_is_killed_and_started_again_and_nothing_is_missing(
    broker: Broker, source: Source, kafka: KafkaServer, schemas: Path, tmp_path: Path
) -> None:
    bridge = command(
        *("bridge", "fineract", "--from", source.topic, "--schemas", schemas, "--lender", "bank"),
        *("--position", tmp_path / "position", "--tenant", "default", "--zone", "Asia/Kolkata"),
    )
    keys = [f"cmd-{source.topic}-{number}" for number in range(300)]
    messages = [
        avro.message(PAYMENT, "LoanTransactionDataV1", _paid(n), idempotencyKey=key) for n, key in enumerate(keys)
    ]
    await write(broker, source.topic, messages[:150])
    first = await _started(bridge, kafka)
    await _until_kept(kept(tmp_path))
    first.kill()
    await first.communicate()
    await write(broker, source.topic, messages[150:])
    second = await _started(bridge, kafka)
    ids = await _ids(broker, set(keys))
    second.terminate()
    said, _ = await asyncio.wait_for(second.communicate(), LONGEST)
    assert second.returncode == 0
    assert b"0 refused, 0 ignored" in said
    assert ids == set(keys)


async def _started(command: Sequence[str], kafka: KafkaServer) -> asyncio.subprocess.Process:
    environment = {**os.environ, "BROKER_URL": f"kafka://{kafka.bootstrap}"}
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)


def _paid(number: int) -> dict[str, Any]:
    currency = {"code": "INR"}
    return {"id": number, "loanId": 1, "currency": currency, "amount": Decimal(5), "submittedOnDate": "2031-05-05"}


async def _until_kept(position: PositionFile[Position]) -> None:
    async with asyncio.timeout(LONGEST):
        while position.read() is None:  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.05)


async def _ids(broker: Broker, wanted: set[str]) -> set[str]:
    """The ids among the wanted ones that have arrived, once all have or the time is over."""
    deadline, found = time.monotonic() + LONGEST, set[str]()
    while found != wanted and time.monotonic() < deadline:
        records = await read_all(broker, core_banking.TOPIC)
        found = {dict(record.headers)["ce_id"].decode() for record in records} & wanted
    return found


async def test_a_file_of_rows_is_sent_by_command_and_its_second_run_sends_nothing(
    broker: Broker, kafka: KafkaServer, tmp_path: Path
) -> None:
    lender = f"csv-bank-{os.getpid()}"
    file = tmp_path / "payments.csv"
    header = "loan_id,payment_id,amount,currency,posted_at"
    file.write_text(f"{header}\nL-1,p-1,10.50,CNY,2031-05-06T10:00:00\nL-2,p-2,x,CNY,2031-05-06T10:00:00\n")
    environment = {**os.environ, "BROKER_URL": f"kafka://{kafka.bootstrap}"}
    sending = command("csv", file, "--lender", lender, "--report", tmp_path / "report.csv", "--zone", "Asia/Shanghai")
    for _ in range(2):
        done = await asyncio.to_thread(subprocess.run, sending, env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (1, b"")
        assert done.stdout.startswith(b"1 events sent, 1 refused: ")
    records = await read_all(broker, core_banking.TOPIC)
    ours = [json.loads(each.value) for each in records if dict(each.headers)["ce_source"] == f"/csv/{lender}".encode()]
    assert [(each["loan_id"], each["posted_at"]) for each in ours] == [("L-1", "2031-05-06T10:00:00+08:00")]


async def test_notices_and_batches_are_sent_by_command_and_what_is_refused_is_said(
    broker: Broker, kafka: KafkaServer, tmp_path: Path
) -> None:
    lender = f"iso-bank-{os.getpid()}"
    booked = (
        "<Ntry><Amt Ccy='EUR'>1.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><BookgDt><Dt>2031-05-06</Dt></BookgDt>"
        "<AcctSvcrRef>{0}</AcctSvcrRef><NtryDtls><TxDtls><Refs><TxId>{0}</TxId></Refs>"
        "<RmtInf><Ustrd>{1}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
    entries = booked.format("a", "L-1") + booked.format("b", "no loan")
    notice = f"<Document><BkToCstmrDbtCdtNtfctn>{entries}</BkToCstmrDbtCdtNtfctn></Document>"
    (tmp_path / "credits.xml").write_text(notice)
    back = "<TxInf><OrgnlTxId>a</OrgnlTxId><RtrdIntrBkSttlmAmt Ccy='EUR'>1.50</RtrdIntrBkSttlmAmt></TxInf>"
    header = "<GrpHdr><CreDtTm>2031-05-09T10:00:00Z</CreDtTm></GrpHdr>"
    (tmp_path / "returns.xml").write_text(f"<Document><PmtRtr>{header}{back}</PmtRtr></Document>")
    files = [tmp_path / "credits.xml", tmp_path / "returns.xml"]
    sending = await _started(
        command("iso20022", *files, "--lender", lender, "--payments", tmp_path / "payments"), kafka
    )
    said, refused = await asyncio.wait_for(sending.communicate(), LONGEST)
    assert sending.returncode == 1
    assert said == b"credits.xml: 1 events sent, 1 refused\nreturns.xml: 1 events sent, 0 refused\n"
    assert refused == b"credits.xml: entry 2, transaction 1: RmtInf: names no loan\n"
    records = await read_all(broker, core_banking.TOPIC)
    ours = [each for each in records if dict(each.headers)["ce_source"] == f"/iso20022/{lender}".encode()]
    assert [dict(each.headers)["ce_id"] for each in ours] == [b"a/posted", b"a/reversed"]
    assert len({each.lane for each in ours}) == 1, "events of one loan keep their order"
