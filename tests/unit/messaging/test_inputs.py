"""A part that does not answer while an event is read costs time, and never the event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.installed import declared
from services.intake.connectors.cloud_events import outgoing
from shared.contracts import catalogue, intake
from shared.contracts.core_banking import TOPIC, PartyProfile
from shared.keys import KeysUnavailableError
from shared.messaging.broker import Lane, Record
from shared.messaging.inputs import from_record
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_store import MemoryStore
from shared.messaging.turn import Batch, Turn
from shared.service import FOR_THE_RUNTIME, ActorKind
from shared.settings import Settings

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
LI = PartyProfile(lender_id="bank", party_id="li", updated_at=AT, name="Li")


def said(profile: PartyProfile) -> Record:
    written = outgoing(profile, source="/bank", event_id="1", time=AT)
    return Record(Lane(TOPIC, 0), 0, b"any", written.value, written.headers, AT)


async def test_while_the_key_store_is_away_nothing_is_applied_and_nothing_buried(tmp_path: Path) -> None:
    settings = Settings.demo({}).with_key_file(tmp_path / "keys")
    [intake] = declared(settings, ["intake"])
    ingress = next(kind for kind in intake.actors if kind.is_edge)
    store = MemoryStore(MemoryDatabase(), "ingress")
    turn = Turn("intake", ingress, store, settings.vault, keys=settings.keys)
    standings = {0: await store.acquire(0, "test")}
    (tmp_path / "keys").mkdir()
    batch = Batch({0: [said(LI)]})
    with pytest.raises(KeysUnavailableError):
        await turn.run(standings, batch, AT)
    (tmp_path / "keys").rmdir()
    turned = await turn.run(standings, batch, AT + timedelta(minutes=1))
    assert (turned.counts["applied"], turned.counts["buried"], len(turned.facts)) == (1, 0, 1)


def test_whatever_else_happens_to_a_decoder_costs_the_one_event() -> None:
    def failing(_record: Record) -> None:
        raise KeyError("nothing to be seen")

    [ingress, *_] = declared(Settings.demo({}), ["intake"])[0].actors
    item = from_record(replace(ingress, decode=failing), 0, said(LI))
    assert item is not None
    assert str(item.refused) == "KeyError while reading"


def of_legal() -> ActorKind:
    [kind] = declared(Settings.demo({}), ["legal"])[0].actors
    return kind


def typed(name: str, value: bytes = b"no event", topic: str = intake.TOPIC) -> Record:
    return Record(Lane(topic, 0), 0, b"li", value, (("type", name.encode()),), AT)


@pytest.mark.parametrize(
    ("name", "read", "why"),
    [
        ("intake.case-opened.v1", True, "legal follows cases"),
        ("intake.business-date-advanced.v1", True, "the runtime keeps the clock of every lane"),
        ("intake.debtor-event-refused.v1", False, "no such type is known: later versions may tell more"),
        ("outreach.plan-started.v1", False, "legal does not care for plans"),
        ("outreach.legal-referred.v1", True, "legal takes referrals"),
        ("", True, "who does not tell the type has to be read"),
    ],
)
def test_what_is_not_its_affair_is_not_even_read(name: str, read: bool, why: str) -> None:  # noqa: FBT001
    item = from_record(of_legal(), 0, typed(name))
    assert (item is not None) is read, why


def test_every_type_that_is_passed_over_is_one_that_nothing_is_done_about() -> None:
    """Of all services: what a kind handles, and what the runtime takes note of, is always read."""
    for kind in (kind for service in declared(Settings.demo({})) for kind in service.actors):
        over = {catalogue.fact_type(name.decode()) for name in kind.passed_over}
        assert not over & {*kind.handlers, *kind.on_lane, *kind.directives}
        assert not [fact for fact in over if fact is None or issubclass(fact, FOR_THE_RUNTIME)]
