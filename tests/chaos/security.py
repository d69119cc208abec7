"""Invariants 31 to 33: repeated writes, the audit chain, and no personal data where none belongs."""

from typing import Any

import asyncpg
import msgspec

from shared.messaging import audit
from shared.messaging.frames import FramedFact
from shared.messaging.packing import unpacked
from shared.settings import SERVICES
from tests.chaos.evidence import Evidence, Finding, Invariant
from tests.chaos.topics import PERSONAL
from tests.e2e.invariants import TELLERS

_facts = msgspec.msgpack.Decoder(list[FramedFact]).decode


class _Named(msgspec.Struct):
    id: str


_named = msgspec.json.Decoder(_Named).decode


async def repeated_writes(evidence: Evidence) -> Finding:
    """The same key and body had the same answer each time, another body was refused."""
    return Finding(evidence.staff.compared, evidence.staff.differing)


async def chains_hold(evidence: Evidence) -> Finding:
    """Every link of every lane's hash chain follows from the one before and from the facts."""
    links = sum(row[-1] for row in await evidence.everywhere("SELECT count(*) FROM audit_link"))
    wrong: list[Any] = []
    for service in SERVICES:
        connection = await asyncpg.connect(evidence.installation.postgres.dsn(service))
        try:
            wrong += await audit.verify(connection, service)
        finally:
            await connection.close()
    return Finding(links, wrong)


async def chains_cover_history(evidence: Evidence) -> Finding:
    """Every change that the history tells of is a fact under the chain."""
    checked, wrong = 0, list[Any]()
    for service in TELLERS:
        bodies = await evidence.rows(service, "SELECT body FROM outbox")
        chained = {_named(fact.value).id for (body,) in bodies for fact in _facts(unpacked(body))}
        history = await evidence.rows(service, "SELECT event_id FROM history")
        checked += len(history)
        wrong += [(service, event_id) for (event_id,) in history if event_id not in chained]
    return Finding(checked, wrong)


async def topics_are_anonymous(evidence: Evidence) -> Finding:
    """No record of an internal topic names a person."""
    ours = sum(many for topic, many in evidence.topics.records.items())
    return Finding(ours, evidence.topics.leaks)


async def logs_are_anonymous(evidence: Evidence) -> Finding:
    """No line that a process or the database server has written names a person."""
    checked, wrong = 0, list[Any]()
    files = [part.log for part in evidence.installation.parts] + [evidence.installation.postgres.log]
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                checked += 1
                wrong += [f"{file.name}:{number}"] if PERSONAL.search(line) else []
    return Finding(checked, wrong)


INVARIANTS = (
    Invariant(31, "a repeated write has the same answer, its key no other body", (repeated_writes,)),
    Invariant(32, "the audit chain holds and covers every change", (chains_hold, chains_cover_history)),
    Invariant(33, "no personal data in internal topics and logs", (topics_are_anonymous, logs_are_anonymous)),
)
