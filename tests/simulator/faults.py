"""What can happen to a step: each fault says which steps it may befall, and what it does to the one that it gets.

`point` is the crash point of the delivery algorithm that the fault stands for, numbered as in `docs/promises.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from services.outreach.contacts.ports import NotTakenError
from shared.messaging.broker import Lane, Record
from shared.messaging.renewing import incarnation_after
from shared.messaging.sequence import header, position_of
from tests.simulator.gateway import unanswered
from tests.simulator.parts import LEASE, Process, append
from tests.simulator.striking import Striking, no_answer, no_broker, to_database
from tests.simulator.universe import Universe
from tests.simulator.world import Step

STATEMENTS = (
    *("fence", "move_cursors", "take_commands", "take_due", "load", "quarantines", "parked", "letters"),
    *("count_letters", "save", "write", "commit"),
)
PAIRS: Mapping[tuple[str, str], float] = {
    ("begin", "fence"): 1,
    ("fence", "move_cursors"): 1,
    ("fence", "take_commands"): 1,
    ("fence", "quarantines"): 6,
    ("fence", "write"): 1,
    ("move_cursors", "take_commands"): 3,
    ("move_cursors", "quarantines"): 1,
    ("move_cursors", "count_letters"): 6,
    ("move_cursors", "write"): 1,
    ("take_commands", "take_due"): 1,
    ("take_due", "letters"): 1.5,
    ("take_due", "quarantines"): 1.5,
    ("take_due", "write"): 6,
    ("letters", "quarantines"): 9,
    ("letters", "write"): 2,
    ("quarantines", "parked"): 2,
    ("quarantines", "load"): 1,
    ("parked", "load"): 1.5,
    ("load", "save"): 1,
    ("load", "count_letters"): 5,
    ("load", "write"): 1,
    ("save", "count_letters"): 8,
    ("save", "write"): 1,
    ("count_letters", "write"): 2,
    ("write", "commit"): 1,
}
"""The pairs of statements that follow each other in a transaction; rare ones are drawn oftener."""

_INSIDE = frozenset(f"store.{name}" for name in STATEMENTS)


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault. `within`: it will befall one of so many steps that it wants.

    strike: does it; False where it could not be done here, and the step goes on as if nothing had been.
    """

    name: str
    point: str
    wants: Callable[[Universe, Step], bool]
    strike: Callable[[Striking, Step], bool]
    within: int = 30


def _about_facts(step: Step) -> bool:
    """Whether an append holds numbered facts: the rest may be lost without harm."""
    return step.place == "log.append" and any(position_of(r.headers) for rs in step.about.values() for r in rs)


# -- what befalls one process ---------------------------------------------------------------------------------------


def _kill_before(striking: Striking, step: Step) -> bool:
    striking.kill(_process(step))
    return True


def _kill_for_good(striking: Striking, step: Step) -> bool:
    if not [each for each in striking.universe.running(_process(step).service) if each is not step.actor]:
        return False
    striking.kill(_process(step), restart=False)
    return True


def _kill_after(striking: Striking, step: Step) -> bool:
    """Done, and nobody is there to hear it."""
    striking.in_silence(step)
    striking.kill(_process(step))
    return True


def _kill_in_append(striking: Striking, step: Step) -> bool:
    append(striking.universe.log, striking.some_of(step.about))
    striking.kill(_process(step))
    return True


def _answer_lost(striking: Striking, step: Step) -> bool:
    """COMMIT was done or not, and the connection is gone."""
    if striking.chance.random() < 0.5:
        striking.in_silence(step)
    step.about.inner.end()
    step.about.process.open.discard(step.about)
    striking.universe.world.fail(step, no_answer())
    return True


def _append_unanswered(striking: Striking, step: Step) -> bool:
    """Nothing, a part or all of it is appended, now or after a while; the writer hears that there was no answer."""
    part, log = striking.some_of(step.about), striking.universe.log
    if striking.chance.random() < 0.5:
        append(log, part)
    else:
        striking.later(0.1, 3, lambda: append(log, step.about))
    striking.universe.world.fail(step, no_broker())
    return True


def _append_twice(striking: Striking, step: Step) -> bool:
    append(striking.universe.log, striking.some_of(step.about))
    striking.carry_out(step)
    return True


def _freeze_long(striking: Striking, step: Step) -> bool:
    striking.universe.world.steps.append(step)
    striking.freeze(_process(step), striking.chance.uniform(LEASE + 2, 3 * LEASE))
    return True


def _freeze_past_permit(striking: Striking, step: Step) -> bool:
    """Woken once its permit has expired, or just before, while a successor may have looked the contact up."""
    striking.universe.world.steps.append(step)
    striking.freeze(_process(step), striking.chance.uniform(30, 120))
    return True


def _lose_lease(striking: Striking, step: Step) -> bool:
    """Another process takes everything while this one is in the midst of its batch, and neither knows of the other."""
    process = _process(step)
    for name in [name for name in process.database.beats if name.startswith(f"{process.name}/")]:
        process.database.beats[name] = (process.database.beats[name][0], -LEASE)
    if not [each for each in striking.universe.running(process.service) if each is not process]:
        striking.restart(process.service)
    striking.universe.world.steps.append(step)
    return True


def _stop_in_order(striking: Striking, step: Step) -> bool:
    process = _process(step)
    striking.universe.world.say(f"{process.name} is told to stop")
    process.stopping.set()
    striking.later(0.1, 3, lambda: striking.restart(process.service))
    striking.carry_out(step)
    return True


# -- what befalls a contact --------------------------------------------------------------------------------------------


def _contact_unanswered(striking: Striking, step: Step) -> bool:
    """The gateway has taken the message or not, and nobody hears which."""
    if striking.chance.random() < 0.5:
        striking.in_silence(step)
    striking.universe.world.fail(step, unanswered())
    return True


def _contact_not_taken(striking: Striking, step: Step) -> bool:
    striking.universe.world.fail(step, NotTakenError("cannot be reached"))
    return True


# -- what befalls a server -------------------------------------------------------------------------------------------


def _kill_database(striking: Striking, step: Step) -> bool:
    striking.universe.world.steps.append(step)
    striking.lose_database(_process(step).service)
    return True


def _late(striking: Striking, step: Step) -> bool:
    """What segmentation makes of a payment comes minutes after outreach has heard of the payment itself."""
    striking.universe.world.steps.append(step)
    striking.lose_database("segmentation", striking.chance.uniform(60, 300))
    return True


def _promote(striking: Striking, step: Step) -> bool:
    """The database fails over to a standby that has everything: its timeline changes, and nothing is lost."""
    service = _process(step).service
    striking.universe.world.steps.append(step)
    striking.lose_database(service)
    _restored(striking.universe, service)
    return True


def _restored(universe: Universe, service: str) -> None:
    for standing in universe.databases[service].content.standings.values():
        standing.restored = True


def _restore(striking: Striking, step: Step) -> bool:
    """The database goes back to a copy of an earlier moment."""
    universe, service = striking.universe, _process(step).service
    if not _copied(universe, service):
        return False
    striking.universe.world.steps.append(step)
    striking.lose_database(service)
    _go_back(universe, service)
    return True


def _go_back_unseen(striking: Striking, step: Step) -> bool:
    """As before, but what stands between us and the database keeps our connections: nobody hears of it."""
    universe, process = striking.universe, _process(step)
    inside = any(each.open for each in universe.processes if each.service == process.service)
    if inside or not _copied(universe, process.service):
        return False
    _go_back(universe, process.service)
    striking.universe.world.steps.append(step)
    return True


def _copied(universe: Universe, service: str) -> bool:
    """Whether there is a copy to go back to; else there is one from now on.

    No server goes back within the second in which its incarnation was named: a restore and a fail-over take longer.
    """
    if service in universe.copies:
        content = universe.databases[service].content
        this_second = incarnation_after(0, content.clock())
        return all(standing.incarnation < this_second for standing in content.standings.values())
    universe.copies[service] = universe.databases[service].content.copy()
    return False


def _go_back(universe: Universe, service: str) -> None:
    universe.databases[service].content = universe.copies[service].copy()
    universe.databases[service].beats.clear()
    universe.world.say(f"the database of {service} goes back to a copy")
    universe.rewound.add(service)
    _restored(universe, service)


def _kill_broker(striking: Striking, step: Step) -> bool:
    striking.universe.world.steps.append(step)
    striking.lose_broker()
    return True


def _delete_ahead(striking: Striking, step: Step) -> bool:
    """Records of an internal topic are gone before a consumer has read them."""
    universe = striking.universe
    unread = [(lane, at) for lane, at in universe.slowest().items() if at < universe.log.end(lane)]
    if not unread:
        return False
    universe.world.steps.append(step)
    lane, at = unread[striking.chance.randrange(len(unread))]
    before = list(universe.log.held(lane))
    gone = universe.log.forget(lane, striking.chance.randint(at + 1, universe.log.end(lane)))
    universe.world.say(f"{gone} records of {lane} are gone before they were read")
    _mangled(universe, lane, before[:gone])
    return True


def _mangled(universe: Universe, lane: Lane, gone: Sequence[Record]) -> None:
    """Remember what is lost, and of whom nothing is left on the lane that would show it."""
    universe.mangled.add(lane)
    left = {position.source for r in universe.log.held(lane) if (position := position_of(r.headers))}
    lost = {position.source for r in gone if (position := position_of(r.headers))}
    universe.unseen |= {(lane, source) for source in lost - left}


def _lose_tail(striking: Striking, step: Step) -> bool:
    """The broker loses what it had acknowledged last on a lane."""
    universe = striking.universe
    full = [lane for lane in universe.slowest() if universe.log.held(lane)]
    if not full:
        return False
    universe.world.steps.append(step)
    lane = full[striking.chance.randrange(len(full))]
    before = list(universe.log.held(lane))
    lost = universe.log.lose(lane, universe.log.end(lane) - striking.chance.randint(1, 4))
    universe.world.say(f"the last {lost} records of {lane} are lost")
    _mangled(universe, lane, before)
    universe.shortened.add(lane)
    return True


def _process(step: Step) -> Process:
    assert isinstance(step.actor, Process)
    return step.actor


def _is(*places: str) -> Callable[[Universe, Step], bool]:
    return lambda _universe, step: step.place in places


def _inside(_universe: Universe, step: Step) -> bool:
    return step.place in _INSIDE


def _before_a_payment(_universe: Universe, step: Step) -> bool:
    """Whether a payment is being told."""
    told = (record for records in step.about.values() for record in records) if step.place == "log.append" else ()
    return any(header(record.headers, "type") == "intake.payment-posted.v1" for record in told)


def _publishes(_universe: Universe, step: Step) -> bool:
    return _about_facts(step)


def _any(_universe: Universe, _step: Step) -> bool:
    return True


def _between(last: str, place: str) -> Callable[[Universe, Step], bool]:
    name = f"store.{place}"
    return lambda _universe, step: step.place == name and step.about.last == last


FAULTS: tuple[Fault, ...] = (
    Fault("killed after reading, before BEGIN", "1", _is("store.begin"), _kill_before),
    Fault("the answer to COMMIT is lost", "3", _is("store.commit"), _answer_lost),
    Fault("killed after COMMIT, before its answer", "3", _is("store.commit"), _kill_after),
    Fault("killed after COMMIT, before publishing", "4", _publishes, _kill_before),
    Fault("killed with some of it published", "5", _publishes, _kill_in_append),
    Fault("killed with all of it published", "5", _publishes, _kill_after),
    Fault("the answer to a publish is lost", "6", _publishes, _append_unanswered),
    Fault("the broker keeps a publish twice", "6", _publishes, _append_twice),
    Fault("frozen with a batch in hand", "7", _is("store.begin"), _freeze_long),
    Fault("frozen with facts to publish", "7", _publishes, _freeze_long),
    Fault("frozen inside the transaction", "8", _inside, _freeze_long, 200),
    Fault("the database is killed", "9", lambda _, step: to_database(step), _kill_database, 300),
    Fault("the broker is killed", "10", lambda _, step: step.place.startswith("log."), _kill_broker, 100),
    Fault("records are deleted ahead of a consumer", "11", _any, _delete_ahead, 400),
    Fault("the broker loses the end of a lane", "11", _any, _lose_tail, 400),
    Fault("the database fails over to a standby", "12", _inside, _promote, 200),
    Fault("a proxy hides that the database went back", "12 unseen", _is("store.begin"), _go_back_unseen, 30),
    Fault("another worker takes over in mid-batch", "13", _inside, _lose_lease, 200),
    Fault("the database is restored from a copy", "15", _inside, _restore, 60),
    Fault("killed before the gateway is asked", "24 before", _is("gateway.send"), _kill_before, 2),
    Fault("killed after the gateway has taken it", "24 after", _is("gateway.send"), _kill_after, 2),
    Fault("frozen before the gateway is asked", "24 frozen", _is("gateway.send"), _freeze_past_permit, 2),
    Fault("the gateway's answer is lost", "23 unanswered", _is("gateway.send"), _contact_unanswered, 2),
    Fault("the gateway cannot be reached", "23 not taken", _is("gateway.send"), _contact_not_taken, 2),
    Fault("a look-up is not answered", "23 look-up", _is("gateway.look_up"), _contact_unanswered, 1),
    Fault("segmentation stands still for minutes", "late", _before_a_payment, _late, 1),
    Fault("killed for good beside another worker", "dead worker", _any, _kill_for_good, 400),
    Fault("stopped in order and started again", "restart", _any, _stop_in_order, 400),
)
"""Those between two statements come on top, and are drawn more often together."""

WEIGHTS = tuple(6 if "look-up" in each.name else 2 if "gateway" in each.name else 1 for each in FAULTS)
"""How likely each is: contacts are rarer than other steps, look-ups rarer still; some faults find none to befall."""

INSIDE: tuple[Fault, ...] = tuple(
    Fault(f"killed between {last} and {place}", "2", _between(last, place), _kill_before, 3) for last, place in PAIRS
)


def drawn(chance: Any) -> Fault:
    """One of all faults."""
    if chance.random() < 0.45:
        [chosen] = chance.choices(INSIDE, [*PAIRS.values()])
    else:
        [chosen] = chance.choices(FAULTS, WEIGHTS)
    return cast("Fault", chosen)
