"""The red lines, counted from what was done and not from what was decided.

Nothing here is shared with the gate: the rules are said again in the plainest way, and held against the ledger and the
gateway's own log. All of these are to be 0 for ever; each is a metric that wakes somebody at 1.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8), time(22)
"""In no jurisdiction that is worked may anybody be reached outside these hours, but by letter."""

_REACHED = frozenset({"made", "unknown"})
"""How a contact has ended that somebody felt, or may have felt."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger, with the zone in which the debtor lives, "" where that is not known.

    order: its place in the history of what outreach decided, 0 where no permit was ever told. Clocks differ; the order
    in which a debtor's actor committed does not.
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
    channel: str = ""


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


class Source(StrEnum):
    """Where a crossing shows. What a gateway's own log says of a contact is never counted from the ledger as well."""

    LEDGER = "ledger"
    GATEWAY = "gateway_log"


LINES: Mapping[Source, tuple[str, ...]] = {
    Source.LEDGER: (
        *("contacts_without_permit", "contacts_after_payment", "quiet_hours_violations", "duplicate_contacts"),
    ),
    Source.GATEWAY: ("contacts_without_permit", "quiet_hours_violations", "duplicate_contacts"),
}
"""What each source can show. Whether somebody was reached after a stop is a question of order, so only the ledger's."""


def counted(ledger: Sequence[Entry], sent: Sequence[Sent], stops: Iterable[Stop]) -> dict[str, int]:
    """How often each red line was crossed, whatever shows it."""
    sources = by_source(ledger, sent, stops)
    return {line: sum(lines.get(line, 0) for lines in sources.values()) for line in LINES[Source.LEDGER]}


def by_source(
    ledger: Sequence[Entry], sent: Sequence[Sent], stops: Iterable[Stop]
) -> Mapping[Source, Mapping[str, int]]:
    """How often each red line was crossed, by what shows it; debtors can be counted apart, and the counts summed."""
    permits = {entry.contact_id: entry for entry in ledger}
    logged = {each.permit_id for each in sent}
    unlogged = [entry for entry in ledger if entry.state in _REACHED and entry.contact_id not in logged]
    return {
        Source.LEDGER: {
            "contacts_without_permit": sum(not entry.order for entry in unlogged),
            "contacts_after_payment": _after_a_stop(ledger, stops),
            "quiet_hours_violations": sum(_in_the_night(e.channel, e.permitted_at, e.zone) for e in unlogged),
            "duplicate_contacts": _steps_twice(ledger),
        },
        Source.GATEWAY: {
            "contacts_without_permit": sum(not _is_permitted(each, permits) for each in sent),
            "quiet_hours_violations": sum(_is_quiet(each, permits) for each in sent),
            "duplicate_contacts": _sent_twice(sent),
        },
    }


def _is_permitted(each: Sent, permits: Mapping[str, Entry]) -> bool:
    permit = permits.get(each.permit_id)
    if permit is None or not permit.order or (permit.debtor_id, permit.key) != (each.debtor_id, each.key):
        return False
    return permit.permitted_at <= each.taken_at < permit.expires_at


def _after_a_stop(ledger: Iterable[Entry], stops: Iterable[Stop]) -> int:
    stopped = {(stop.debtor_id, stop.plan_number): stop.order for stop in stops}
    ends = [(entry, stopped.get((entry.debtor_id, entry.plan_number))) for entry in ledger]
    return sum(end is not None and entry.order > end for entry, end in ends)


def _is_quiet(each: Sent, permits: Mapping[str, Entry]) -> bool:
    """Whether somebody was reached in the night; without a permit nobody knows where they live, and it counts."""
    permit = permits.get(each.permit_id)
    return _in_the_night(each.channel, each.taken_at, permit.zone if permit else "")


def _in_the_night(channel: str, at: datetime, zone: str) -> bool:
    if channel == "letter":
        return False
    return not zone or not OPENS <= at.astimezone(ZoneInfo(zone)).time() < CLOSES


def _steps_twice(ledger: Iterable[Entry]) -> int:
    """Steps with more than one contact."""
    return _again(
        (entry.debtor_id, entry.plan_number, entry.step_number)
        for entry in ledger
        if entry.plan_number and entry.state != "not_made"
    )


def _sent_twice(sent: Sequence[Sent]) -> int:
    """Keys that a gateway took twice, and permits that were used twice."""
    return _again(each.key for each in sent) + _again(each.permit_id for each in sent)


def _again(names: Iterable[Hashable]) -> int:
    return sum(times - 1 for times in Counter(names).values())
