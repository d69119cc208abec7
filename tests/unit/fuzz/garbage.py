"""A stream in which good events stand between records that nobody can read, and what must come of it."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from services.installed import declared
from services.intake.connectors.cloud_events import outgoing
from shared.contracts import catalogue, core_banking
from shared.contracts.core_banking import PaymentPosted
from shared.contracts.envelope import Event
from shared.contracts.outreach import LegalReferred
from shared.messaging.broker import Headers, Lane, Record
from shared.messaging.frames import records_of
from shared.messaging.sequence import LANE_HEADER
from shared.messaging.store import Letter, Standing, Store
from shared.messaging.turn import Batch, Limits, Turn
from shared.service import ActorKind
from shared.settings import Settings
from tests.unit.fuzz.anything import AT, CANARY, RAW, examples_for, filled, record

SETTINGS = Settings.demo({})
PARTY = "party-1"
KINDS = {
    (service.name, kind.name): kind
    for service in declared(SETTINGS, ["intake", "legal"])
    for kind in service.actors
    if (service.name, kind.name) not in {("intake", "lane"), ("intake", "profiles")}
}
KEYS = [None, b"", b"\x00", b"\xff\xfe", CANARY.encode(), random.Random(1).randbytes(9_000)]
"""Among them one that no index of a database takes, whole or compressed."""

HEADERS: list[Headers] = [
    (("ce_type", b""), ("type", b"\xff")),
    (("ce_id", b"\xff"), ("type", b"")),
    (("content-type", b"text/\x00"), ("type", b"outreach.legal-referred.v1"), ("\x00", b"\x00")),
    (("lane", b"x" * 9_000 + b"/3 1 1"), ("type", b"outreach.legal-referred.v1")),
]


def good(kind: ActorKind, number: int, offset: int) -> Record:
    """An event that a kind of actor applies."""
    if kind.is_edge:
        written = outgoing(_payment(number), source="/bank", event_id=f"event-{number}", time=AT)
        return record(core_banking.TOPIC, written.value, written.headers, b"any", offset)
    event = Event(
        id=f"event-{number}",
        type=catalogue.wire_name(LegalReferred),
        lender_id="bank",
        debtor_id=f"good-{number}",
        case_version=1,
        occurred_at=AT,
        recorded_at=AT,
        data=LegalReferred(plan_number=1, step_number=1),
    )
    return record("outreach.events", catalogue.encode(event), (("type", event.type.encode()),), b"any", offset)


def _payment(number: int) -> PaymentPosted:
    return PaymentPosted(
        lender_id="bank",
        loan_id=f"loan-{number}",
        party_id=PARTY,
        payment_id=f"payment-{number}",
        amount=500,
        currency="CNY",
        posted_at=AT,
        settled_due_on=date(2031, 5, 1),
    )


def bad(kind: ActorKind) -> list[Record]:
    """Records that a kind of actor cannot read: every fragment in place of what is needed, odd headers, odd keys."""
    name = b"core-banking.payment-posted" if kind.is_edge else b"outreach.legal-referred"
    example = _unnumbered(next(each for each in examples_for(kind) if name in each.value))
    needed = [(), *(("data", name) for name in ("amount", "plan_number") if name in json.loads(example.value)["data"])]
    envelope = [] if kind.is_edge else [("id",), ("occurred_at",), ("debtor_id",), ("lender_id",)]
    made = [filled(example.value, place, fragment) for place in [*needed, *envelope] for fragment in RAW]
    records = [
        msgspec.structs.replace(example, value=value, key=KEYS[number % len(KEYS)]) for number, value in enumerate(made)
    ]
    records += [
        msgspec.structs.replace(example, value=b"{", headers=headers, key=key) for headers in HEADERS for key in KEYS
    ]
    return [each for each in records if not _is_read(kind, each)]


def _unnumbered(arrived: Record) -> Record:
    return msgspec.structs.replace(arrived, headers=tuple(each for each in arrived.headers if each[0] != LANE_HEADER))


def _is_read(kind: ActorKind, arrived: Record) -> bool:
    """Whether a record is an event after all, or of a type that is skipped: then it belongs to another test."""
    try:
        kind.decode(arrived)
    except Exception:  # noqa: BLE001  # what a decoder raises is the other tests' matter
        return False
    return True


def stream(kind: ActorKind) -> tuple[list[Record], list[int]]:
    """Good and bad in turns, with their offsets; and the offsets of the bad."""
    records: list[Record] = []
    for number, each in enumerate(bad(kind)):
        records.append(good(kind, number, len(records)))
        records.append(msgspec.structs.replace(each, lane=records[-1].lane, offset=len(records)))
    return records, [each.offset for each in records[1::2]]


@dataclass
class Played:
    """The turns of one actor over a store, and what they came to."""

    service: str
    kind: ActorKind
    store: Store
    standings: dict[int, Standing] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    applied: int = 0
    told: list[str] = field(default_factory=list)

    async def play(self, records: Sequence[Record], at_once: int = 37) -> "Played":
        """Apply a stream, batch by batch, and then the commands that wait."""
        if not self.standings:
            self.standings = {3: await self.store.acquire(3, "test")}
        turn = Turn(self.service, self.kind, self.store, SETTINGS.vault, Limits(letters=100_000))
        for start in range(0, max(len(records), 1), at_once):
            batch = Batch({3: records[start : start + at_once]} if records else {}, commands=100_000)
            turned = await turn.run(self.standings, batch, AT)
            assert turned.failures == []
            self.standings = turned.standings
            self.letters += turned.effects.letters
            self.applied += turned.counts["applied"]
            self.told += [each.value.decode() for facts in turned.facts for each in records_of("x", facts)]
        return self

    def position(self, lane: Lane) -> int:
        """Where the actor reads on."""
        return self.standings[3].cursors[lane]


def loans_of(told: Sequence[str]) -> list[str]:
    """The loans of the payments that an edge has passed on, in order."""
    facts: list[Mapping[str, object]] = [json.loads(value)["data"] for value in told]
    return [payment["loan_id"] for fact in facts if isinstance(payment := fact.get("payment"), dict)]
