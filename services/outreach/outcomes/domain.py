"""What came of a contact, and what it closes: a channel that somebody opted out of, a number that was wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

LONGEST_CALL_BACK = timedelta(days=14)
"""How far ahead another time may be asked for."""


class Result(StrEnum):
    """How a contact ended, in the words that are told."""

    RIGHT_PARTY_REACHED = "right_party_reached"
    THIRD_PARTY_REACHED = "third_party_reached"
    REFUSED = "refused"
    WRONG_NUMBER = "wrong_number"
    NO_ANSWER = "no_answer"
    PROMISED = "promised"
    DISPUTED = "disputed"
    HARDSHIP_CLAIMED = "hardship_claimed"
    ASKED_FOR_ANOTHER_TIME = "asked_for_another_time"
    OPTED_OUT = "opted_out"
    COMPLAINED = "complained"
    LEFT_MESSAGE = "left_message"


@dataclass(frozen=True, slots=True)
class SaidPromise:
    """A promise as it was said; the amount in minor units."""

    amount: int
    currency: str
    promised_on: date


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a contact, as somebody says: a result, what it taught, and what belongs to some results only."""

    result: Result
    reason_code: str = "unknown"
    ability: str = "unknown"
    willingness: str = "unknown"
    promise: SaidPromise | None = None
    call_back_at: datetime | None = None
    opts_out_of: tuple[str, ...] = ()
    loan_id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The one outcome of a contact. `settled` unless it asks for another time, which is looked at before a contact."""

    contact_id: str
    channel: str
    said: Said
    recorded_at: datetime
    recorded_by: str
    settled: bool


@dataclass(frozen=True, slots=True)
class OptOut:
    """A channel that the person wants not to be reached by; `since_on` is the business date of its recording."""

    channel: str
    since: datetime
    since_on: date
    contact_id: str
    recorded_by: str


@dataclass(frozen=True, slots=True)
class WithdrawnOptOut:
    """An opt-out that stood until the person took it back; `said_by` is how they let it be known."""

    channel: str
    since: datetime
    since_on: date
    contact_id: str
    recorded_by: str
    withdrawn_at: datetime
    withdrawn_on: date
    withdrawn_by: str
    said_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class BadPoint:
    """A contact point of the profile, at its version, that leads to somebody else."""

    point: str
    profile_version: int
    since: datetime
    contact_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Somebody who has no part in the debt wants no contact about it: for good, so that nothing ends it.

    since_on: the business date. point: stands for the contact point that they were reached by.
    """

    contact_id: str
    party: str
    channel: str
    point: str
    since: datetime
    since_on: date
    recorded_by: str


POINTS: Mapping[str, str] = {
    "sms": "number",
    "phone": "number",
    "email": "email",
    "letter": "address",
    "visit": "address",
}
"""Which contact point a channel uses: a wrong number is wrong for calls and for messages."""


def is_bad(points: Mapping[str, BadPoint], channel: str, profile_version: int) -> bool:
    """Whether a channel's contact point is known to be wrong, and the profile has not changed since."""
    known = points.get(POINTS.get(channel, channel))
    return known is not None and known.profile_version >= profile_version


def misfit_of(said: Said, instant: datetime) -> tuple[str, str] | None:
    """Which field of an outcome does not go with the rest, and why; None where all do."""
    if (said.promise is not None) != (said.result is Result.PROMISED):
        return "promise", "it goes with a promise, and with nothing else"
    if said.call_back_at is not None:
        if said.result is not Result.ASKED_FOR_ANOTHER_TIME:
            return "call_back_at", "it goes with asking for another time, and with nothing else"
        if not instant < said.call_back_at <= instant + LONGEST_CALL_BACK:
            return "call_back_at", f"it has passed, or lies more than {LONGEST_CALL_BACK.days} days ahead"
    if said.opts_out_of and said.result is not Result.OPTED_OUT:
        return "opts_out_of", "it goes with opting out, and with nothing else"
    return None


def asked_until(outcomes: Iterable[Outcome], instant: datetime) -> datetime | None:
    """Until when the person asked not to be contacted; None where they asked for nothing that lies ahead."""
    asked = [each.said.call_back_at for each in outcomes if each.said.call_back_at is not None and not each.settled]
    return max((each for each in asked if each > instant), default=None)
