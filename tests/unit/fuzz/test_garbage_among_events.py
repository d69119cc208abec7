"""A bad record costs one dead letter, and nothing else is lost."""

import pytest

from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_store import MemoryStore
from tests.unit.fuzz.anything import CANARY
from tests.unit.fuzz.garbage import KINDS, Played, loans_of, stream


@pytest.mark.parametrize("place", sorted(KINDS), ids="/".join)
@pytest.mark.parametrize("at_once", [1, 37, 10_000])
async def test_good_events_are_applied_and_each_bad_record_is_one_dead_letter(
    place: tuple[str, str], at_once: int
) -> None:
    service, kind = place[0], KINDS[place]
    records, bad = stream(kind)
    store = MemoryStore(MemoryDatabase(), kind.name)
    played = await Played(service, kind, store).play(records, at_once)
    assert len(bad) > 50
    assert [letter.offset for letter in played.letters] == bad
    assert len({letter.id for letter in played.letters}) == len(bad)
    assert played.applied == len(records) - len(bad)
    assert played.position(records[0].lane) == len(records)
    assert CANARY not in "".join(letter.reason + letter.field for letter in played.letters)


async def test_at_the_edge_every_good_event_is_passed_on_in_order() -> None:
    kind = KINDS["intake", "ingress"]
    records, bad = stream(kind)
    played = await Played("intake", kind, MemoryStore(MemoryDatabase(), kind.name)).play(records)
    assert loans_of(played.told) == [f"loan-{number}" for number in range(len(bad))]


@pytest.mark.parametrize("place", sorted(KINDS), ids="/".join)
async def test_the_same_stream_read_again_buries_the_same_letters(place: tuple[str, str]) -> None:
    service, kind = place[0], KINDS[place]
    records, _ = stream(kind)
    once, again = [
        await Played(service, kind, MemoryStore(MemoryDatabase(), kind.name)).play(records, at_once)
        for at_once in (5, 50)
    ]
    assert once.letters == again.letters
