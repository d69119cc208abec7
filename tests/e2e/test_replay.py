"""A real card panel on the embedded log, against what the test counts in the file by itself."""

import pytest

from shared.messaging.embedded_log import EmbeddedLog
from tests.e2e.invariants import broken
from tests.e2e.owners import after_the_run
from tests.e2e.panel import compare, counted, transitions_of
from tests.e2e.running import LONGEST, QUICK, data_directory, done
from tests.real_data import card_panel

ACCOUNTS = 3_000


@pytest.mark.slow
@pytest.mark.timeout(LONGEST)
async def test_three_thousand_real_accounts_come_out_as_the_file_has_them() -> None:
    expected = counted(ACCOUNTS, card_panel())
    assert len(expected.standing) > ACCOUNTS // 2
    with data_directory("replay") as data:
        out = data / "roll.csv"
        said, _ = done(data, QUICK, "replay", "--file", card_panel(), "--accounts", ACCOUNTS, "--out", out)
        assert f"{ACCOUNTS:,} accounts" in said
        assert transitions_of(out) == expected.transitions
        async with after_the_run(data / "replay") as held:
            await compare(held, expected)
            log = await EmbeddedLog.open(held.urls["broker"])
            assert await broken(held, log) == {}
            await log.close()
