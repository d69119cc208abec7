"""The same input in stepped mode, cut into other batches and killed anywhere: the same state and the same facts."""

import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from services.local import Local
from services.segmentation.publishing.editions import digest_of
from services.segmentation.publishing.store import REGISTER
from shared.clock import VirtualClock
from shared.contracts.segmentation import StrategyDocument
from shared.messaging.embedded_log import EmbeddedLog
from shared.postgres.server import PostgresServer
from shared.settings import SANDBOX, SERVICES
from tests.conftest import BlankDatabase, DatabaseOf
from tests.e2e.busy_bank import Asked, BusyBank, Tick
from tests.e2e.digest import contents, differing, facts
from tests.e2e.dying import Fate, Installation
from tests.e2e.invariants import broken
from tests.e2e.owners import Owners
from tests.unit.segmentation.play import document

DEATHS = 12


class Outcome(NamedTuple):
    """What a run has come to."""

    tables: Mapping[str, Sequence[str]]
    facts: Mapping[str, Any]
    effects: int
    deaths: int


Play = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def seed() -> int:
    """FAIRDUE_TEST_SEED plays one again."""
    drawn = int(os.environ.get("FAIRDUE_TEST_SEED", random.SystemRandom().randrange(10**6)))
    sys.stdout.write(f"FAIRDUE_TEST_SEED={drawn}\n")
    return drawn


@pytest.fixture
def play(database_of: DatabaseOf, blank_database: BlankDatabase, postgres_server: PostgresServer) -> Play:
    """Plays ticks on fresh databases."""

    async def played(ticks: Sequence[Tick], batch: int = 2000, deaths: Sequence[int] = ()) -> Outcome:
        clock = VirtualClock(ticks[0].now)
        local = Local(postgres_server, {name: database_of(name) for name in SERVICES} | {SANDBOX: blank_database()})
        log = await EmbeddedLog.open(blank_database(), clock=clock.now)
        installed = Installation(local, log, clock, blank_database(), batch, Fate(list(deaths)))
        await installed.play(ticks)
        owners = Owners(local.urls)
        wrong = await broken(owners, log)
        await log.close()
        assert wrong == {}
        return Outcome(await contents(owners), await facts(owners), installed.fate.effects, installed.deaths)

    return played


def with_a_publication(ticks: Sequence[Tick]) -> Sequence[Tick]:
    """Staff propose and approve a version on the second day, which takes effect on the third; and withdraw another."""
    dates = {tick.day: tick.now.date() for tick in ticks}
    first, second = document(effective=dates[2]), document(3, effective=dates[4], cases="new")
    asked = {
        (1, 1): [_proposal("a", first), _decision("b", "approve", first, digest=digest_of(first))],
        (1, 2): [_proposal("c", second), _decision("d", "approve", second, digest=digest_of(second))],
        (3, 1): [_decision("e", "withdraw", second, reason="it comes too early")],
    }
    return [replace(tick, asked=asked.get((tick.day, tick.slot), ())) for tick in ticks]


def _proposal(key: str, text: StrategyDocument) -> Asked:
    return Asked(key, "segmentation", "publisher", "propose-strategy", REGISTER, "operator/ann", {"strategy": text})


def _decision(key: str, what: str, text: StrategyDocument, **more: str) -> Asked:
    body = {"strategy": text.id, "version": text.version, **more}
    return Asked(key, "segmentation", "publisher", f"{what}-strategy", REGISTER, "supervisor/bob", body)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_strategy_published_in_the_middle_is_gone_by_from_the_same_decisions_on(play: Play, seed: int) -> None:
    ticks = with_a_publication(BusyBank(seed, loans=20).ticks())
    undisturbed = await play(ticks)
    versions = undisturbed.tables["segmentation.strategy_version"]
    assert [sum(f",{state}," in row for row in versions) for state in ("approved", "withdrawn")] == [1, 1]
    treated = [row for row in undisturbed.tables["segmentation.history"] if "treatment-assigned" in row]
    assert any("s2_ladder version 2" in row for row in treated)
    assert not any("s2_ladder version 3" in row for row in treated)
    assert_same(undisturbed, await play(ticks, 7))
    chance = random.Random(seed)
    deaths = [chance.randrange(1, 2 * undisturbed.effects // DEATHS) for _ in range(DEATHS)]
    killed = await play(ticks, 20, deaths)
    assert killed.deaths > 1
    assert_same(undisturbed, killed)


def assert_same(one: Outcome, other: Outcome) -> None:
    assert differing(one.tables, other.tables) == {}
    assert one.facts == other.facts


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_however_the_input_is_cut_and_wherever_it_dies_the_outcome_is_the_same(play: Play, seed: int) -> None:
    ticks = BusyBank(seed).ticks()
    undisturbed = await play(ticks)
    assert all(undisturbed.tables[f"{name}.history"] for name in SERVICES if name != "analytics")
    for batch in (7, 1):
        assert_same(undisturbed, await play(ticks, batch))
    chance = random.Random(seed)
    for batch in (2000, 5):
        deaths = [chance.randrange(1, 2 * undisturbed.effects // DEATHS) for _ in range(DEATHS)]
        killed = await play(ticks, batch, deaths)
        sys.stdout.write(f"{killed.deaths} deaths within {killed.effects} effects\n")
        assert killed.deaths > 1
        assert_same(undisturbed, killed)
