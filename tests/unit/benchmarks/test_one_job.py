"""The one job's events, its judge, and what a batch of a peer tells."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from benchmarks.contenders import CONTENDERS, OURS, PLAIN, Contender
from benchmarks.environments import NotInstalledError
from benchmarks.job_load import STALE, Bank, Judged, change_of, judged
from benchmarks.machine import Cost
from benchmarks.one_job import BACKLOG, Outcome, conclude, played
from benchmarks.peers import job
from benchmarks.plan import TINY
from benchmarks.results import NO_TIME, Results
from shared.messaging.broker import Lane, Record
from shared.messaging.sequence import position_of

EVENTS = 200
LOAD = Bank("in", 32).load(EVENTS, "loan")
ALL_TOLD = Counter(LOAD.changes)
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def snapshot(loan: str, version: int) -> job.Snapshot:
    return job.Snapshot(loan, version, job.Data(40, 1000, "CNY"))


def test_half_of_the_events_are_of_new_loans_and_one_in_fifty_updates_is_stale() -> None:
    assert len(LOAD.records) == EVENTS
    assert len(LOAD.rows) == EVENTS // 2
    assert len(LOAD.changes) == EVENTS - EVENTS // 2 // STALE


def test_what_the_bank_tells_on_a_lane_is_numbered_without_a_hole() -> None:
    numbers: dict[Lane, list[int]] = {}
    for lane, record in LOAD.records:
        position = position_of(record.headers)
        assert position is not None
        numbers.setdefault(lane, []).append(position.seq)
    assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())


def test_a_second_load_goes_on_where_the_first_has_ended() -> None:
    bank = Bank("in", 1)
    bank.load(10, "a")
    position = position_of(bank.load(1, "b").records[0][1].headers)
    assert position is not None
    assert position.seq == 11


def test_the_judge_finds_nothing_where_all_is_right() -> None:
    assert judged([LOAD], LOAD.rows, ALL_TOLD) == Judged(0, 0, 0)


def test_the_judge_counts_rows_that_are_wrong_missing_or_too_many() -> None:
    rows = dict(LOAD.rows)
    wrong, missing = sorted(rows)[:2]
    rows[wrong] = (*rows[wrong][:2], 99, *rows[wrong][3:])
    rows["stranger"] = rows.pop(missing)
    assert judged([LOAD], rows, ALL_TOLD).wrong_rows == 3


def test_the_judge_counts_what_was_never_told_and_what_was_told_again() -> None:
    first, second, *_ = sorted(LOAD.changes)
    told = Counter(ALL_TOLD)
    del told[first]
    told[second] += 2
    assert judged([LOAD], LOAD.rows, told) == Judged(wrong_rows=0, lost=1, repeated=2)


def test_who_keeps_a_row_is_of_no_account_to_the_judge() -> None:
    rows = {name: (7, *row[1:]) for name, row in LOAD.rows.items()}
    assert judged([LOAD], rows, ALL_TOLD).wrong_rows == 0


def test_a_peer_tells_each_applied_change_of_a_batch_and_nothing_stale() -> None:
    batch = [snapshot("a", 1), snapshot("b", 4), snapshot("a", 3), snapshot("a", 2), snapshot("c", 1)]
    told = job.messages_of(batch, [("a", None), ("b", 3)])
    assert [key for key, _ in told] == [b"a", b"b", b"a"]
    assert [change_of(record(value)) for _, value in told] == [("a", 1), ("b", 4), ("a", 3)]


def test_a_peer_keeps_the_newest_of_a_batch() -> None:
    assert [row[1:3] for row in job.newest([snapshot("a", 1), snapshot("a", 3), snapshot("a", 2)])] == [("a", 3)]


def test_a_watermark_tells_no_change() -> None:
    marked = msgspec.structs.replace(record(b""), headers=(("told-up-to", b"job/lane/3 1 9"),))
    assert change_of(marked) is None


def record(value: bytes) -> Record:
    return Record(Lane("out", 0), 0, b"a", value, (), NOW)


def outcome(contender: str, number: int, seconds: float, lost: int = 0) -> Outcome:
    return Outcome(number, BACKLOG, contender, 100, seconds, Cost(1, 1, 1, 0, 0), Judged(0, lost, 0))


def test_ratios_are_the_medians_of_rounds_and_the_fastest_peer_is_the_one_to_beat() -> None:
    results = Results("tiny")
    conclude(
        [
            *(outcome(OURS, number, seconds) for number, seconds in enumerate((1.0, 1.0, 4.0))),
            *(outcome("fast", number, 2.0) for number in range(3)),
            *(outcome(PLAIN, number, 10.0) for number in range(3)),
        ],
        TINY,
        results,
    )
    assert results.headline["best_peer_ratio"] == 2.0
    assert results.headline["naive_ratio"] == 10.0


def test_who_loses_something_is_beaten_by_nobody_and_beats_nobody() -> None:
    results = Results("tiny")
    conclude([outcome(OURS, 0, 1.0), outcome("loses", 0, 0.1, lost=1), outcome("slow", 0, 3.0)], TINY, results)
    assert results.headline["best_peer_ratio"] == 3.0


async def test_when_its_time_is_over_a_plan_runs_nobody_any_more_and_says_so() -> None:
    results = Results("tiny", began=0.0)
    assert results.used(replace(TINY, seconds=1e-3)) > 1

    async def play(_number: int, _contender: Contender) -> Outcome:
        raise AssertionError

    order = [(0, CONTENDERS[0]), (0, CONTENDERS[1])]
    assert await played(order, BACKLOG, play, replace(TINY, seconds=1e-3), results) == []
    assert results.not_run == {"backlog, round 1": f"{NO_TIME} for ours, {CONTENDERS[1].name}"}


async def test_who_fails_once_is_left_out_of_that_discipline_with_the_reason() -> None:
    results, tries = Results("tiny"), []

    async def play(number: int, contender: Contender) -> Outcome:
        tries.append((number, contender.name))
        raise NotInstalledError("no such\n  package")

    assert await played([(0, CONTENDERS[0]), (1, CONTENDERS[0])], BACKLOG, play, TINY, results) == []
    assert tries == [(0, "ours")]
    assert results.not_run == {"ours, backlog": "no such package"}
