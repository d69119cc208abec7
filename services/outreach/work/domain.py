"""Work that waits for people, and how one piece of it runs. Pure: rows in, rows out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.frozen import replace

DAYS_COUNTED = 365
DAYS_PER_DOUBLING = 10
"""Twice the money weighs as much as so many days: without that, the largest debts alone would ever be called."""


class WorkState(StrEnum):
    """How a piece of work stands: it waits, somebody has it, it was done, or it is no longer wanted."""

    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One due step that a person carries out.

    priority: the highest is to be done first. due_at: not before; later than its step where the rules have put it off.
    call_back_at: when the person has asked to be called. contact_id: the permit under which it is claimed, or was done.
    """

    plan_number: int
    step_number: int
    queue: str
    channel: str
    template: str
    priority: int
    opened_at: datetime
    due_at: datetime
    state: WorkState = WorkState.OPEN
    call_back_at: datetime | None = None
    claimed_by: str = ""
    claimed_at: datetime | None = None
    contact_id: str = ""
    reason: str = ""
    ended_at: datetime | None = None
    settled: bool = False


def priority_of(past_due: int, days: int) -> int:
    """How early a debt is to be worked, from what is past due, in minor units of any currency, and since how long."""
    return max(past_due, 0).bit_length() * DAYS_PER_DOUBLING + min(max(days, 0), DAYS_COUNTED)


def claimed(item: WorkItem, by: str, contact_id: str, instant: datetime) -> WorkItem:
    """Somebody's, for as long as the permit is theirs."""
    return replace(item, state=WorkState.CLAIMED, claimed_by=by, claimed_at=instant, contact_id=contact_id, reason="")


def reopened(item: WorkItem, reason: str) -> WorkItem:
    """Nobody's again."""
    return replace(item, state=WorkState.OPEN, claimed_by="", claimed_at=None, contact_id="", reason=reason)


def put_off(item: WorkItem, due_at: datetime, reason: str) -> WorkItem:
    """Not to be done before the rules next allow it."""
    return replace(item, due_at=due_at, reason=reason)


def ended(item: WorkItem, state: WorkState, reason: str, instant: datetime) -> WorkItem:
    """Done, or no longer wanted."""
    return replace(item, state=state, reason=reason, ended_at=instant, settled=True)
