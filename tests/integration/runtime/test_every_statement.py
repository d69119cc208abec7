"""The connection is lost between any two statements of a turn that does everything: the end is always the same."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from shared.clock import VirtualClock
from shared.contracts.envelope import Fact
from shared.messaging import statements
from shared.messaging.broker import Lane, Outgoing, TopicSpec
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.reading import Reading
from shared.messaging.sequence import Position, position_header
from shared.messaging.sharding import shard_of
from shared.messaging.turn import Limits, Turn
from shared.messaging.worker import Worker
from tests.conftest import BlankDatabase, DatabaseOf
from tests.integration.runtime.breaking import Situation, break_off_everywhere
from tests.integration.runtime.cutting import CountingStore, Interruption, backend_ended, cable_pulled
from tests.unit.messaging import toy
from tests.unit.messaging.toy import BROKEN, IN, NOW, OUT, TODAY, VAULT, Added, Day, Greeted, Refused, Resolved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
LANE = shard_of("d1")
SICK = (LANE + 1) % 32
ANNA, BERT, CARL, DORA, EMIL, FAYE = [n for n in (f"d{n}" for n in range(999)) if shard_of(n) == LANE][:6]
KIND = replace(toy.KIND, keeps_history=True)
IN_SICK_LANE = next(name for name in (f"x{n}" for n in range(999)) if shard_of(name) == SICK)

BEFORE: Sequence[tuple[str, Fact | bytes, Position | None]] = (
    (ANNA, Added(amount=1), None),
    (ANNA, Added(amount=1), Position("from/lane/1", 1, 1)),
    (ANNA, Added(amount=99_999), Position("from/lane/1", 1, 3)),  # the second is missing: this one is dropped
    (BERT, Added(amount=BROKEN), None),
    (BERT, Added(amount=5), None),
    (CARL, Refused(letter_id="elsewhere"), None),
    (CARL, Added(amount=7), None),
    (DORA, Added(amount=2000), None),
    ("", Day(business_date=TODAY + timedelta(days=1)), None),
)
"""After this one debtor has a letter and something parked, one is refused elsewhere, one has work due of both sorts."""

NOW_COMES: Sequence[tuple[str, Fact | bytes, Position | None]] = (
    (ANNA, Added(amount=2), None),
    (ANNA, Added(amount=3), Position("from/lane/1", 1, 2)),
    (ANNA, Added(amount=4), Position("from/lane/1", 1, 3)),
    (ANNA, Added(amount=99_999), Position("from/lane/2", 1, 5)),
    (CARL, Added(amount=8), None),
    (CARL, Resolved(letter_id="elsewhere"), None),
    (EMIL, Added(amount=9), None),
    (FAYE, b"cannot be read", None),
    (FAYE, Added(amount=10), None),
    ("", Greeted(name="all"), None),
    ("", Day(business_date=TODAY + timedelta(days=2)), None),
    *((IN_SICK_LANE, b"cannot be read either", None) for _ in range(4)),
)
"""One of each thing that a turn can do with a record; the other lane is to be stopped for its letters."""

ELSEWHERE = {"END_ZOMBIE", "WRITE_DIRECTIVES"}
"""What is no part of a transaction, and what this toy is not told: see `test_segmentation_publishing.py`."""

EVERY_WRITE = {
    text
    for name, text in vars(statements).items()
    if name.startswith(("WRITE_", "CLOSE_", "RESOLVE_", "END_", "ANSWER_", "STOP_")) and name not in ELSEWHERE
} | {statements.FENCE, statements.MOVE_CURSORS, statements.PENDING_COMMANDS, statements.COUNT_LETTERS, "history"}

COMMAND = """
INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash)
VALUES ($1, 'test', $1, 'lane', $2, $3, $4, 'bank', 'operator/x', $5, '')
"""


@pytest.fixture
async def situation(database_of: DatabaseOf, blank_database: BlankDatabase) -> Situation:
    """A toy service that has everything to do."""
    dsn, log_dsn, clock = database_of("legal"), blank_database(), VirtualClock(NOW)
    connection = await asyncpg.connect(dsn)
    await connection.execute(toy.SCHEMA)
    log = await EmbeddedLog.open(log_dsn, clock=clock.now)
    await log.ensure_topics([TopicSpec(name, 32) for name in (IN, f"{IN}.control", OUT, f"{OUT}.control")])
    await append(log, BEFORE)
    await applied(dsn, log, clock)
    await append(log, NOW_COMES)
    letter = await connection.fetchval("SELECT id FROM dead_letter")
    await connection.execute(COMMAND, "c1", LANE, "add", ANNA, '{"amount": 6}')
    await connection.execute(COMMAND, "c2", LANE, "add", EMIL, '{"amount": -1}')
    discard = msgspec.json.encode({"letter_id": letter, "reason": "a test"}).decode()
    await connection.execute(COMMAND, "c3", LANE, "discard-letter", BERT, discard)
    await connection.close()
    await log.close()
    limits = Limits(letters=3)
    return Situation("first", KIND, dsn, log_dsn, (LANE, SICK), clock, VAULT, limits)


async def append(log: EmbeddedLog, what: Sequence[tuple[str, Fact | bytes, Position | None]]) -> None:
    batches: dict[Lane, list[Outgoing]] = {}
    for debtor, fact, position in what:
        value = fact if isinstance(fact, bytes) else toy.value_of(fact, debtor)
        name = ("type", b"toy.added") if isinstance(fact, bytes) else toy.type_header(fact)
        headers = (name, *([position_header(position)] if position else []))
        lane = Lane(IN, shard_of(debtor) if debtor else LANE)
        batches.setdefault(lane, []).append(Outgoing(debtor.encode(), value, headers))
    writer = await log.writer()
    await writer.append(batches)
    await writer.close()


async def applied(dsn: str, log: EmbeddedLog, clock: VirtualClock) -> None:
    """One turn in good order."""
    store = CountingStore(dsn, "lane")
    worker = Worker("before", Turn("first", KIND, store, VAULT), store, log, clock, batch=1000)
    reading = Reading(worker, log, KIND.inputs)
    await worker.take((LANE, SICK))
    await worker.turn(await reading.fetch(1000, 0.0))
    await worker.flush()
    await worker.turn((), settle=True)
    await reading.close()
    await worker.close()


async def test_the_turn_does_everything(situation: Situation) -> None:
    _, said = await situation.undisturbed()
    assert EVERY_WRITE - set(said) == set()
    for words in ("UPDATE counter_total", "DELETE FROM counter_alarm", "DELETE FROM counter_ring"):
        assert any(words in each for each in said), words
    assert {"counter_total", "counter_applied"} < set(said)  # what is copied in is named by its table


@pytest.mark.parametrize("cut", [cable_pulled, backend_ended])
async def test_lost_between_any_two_statements_the_end_is_the_same(situation: Situation, cut: Interruption) -> None:
    cuts = await break_off_everywhere(situation, lambda _: cut)
    sys.stdout.write(f"{cuts} places at which the connection was lost\n")
    assert cuts > len(EVERY_WRITE)
