"""What must hold once everything has come to rest, and every letter and hold is resolved."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from services.flow import FLOW
from shared.contracts import catalogue
from shared.messaging.broker import Lane
from shared.messaging.frames import unpack_record
from shared.messaging.sequence import Position, position_of
from shared.service import SHARDS
from tests.e2e.invariants import broken
from tests.e2e.owners import Rows
from tests.stateful.model import LOANS, Expected, Model, Paid, as_text
from tests.stateful.plant import ALL, Plant

ROUNDS = 30
LETTERS = "SELECT id, kind, number FROM dead_letter WHERE status = 'open' ORDER BY id"
HOLDS = "SELECT debtor_id, hold_id FROM hold WHERE NOT released AND source = 'operator' ORDER BY 1, 2"


async def resolve_everything(plant: Plant, commanded: Any) -> None:
    """Let everything happen, throw away what cannot be applied, lift what operators hold; until that is all."""
    letters: Rows = []
    holds: Rows = []
    async with plant.resting() as settle:
        for _ in range(ROUNDS):
            await settle()
            letters = await plant.owners.rows("intake", LETTERS)
            holds = await plant.owners.rows("outreach", HOLDS)
            for letter, kind, number in letters:
                await commanded("intake", kind, "discard-letter", "", {"letter_id": letter, "reason": "a test"}, number)
            for debtor, hold in holds:
                await commanded("outreach", "lane", "release-hold", debtor, {"hold_id": hold, "reason": "a test"})
            if not letters and not holds:
                return
    raise AssertionError(f"letters or holds that cannot be resolved: {letters} {holds}")


async def rest_is_right(plant: Plant, model: Model) -> None:
    """Nothing is lost, doubled, open or left behind; and intake holds what the bank has said. Raises AssertionError."""
    wrong = await broken(plant.owners, plant.log)
    wrong.pop("intake: nothing is refused", None)  # but each letter is resolved, as is seen elsewhere
    copies = "every copy of a case is the newest"
    wrong[copies] = [each for each in wrong.get(copies, ()) if each[2] > 0]  # a guard of a hold needs no case
    wrong = {what: found for what, found in wrong.items() if found}
    assert wrong == {}, wrong
    await _log_is_dense(plant)
    expected = Expected(model, await _discarded(plant))
    found, wanted = await _payments(plant), expected.payments()
    assert found == wanted, f"payments {found}, not {wanted}"
    owed = expected.owed()
    for party in {LOANS[loan] for loan in model.introduced}:
        loans = {loan: owed[loan] for loan in model.introduced if LOANS[loan] == party}
        case = await _case(plant, plant.settings.vault.pseudonym("demo-bank", party))
        if case is None:
            assert not expected.reported(party), f"{party} was reported past due, and has no case"
            assert not any(loan.oldest for loan in loans.values()), f"{party} owes, and has no case"
        else:
            should_be = _status(loans), {loan: (o.past_due, o.oldest, o.ended) for loan, o in loans.items()}
            assert case == should_be, f"{party}: {case}, not {should_be}"


def _status(loans: Mapping[str, Any]) -> str:
    if any(loan.oldest for loan in loans.values()):
        return "open"
    return "closed" if all(loan.ended for loan in loans.values()) else "cured"


async def _case(plant: Plant, debtor: str) -> tuple[str, dict[str, Any]] | None:
    rows = await plant.owners.rows("intake", "SELECT status, loans FROM collection_case WHERE debtor_id = $1", debtor)
    if not rows:
        return None
    loans = {
        loan["loan_id"]: (loan["past_due"], _date(loan["oldest_due_on"]), bool(loan["closed_as"]))
        for loan in json.loads(rows[0][1])
    }
    return rows[0][0], loans


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


async def _payments(plant: Plant) -> Mapping[tuple[str, str], Paid]:
    query = "SELECT loan_id, payment_id, amount, heard, reversed_at IS NOT NULL FROM payment"
    return {(row[0], row[1]): Paid(*row[2:]) for row in await plant.owners.rows("intake", query)}


async def _discarded(plant: Plant) -> Counter[bytes]:
    """What an operator has thrown away of what ingress had let through."""
    rows = await plant.owners.rows(
        "intake", "SELECT id, raw FROM dead_letter WHERE kind = 'lane' AND status = 'discarded'"
    )
    found: Counter[bytes] = Counter()
    for letter, sealed in rows:
        raw = plant.settings.vault.open(sealed, table="raw", column="raw", owner=letter)
        event = catalogue.decode(unpack_record(raw).value)
        assert event is not None
        inside: Any = event.data
        found[as_text(getattr(inside, "payment", None) or inside.reversal)] += 1
    return found


async def _log_is_dense(plant: Plant) -> None:
    """On each lane the first occurrences of a source are 1, 2, 3, …; a number is never told with other content."""
    topics = sorted({stop.tells for stop in FLOW if stop.tells})
    reader = await plant.log.reader()
    await reader.assign({Lane(topic, number): 0 for topic in topics for number in range(SHARDS)})
    seen: dict[tuple[Lane, str], list[Any]] = {}
    while records := await reader.fetch(ALL, 0.0):
        for record in records:
            position = position_of(record.headers)
            if position is not None:
                _judge(seen.setdefault((record.lane, position.source), []), position, record)
    await reader.close()
    told = {place: len(values) for place, values in seen.items()}
    for service in plant.services:
        rows = await plant.owners.rows(service, "SELECT kind, number, topic, partition, out_seq FROM lane_out")
        for kind, number, topic, partition, seq in rows:
            assert told[Lane(topic, partition), f"{service}/{kind}/{number}"] == seq


def _judge(values: list[Any], position: Position, record: Any) -> None:
    assert position.seq <= len(values) + 1, f"{record.lane}: {position} comes before what it follows"
    if position.seq == len(values) + 1:
        values.append((record.key, record.value))
    assert values[position.seq - 1] == (record.key, record.value), f"{record.lane}: {position} is told twice otherwise"
