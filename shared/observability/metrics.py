"""Every metric of the product, declared once with a sentence and a unit; each carries the label `service`.

They live in a registry of our own, so that several services in one process neither collide nor show each other's
figures: `exposition(service)` gives one service's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REGISTRY = CollectorRegistry()

QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds, for what a caller or a batch waits for."""

LATE = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Seconds, for what the debtor of an event or of a due step waits for."""

SIZES = (1, 10, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric: what it says, in which unit, and by which labels beside `service`."""

    name: str
    sentence: str
    unit: str
    labels: tuple[str, ...]
    metric: MetricWrapperBase


ALL: list[Declared] = []
"""Every metric there is, in the order of this file."""

MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)


def _declare(metric: MetricT, name: str, sentence: str, unit: str, labels: Sequence[str]) -> MetricT:
    ALL.append(Declared(name, sentence, unit, tuple(labels), metric))
    return metric


def _counter(name: str, sentence: str, unit: str, *labels: str) -> Counter:
    metric = Counter(name.removesuffix("_total"), sentence, ("service", *labels), registry=REGISTRY)
    return _declare(metric, name, sentence, unit, labels)


def _gauge(name: str, sentence: str, unit: str, *labels: str) -> Gauge:
    return _declare(Gauge(name, sentence, ("service", *labels), registry=REGISTRY), name, sentence, unit, labels)


def _histogram(name: str, sentence: str, unit: str, *labels: str, buckets: Sequence[float]) -> Histogram:
    metric = Histogram(name, sentence, ("service", *labels), registry=REGISTRY, buckets=tuple(buckets))
    return _declare(metric, name, sentence, unit, labels)


# What comes in.
EVENTS_APPLIED = _counter("events_applied_total", "Events whose effects were committed.", "events", "kind")
DUPLICATES_DROPPED = _counter(
    "duplicates_dropped_total", "Records dropped because their sequence had been applied before.", "records", "kind"
)
GAPS_OPENED = _counter("gaps_opened_total", "Times that a record was missing from a source's sequence.", "gaps", "kind")
GAPS_REPAIRED = _counter("gaps_repaired_total", "Gaps that the source closed by telling again.", "gaps", "kind")
LANE_GAPS_UNREPAIRED = _gauge(
    "lane_gaps_unrepaired", "Gaps that have stayed open longer than a repair may take; pages at one.", "gaps", "kind"
)
BATCH_EVENTS = _histogram("batch_events", "Events that one transaction applied.", "events", "kind", buckets=SIZES)
BATCH_SECONDS = _histogram(
    "batch_seconds", "Time from the first record of a batch to its commit.", "seconds", "kind", buckets=QUICK
)

# What could not be applied.
DEAD_LETTERS = _counter("dead_letters_total", "Events set aside because they can never be applied.", "events", "kind")
QUARANTINED_DEBTORS = _gauge(
    "quarantined_debtors", "Debtors whose events are parked until a dead letter is resolved.", "debtors", "kind"
)
PARKED_EVENTS = _gauge("parked_events", "Events that wait for a dead letter of their debtor.", "events", "kind")

# What goes out.
FACTS_TOLD = _counter("facts_told_total", "Facts committed to the outbox.", "facts", "kind")
PUBLISH_FAILURES = _counter("publish_failures_total", "Times that the broker did not acknowledge.", "failures", "kind")
UNACKNOWLEDGED_FACTS = _gauge(
    "unacknowledged_facts", "Facts committed that the broker has not acknowledged yet.", "facts", "kind"
)
REEMISSIONS = _counter(
    "reemissions_total", "Times that facts were told again for a consumer with a gap.", "requests", "kind"
)

PROVIDER_CALLS = _counter(
    "provider_calls_total", "Calls of providers of messages, by how they ended.", "calls", "provider", "outcome"
)
PROVIDER_CIRCUIT_STATE = _gauge(
    "provider_circuit_state",
    "Whether a provider is asked: 0 it is, 1 it is tried with one call, 2 it fails and is left alone.",
    "state",
    "provider",
)

WEBHOOK_CALLS = _counter(
    "webhook_calls_total",
    "Calls of the addresses of agencies, by how they ended: taken, refused, unanswered.",
    *("calls", "outcome"),
)
DEAD_DELIVERIES = _gauge(
    "dead_webhook_deliveries",
    "Deliveries to agencies that were given up after every attempt, and that nobody has replayed yet.",
    "deliveries",
)

# Who works.
TAKEOVERS = _counter("takeovers_total", "Shards taken, at start or from another worker.", "shards", "kind")
FENCED_WRITERS = _counter(
    "fenced_writers_total", "Transactions given up because another worker had taken the shard.", "transactions", "kind"
)
OWNED_SHARDS = _gauge("owned_shards", "Shards that this process works for.", "shards", "kind")
STOPPED_SHARDS = _gauge("stopped_shards", "Owned shards that wait for an operator to resume them.", "shards", "kind")

# How late we are.
INPUT_AGE = _histogram(
    "input_age_seconds",
    "Age, by the log's clock, of the oldest record of a batch once its effects were committed.",
    "seconds",
    "kind",
    buckets=LATE,
)
DUE_DELAY = _histogram(
    "due_delay_seconds",
    "Time from the instant at which the oldest due work of a batch was due to its commit.",
    "seconds",
    "kind",
    buckets=LATE,
)
LAG = _gauge("lag_records", "Records that the actors held here have yet to read.", "records", "kind")
LANE_WATERMARK_AGE = _gauge(
    "lane_watermark_age_seconds", "Age of the oldest watermark over the owned lanes.", "seconds", "kind"
)

# Whether a red line was crossed. Gauges, not counters: each is what the whole ledger shows, remembered in the database,
# so it survives a restart and is the same in every process that shows it. `source` is what shows it: "ledger", or
# "gateway_log" where the gateway keeps a log that we can read; each crossing is counted from one of them only.
CONTACTS_WITHOUT_PERMIT = _gauge(
    "contacts_without_permit",
    "Contacts that were made without a permit of ours that was valid just then; pages at one.",
    *("contacts", "source"),
)
CONTACTS_AFTER_PAYMENT = _gauge(
    "contacts_after_payment",
    "Contacts that were permitted after outreach had stopped their plan, for a payment or otherwise; pages at one.",
    *("contacts", "source"),
)
QUIET_HOURS_VIOLATIONS = _gauge(
    "quiet_hours_violations", "Contacts, letters apart, that were made in the debtor's night; pages at one.",
    *("violations", "source"),
)  # fmt: skip
DUPLICATE_CONTACTS = _gauge(
    "duplicate_contacts", "Contacts beyond the one of a step, a key or a permit; pages at one.", "contacts", "source"
)
RED_LINE_BACKLOG = _gauge(
    "red_line_backlog_rows",
    "Rows that the red lines are yet to be counted over, by what they are in.",
    "rows",
    "source",
)
RED_LINES_COUNTED_AT = _gauge(
    "red_lines_counted_at_seconds", "When the red lines were last counted, in seconds since 1970.", "seconds"
)

# What nobody could know yet: never a red line.
EXPOSED_CONTACTS = _gauge(
    "exposed_contacts",
    "Contacts permitted after a payment had come in at the edge, and before outreach knew.",
    "contacts",
)
LONGEST_EXPOSURE = _gauge(
    "longest_exposure_seconds", "Longest time from a payment's arrival to its stop among exposed contacts.", "seconds"
)

# Whether our book is the bank's. Read from the database: what the last reconciliation of each lender has found.
RECONCILED_AT = _gauge(
    "reconciled_at_seconds",
    "When the whole book of a lender was last held against ours, in seconds since 1970.",
    *("seconds", "lender"),
)
DRIFTING_ACCOUNTS = _gauge(
    "reconciliation_drift_accounts",
    "Accounts of which the last reconciliation has found something in our book to be otherwise than in the bank's.",
    *("accounts", "lender"),
)
DRIFT_AMOUNT = _gauge(
    "reconciliation_drift_minor_units",
    "By how much those accounts differ in what is past due, added up whatever the sign.",
    *("minor_units", "lender", "currency"),
)
UNREADABLE_ROWS = _gauge(
    "reconciliation_refused_rows",
    "Rows of the last reconciliation that could not be read, so that nobody knows of their accounts.",
    *("rows", "lender"),
)

# What people and machines ask for.
COMMANDS = _counter("commands_total", "Commands answered over REST, by how they ended.", "commands", "name", "outcome")
HTTP_REQUESTS = _counter(
    "http_requests_total", "Requests answered, by route template.", "requests", "method", "route", "status"
)
HTTP_REQUEST_SECONDS = _histogram(
    "http_request_seconds", "Time from a request to the end of its answer.", "seconds", "method", "route", buckets=QUICK
)

# What is shown to a collector of traces.
TRACE_SPANS = _counter("trace_spans_total", "Spans for the collector of traces, sent or lost.", "spans", "outcome")


class _OneService(Collector):
    """The samples of one service."""

    def __init__(self, service: str) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Copy each family without the samples of others."""
        for family in REGISTRY.collect():
            own = Metric(family.name, family.documentation, family.type, family.unit)
            own.samples = [sample for sample in family.samples if sample.labels.get("service") == self._service]
            yield own


def exposition(service: str) -> bytes:
    """One service's metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_OneService(service))
    return generate_latest(registry)


def exposition_of_all() -> bytes:
    """The metrics of every service of this process, for a process that serves no REST."""
    return generate_latest(REGISTRY)
