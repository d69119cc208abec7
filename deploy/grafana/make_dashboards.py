"""Writes the dashboards: `python deploy/grafana/make_dashboards.py [FOLDER]`, by default into `dashboards/` beside it.

A panel is a line here: its title, what it shows in one sentence, its unit, and its queries with their legends.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

SOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
WIDTH, HEIGHT, COLUMNS = 8, 8, 3


class Panel(NamedTuple):
    """One panel; the `unit` is Grafana's word for it."""

    title: str
    says: str
    unit: str
    queries: Sequence[tuple[str, str]]
    kind: str = "timeseries"


def quantile(share: str, metric: str, by: str = "service, kind") -> str:
    """The query for a quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}_bucket[$__rate_interval])))"


def rate(metric: str, by: str = "service, kind") -> str:
    """The query for so many a second."""
    return f"sum by ({by}) (rate({metric}[$__rate_interval]))"


KIND, SERVICE, ROUTE = "{{service}} {{kind}}", "{{service}}", "{{service}} {{method}} {{route}}"

DASHBOARDS: Final[dict[str, tuple[str, Sequence[Panel]]]] = {
    "promises": (
        "Fairdue: promises and red lines",
        (
            Panel("Gaps that stay open", "A red line: always nought.", "short",
                  [("sum(lane_gaps_unrepaired)", "gaps")], "stat"),
            Panel("Processes that answer", "Ten where docker-compose.yml runs as it is.", "short",
                  [('sum(up{job=~"fairdue-.*"})', "processes")], "stat"),
            Panel("Debtors in quarantine", "Whose events wait for somebody to resolve a dead letter.", "short",
                  [("sum(quarantined_debtors)", "debtors")], "stat"),
            Panel("Too late, of an hour", "Share of batches later than promised; the allowance is the dashed line.",
                  "percentunit",
                  [("promise:broken:ratio_rate1h", "{{promise}}"), ("promise:budget", "{{promise}} allowed")]),
            Panel("Age of what is applied", "How old the oldest record of a batch is at its commit, 99th in 100.",
                  "s", [(quantile("0.99", "input_age_seconds"), KIND)]),
            Panel("Delay of due work", "How long the oldest due work of a batch had been due, 99th in 100.",
                  "s", [(quantile("0.99", "due_delay_seconds"), KIND)]),
            Panel("Age of the stalest lane", "Everything that the bank said before this long ago is applied.",
                  "s", [("max by (service, kind) (lane_watermark_age_seconds)", KIND)]),
        ),
    ),
    "work": (
        "Fairdue: work",
        (
            Panel("Events a second", "Events whose effects were committed.", "ops",
                  [(rate("events_applied_total"), KIND)]),
            Panel("Lag", "Records that are yet to be read.", "short", [("sum by (service, kind) (lag_records)", KIND)]),
            Panel("Time of a batch", "From its first record to its commit, 99th in 100.", "s",
                  [(quantile("0.99", "batch_seconds"), KIND)]),
            Panel("Events of a batch", "The median.", "short", [(quantile("0.5", "batch_events"), KIND)]),
            Panel("Facts a second", "Facts committed to the outbox.", "ops", [(rate("facts_told_total"), KIND)]),
            Panel("Not on the topic yet", "Facts committed that the broker has not acknowledged.", "short",
                  [("sum by (service, kind) (unacknowledged_facts)", KIND)]),
            Panel("Shards held", "Shards that have a worker: 32 of each kind but ingress and those alone.", "short",
                  [("sum by (service, kind) (owned_shards)", KIND)]),
            Panel("Shards stopped", "Shards that wait for an operator.", "short",
                  [("sum by (service, kind) (stopped_shards)", KIND)]),
            Panel("Shards taken", "In five minutes; many mean that workers die or freeze.", "short",
                  [("sum by (service, kind) (increase(takeovers_total[5m]))", KIND)]),
            Panel("Set aside", "Dead letters in an hour, and events parked behind them.", "short",
                  [("sum by (service, kind) (increase(dead_letters_total[1h]))", KIND + " letters"),
                   ("sum by (service, kind) (parked_events)", KIND + " parked")]),
            Panel("Gaps", "Opened and repaired in an hour: the two are to be the same.", "short",
                  [("sum by (service, kind) (increase(gaps_opened_total[1h]))", KIND + " opened"),
                   ("sum by (service, kind) (increase(gaps_repaired_total[1h]))", KIND + " repaired")]),
            Panel("Trouble", "Fenced writers, refused publications, duplicates and facts told again, a second.", "ops",
                  [(rate("fenced_writers_total"), KIND + " fenced"),
                   (rate("publish_failures_total"), KIND + " not published"),
                   (rate("duplicates_dropped_total"), KIND + " duplicates"),
                   (rate("reemissions_total"), KIND + " told again")]),
        ),
    ),
    "requests": (
        "Fairdue: requests",
        (
            Panel("Requests a second", "By route.", "reqps",
                  [(rate("http_requests_total", "service, method, route"), ROUTE)]),
            Panel("Answers by status", "Answers of 500 and more are our own faults.", "reqps",
                  [(rate("http_requests_total", "service, status"), "{{service}} {{status}}")]),
            Panel("Time of an answer", "99th in 100, by service.", "s",
                  [(quantile("0.99", "http_request_seconds", "service"), SERVICE)]),
        ),
    ),
}  # fmt: skip


def panel(number: int, one: Panel) -> dict[str, Any]:
    """One panel as Grafana reads it."""
    place = {"x": number % COLUMNS * WIDTH, "y": number // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT}
    targets = [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": legend}
        for at, (query, legend) in enumerate(one.queries)
    ]
    return {
        "id": number + 1, "type": one.kind, "title": one.title, "description": one.says, "gridPos": place,
        "datasource": SOURCE, "targets": targets,
        "fieldConfig": {"defaults": {"unit": one.unit, "min": 0}, "overrides": []},
        "options": {},
    }  # fmt: skip


def dashboard(uid: str, title: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """One dashboard as Grafana reads it."""
    return {
        "uid": f"fairdue-{uid}", "title": title, "tags": ["fairdue"], "timezone": "browser", "editable": False,
        "schemaVersion": 39, "version": 1, "refresh": "30s", "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": []}, "annotations": {"list": []},
        "panels": [panel(number, one) for number, one in enumerate(panels)],
    }  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Write them all."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent / "dashboards"
    folder.mkdir(parents=True, exist_ok=True)
    for uid, (title, panels) in DASHBOARDS.items():
        text = json.dumps(dashboard(uid, title, panels), indent=2, ensure_ascii=False)
        (folder / f"{uid}.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
