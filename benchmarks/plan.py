"""How large a run is: the full one of the capacity page, the quick one of ten minutes, the tiny one of the tests."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes. `scaling` are numbers of loans, none where it is left out; `peers` are those of the one job, all if empty.

    events: of the one job; few_events: for designs that handle a message at a time; per_second: the load at which what
    an event costs is compared; busy_seconds: for how long such a load lasts. due_contacts: loans of the night after
    which everybody is due, and due_copies of each; pace: how many messages of a channel the provider then takes in a
    second. What has a size of 0 is left out. seconds: how long all of it may take; what does not fit in is left out,
    later rounds before later sections. panel: the file of a card panel, of which the first so many accounts are taken.
    """

    name: str
    loans: int
    warm_up: int
    rounds: int
    lasting_rounds: int
    embedded_loans: int
    warm_up_events: int
    events: int
    few_events: int
    per_second: int
    busy_seconds: float
    kills: int
    latency_seconds: float
    verdicts: int
    due_contacts: int
    due_copies: int
    pace: int
    scaling: tuple[int, ...] = ()
    peers: tuple[str, ...] = ()
    panel: Path | None = None
    panel_accounts: int | None = None
    durable: bool = True
    seconds: float = float("inf")


FULL = Plan(
    name="full",
    loans=300_000,
    warm_up=3_000,
    rounds=3,
    lasting_rounds=3,
    embedded_loans=50_000,
    warm_up_events=5_000,
    events=200_000,
    few_events=10_000,
    per_second=8_000,
    busy_seconds=20.0,
    kills=4,
    latency_seconds=60.0,
    verdicts=20_000,
    due_contacts=11_700,
    due_copies=100,
    pace=2_000,
    scaling=(10_000, 100_000, 1_000_000),
)
QUICK = Plan(
    name="quick",
    loans=8_000,
    warm_up=500,
    rounds=3,
    lasting_rounds=1,
    embedded_loans=4_000,
    warm_up_events=500,
    events=30_000,
    few_events=1_500,
    per_second=8_000,
    busy_seconds=3.0,
    kills=1,
    latency_seconds=10.0,
    verdicts=4_000,
    due_contacts=4_000,
    due_copies=1,
    pace=400,
    seconds=540.0,
)
TINY = Plan(
    name="tiny",
    loans=200,
    warm_up=50,
    rounds=1,
    lasting_rounds=1,
    embedded_loans=0,
    warm_up_events=50,
    events=400,
    few_events=50,
    per_second=400,
    busy_seconds=0.5,
    kills=1,
    latency_seconds=1.0,
    verdicts=100,
    due_contacts=200,
    due_copies=2,
    pace=50,
    peers=("our_job",),
    durable=False,
)
