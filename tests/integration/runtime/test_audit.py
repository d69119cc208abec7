"""The hash chains hold after work of several batches, and show each way of touching what was kept."""

import pytest

from shared.messaging.audit import verify
from tests.integration.runtime.rig import Rig


async def worked(rig: Rig) -> None:
    """Three transactions of one debtor's lane."""
    worker = rig.worker(rig.first)
    reading = await rig.holding(worker)
    for amount in (1, 2, 3):
        await rig.say(amount)
        await rig.drain(worker, reading)


async def test_a_chain_that_nobody_touched_holds(rig: Rig) -> None:
    await worked(rig)
    assert await rig.first.value("SELECT count(*) FROM audit_link") == 3
    assert await verify(rig.first.connection, "first") == []


async def test_a_chain_holds_when_the_outbox_is_gone(rig: Rig) -> None:
    await worked(rig)
    await rig.first.connection.execute("TRUNCATE outbox")
    assert await verify(rig.first.connection, "first") == []


async def test_facts_that_are_kept_compressed_are_under_the_chain_too(rig: Rig) -> None:
    worker = rig.worker(rig.first)
    reading = await rig.holding(worker)
    for amount in range(60):
        await rig.say(amount)
    await rig.drain(worker, reading)
    assert await rig.first.value(r"SELECT bool_or(starts_with(encode(body, 'hex'), '28b52ffd')) FROM outbox")
    assert await verify(rig.first.connection, "first") == []
    for place in (5, 40, 200):
        changed = f"SET body = set_byte(body, {place}, get_byte(body, {place}) # 255)"
        await rig.first.connection.execute(f"UPDATE outbox {changed} WHERE length(body) > 300")
        assert [each.reason[:9] for each in await verify(rig.first.connection, "first")] == ["the facts"], place
        await rig.first.connection.execute(f"UPDATE outbox {changed} WHERE length(body) > 300")
    assert await verify(rig.first.connection, "first") == []


@pytest.mark.parametrize(
    ("touch", "seq", "reason"),
    [
        pytest.param(
            "UPDATE outbox SET body = overlay(body PLACING '\\x00'::bytea FROM length(body) - 5) WHERE seq_from = 2",
            2,
            "the facts do not give this link",
            id="a fact was changed",
        ),
        pytest.param(
            "DELETE FROM audit_link WHERE seq_from = 2",
            3,
            "a link is missing before this one: expected 2",
            id="a link is gone",
        ),
        pytest.param(
            "UPDATE audit_link SET head = sha256(head) WHERE seq_from = 1",
            1,
            "the facts do not give this link",
            id="a link was changed",
        ),
        pytest.param(
            "DELETE FROM audit_link WHERE seq_from = 3",
            2,
            "the last link is not the lane's head",
            id="the last link is gone",
        ),
    ],
)
async def test_a_chain_shows_where_it_was_touched(rig: Rig, touch: str, seq: int, reason: str) -> None:
    await worked(rig)
    await rig.first.connection.execute(touch)
    broken = await verify(rig.first.connection, "first")
    assert (broken[0].seq, broken[0].reason) == (seq, reason)
