"""The list of metrics is the documentation."""

import re

import pytest
from prometheus_client import REGISTRY as GLOBAL
from prometheus_client import Counter
from prometheus_client.parser import text_string_to_metric_families

from shared.observability import metrics
from shared.observability.metrics import ALL, Declared

NAMED_BY_THE_ALERTS = {"lane_gaps_unrepaired", "contacts_without_permit", "contacts_after_payment"}
"""Red lines have the name under which the alert pages."""

EVERY_METRIC = pytest.mark.parametrize("declared", [pytest.param(one, id=one.name) for one in ALL])


@EVERY_METRIC
def test_each_metric_has_a_sentence(declared: Declared) -> None:
    assert re.fullmatch(r"[A-Z][^\n]{15,}\.", declared.sentence)


@EVERY_METRIC
def test_each_metric_ends_with_its_unit(declared: Declared) -> None:
    ending = "_total" if isinstance(declared.metric, Counter) else f"_{declared.unit}"
    assert declared.unit
    assert declared.name.endswith(ending) or declared.name in NAMED_BY_THE_ALERTS


@EVERY_METRIC
def test_each_metric_tells_services_apart(declared: Declared) -> None:
    values = dict.fromkeys(declared.labels, "x")
    declared.metric.labels(service="one", **values)
    families = {family.name for family in text_string_to_metric_families(metrics.exposition("one").decode())}
    assert declared.name.removesuffix("_total") in families


def test_a_service_shows_its_own_figures_only() -> None:
    metrics.TAKEOVERS.labels("one alone", "lane").inc(3)
    metrics.TAKEOVERS.labels("another", "lane").inc(4)
    shown = metrics.exposition("one alone").decode()
    assert 'takeovers_total{kind="lane",service="one alone"} 3.0' in shown
    assert 'service="another"' not in shown


def test_names_are_unique_and_none_is_in_the_global_registry() -> None:
    assert len({one.name for one in ALL}) == len(ALL)
    shared = {family.name for family in GLOBAL.collect()}
    assert shared.isdisjoint(one.name.removesuffix("_total") for one in ALL)
