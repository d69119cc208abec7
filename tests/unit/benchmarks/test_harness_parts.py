"""What the harness makes of its parts, without any server: loads, portions of a replay, latencies, tables and files."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks import latency, loans, tables
from benchmarks.clock import EveningClock, FollowedClock
from benchmarks.end_to_end import DATE_ONLY, FIRST, Night, records_of
from benchmarks.floor_stage import Portion, Stage
from benchmarks.machine import Cost
from benchmarks.plan import FULL, QUICK, TINY
from benchmarks.recording import Hop
from benchmarks.results import HEADLINE, Results, plain

NIGHT = Night(FIRST, 1000, 2.0, Cost(0.3, 0.1, 0.2, 5.0, 9.0), 4_000, {"intake-1": 1 << 20})


def test_a_book_is_as_large_as_wanted_and_each_loan_has_a_name_of_its_own() -> None:
    book = list(loans.snapshots(2_000))
    assert len({each.loan_id for each in book}) == len(book) == 2_000
    assert all(each.instalments and each.party_id for each in book)


def test_the_same_loans_owe_more_on_the_second_night() -> None:
    first, second = list(loans.snapshots(700)), list(loans.snapshots(700, night=1))
    assert [each.loan_id for each in first] == [each.loan_id for each in second]
    for before, after in zip(first, second, strict=True):
        assert after.as_of == before.as_of + timedelta(days=1)
        assert sum(i.penalty for i in after.instalments) > sum(i.penalty for i in before.instalments)


def test_a_warm_up_has_no_loan_of_the_night() -> None:
    assert not {each.loan_id for each in loans.snapshots(500)} & {
        each.loan_id for each in loans.snapshots(500, names="w")
    }


def test_a_night_begins_with_its_date_and_one_without_news_is_nothing_else() -> None:
    assert len(records_of(FIRST, 10)) == 11
    assert len(records_of(DATE_ONLY, 10)) == 1


def test_what_is_about_one_loan_goes_to_one_partition() -> None:
    lanes = [loans.by_lane(records_of(name, 50), 7) for name in (FIRST, FIRST)]
    assert lanes[0] == lanes[1]
    assert sum(len(records) for records in lanes[0].values()) == 51


@pytest.mark.parametrize("total", [0, 1, 7, 1000])
def test_a_portion_gives_out_exactly_its_total_from_fewer_things(total: int) -> None:
    portion = Portion(total, ["a", "b", "c"])
    given = [each for share in (0.0, 0.2, 0.2, 0.99, 1.0, 1.0) for each in portion.until(share)]
    assert given == [("a", "b", "c")[number % 3] for number in range(total)]


@pytest.mark.parametrize(
    ("of_the_night", "read", "share"),
    [
        ({"bank": 4}, {"bank": 1}, 0.25),
        ({"nobody speaks here": 0, "bank": 4}, {}, 0.0),
        ({"nobody speaks here": 0, "bank": 4, "ours": 2}, {"bank": 4}, 1.0),
        ({"nobody speaks here": 0}, {}, 0.0),
    ],
)
def test_a_stage_is_as_far_as_its_first_input_that_has_anything(
    of_the_night: dict[str, int], read: dict[str, int], share: float
) -> None:
    hop = Hop("outreach", "lane", of_the_night, "", 0, ())
    assert Stage(hop, None, None, Unheard(), {}, Portion(0, []), read).share == share


class Unheard:
    """A writer that nobody listens to."""

    async def append(self, records: object) -> None:
        raise AssertionError(records)

    async def close(self) -> None:
        return


def test_the_evening_clock_runs_as_fast_as_it_is_told_to() -> None:
    evening = datetime(2026, 11, 2, 12, tzinfo=UTC)
    slow, fast = EveningClock(evening, 0.0), EveningClock(evening, 0.0, 30.0)
    first, second = slow.now(), fast.now()
    assert (second - evening) / (first - evening) == pytest.approx(30, rel=0.001)


def test_who_follows_a_clock_shows_what_it_is_moved_to_at_a_speed_of_its_own(tmp_path: Path) -> None:
    evening, began = datetime(2026, 11, 2, 12, tzinfo=UTC), time.time()
    EveningClock(evening, began).hang(tmp_path / "clock")
    slow, fast = FollowedClock(tmp_path / "clock", 1.0), FollowedClock(tmp_path / "clock", 3_600_000.0)
    assert evening <= slow.now() < evening + timedelta(minutes=5) < fast.now()
    back = evening - timedelta(days=365)
    EveningClock(back, time.time()).hang(tmp_path / "clock")
    assert back <= slow.now() < back + timedelta(minutes=5)


def test_a_night_is_told_with_what_follows_from_it() -> None:
    told = plain(NIGHT)
    assert (told["loans_per_second"], told["wal_per_loan"]) == (500.0, 4.0)
    assert told["cpu_per_loan"] == pytest.approx(600.0)  # neither the harness nor anybody else is counted


def test_costs_are_differences_and_others_never_give_time_back() -> None:
    later, before = Cost(3, 3, 3, 3, 1), Cost(1, 2, 3, 0, 2)
    assert later.since(before) == Cost(2, 1, 0, 3, 0)


def test_the_file_has_every_figure_of_the_headline_at_its_top(tmp_path: Path) -> None:
    results = Results("tiny", sections={"latency": {"ways": []}})
    results.found("floor_ratio", 0.5)
    results.write(tmp_path / "result.json")
    told = json.loads((tmp_path / "result.json").read_text())
    assert {name: told[name] for name in HEADLINE} == {**dict.fromkeys(HEADLINE), "floor_ratio": 0.5}
    assert told["latency"] == {"ways": []}


def test_a_figure_that_nobody_knows_is_refused() -> None:
    with pytest.raises(KeyError):
        Results("tiny").found("speed", 1.0)


def test_a_table_lines_up_and_shows_what_is_missing() -> None:
    lines = tables.table("Title", [{"name": "a", "n": 1234567}, {"name": "long name", "n": None}]).splitlines()
    assert lines[1:] == ["Title", "name               n", "a          1,234,567", "long name          –"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "–"), (0.4567, "0.457"), (12.34, "12.3"), (1234.5, "1,234"), (12, "12"), (True, "True"), ("x", "x")],
)
def test_figures_are_shown_with_three_digits_that_mean_something(value: object, expected: str) -> None:
    assert tables.shown(value) == expected


def test_percentiles_are_told_of_ways_that_were_measured_only() -> None:
    traffic = latency.Traffic(took={latency.TO_CASE: [3.0, 1.0, 2.0], latency.TO_STOP: []})
    assert latency.ways(traffic) == [
        {"way": latency.TO_CASE, "measured": 3, "p50 ms": 2.0, "p99 ms": 3.0, "p99.9 ms": 3.0}
    ]


def test_the_full_run_is_what_the_capacity_page_needs() -> None:
    assert FULL.loans >= 300_000
    assert FULL.rounds >= 3
    assert {100_000, 1_000_000} <= set(FULL.scaling)
    assert FULL.per_second == QUICK.per_second == 8_000
    assert all(plan.durable for plan in (FULL, QUICK))
    assert not TINY.durable
