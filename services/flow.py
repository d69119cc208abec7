"""The whole flow as one table, top to bottom: who reads what, and what each tells; a test holds declarations to it."""

from typing import NamedTuple

from shared.service import Reach

BANK = "core-banking.loan-events.v1"


class Stop(NamedTuple):
    """One kind of actor: the topics that it reads, in order, the one that it tells on, and how much one actor reads."""

    service: str
    actor: str
    reads: tuple[str, ...]
    tells: str
    reach: Reach = Reach.OWN_LANE


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
    Stop("segmentation", "publisher", ("intake.events",), "segmentation.strategies", Reach.FIRST_LANE),
    Stop(
        "outreach",
        "lane",
        (
            "outreach.agencies",
            "intake.events",
            "intake.profiles",
            "segmentation.events",
            "legal.events",
            "outreach.allocations",
        ),
        "outreach.events",
    ),
    Stop("outreach", "allocator", ("outreach.agencies", "outreach.events"), "outreach.allocations", Reach.EVERY_LANE),
    Stop("outreach", "register", ("intake.events",), "outreach.agencies", Reach.FIRST_LANE),
    Stop("outreach", "webhooks", ("outreach.events",), "outreach.deliveries", Reach.EVERY_LANE),
    Stop("legal", "lane", ("intake.events", "intake.profiles", "outreach.events"), "legal.events"),
    Stop("analytics", "lane", ("intake.events", "segmentation.events", "outreach.events", "legal.events"), ""),
)
