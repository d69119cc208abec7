"""In whatever order payments, reversals and business dates come, and however often, a promise ends the same way."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmentation.handlers import learning
from services.segmentation.store import Person
from services.segmentation.strategies import load_playbook
from shared.contracts import outreach
from tests.unit.outreach.play import MIDNIGHT, Play
from tests.unit.outreach.saying import ANNA, FRIDAY, pays, promise, reached, takes_back
from tests.unit.outreach.test_contact_plays import Contacting, Provider

AMOUNT, ENOUGH, FIRST, LAST = 40_000, 39_600, 2, 9
"""The promise, what is enough for it, and the days of March on which payments count."""

TIERS = load_playbook().tiers

Payment = tuple[int, int, str]

payments = st.lists(
    st.tuples(st.sampled_from([1, 9_600, 10_000, 30_000, 40_000]), st.integers(1, 12), st.sampled_from(["CNY", "USD"])),
    max_size=5,
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Sequence[Payment], set[int], list[Any]]:
    """Payments by number, those that are taken back, and all that is heard of them, in an order of its own."""
    paid = draw(payments)
    back = draw(st.sets(st.sampled_from(range(len(paid))))) if paid else set()
    acts: list[Any] = [pays(str(number), amount, day, currency=cur) for number, (amount, day, cur) in enumerate(paid)]
    acts += [takes_back(str(number), paid[number][0], paid[number][2]) for number in back]
    acts += draw(st.lists(st.integers(1, 20), max_size=4))
    again = draw(st.lists(st.sampled_from(acts), max_size=4)) if acts else []
    return paid, back, draw(st.permutations(acts + again))


def expected(paid: Sequence[Payment], back: set[int]) -> tuple[bool, int]:
    """Whether it is kept, and what was paid towards it, said in the plainest way."""
    counting = [
        amount
        for number, (amount, day, currency) in enumerate(paid)
        if number not in back and currency == "CNY" and FIRST <= day <= LAST
    ]
    return sum(counting) >= ENOUGH, sum(counting)


def played(acts: Sequence[Any], *, forgets: bool, until: int) -> Play:
    play = reached(Play(forgets=forgets))
    play.tell(promise(AMOUNT), actor=ANNA)
    for version, act in enumerate(acts, 2):
        if isinstance(act, int):
            play.until(max(play.now.instant, MIDNIGHT + timedelta(days=act)))
        else:
            play.tell(act, version)
    play.until(MIDNIGHT + timedelta(days=until))
    return play


@settings(max_examples=300, deadline=None)
@given(histories())
def test_the_end_of_a_promise_is_the_set_of_its_payments(
    history: tuple[Sequence[Payment], set[int], list[Any]],
) -> None:
    paid, back, acts = history
    play = played(acts, forgets=True, until=21)
    assert play.state == played(acts, forgets=False, until=21).state
    [end] = play.state.promises.values()
    kept, total = expected(paid, back)
    assert end.state == ("kept" if kept else "broken")
    assert end.paid >= ENOUGH if kept else end.paid == total


@settings(max_examples=200, deadline=None)
@given(histories())
def test_who_hears_what_is_told_of_a_promise_knows_how_it_ended(
    history: tuple[Sequence[Payment], set[int], list[Any]],
) -> None:
    """Segmentation's counts are those of a person of whom only the end was told."""
    paid, back, acts = history
    play, person, on = played(acts, forgets=False, until=21), Person(), MIDNIGHT.date()
    for each in play.told:
        match each.data:
            case outreach.PromiseReopened():
                person = learning.reopened(person, each.data, on, TIERS)
            case outreach.PromiseMade():
                person = learning.promised(person, each.data, on, TIERS)
            case outreach.PromiseKept():
                person = learning.kept(person, each.data)
            case outreach.PromiseBroken():
                person = learning.broken(person, each.data)
            case _:
                pass
    kept, _ = expected(paid, back)
    assert (person.known.promises_kept, person.known.promises_broken, person.promises) == (int(kept), int(not kept), ())


@settings(max_examples=200, deadline=None)
@given(histories())
def test_nothing_is_due_while_a_promise_stands_but_one_reminder_before_its_day(
    history: tuple[Sequence[Payment], set[int], list[Any]],
) -> None:
    _, _, acts = history
    play = Contacting(Provider())
    reached(play)
    play.tell(promise(AMOUNT), actor=ANNA)
    for act in acts:
        told, stood = len(play.told), stands(play)
        if isinstance(act, int):
            play.until(max(play.now.instant, MIDNIGHT + timedelta(days=act)))
        else:
            play.tell(act, 1)
        if stands(play):
            assert (play.state.step_due, play.state.plan_due) == ({}, None)
        if stood and stands(play):
            assert {permit.template for permit in permits(play, told)} <= {"remind_promise"}
    reminders = [permit for permit in permits(play, 0) if permit.template == "remind_promise"]
    assert len(reminders) <= 1
    assert all(permit.permitted_at < MIDNIGHT + timedelta(days=FRIDAY.day - 2) for permit in reminders)


def stands(play: Play) -> bool:
    return any(each.state == "standing" for each in play.state.promises.values())


def permits(play: Play, since: int) -> list[outreach.ContactPermitted]:
    return [each.data for each in play.told[since:] if isinstance(each.data, outreach.ContactPermitted)]
