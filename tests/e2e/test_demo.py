"""The demo: every figure against the owners' databases, the same seed the same bytes, and killed in the middle."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services import summary
from services.demo import FIRST_DAY
from services.intake.connectors.synthetic import SyntheticBank
from shared.messaging.embedded_log import EmbeddedLog
from shared.postgres.databases import STEPPER
from shared.postgres.server import PostgresServer
from tests.e2e import owners
from tests.e2e.digest import digest, facts
from tests.e2e.invariants import broken
from tests.e2e.owners import after_the_run
from tests.e2e.running import LONGEST, PRODUCT, QUICK, began, data_directory, done

pytestmark = [pytest.mark.timeout(LONGEST), pytest.mark.slow]

RED_LINES = (
    *("contacts_without_permit", "contacts_after_payment", "quiet_hours_violations", "duplicate_contacts"),
    "lane_gaps_unrepaired",
)
NOT_CROSSED = dict.fromkeys(RED_LINES, 0)
SMALL = ("--loans", 40, "--days", 3)


@dataclass(frozen=True)
class Played:
    """A demo that has run to its end, with its numbers and its summary."""

    loans: int
    days: int
    seed: int
    data: Path
    summary: bytes
    outcome: object = None

    @property
    def arguments(self) -> tuple[str | int, ...]:
        return ("--loans", self.loans, "--days", self.days, "--seed", self.seed)

    @property
    def folder(self) -> Path:
        return self.data / "demo"


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """A demo of chance; FAIRDUE_TEST_SEED plays one again."""
    drawn = int(os.environ.get("FAIRDUE_TEST_SEED", random.SystemRandom().randrange(10**6)))
    chance = random.Random(drawn)
    loans, days, seed = chance.randint(150, 350), chance.randint(13, 17), chance.randint(1, 10**9)
    # Both lines are shown where a test fails, to play the same run again.
    sys.stdout.write(f"FAIRDUE_TEST_SEED={drawn}: LOANS={loans} DAYS={days} SEED={seed}\n")
    with data_directory("demo") as data:
        numbers = Played(loans, days, seed, data, b"")
        done(data, QUICK, "demo", *numbers.arguments, "--summary", data / "summary.json")
        yield Played(loans, days, seed, data, (data / "summary.json").read_bytes(), asyncio.run(outcome(data / "demo")))


async def outcome(folder: Path) -> object:
    """All that a run has come to, for comparison."""
    async with after_the_run(folder) as held:
        return await digest(held), await facts(held)


def counted_by_owners(told: dict[str, object]) -> dict[str, Any]:
    """A summary without its red lines, none of which was crossed, and without exposure: a step of time hides none."""
    assert told.pop("red_lines") == NOT_CROSSED
    assert told.pop("exposure") == {"contacts": 0, "longest_ms": 0}
    return told


# -- figures -----------------------------------------------------------------------------------------------------------


async def test_every_figure_of_the_summary_is_what_its_owner_holds(played: Played) -> None:
    told = counted_by_owners(json.loads(played.summary))
    async with after_the_run(played.folder) as held:
        assert told == await owners.summary(held)
    assert told["cases"]["opened"] > 0
    assert told["payments"]["CNY"]["count"] > 0
    assert sum(sum(states.values()) for states in told["steps"].values()) > 0
    assert {"sms", "phone"} <= set(told["contacts"])
    assert told["denials"]
    (arms,) = told["experiments"].values()
    assert set(arms) <= {"ladder", "timetable", "hold_out"} >= {"ladder", "timetable"}
    assert all(
        arms[name][what] for name in ("ladder", "timetable") for what in ("debtors", "contacts", "cured", "paid")
    )


async def test_every_contact_the_gateway_made_is_in_the_ledger_once_and_nothing_else(played: Played) -> None:
    async with after_the_run(played.folder) as held:
        taken = await held.rows("sandbox", "SELECT permit_id, key, debtor_id, channel, outcome FROM taken")
        made = await held.rows(
            "outreach",
            "SELECT contact_id, idempotency_key, debtor_id, channel, outcome FROM contact WHERE state = 'made'",
        )
        open_ended = await held.count("outreach", "SELECT count(*) FROM contact WHERE state = 'sending'")
    assert sorted(map(tuple, taken)) == sorted(map(tuple, made))
    assert (len(taken) > 20, open_ended) == (True, 0)


async def test_what_is_past_due_is_what_the_bank_itself_has_in_its_books(played: Played) -> None:
    bank = SyntheticBank(played.seed, played.loans, FIRST_DAY)
    last = bank.day(played.days - 1)
    async with after_the_run(played.folder) as held:
        assert await owners.business_date(held) == last
        at_night = await owners.owed(held, last, until=owners.night(last))
    assert {loan.loan_id: loan.past_due for loan in at_night if loan.past_due} == bank.ledger(played.days - 1)


async def test_the_cases_hold_what_the_bank_has_told(played: Played) -> None:
    async with after_the_run(played.folder) as held:
        on = await owners.business_date(held)
        mine = {loan.loan_id: (loan.past_due, loan.oldest) for loan in await owners.owed(held, on)}
        cases = await held.rows("intake", "SELECT loans FROM collection_case")
    told = {loan["loan_id"]: loan for (loans,) in cases for loan in json.loads(loans)}
    assert {name: (loan["past_due"], _date(loan["oldest_due_on"])) for name, loan in told.items()} == {
        name: mine[name] for name in told
    }


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


# -- what must hold of a system at rest --------------------------------------------------------------------------------

TAMPERING = {
    "intake: all that was told is acknowledged": ("intake", "UPDATE lane_out SET acked_seq = acked_seq - 1"),
    "intake: facts of a lane are numbered without a hole": (
        "intake",
        "UPDATE audit_link SET seq_from = seq_from + 1 WHERE id = (SELECT min(id) FROM audit_link)",
    ),
    "every consumer has heard all that was told": ("legal", "UPDATE source_mark SET last_seq = last_seq - 1"),
    "every copy of a case is the newest": ("segmentation", "UPDATE case_copy SET case_version = case_version - 1"),
    "analytics has kept every fact once, in the order of its telling": (
        "analytics",
        "DELETE FROM fact WHERE id = (SELECT min(id) FROM fact)",
    ),
    "outreach: just the scheduled steps of running plans are due": ("outreach", "DELETE FROM step_due"),
    "the log is read to its end": ("intake", "UPDATE cursor_in SET next_offset = next_offset - 1"),
    "intake: no event is told twice": ("intake", "UPDATE history SET event_id = 'the same'"),
}


async def test_nothing_is_lost_doubled_open_or_left_behind(played: Played) -> None:
    async with after_the_run(played.folder) as held:
        log = await EmbeddedLog.open(held.urls["broker"])
        assert await broken(held, log) == {}
        for owner, statement in TAMPERING.values():  # and the checks see it where it is otherwise
            await held.rows(owner, statement)
        assert TAMPERING.keys() - (await broken(held, log)).keys() == set()
        await log.close()


PLANTED = {
    "contacts_without_permit": ("sandbox", "UPDATE taken SET permit_id = 'forged' WHERE channel = 'letter'"),
    "contacts_after_payment": (
        "outreach",
        """INSERT INTO history (id, shard, debtor_id, event_id, type, case_version, actor, caused_by, occurred_at,
                                recorded_at, data) OVERRIDING SYSTEM VALUE
        SELECT 0, shard, debtor_id, 'planted', 'outreach.plan-stopped.v1', 0, '', '', now(), now(),
               jsonb_build_object('plan_number', plan_number) FROM contact LIMIT 1""",
    ),
    "quiet_hours_violations": (
        "sandbox",
        "UPDATE taken SET taken_at = date_trunc('day', taken_at) + interval '15 hours' WHERE channel = 'sms'",
    ),
    "duplicate_contacts": ("sandbox", "UPDATE taken SET permit_id = (SELECT min(permit_id) FROM taken)"),
    "lane_gaps_unrepaired": (
        "outreach",
        """INSERT INTO gap (kind, number, topic, partition, source, incarnation, from_seq, seen_seq)
        VALUES ('lane', 0, 't', 0, 's', 1, 1, 2)""",
    ),
}


async def test_a_violation_of_each_red_line_is_seen_where_it_is_planted(played: Played) -> None:
    async with after_the_run(played.folder) as held:
        assert await summary.red_lines_of(held.urls) == NOT_CROSSED
        for owner, statement in PLANTED.values():
            await held.rows(owner, statement)
        crossed = await summary.red_lines_of(held.urls)
    assert {line for line, times in crossed.items() if times} == set(PLANTED)


async def test_exposure_is_shown_apart_and_crosses_no_red_line(played: Played) -> None:
    planted = """
        INSERT INTO contact_exposure (shard, debtor_id, contact_id, payment_id, received_at, permitted_at, stopped_at)
        SELECT shard, debtor_id, contact_id, 'p', permitted_at, permitted_at, permitted_at + interval '1.5 seconds'
        FROM contact WHERE state = 'made' LIMIT 2
    """
    async with after_the_run(played.folder) as held:
        before = await summary.red_lines_of(held.urls)
        assert await summary.exposure_of(held.urls) == {"contacts": 0, "longest_ms": 0}
        await held.rows("outreach", planted)
        assert await summary.exposure_of(held.urls) == {"contacts": 2, "longest_ms": 1500}
        assert await summary.red_lines_of(held.urls) == before


# -- seeds -------------------------------------------------------------------------------------------------------------


async def test_another_seed_gives_another_outcome_and_the_same_seed_the_same() -> None:
    with data_directory("demo") as data:
        told = []
        for seed in (1, 2, 1):
            done(data, QUICK, "demo", *SMALL, "--seed", seed, "--summary", data / "summary.json")
            async with after_the_run(data / "demo") as held:
                told.append(((data / "summary.json").read_bytes(), await digest(held)))
    assert told[0] == told[2]
    assert told[0][0] != told[1][0]
    assert {table for table in told[0][1] if told[0][1][table] != told[1][1][table]} > {
        "intake.history",
        "outreach.plan",
    }


# -- killed in the middle ----------------------------------------------------------------------------------------------


async def killed_in_the_middle(
    process: "subprocess.Popen[str]", server: PostgresServer, day: int
) -> tuple[int, int, int]:
    """Kill a demo and every process of its server, once it stands within a tick of `day` or later; where it stood."""
    stood = await asyncio.wait_for(_within(process, server, day), LONGEST)
    process.send_signal(signal.SIGKILL)
    server.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not server.is_running()
    return stood


async def _within(process: "subprocess.Popen[str]", server: PostgresServer, day: int) -> tuple[int, int, int]:
    while process.poll() is None:
        row = await _stand(server)
        if row is not None and row[0] >= day and row[1] >= 1 and row[2] >= 1:
            return row
        await asyncio.sleep(0.01)  # the run tells nobody where within a day it stands
    raise AssertionError(process.communicate()[1][-4000:])


async def _stand(server: PostgresServer) -> tuple[int, int, int] | None:
    """Where the run stands; None before it has begun, while its database is made or made anew."""
    try:
        connection = await asyncpg.connect(server.dsn(STEPPER, STEPPER))
        try:
            row = await connection.fetchrow("SELECT day, slot, place FROM stepped_run")
        finally:
            await connection.close()
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        return None
    return None if row is None else (row["day"], row["slot"], row["place"])


def with_the_same_keys(one: Path, other: Path) -> None:
    """Data keys are random: two runs seal the same person alike only where they share them."""
    other.mkdir()
    for file in one.glob("data-keys*"):
        shutil.copy(file, other)


async def test_killed_in_the_middle_the_same_command_resumes_and_ends_with_the_same_outcome(played: Played) -> None:
    with data_directory("demo") as data:
        command = ("demo", *played.arguments, "--summary", data / "summary.json")
        server = PostgresServer(data / "demo" / "postgres")
        with_the_same_keys(played.folder, data / "demo")
        stood = (0, 0, 0)
        for day in (played.days // 4, played.days // 2):
            process = began(data, PRODUCT, *command)
            stood = await killed_in_the_middle(process, server, day)
            sys.stdout.write(f"killed at day, slot, place {stood}\n")
            assert not (data / "summary.json").exists()
        _, err = done(data, PRODUCT, *command)
        bank = SyntheticBank(played.seed, played.loans, FIRST_DAY)
        assert f"resuming at {bank.day(stood[0])}" in err
        assert (data / "summary.json").read_bytes() == played.summary
        async with after_the_run(data / "demo") as held:
            log = await EmbeddedLog.open(held.urls["broker"])
            assert await broken(held, log) == {}
            await log.close()
            assert counted_by_owners(json.loads(played.summary)) == await owners.summary(held)
        assert await outcome(data / "demo") == played.outcome


async def test_an_unfinished_run_of_other_numbers_is_not_resumed() -> None:
    with data_directory("demo") as data, data_directory("demo") as elsewhere:
        server = PostgresServer(data / "demo" / "postgres")
        await killed_in_the_middle(began(data, QUICK, "demo", "--loans", 41, "--days", 30, "--seed", 5), server, 1)
        told = []
        for place in (data, elsewhere):
            _, err = done(place, QUICK, "demo", *SMALL, "--seed", 5, "--summary", place / "summary.json")
            assert "resuming" not in err
            told.append((place / "summary.json").read_bytes())
        assert told[0] == told[1]
        _, err = done(data, QUICK, "demo", *SMALL, "--seed", 5)
        assert "resuming" not in err  # a run that has ended begins anew
