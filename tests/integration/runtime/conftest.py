"""The rig, fresh for each test."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests.integration.runtime.rig import Rig, rig_of


@pytest.fixture
async def rig(database_of: Callable[[str], str], blank_database: Callable[[], str]) -> AsyncIterator[Rig]:
    """Two services and a log."""
    found = await rig_of([database_of("legal"), database_of("legal")], blank_database())
    yield found
    await found.close()
