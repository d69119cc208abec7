"""The whole flow as one table, top to bottom: who reads what, and what each tells; a test holds declarations to it."""

from typing import NamedTuple

BANK = "core-banking.loan-events.v1"


class Stop(NamedTuple):
    """One kind of actor: the topics that it reads, in order, and the one that it tells on."""

    service: str
    actor: str
    reads: tuple[str, ...]
    tells: str


FLOW = (
    Stop("intake", "ingress", (BANK,), "intake.ingress"),
    Stop("intake", "lane", ("intake.ingress",), "intake.events"),
    Stop("intake", "profiles", ("intake.ingress",), "intake.profiles"),
    Stop(
        "segmentation",
        "lane",
        ("segmentation.strategies", "intake.events", "outreach.events"),
        "segmentation.events",
    ),
    Stop("segmentation", "publisher", ("intake.events",), "segmentation.strategies"),
    Stop(
        "outreach",
        "lane",
        ("intake.events", "intake.profiles", "segmentation.events", "legal.events", "outreach.allocations"),
        "outreach.events",
    ),
    Stop("outreach", "allocator", ("outreach.events",), "outreach.allocations"),
    Stop("legal", "lane", ("intake.events", "intake.profiles", "outreach.events"), "legal.events"),
    Stop("analytics", "lane", ("intake.events", "segmentation.events", "outreach.events", "legal.events"), ""),
)
