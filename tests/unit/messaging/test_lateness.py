"""How late things come, as the metrics tell it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.messaging.inputs import Input, due_since
from shared.messaging.layout import Layout, Table
from shared.messaging.meter import Meter
from shared.messaging.store import DueRow
from shared.observability import metrics

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CallDue:
    debtor_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class DayDue:
    debtor_id: str
    due_on: date


@dataclass(frozen=True, slots=True)
class Debtor:
    calls: CallDue | None = None
    days: DayDue | None = None


LAYOUT = Layout(
    state=Debtor,
    owner="debtor_id",
    tables={
        "calls": Table("call_due", CallDue, key=(), due="due_at"),
        "days": Table("day_due", DayDue, key=(), due="due_on"),
    },
)


def call(at: datetime) -> Input:
    return Input(1, "d", due=DueRow(1, "d", "calls", (), CallDue("d", at)))


def test_work_is_as_late_as_the_oldest_of_it() -> None:
    inputs = [call(NOW), call(NOW - timedelta(minutes=3)), call(NOW - timedelta(minutes=1)), Input(1, "d")]
    assert due_since(LAYOUT, inputs) == NOW - timedelta(minutes=3)


def test_work_of_a_day_is_late_by_no_clock() -> None:
    day = Input(1, "d", due=DueRow(1, "d", "days", (), DayDue("d", NOW.date())))
    assert due_since(LAYOUT, [day, Input(1, "d")]) is None
    assert due_since(LAYOUT, [day, call(NOW)]) == NOW


def figures(service: str) -> dict[str, float]:
    families = text_string_to_metric_families(metrics.exposition(service).decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_lateness_is_counted_once_a_turn_and_never_below_nought() -> None:
    meter = Meter("late service", "lane")
    meter.late(NOW - timedelta(seconds=4), None, NOW)
    meter.late(NOW + timedelta(seconds=4), NOW - timedelta(seconds=2), NOW)
    meter.late(None, None, NOW)
    meter.behind(17)
    shown = figures("late service")
    assert (shown["input_age_seconds_count"], shown["input_age_seconds_sum"]) == (2, 4)
    assert (shown["due_delay_seconds_count"], shown["due_delay_seconds_sum"]) == (1, 2)
    assert shown["lag_records"] == 17


@pytest.mark.parametrize("name", ["events_applied_total", "dead_letters_total", "input_age_seconds_count"])
def test_what_alerts_count_is_there_before_anything_happens(name: str) -> None:
    meter = Meter("quiet service", "lane")
    meter.begin()
    assert figures("quiet service")[name] == 0
