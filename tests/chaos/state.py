"""Invariants 13 to 28: the services' states are what follows from the facts, each computed here a second time."""

import json
from collections import Counter
from datetime import date
from typing import Any, Final

from services import summary
from services.intake.connectors.synthetic_people import LENDER
from services.outreach.contacts.red_line_queries import red_lines
from shared.settings import SANDBOX, SERVICES
from tests.chaos.evidence import Check, Evidence, Finding, Invariant, counting_rows
from tests.e2e import owners
from tests.e2e.invariants import OF_EVERY_SERVICE, OF_ONE_SERVICE, TELLERS, out_of_order, stale, wrong_holds

STAGES: Final = ((1, "REMIND"), (6, "EARLY"), (18, "INTENSIVE"), (31, "PRE_LEGAL"), (61, "LEGAL_OR_PLAN"), (91, "NPL"))
"""The first day past due of each collection stage."""

_EDGES: Final = {
    "opened": ({""}, "open"),
    "updated": ({"open", "cured", "closed"}, ""),
    "range-changed": ({"open"}, ""),
    "cured": ({"open"}, "cured"),
    "closed": ({"open", "cured"}, "closed"),
    "reopened": ({"cured", "closed"}, "open"),
}
"""What may be told of a case that stands so, and how it stands then; "" where it stands as before."""


def holds(service: str, what: str, table: str) -> Check:
    """One of the shared queries of a system at rest; it looks at every row of a table."""

    async def check(evidence: Evidence) -> Finding:
        wrong = await evidence.rows(service, OF_ONE_SERVICE[service, what])
        return Finding(await counting_rows(evidence, service, table), [(what, *row) for row in wrong])

    return check


async def copies_are_the_newest(evidence: Evidence) -> Finding:
    """Every service's copy of a case has intake's version."""
    cases = await counting_rows(evidence, "intake", "collection_case")
    return Finding(cases * (len(SERVICES) - 1), await stale(evidence.installation.owners))


async def buckets_follow_from_facts(evidence: Evidence) -> Finding:
    """What each case says of its loans is what the bank's facts come to on the business date."""
    held, on = evidence.installation.owners, evidence.bank.books_stand_on
    mine = {loan.loan_id: loan for loan in await owners.owed(held, on)}
    cases = await evidence.rows("intake", "SELECT loans FROM collection_case")
    loans = [loan for (loans,) in cases for loan in json.loads(loans)]
    wrong = [(loan, mine.get(loan["loan_id"])) for loan in loans if _as_told(loan) != _expected(mine, loan, on)]
    return Finding(len(loans), wrong)


def _as_told(loan: dict[str, Any]) -> tuple[Any, ...]:
    return loan["past_due"], loan["oldest_due_on"], loan["bucket"]


def _expected(mine: dict[str, owners.Owed], loan: dict[str, Any], on: date) -> tuple[Any, ...]:
    owed = mine[loan["loan_id"]]
    label = "closed" if owed.ended else owners.bucket((on - owed.oldest).days if owed.oldest else 0)
    return owed.past_due, owed.oldest.isoformat() if owed.oldest else None, label


async def stages_follow_from_facts(evidence: Evidence) -> Finding:
    """The stage of each open case is that of its days past due."""
    cases = await evidence.rows("intake", "SELECT debtor_id, oldest_due_on FROM collection_case WHERE status = 'open'")
    staged = dict(await evidence.rows("segmentation", "SELECT debtor_id, stage FROM assignment"))
    on = evidence.bank.books_stand_on
    expected = {debtor_id: _stage((on - oldest).days) for debtor_id, oldest in cases}
    wrong = [(name, expected.get(name), staged.get(name)) for name in expected.keys() | staged.keys()]
    return Finding(len(expected), [each for each in wrong if each[1] != each[2]])


def _stage(days: int) -> str:
    return [name for first, name in STAGES if first <= days][-1]


async def sums_are_exact(evidence: Evidence) -> Finding:
    """The night's past due of each loan is the bank's own figure, and the cases' sum is that of their facts."""
    held, on = evidence.installation.owners, evidence.bank.books_stand_on
    night = await owners.owed(held, on, until=owners.night(on))
    ours = {loan.loan_id: loan.past_due for loan in night if loan.past_due}
    banks = evidence.bank.bank.ledger(evidence.bank.day)
    wrong: list[Any] = [(name, ours.get(name), banks.get(name)) for name in ours.keys() | banks.keys()]
    wrong = [each for each in wrong if each[1] != each[2]]
    told: Counter[str] = Counter()
    known: set[str] = set()
    for (loans,) in await evidence.rows("intake", "SELECT loans FROM collection_case"):
        for loan in json.loads(loans):
            told[loan["currency"]] += loan["past_due"]
            known.add(loan["loan_id"])
    counted: Counter[str] = Counter()
    for loan_owed in await owners.owed(held, on):
        if loan_owed.loan_id in known:
            counted[loan_owed.currency] += loan_owed.past_due
    return Finding(len(night) + len(known), wrong + ([(told, counted)] if told != counted else []))


async def one_open_case(evidence: Evidence) -> Finding:
    """One case per lender and debtor."""
    twice = await evidence.rows(
        "intake",
        """SELECT lender_id, debtor_id, count(*) FROM collection_case WHERE status = 'open'
        GROUP BY 1, 2 HAVING count(*) > 1""",
    )
    return Finding(await counting_rows(evidence, "intake", "collection_case"), twice)


async def segmentation_is_a_fold(evidence: Evidence) -> Finding:
    """Segmentation's copy of a case is the last one that intake has told."""
    told = await evidence.rows(
        "intake",
        """SELECT DISTINCT ON (debtor_id) debtor_id, data->'case' FROM history
        WHERE case_version > 0 AND json_typeof(data->'case') = 'object' ORDER BY debtor_id, case_version DESC""",
    )
    kept = dict(await evidence.rows("segmentation", "SELECT debtor_id, summary FROM case_copy"))
    wrong = [name for name, case in told if json.loads(kept.get(name, "null")) != json.loads(case)]
    return Finding(len(told), [*wrong, *(kept.keys() - {name for name, _ in told})])


async def analytics_agrees(evidence: Evidence) -> Finding:
    """Analytics has every fact once, in order, and its totals are the owners'."""
    held = evidence.installation.owners
    facts = await counting_rows(evidence, "analytics", "fact")
    wrong = await out_of_order(held)
    counted, owned = await summary.read(held.urls["analytics"]), await owners.summary(held, LENDER)
    wrong += [(name, counted.get(name), owned[name]) for name in owned if counted.get(name) != owned[name]]
    return Finding(facts, wrong)


async def holds_are_wanted(evidence: Evidence) -> Finding:
    """Holds stand where legal wants them, and nowhere else: people have lifted theirs."""
    return Finding(await counting_rows(evidence, "outreach", "hold"), await wrong_holds(evidence.installation.owners))


async def no_orphans(evidence: Evidence) -> Finding:
    """Every step has its plan, every plan its case."""
    steps = await evidence.rows(
        "outreach",
        """SELECT debtor_id, step_number FROM plan_step LEFT JOIN plan USING (debtor_id, plan_number)
        WHERE plan.state IS NULL""",
    )
    cases = {name for (name,) in await evidence.rows("intake", "SELECT debtor_id FROM collection_case")}
    plans = await evidence.rows("outreach", "SELECT debtor_id, plan_number FROM plan")
    checked = await counting_rows(evidence, "outreach", "plan_step") + len(plans)
    return Finding(checked, [*steps, *(plan for plan in plans if plan[0] not in cases)])


async def contacts_cross_no_red_line(evidence: Evidence) -> Finding:
    """Everybody was reached under a permit that was committed first, by day, before any stop, and once."""
    urls = evidence.installation.owners.urls
    lines = await red_lines(urls["outreach"], urls[SANDBOX], {"CN": "Asia/Shanghai"})
    crossed = [(line, times) for line, times in lines.items() if times and line != "lane_gaps_unrepaired"]
    return Finding(await counting_rows(evidence, "outreach", "plan_step"), crossed)


async def the_ledger_is_true(evidence: Evidence) -> Finding:
    """The ledger has as made just what the gateway's own log has, and what is in doubt may be there or not."""
    made = dict(await evidence.rows("outreach", "SELECT contact_id, state FROM contact"))
    exists = await evidence.rows(SANDBOX, "SELECT 1 FROM pg_tables WHERE tablename = 'taken'")
    taken = {permit for (permit,) in await evidence.rows(SANDBOX, "SELECT permit_id FROM taken")} if exists else set()
    wrong = [
        (each, state) for each, state in made.items() if state != "unknown" and (state == "made") != (each in taken)
    ]
    steps = await counting_rows(evidence, "outreach", "plan_step")
    return Finding(steps + len(taken), [*wrong, *(taken - made.keys())])


async def cases_move_along_edges(evidence: Evidence) -> Finding:
    """What was told of each case, one after the other, is a path that the rules allow."""
    told = await evidence.rows(
        "intake",
        """SELECT debtor_id, type FROM history
        WHERE type LIKE 'intake.case-%' OR type LIKE 'intake.delinquency-%' ORDER BY id""",
    )
    stands: dict[str, str] = {}
    wrong: list[Any] = []
    for debtor_id, name in told:
        edge = name.removeprefix("intake.").removeprefix("case-").removeprefix("delinquency-").removesuffix(".v1")
        allowed, then = _EDGES[edge]
        before = stands.get(debtor_id, "")
        wrong += [] if before in allowed else [(debtor_id, before, edge)]
        stands[debtor_id] = then or before
    return Finding(len(told), wrong)


async def steps_end_once(evidence: Evidence) -> Finding:
    """No step of a plan ends twice, no plan starts or stops twice."""
    twice = await evidence.rows(
        "outreach",
        """SELECT type, debtor_id, data->>'plan_number', data->>'step_number', count(*) FROM history
        WHERE type IN ('outreach.step-ended.v1', 'outreach.plan-started.v1', 'outreach.plan-stopped.v1')
        GROUP BY 1, 2, 3, 4 HAVING count(*) > 1""",
    )
    return Finding(await counting_rows(evidence, "outreach", "history"), twice)


async def nothing_told_twice(evidence: Evidence) -> Finding:
    """Every event id is told once."""
    twice = await evidence.everywhere(OF_EVERY_SERVICE["no event is told twice"], TELLERS)
    return Finding(sum([await counting_rows(evidence, teller, "history") for teller in TELLERS]), twice)


INVARIANTS = (
    Invariant(
        13,
        "a case's versions rise without a hole, and every copy has the newest",
        (
            holds("intake", "case versions are dense", "history"),
            holds("intake", "versions rise in the order of telling", "history"),
            copies_are_the_newest,
        ),
    ),
    Invariant(
        14,
        "buckets and stages follow from the facts and the business date",
        (
            buckets_follow_from_facts,
            stages_follow_from_facts,
            holds("segmentation", "open cases have a stage, and no others", "case_copy"),
            holds("segmentation", "a stage is watched of open cases", "case_copy"),
            holds("intake", "no date that is watched has passed", "collection_case"),
            holds("intake", "every open case is watched, but in its last bucket", "collection_case"),
        ),
    ),
    Invariant(15, "what is past due is the sum of the facts and the bank's own figure, exactly", (sums_are_exact,)),
    Invariant(
        16,
        "a debtor has one open case and one running plan",
        (one_open_case, holds("outreach", "at most one plan runs", "plan")),
    ),
    Invariant(17, "segmentation holds what its input comes to", (segmentation_is_a_fold,)),
    Invariant(18, "analytics has every fact once, and the owners' totals", (analytics_agrees,)),
    Invariant(
        19,
        "nobody works on a debtor who owes nothing or is on hold",
        (
            holds(
                "outreach",
                "plans run and are due for open cases without a hold or a promise that stands only",
                "debtor_guard",
            ),
            holds("outreach", "only running plans have steps to come", "plan_step"),
            holds("legal", "matters stand against open cases only", "case_copy"),
            holds_are_wanted,
        ),
    ),
    Invariant(
        20,
        "nothing refers to what is not there",
        (
            no_orphans,
            holds("outreach", "a crew goes for steps that were asked for", "plan_step"),
            holds("outreach", "a plan is due where a treatment asks for one", "treatment"),
            holds("intake", "nothing waits for a loan that is known", "loan_directory"),
            holds("legal", "every referral of a case that is known is answered", "case_copy"),
        ),
    ),
    Invariant(
        21, "cases move along allowed edges, and nothing is told twice", (cases_move_along_edges, nothing_told_twice)
    ),
    Invariant(23, "the ledger says of every contact what the gateway knows", (the_ledger_is_true,)),
    Invariant(
        24, "people are reached once, by permit, by day and before any stop (22, 25, 27)", (contacts_cross_no_red_line,)
    ),
    Invariant(
        28,
        "a step ends once, and just the scheduled ones are due",
        (
            steps_end_once,
            holds("outreach", "just the scheduled steps of running plans are due", "plan_step"),
            holds("outreach", "only holds that stand come to an end", "hold"),
        ),
    ),
)
