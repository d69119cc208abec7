"""A part that does not answer while an event is read costs time, and never the event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.installed import declared
from services.intake.connectors.cloud_events import outgoing
from shared.contracts.core_banking import TOPIC, PartyProfile
from shared.keys import KeysUnavailableError
from shared.messaging.broker import Lane, Record
from shared.messaging.inputs import from_record
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_store import MemoryStore
from shared.messaging.turn import Batch, Turn
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
