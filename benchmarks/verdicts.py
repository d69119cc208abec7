"""How many verdicts a second one core gives: the complete pack of China, ten contacts of history, one in ten denied.

    python -m benchmarks.verdicts [--cases 20000] [--rounds 5] [--seed 1]

Every denial is one that time cures, and its next instant is found. Required: 10,000 a second; the aim: 20,000.
"""

import argparse
import gc
import random
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.outreach.compliance.domain.attempt import Attempt, Contact
from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.verdict import Verdict
from services.outreach.compliance.domain.words import Channel, Mode, Outcome
from services.outreach.compliance.store import shipped

REQUIRED, AIM = 10_000, 20_000
CONTACTS = 10
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = datetime(2026, 12, 1, tzinfo=SHANGHAI)
BY_DAY, BY_NIGHT = (9 * 3600, 21 * 3600), (22 * 3600, 24 * 3600)
CHANNELS = (Channel.CALL, Channel.CALL, Channel.CALL, Channel.SMS, Channel.IM)
MODES = (Mode.INFORM, Mode.INTERACTIVE)
OUTCOMES = (Outcome.NO_ANSWER, Outcome.CONNECTED, Outcome.CONVERSATION, Outcome.FAILED)
ATTRIBUTES = {
    "recording": True,
    "identity_disclosed": True,
    "on_published_list": True,
    "contract_valid": True,
    "last_evaluation": "2026-06-01",
    "training_current": True,
}

Case = tuple[Attempt, tuple[Contact, ...]]


def cases(number: int, seed: int) -> list[Case]:
    """Attempts with their histories; of each ten, one is at night, or the fourth notice of its day."""
    rng = random.Random(seed)
    return [_case(rng, denied=index % 10 == 0, by_night=index % 20 == 0) for index in range(number)]


def _case(rng: random.Random, *, denied: bool, by_night: bool) -> Case:
    used_up = denied and not by_night
    attempt = Attempt(
        at=DAY + timedelta(seconds=rng.randrange(*(BY_NIGHT if by_night else BY_DAY))),
        channel=Channel.CALL if used_up else rng.choice(CHANNELS),
        mode=Mode.INFORM if used_up else rng.choice(MODES),
        debt="D1",
        number="A",
        by=rng.choice(("", "AG1", "AG2")),
        attributes=ATTRIBUTES,
    )
    today = [_contact(rng, attempt.at - timedelta(minutes=10 * n), Outcome.CONNECTED) for n in range(3 * used_up)]
    earlier = CONTACTS - len(today)
    before = [DAY - timedelta(hours=rng.randrange(2, 240)) for _ in range(earlier)]
    return attempt, tuple(today + [_contact(rng, at, rng.choice(OUTCOMES)) for at in before])


def _contact(rng: random.Random, at: datetime, outcome: Outcome) -> Contact:
    return Contact(
        at=at,
        channel=Channel.CALL,
        outcome=outcome,
        debt=rng.choice(("D1", "D2")),
        number=rng.choice("AB"),
        by=rng.choice(("", "AG1", "AG2")),
        mode=rng.choice(MODES) if outcome is not Outcome.CONNECTED else Mode.INFORM,
    )


def timed(made: Sequence[Case], pack: Pack) -> tuple[float, list[Verdict]]:
    """Verdicts a second of processor time, and the verdicts."""
    began = time.process_time()
    verdicts = [evaluate(attempt, history, pack) for attempt, history in made]
    return len(made) / (time.process_time() - began), verdicts


def speeds(number: int, rounds: int, seed: int = 1) -> list[float]:
    """Verdicts a second of processor time, round by round."""
    made, pack = cases(number, seed), shipped()["CN"]
    return [timed(made, pack)[0] for _ in range(rounds)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and say; 1 where what is required was not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("cases", 20_000), ("rounds", 5), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args(arguments)
    made, pack = cases(chosen.cases, chosen.seed), shipped()["CN"]
    gc.freeze()
    rounds = [timed(made, pack) for _ in range(chosen.rounds)]
    speeds, verdicts = sorted(speed for speed, _ in rounds), rounds[0][1]
    denied = [verdict for verdict in verdicts if not verdict.allowed]
    cured = sum(verdict.next_allowed is not None for verdict in denied)
    evaluated = sum(len(verdict.evaluated) for verdict in verdicts) / len(verdicts)
    print(
        f"{speeds[len(speeds) // 2]:,.0f} verdicts a second and core (slowest round {speeds[0]:,.0f}); "
        f"{evaluated:.1f} rules and {CONTACTS} contacts each; "
        f"{len(denied) / len(verdicts):.1%} denied, {cured / len(verdicts):.1%} with a next instant; "
        f"required {REQUIRED:,}, aim {AIM:,}"
    )
    return int(speeds[0] < REQUIRED)


if __name__ == "__main__":
    sys.exit(main())
