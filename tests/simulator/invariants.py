"""What must hold of a universe at rest; the numbers are those of `docs/promises.md`.

Each rule looks at the databases, the log and what was said, and tells what contradicts it. How often it was checked is
counted, since a rule that looked at nothing proves nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from services.analytics.domain.rows import DebtorRecord
from services.analytics.service import HANDLERS
from services.analytics.store.layout import LAYOUT
from shared.contracts import catalogue, core_banking
from shared.contracts.envelope import Event, Moment
from shared.messaging.broker import Lane
from shared.messaging.frames import records_of
from tests.simulator.bank import GARBAGE, Book
from tests.simulator.bank import Event as Said
from tests.simulator.contact_invariants import (
    caps_are_kept,
    contacts_are_once,
    ledger_is_true,
    no_plan_is_older_than_a_stop,
    no_red_line,
    permits_are_used_once,
)
from tests.simulator.looking import Found, Look
from tests.simulator.universe import Universe

TELLERS = ("intake", "segmentation", "outreach", "legal")


Rule = Callable[[Look], Found]


def broken(universe: Universe, book: Book, counts: Counter[str]) -> list[str]:
    """Everything that does not hold, by the rule that it breaks. A lossy restore promises less; see RULES."""
    look, wrong = Look(universe, book), []
    for rule, name, whole in RULES:
        if whole and universe.rewound:
            continue
        for what, holds in rule(look):
            counts[f"checked: {name}"] += 1
            if not holds:
                wrong.append(f"{name}: {what}")
    return wrong


# -- transport -------------------------------------------------------------------------------------------------------


def _heard_all(look: Look) -> Found:
    return ((what, heard) for _, _, what, heard in look.universe.hearing())


def _outbox_is_whole(look: Look) -> Found:
    for database, kind, number, standing in look.universe.standings():
        if standing is None:
            continue
        last: dict[tuple[Lane, int], int] = {}
        for stored in database.content.outbox.get((kind.name, number), ()):
            place = (stored.lane, stored.incarnation)
            yield f"{kind.name}/{number} {place} {stored.seq_from}", stored.seq_from == last.get(place, 0) + 1
            last[place] = stored.seq_to
        for lane, out in standing.outs.items():
            at = last.get((lane, standing.incarnation), 0)
            yield f"{kind.name}/{number} {lane} ends at {at}, counter {out}", at == out.seq and out.acked <= out.seq


def _is_told_once(look: Look) -> Found:
    for service in TELLERS:
        ids = Counter(row.event_id for row in look.of(service).history)
        for event_id, times in ids.items():
            yield f"{service} tells {event_id} {times} times", times == 1


def _history_is_published(look: Look) -> Found:
    """What a lane tells is what it has kept of it, in the same order."""
    for database, kind, number, standing in look.universe.standings():
        if not kind.keeps_history or standing is None:
            continue
        kept = [row.event_id for row in database.content.history if row.shard == number]
        stored = database.content.outbox.get((kind.name, number), [])
        events = [msgspec.json.decode(each.value) for s in stored for each in records_of("x/0", s)]
        told = [event["id"] for event in events if event.get("debtor_id")]
        yield f"{database.service}/{kind.name}/{number} kept {len(kept)} and told {len(told)}", kept == told


def _nothing_waits(look: Look) -> Found:
    for service, database in look.universe.databases.items():
        content = database.content
        yield f"{service} has parked {len(content.parked)}", not content.parked
        yield f"{service} holds {len(content.quarantines)} in quarantine", not content.quarantines
        for _, _, status, _ in content.commands.values():
            yield f"{service} has a command {status}", status != "pending"


def _garbage_is_buried(look: Look) -> Found:
    buried = [letter for kind, letter, _ in look.of("intake").letters.values() if kind == "ingress"]
    letters = [letter for letter in buried if letter.lane.topic == core_banking.TOPIC]
    garbage = [each for each in look.book.said if isinstance(each, Said) and each.what.startswith(GARBAGE)]
    yield f"{len(letters)} letters of {len(garbage)} bad events", len(letters) == len(garbage)


# -- intake: what was said, once --------------------------------------------------------------------------------------


def _bases(look: Look) -> Found:
    loans = {key: row for _, key, row in look.rows("intake", "loan")}
    for loan_id, truth in look.book.truths.items():
        base, loan = truth.base, loans.get(loan_id)
        cut_off = loan.base.posting_cut_off if loan is not None and loan.base is not None else None
        yield f"{loan_id} counts from {cut_off}", base is None or cut_off == base.posting_cut_off
        closed = loan.closed_at if loan is not None else None
        yield f"{loan_id} closed at {closed}", closed == truth.closed_at


def _payments(look: Look) -> Found:
    kept = {key: row for _, key, row in look.rows("intake", "payment")}
    said = {
        (loan_id, name): (truth.payments.get(name), truth.reversals.get(name))
        for loan_id, truth in look.book.truths.items()
        for name in truth.payments.keys() | truth.reversals.keys()
    }
    yield f"payments {kept.keys() ^ said.keys()} are kept or said only", kept.keys() == said.keys()
    for key, (posting, reversal) in said.items():
        row = kept.get(key)
        if row is None or posting is None:
            continue
        amounts = {posting.amount, posting.amount + 1} if key[1] in look.book.contradicted else {posting.amount}
        # A contradicted payment may have lost its reversal, which then contradicts the amount that came first.
        reversed_right = row.reversed_at == (reversal.reversed_at if reversal else None)
        yield f"{key} {row}", row.amount in amounts and (reversed_right or key[1] in look.book.contradicted)


def _versions(look: Look) -> Found:
    versions: dict[str, list[int]] = {}
    for row in look.of("intake").history:
        if row.case_version:
            versions.setdefault(row.debtor_id, []).append(row.case_version)
    for debtor, found in versions.items():
        yield f"{debtor} {found}", found == list(range(1, len(found) + 1))


def _watched(look: Look) -> Found:
    due = look.one("intake", "bucket_due")
    for owner, row in due.items():
        clock = _clock(look, "intake", owner)
        yield f"{owner} is due {row.due_on}, and it is {clock}", row.due_on > clock
    for owner, case in look.one("intake", "collection_case").items():
        ends = any(view.bucket in {"M7+", "5"} for view in case.loans)
        yield f"{owner} is watched", case.status != "open" or owner in due or ends


def _clock(look: Look, service: str, owner: str) -> date:
    shard = next(s for (o, _), (s, _) in look.of(service).rows["collection_case"].items() if o == owner)
    return next(iter(look.of(service).standings["lane", shard].clocks.values()), date.min)


# -- copies of the case ------------------------------------------------------------------------------------------------

COPIES = {
    "segmentation": ("case_copy", "case_version"),
    "outreach": ("debtor_guard", "case_version"),
    "legal": ("case_copy", "case_version"),
    "analytics": ("collection_case", "case_version"),
}


def _newest(look: Look) -> Found:
    cases = look.one("intake", "collection_case")
    for service, (table, column) in COPIES.items():
        copies = look.one(service, table)
        for owner, case in cases.items():
            copy = getattr(copies.get(owner), column, None)
            yield f"{service} knows version {copy} of {owner}, told {case.version}", copy == case.version


def _status(case: Any) -> str:
    return str(case.summary.status)


def _stages(look: Look) -> Found:
    copies, stages = look.one("segmentation", "case_copy"), look.one("segmentation", "assignment")
    for owner, copy in copies.items():
        yield f"{owner} {_status(copy)}", (_status(copy) == "open") == (owner in stages)
    for owner in look.one("segmentation", "stage_due"):
        yield f"{owner} is watched", owner in copies and _status(copies[owner]) == "open"


# -- outreach: nobody is worked on who must not be -------------------------------------------------------------------


def _plans(look: Look) -> Found:
    guards, due = look.one("outreach", "debtor_guard"), look.one("outreach", "plan_due")
    held = {owner for owner, _, hold in look.rows("outreach", "hold") if not hold.released}
    active = Counter(owner for owner, _, plan in look.rows("outreach", "plan") if plan.state == "active")
    for owner in {*active, *due}:
        yield f"{owner} has {active[owner]} plans", active[owner] <= 1
        yield (
            f"{owner} is {guards[owner].status}, held {owner in held}",
            (guards[owner].status == "open" and owner not in held),
        )
    for owner, _, plan in look.rows("outreach", "plan"):
        stale = plan.state == "active" and plan.case_version < guards[owner].stop_version
        yield f"{owner} runs a plan of version {plan.case_version}, stopped at {guards[owner].stop_version}", not stale
    for owner, treatment in look.one("outreach", "treatment").items():
        yield f"{owner} is due", owner not in due or treatment.plan_number == 0


def _steps(look: Look) -> Found:
    plans = {(owner, key): plan.state for owner, key, plan in look.rows("outreach", "plan")}
    due = {(owner, key): row.due_at for owner, key, row in look.rows("outreach", "step_due")}
    scheduled = {}
    for owner, key, step in look.rows("outreach", "plan_step"):
        runs = plans[owner, key[0]] == "active"
        yield f"{owner} {key} {step.state}", step.state not in {"scheduled", "requested"} or runs
        if step.state == "scheduled":
            scheduled[owner, key] = step.due_at
    yield f"due {due.keys() ^ scheduled.keys()}", due == scheduled


def _holds(look: Look) -> Found:
    holds = {(owner, key): hold for owner, key, hold in look.rows("outreach", "hold")}
    for owner, key, _ in look.rows("outreach", "hold_due"):
        yield f"{owner} {key}", not holds[owner, key].released
    wanted = {(owner, matter.hold_id) for owner, _, matter in look.rows("legal", "matter") if not matter.closed}
    standing = {place for place, hold in holds.items() if not hold.released and hold.source == "legal"}
    yield f"holds {wanted ^ standing}", wanted == standing
    for place, hold in holds.items():
        yield f"{place} is of a quarantine that is over", hold.source != "quarantine" or hold.released


# -- legal -----------------------------------------------------------------------------------------------------------


def _matters(look: Look) -> Found:
    copies = look.one("legal", "case_copy")
    for owner, _, referral in look.rows("legal", "referral"):
        known = owner in copies and copies[owner].case_version >= referral.case_version
        yield f"{owner} is referred", referral.answered and known
    for owner, _, matter in look.rows("legal", "matter"):
        yield f"{owner} has a matter", matter.closed or _status(copies[owner]) == "open"


# -- analytics: the sum of what was told -----------------------------------------------------------------------------


def _kept_facts(look: Look) -> Found:
    kept: dict[tuple[str, str], list[str]] = {}
    for _, owner, fact in look.of("analytics").journals.get("fact", ()):
        kept.setdefault((_teller(fact.type), owner), []).append(fact.event_id)
    told: dict[tuple[str, str], list[str]] = {}
    for service in TELLERS:
        for row in look.of(service).history:
            told.setdefault((_teller(row.type), row.debtor_id), []).append(row.event_id)
    for place in kept.keys() | told.keys():
        if place[0]:
            yield f"{place} kept {kept.get(place)} told {told.get(place)}", kept.get(place) == told.get(place)


def _teller(name: str) -> str:
    """Who tells facts of a type; those that every service tells are left to the count of ids."""
    teller = name.partition(".")[0]
    return teller if teller in TELLERS else ""


def _counts(look: Look) -> Found:
    """Analytics' rows and sums are the fold of the facts that it has kept."""
    records: dict[str, DebtorRecord] = {}
    sums: dict[str, Counter[Any]] = {n: Counter() for n, t in LAYOUT.tables.items() if t.use == "tally"}
    for _, owner, fact in look.of("analytics").journals.get("fact", ()):
        event = _again(owner, fact)
        moment = Moment(fact.recorded_at, fact.business_date or date.min)
        after, _ = HANDLERS[type(event.data)](records.get(owner, LAYOUT.empty(owner)), event, moment)
        for name, sum_ in sums.items():
            for row in getattr(after, name):
                sum_[LAYOUT.tables[name].key_of(row)] += getattr(row, LAYOUT.tables[name].amount)
        records[owner] = DebtorRecord(owner, after.case, after.loans, after.plans, after.trials)
    yield from _rows_are(look, records)
    yield from _sums_are(look, sums)


def _again(owner: str, fact: Any) -> Event[Any]:
    kind: Any = catalogue.fact_type(fact.type)
    data = fact.data if isinstance(fact.data, kind) else msgspec.convert(fact.data, kind)
    return Event(
        id=fact.event_id,
        type=fact.type,
        lender_id=fact.lender_id,
        debtor_id=owner,
        case_version=fact.case_version,
        occurred_at=fact.occurred_at,
        recorded_at=fact.recorded_at,
        data=data,
    )


def _rows_are(look: Look, records: Mapping[str, DebtorRecord]) -> Found:
    for name, table in LAYOUT.tables.items():
        if table.use == "rows":
            stored = {(owner, key): row for owner, key, row in look.rows("analytics", table.name)}
            folded = {(o, key): row for o, record in records.items() for key, row in LAYOUT.rows(record, name).items()}
            yield f"{table.name}", stored == folded


def _sums_are(look: Look, sums: Mapping[str, Counter[Any]]) -> Found:
    for name, sum_ in sums.items():
        table = LAYOUT.tables[name]
        stored: Counter[Any] = Counter()
        for (_, key), row in look.of("analytics").tallies.get(table.name, {}).items():
            stored[key] += getattr(row, table.amount)
        wanted = {key: total for key, total in sum_.items() if total}
        yield f"{table.name}", {key: total for key, total in stored.items() if total} == wanted


def _money(look: Look) -> Found:
    """What analytics counts as paid is what was said to have been paid."""
    if look.book.contradicted:
        return
    for kind, of in (("payment", "payments"), ("reversal", "reversals")):
        said = [each for truth in look.book.truths.values() for each in getattr(truth, of).values()]
        counted = [row for row in look.of("analytics").tallies.get("cash", {}).values() if row.kind == kind]
        total = sum(row.total for row in counted if row.measure == "amount")
        yield f"{kind}: {total} of {sum(each.amount for each in said)}", total == sum(each.amount for each in said)


RULES: Sequence[tuple[Rule, str, bool]] = (
    (_heard_all, "2, 10 what was told is heard", False),
    (_outbox_is_whole, "8, 9 outboxes are whole", False),
    (_is_told_once, "12 nothing is told twice", True),
    (_history_is_published, "9 what is kept is what is told", True),
    (_nothing_waits, "nothing waits", False),
    (_garbage_is_buried, "1 bad events are buried", False),
    (contacts_are_once, "22, 23 contacts are made once", True),
    (permits_are_used_once, "24 permits are used once", True),
    (ledger_is_true, "24 the ledger is true", True),
    (no_red_line, "25, 27 no red line is crossed", True),
    (caps_are_kept, "26 caps are kept", True),
    (_bases, "1 snapshots and closings are applied", False),
    (_payments, "1 payments are applied", False),
    (_versions, "13 versions are dense", True),
    (_watched, "14 buckets are watched", False),
    (_newest, "17 copies are the newest", True),
    (_stages, "14 stages fit", True),
    (_plans, "16, 19 plans run where they may", True),
    (no_plan_is_older_than_a_stop, "19 no plan is older than a stop", True),
    (_steps, "19 steps are due where plans run", True),
    (_holds, "19 holds stand where they must", True),
    (_matters, "19, 20 matters fit", True),
    (_kept_facts, "18 analytics kept every fact", True),
    (_counts, "18 analytics counts what it kept", False),
    (_money, "15 money is counted once", True),
)
"""Each rule, its number and name, and whether it needs that no database has gone back in time: what such a database had
told in the meantime cannot be taken back."""
