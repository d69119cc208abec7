"""The whole harness on real servers, with a few hundred loans: that it runs and counts right, not how fast."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import measure
from benchmarks.against_floor import FLOOR, OURS
from benchmarks.due_work import PUT_OFF
from benchmarks.end_to_end import NIGHTS
from benchmarks.plan import TINY
from benchmarks.results import Results
from shared.carriers import CHANNELS
from shared.embedded.kafka_server import missing

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def broker() -> None:
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")


async def measured(*sections: str) -> Results:
    results = await measure(TINY, sections)
    assert not results.failed, results.not_run
    return results


async def test_nights_and_their_floor() -> None:
    results = await measured("end-to-end")
    nights: dict[tuple[str, str], Any] = {
        (each["contender"], each["name"]): each for each in results.sections["end_to_end"]
    }
    assert nights.keys() == {*((OURS, name) for name in NIGHTS), *((FLOOR, name) for name in NIGHTS[:2])}
    assert all(each["loans"] == TINY.loans and each["cpu_per_loan"] > 0 for each in nights.values())
    assert all(each["peak_memory"] and each["wal_bytes"] > 0 for each in nights.values())
    assert results.headline["loans_per_second"] == nights[OURS, NIGHTS[0]]["loans_per_second"]
    assert results.headline["floor_ratio"] is not None
    assert 0 < results.headline["floor_ratio"] < 1


async def test_everybody_who_is_due_is_seen_to_once_and_at_the_providers_pace() -> None:
    sections = (await measured("due-work")).sections
    mornings, [steady] = sections["due_work"], sections["due_to_sent"]
    assert len(mornings) == 2
    for each in mornings:
        assert each["due"] == sum(each["states"].values()) > 0
        assert each["states"].keys() <= {"dispatched", "denied", "failed", "cancelled", "not_dispatched", PUT_OFF}
        assert 0 < each["most_in_a_second"] <= len(CHANNELS) * each["pace"]
    assert steady["measured"] > 0
    assert 0 < steady["p50 ms"] <= steady["p99 ms"] <= steady["p99.9 ms"]


PANEL = "ID,MONTHS_BALANCE,STATUS\nA,-2,0\nA,-1,1\nA,0,2\nB,-2,X\nB,-1,0\nB,0,C\nC,-2,X\nC,-1,X\nC,0,X\n"
"""One account that sinks, one that is paid off, and one that never owed anything."""


async def test_a_panel_is_replayed_month_by_month_and_held_against_its_file(tmp_path: Path) -> None:
    (tmp_path / "panel.csv").write_text(PANEL)
    results = await measure(replace(TINY, panel=tmp_path / "panel.csv"), ("card-panel",))
    assert not results.failed, results.not_run
    [panel] = results.sections["card_panel"]
    assert (panel["accounts"], panel["months"], panel["events"]) == (3, 3, 3 + 3 + 3)
    assert panel["seconds"] > 0
    assert panel["peak_memory"]


async def test_the_one_job_is_done_rightly_also_by_a_process_that_is_killed() -> None:
    results = await measured("one-job")
    judged = {each["discipline"]: each["judged"] for each in results.sections["one_job"]}
    assert judged.keys() == {"backlog", "lasting load", "killed"}, results.not_run
    assert all(each["wrong_rows"] == each["lost"] == 0 for each in judged.values())
