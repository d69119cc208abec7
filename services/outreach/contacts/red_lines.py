"""The red lines, counted from what was done and not from what was decided.

Nothing here is shared with the gate: the rules are said again in the plainest way, and held against the ledger and the
gateway's own log. All of these are to be 0 for ever; each is a metric that wakes somebody at 1.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8), time(22)
"""In no jurisdiction that is worked may anybody be reached outside these hours, but by letter."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger, with the zone in which the debtor lives.

    order: its place in the history of what outreach decided. Clocks differ; the order in which a debtor's actor
    committed does not.
    """

    contact_id: str
    debtor_id: str
    plan_number: int
    step_number: int
    key: str
    state: str
    order: int
    permitted_at: datetime
    expires_at: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One entry of a gateway's log."""

    key: str
    permit_id: str
    debtor_id: str
    channel: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """A plan was stopped: nothing of it may be permitted afterwards."""

    debtor_id: str
    plan_number: int
    order: int


def counted(ledger: Sequence[Entry], sent: Sequence[Sent], stops: Iterable[Stop]) -> dict[str, int]:
    """How often each red line was crossed."""
    permits = {entry.contact_id: entry for entry in ledger}
    return {
        "contacts_without_permit": sum(not _is_permitted(each, permits) for each in sent),
        "contacts_after_payment": _after_a_stop(ledger, stops),
        "quiet_hours_violations": sum(_is_quiet(each, permits) for each in sent),
        "duplicate_contacts": _doubled(ledger, sent),
    }


def _is_permitted(each: Sent, permits: Mapping[str, Entry]) -> bool:
    permit = permits.get(each.permit_id)
    if permit is None or (permit.debtor_id, permit.key) != (each.debtor_id, each.key):
        return False
    return permit.permitted_at <= each.taken_at < permit.expires_at


def _after_a_stop(ledger: Iterable[Entry], stops: Iterable[Stop]) -> int:
    stopped = {(stop.debtor_id, stop.plan_number): stop.order for stop in stops}
    ends = [(entry, stopped.get((entry.debtor_id, entry.plan_number))) for entry in ledger]
    return sum(end is not None and entry.order > end for entry, end in ends)


def _is_quiet(each: Sent, permits: Mapping[str, Entry]) -> bool:
    """Whether somebody was reached in the night; without a permit nobody knows where they live, and it counts."""
    if each.channel == "letter":
        return False
    permit = permits.get(each.permit_id)
    if permit is None:
        return True
    return not OPENS <= each.taken_at.astimezone(ZoneInfo(permit.zone)).time() < CLOSES


def _doubled(ledger: Iterable[Entry], sent: Iterable[Sent]) -> int:
    """Steps with more than one contact, keys that a gateway took twice, and permits that were used twice."""
    steps = Counter(
        (entry.debtor_id, entry.plan_number, entry.step_number)
        for entry in ledger
        if entry.plan_number and entry.state != "not_made"
    )
    sent = list(sent)
    keys, permits = Counter(each.key for each in sent), Counter(each.permit_id for each in sent)
    return sum(times - 1 for counts in (steps, keys, permits) for times in counts.values())
