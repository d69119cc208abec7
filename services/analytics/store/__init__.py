"""Where facts and counts lie, the queries of the summary and the routes, and the rebuild of counts from facts."""

from services.analytics.store.debtors import Held, find_debtor
from services.analytics.store.figures import (
    all_transitions,
    book,
    experiments,
    fetch_through,
    summary,
    summary_by,
    transition_totals,
    transitions,
)
from services.analytics.store.layout import LAYOUT
from services.analytics.store.rebuilding import Difference, Rebuilt, rebuild

__all__ = [
    "LAYOUT",
    "Difference",
    "Held",
    "Rebuilt",
    "all_transitions",
    "book",
    "experiments",
    "fetch_through",
    "find_debtor",
    "rebuild",
    "summary",
    "summary_by",
    "transition_totals",
    "transitions",
]
