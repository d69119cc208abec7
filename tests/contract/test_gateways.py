"""What every provider of messages keeps to; what one cannot do, it says by `takes_once`."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.outreach.contacts.ports import Pulling, RefusedError
from tests.contract.gateway_sites import KEY, SITES, Site, message


@pytest.fixture(params=SITES, ids=lambda site: site.__name__)
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with request.param(tmp_path) as found:
        yield found


async def test_a_message_is_taken_and_named(site: Site) -> None:
    receipt = await site.gateway.send(message(site.channel))
    assert receipt.outcome == "sent"
    assert receipt.reference
    assert site.taken() == [KEY]


async def test_a_key_that_is_taken_once_is_taken_once_however_often_it_is_given(site: Site) -> None:
    receipts = [await site.gateway.send(message(site.channel)) for _ in range(3)]
    assert len({receipt.reference for receipt in receipts}) == 1
    assert len(site.taken()) == (1 if site.gateway.takes_once else 3)


async def test_keys_are_told_apart(site: Site) -> None:
    for key in ("a" * 32, "b" * 32):
        await site.gateway.send(message(site.channel, key))
    assert sorted(site.taken()) == ["a" * 32, "b" * 32]


async def test_a_message_is_found_by_its_key_where_keys_are_known(site: Site) -> None:
    assert await site.gateway.look_up(KEY) is None
    receipt = await site.gateway.send(message(site.channel))
    assert await site.gateway.look_up(KEY) == (receipt if site.gateway.takes_once else None)
    assert await site.gateway.look_up("f" * 32) is None


async def test_what_is_pulled_is_pulled_once(site: Site) -> None:
    if not isinstance(site.gateway, Pulling):
        assert not hasattr(site.gateway, "pull")
        return
    await site.gateway.send(message(site.channel))
    if await site.gateway.pull(KEY):
        assert site.taken() == []
    assert not await site.gateway.pull(KEY)


async def test_a_message_to_nobody_is_refused_by_all_who_reach_somebody(site: Site) -> None:
    nobody = replace(message(site.channel), recipient="", pdf=b"")
    if site.channel == "sms" and hasattr(site.gateway, "log"):
        await site.gateway.send(nobody)
        return
    with pytest.raises(RefusedError):
        await site.gateway.send(nobody)
    assert site.taken() == []
