"""The engine and an evaluator written without it agree: which rules fail, in which order, and until when.

TEST_HISTORIES sets how many histories are made up, TEST_HISTORIES_SEED with which seed.
"""

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from services.outreach.compliance import store
from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.vectors import read_attempt, read_history
from tests.unit.outreach.compliance import histories
from tests.unit.outreach.compliance.histories import Json
from tests.unit.outreach.compliance.naive import Naive

HISTORIES = int(os.environ.get("TEST_HISTORIES", "10000"))
SEED = int(os.environ.get("TEST_HISTORIES_SEED", "20261126"))
CHINA, ELSEWHERE = store.PACKS / "cn.yaml", Path(__file__).with_name("elsewhere.yaml")
PARTS = 10


def judged(pack: Pack, vector: Json) -> tuple[list[str], datetime | None]:
    """What the engine says, in the naive evaluator's words."""
    names = [rule.id for rule in pack.rules] if "CN" in vector["pack"] else vector["pack"]
    verdict = evaluate(read_attempt(vector), read_history(vector), pack.only(names))
    assert verdict.allowed is not bool(verdict.failing)
    following = verdict.next_allowed
    return [each.rule for each in verdict.failing], following.astimezone(UTC) if following else None


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("file", "switches", "share"),
    [
        pytest.param(CHINA, {}, 0.5, id="China"),
        pytest.param(CHINA, {"combine_voice_caps": False}, 0.2, id="China, three notices and three talks"),
        pytest.param(ELSEWHERE, {}, 0.3, id="elsewhere"),
    ],
)
@pytest.mark.timeout(1800)
def test_two_evaluators_agree(file: Path, switches: dict[str, bool], share: float, part: int) -> None:
    pack, naive, made = store.read_pack(file, switches), Naive(file), Counter[str]()
    naive.switches.update(switches)
    make = histories.china if file == CHINA else histories.elsewhere
    for number in range(max(1, int(HISTORIES * share / PARTS))):
        seed = f"{SEED} {part} {number}"
        vector = make(Random(seed), [rule.id for rule in pack.rules])
        failing, following = found = judged(pack, vector)
        # How far to look is all that the naive evaluator may be told: two zones may not meet before a clock changes.
        assert naive.judge(vector, following) == found, f"seed {seed}: {json.dumps(vector)}"
        made["cured" if following else "never" if failing else "allowed"] += 1
    assert len(made) == 3 or HISTORIES < 10_000, f"the histories leave verdicts untried: {made}"


@pytest.mark.parametrize("number", range(12))
def test_no_second_before_the_next_allowed_one_passes(number: int) -> None:
    """Neither evaluator's way of jumping is trusted here: every minute, and the last seconds, are asked one by one."""
    pack, rng = store.read_pack(ELSEWHERE), Random(f"{SEED} {number}")
    while True:
        vector = histories.elsewhere(rng, [rule.id for rule in pack.rules])
        _, following = judged(pack, vector)
        at = datetime.fromisoformat(vector["at"])
        if following is not None and timedelta() < following - at < timedelta(days=1):
            break
    minutes = range(0, int((following - at).total_seconds()), 60)
    asked = [at + timedelta(seconds=second) for second in minutes]
    asked += [
        following - timedelta(seconds=second) for second in range(1, 60) if following - timedelta(seconds=second) >= at
    ]
    for instant in asked:
        attempt = {**vector, "at": instant.isoformat()}
        assert judged(pack, attempt)[0], f"passes at {instant}: {json.dumps(vector)}"
    assert judged(pack, {**vector, "at": following.isoformat()}) == ([], None)
