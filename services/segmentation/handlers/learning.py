"""What contacts and promises teach about a person."""

from datetime import date

from services.segmentation.domain.tiers import UNKNOWN, Tiers
from services.segmentation.store import Person, StandingPromise
from shared.contracts.outreach import (
    Ability,
    DelinquencyCause,
    OutcomeRecorded,
    OutcomeResult,
    PromiseBroken,
    PromiseEnd,
    PromiseKept,
    PromiseMade,
    PromiseReopened,
    Willingness,
)
from shared.frozen import replace

NOT_THE_DEBTOR = frozenset(
    {
        OutcomeResult.THIRD_PARTY_REACHED,
        OutcomeResult.WRONG_NUMBER,
        OutcomeResult.NO_ANSWER,
        OutcomeResult.LEFT_MESSAGE,
    }
)
"""Results that teach nothing, since the debtor was not spoken with: what others say of a debtor is not used."""

DEBTOR = "debtor"
"""The party of a contact whose outcome may teach something."""

TELLING = frozenset({OutcomeResult.REFUSED, OutcomeResult.DISPUTED, OutcomeResult.HARDSHIP_CLAIMED})
"""Results that stay until another of them comes."""


def taught(person: Person, outcome: OutcomeRecorded, on: date) -> Person:
    """The person with what the contact added; what it left unknown stays as it was."""
    if outcome.result in NOT_THE_DEBTOR or outcome.party != DEBTOR:
        return person
    before = person.known
    known = replace(
        before,
        cause=before.cause if outcome.reason_code is DelinquencyCause.UNKNOWN else str(outcome.reason_code),
        ability=before.ability if outcome.ability is Ability.UNKNOWN else str(outcome.ability),
        willingness=before.willingness if outcome.willingness is Willingness.UNKNOWN else str(outcome.willingness),
        result=str(outcome.result) if outcome.result in TELLING else before.result,
        recorded_on=on,
    )
    return replace(person, known=known) if _says_something(outcome) else person


def _says_something(outcome: OutcomeRecorded) -> bool:
    said = (outcome.reason_code, outcome.ability, outcome.willingness)
    return outcome.result in TELLING or any(each.value != UNKNOWN for each in said)


def promised(person: Person, promise: PromiseMade | PromiseReopened, on: date, tiers: Tiers) -> Person:
    """The person with a promise that stands."""
    stands = StandingPromise(promise.promise_id, promise.promised_on, tiers.pause_ends_on(on, promise.promised_on))
    return replace(person, promises=(*_others(person, promise.promise_id), stands))


def kept(person: Person, promise: PromiseKept) -> Person:
    """The person with a promise kept."""
    known = replace(person.known, promises_kept=person.known.promises_kept + 1)
    return replace(person, known=known, promises=_others(person, promise.promise_id))


def broken(person: Person, promise: PromiseBroken) -> Person:
    """The person with a promise broken."""
    known = replace(person.known, promises_broken=person.known.promises_broken + 1)
    return replace(person, known=known, promises=_others(person, promise.promise_id))


def reopened(person: Person, promise: PromiseReopened, on: date, tiers: Tiers) -> Person:
    """The person with a promise that stands again, and without what its end had added."""
    known = person.known
    if promise.was is PromiseEnd.KEPT:
        known = replace(known, promises_kept=known.promises_kept - 1)
    else:
        known = replace(known, promises_broken=known.promises_broken - 1)
    return promised(replace(person, known=known), promise, on, tiers)


def _others(person: Person, promise_id: str) -> tuple[StandingPromise, ...]:
    return tuple(each for each in person.promises if each.promise_id != promise_id)


def relapsed(person: Person) -> Person:
    """The person with one more case that was over and is not."""
    return replace(person, known=replace(person.known, relapses=person.known.relapses + 1))
