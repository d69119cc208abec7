"""What must hold of a system at rest, as queries: each of them finds what contradicts it, and so is to find nothing."""

from typing import Any

from services.flow import BANK, FLOW
from shared.messaging.broker import Broker, Lane
from shared.service import SHARDS, Reach
from tests.e2e.owners import Owners, Rows

SERVICES = ("intake", "segmentation", "outreach", "legal", "analytics")
TELLERS = ("intake", "segmentation", "outreach", "legal")

OF_EVERY_SERVICE = {
    "facts of a lane are numbered without a hole": """
        SELECT * FROM (
            SELECT *, lag(seq_to, 1, 0::bigint) OVER (
                PARTITION BY kind, number, topic, partition, incarnation ORDER BY id
            ) AS before FROM audit_link
        ) AS link
        WHERE seq_from <> before + 1 OR seq_to < seq_from
    """,
    "a lane's counter and head are those of its last link": """
        SELECT * FROM lane_out FULL JOIN (
            SELECT DISTINCT ON (kind, number, topic, partition)
                kind, number, topic, partition, seq_to, head AS last_head
            FROM audit_link ORDER BY kind, number, topic, partition, id DESC
        ) AS link USING (kind, number, topic, partition)
        WHERE out_seq IS DISTINCT FROM seq_to OR head IS DISTINCT FROM last_head
    """,
    "all that was told is acknowledged": "SELECT * FROM lane_out WHERE acked_seq <> out_seq",
    "nothing is missed": "SELECT * FROM gap",
    "nothing is refused": "SELECT kind, number, event_type, reason, field FROM dead_letter",
    "nobody is quarantined": "SELECT * FROM quarantine",
    "nothing is parked": "SELECT * FROM parked",
    "no actor has stopped": "SELECT kind, number, stopped_reason FROM actor WHERE stopped_reason IS NOT NULL",
    "no command waits": "SELECT * FROM command WHERE status = 'pending'",
    "no event is told twice": "SELECT event_id FROM history GROUP BY 1 HAVING count(*) > 1",
}

OF_ONE_SERVICE = {
    ("intake", "case versions are dense"): """
        SELECT debtor_id FROM history WHERE case_version > 0
        GROUP BY 1 HAVING max(case_version) <> count(*) OR count(DISTINCT case_version) <> count(*)
    """,
    ("intake", "versions rise in the order of telling"): """
        SELECT * FROM (
            SELECT case_version, lag(case_version) OVER (PARTITION BY debtor_id ORDER BY id) AS before
            FROM history WHERE case_version > 0
        ) AS told WHERE case_version <= before
    """,
    ("intake", "a date is watched of debtors with a loan"): """
        SELECT * FROM bucket_due WHERE NOT EXISTS (
            SELECT FROM loan WHERE loan.debtor_id = bucket_due.debtor_id AND base IS NOT NULL
                AND (closed_at IS NULL OR closed_at < (base->>'posting_cut_off')::timestamptz)
        )
    """,
    ("intake", "no date that is watched has passed"): """
        SELECT * FROM bucket_due JOIN lane_clock ON kind = 'lane' AND number = shard AND due_on <= business_date
            AND lane_clock.lender_id = bucket_due.lender_id
    """,
    ("intake", "every open case is watched, but in its last bucket"): """
        SELECT case_id FROM collection_case LEFT JOIN bucket_due USING (debtor_id)
        WHERE status = 'open' AND due_on IS NULL AND NOT EXISTS (
            SELECT FROM json_array_elements(loans) AS loan WHERE loan->>'bucket' IN ('M7+', '5')
        )
    """,
    ("intake", "what waits for its loan has an end"): """
        SELECT loan_key FROM loan_parked FULL JOIN loan_expiry USING (loan_key)
        WHERE loan_parked.loan_key IS NULL OR loan_expiry.loan_key IS NULL
    """,
    ("intake", "nothing waits for a loan that is known"): """
        SELECT loan_key FROM loan_parked JOIN loan_directory USING (loan_key)
    """,
    ("segmentation", "a stage is watched of open cases"): """
        SELECT debtor_id FROM stage_due LEFT JOIN case_copy USING (debtor_id)
        WHERE summary->>'status' IS DISTINCT FROM 'open'
    """,
    ("segmentation", "open cases have a stage, and no others"): """
        SELECT debtor_id FROM case_copy LEFT JOIN assignment USING (debtor_id)
        WHERE (summary->>'status' = 'open') <> (stage IS NOT NULL)
    """,
    ("outreach", "just the scheduled steps of running plans are due"): """
        SELECT debtor_id, plan_number, step_number FROM step_due FULL JOIN (
            SELECT debtor_id, plan_number, step_number, plan_step.due_at, plan_step.state AS step_state
            FROM plan_step JOIN plan USING (debtor_id, plan_number)
            WHERE plan_step.state = 'scheduled' AND plan.state = 'active'
        ) AS queued USING (debtor_id, plan_number, step_number)
        WHERE step_due.due_at IS DISTINCT FROM queued.due_at
    """,
    ("outreach", "only running plans have steps to come"): """
        SELECT debtor_id FROM plan_step JOIN plan USING (debtor_id, plan_number)
        WHERE plan_step.state IN ('scheduled', 'requested') AND plan.state <> 'active'
    """,
    ("outreach", "at most one plan runs"): """
        SELECT debtor_id FROM plan WHERE state = 'active' GROUP BY 1 HAVING count(*) > 1
    """,
    ("outreach", "plans run and are due for open cases without a hold or a promise that stands only"): """
        SELECT debtor_id FROM (
            SELECT debtor_id FROM plan WHERE state = 'active' UNION SELECT debtor_id FROM plan_due
        ) AS worked LEFT JOIN debtor_guard USING (debtor_id)
        WHERE status IS DISTINCT FROM 'open'
            OR EXISTS (SELECT FROM hold WHERE hold.debtor_id = worked.debtor_id AND NOT released)
            OR EXISTS (SELECT FROM promise WHERE promise.debtor_id = worked.debtor_id AND promise.state = 'standing')
    """,
    ("outreach", "a plan is due where a treatment asks for one"): """
        SELECT debtor_id FROM plan_due LEFT JOIN treatment USING (debtor_id)
        WHERE treatment.plan_number IS DISTINCT FROM 0
    """,
    ("outreach", "only holds that stand come to an end"): """
        SELECT hold_id FROM hold_due LEFT JOIN hold USING (debtor_id, hold_id) WHERE released IS DISTINCT FROM false
    """,
    ("outreach", "a crew goes for steps that were asked for"): """
        SELECT debtor_id FROM visit LEFT JOIN plan_step USING (debtor_id, plan_number, step_number)
        WHERE plan_step.state IS NULL OR (visit.state = 'assigned' AND plan_step.state <> 'assigned')
    """,
    ("legal", "every referral of a case that is known is answered"): """
        SELECT referral_id FROM referral LEFT JOIN case_copy USING (debtor_id)
        WHERE NOT answered OR referral.case_version > case_copy.case_version
    """,
    ("legal", "matters stand against open cases only"): """
        SELECT matter_id FROM matter LEFT JOIN case_copy USING (debtor_id)
        WHERE NOT closed AND summary->>'status' IS DISTINCT FROM 'open'
    """,
}

VERSIONS = {
    "intake": "SELECT debtor_id, version FROM collection_case",
    "segmentation": "SELECT debtor_id, case_version FROM case_copy",
    "outreach": "SELECT debtor_id, case_version FROM debtor_guard",
    "legal": "SELECT debtor_id, case_version FROM case_copy",
    "analytics": "SELECT debtor_id, case_version FROM collection_case",
}


async def broken(owners: Owners, log: Broker | None = None) -> dict[str, Any]:
    """Everything that does not hold, by what should; `log` is asked too whether all of it is read."""
    found: dict[str, Any] = {}
    for service in SERVICES:
        for what, query in OF_EVERY_SERVICE.items():
            found[f"{service}: {what}"] = await owners.rows(service, query)
    for (service, what), query in OF_ONE_SERVICE.items():
        found[f"{service}: {what}"] = await owners.rows(service, query)
    found["every consumer has heard all that was told"] = await unheard(owners)
    found["every copy of a case is the newest"] = await stale(owners)
    found["analytics has kept every fact once, in the order of its telling"] = await out_of_order(owners)
    found["holds stand where legal and nobody else wants them"] = await wrong_holds(owners)
    if log is not None:
        found["the log is read to its end"] = await unread(owners, log)
    return {what: wrong for what, wrong in found.items() if wrong}


async def unheard(owners: Owners) -> list[Any]:
    """Marks of consumers that are not the counters of the producers, and counters that a consumer has no mark of."""
    told: dict[tuple[str, str, int], int] = {}
    marks: dict[str, dict[tuple[str, str, int], int]] = {}
    for service in SERVICES:
        for kind, number, topic, partition, seq in await owners.rows(
            service, "SELECT kind, number, topic, partition, out_seq FROM lane_out"
        ):
            told[f"{service}/{kind}/{number}", topic, partition] = seq
        for kind, source, topic, partition, seq in await owners.rows(
            service, "SELECT kind, source, topic, partition, last_seq FROM source_mark"
        ):
            marks.setdefault(f"{service}/{kind}", {})[source, topic, partition] = seq
    wrong: list[Any] = []
    for stop in (each for each in FLOW if BANK not in each.reads):
        reader, heard = f"{stop.service}/{stop.actor}", range(1 if stop.reach is Reach.FIRST_LANE else SHARDS)
        expected = {place: seq for place, seq in told.items() if place[1] in stop.reads and place[2] in heard}
        wrong += [(reader, *each) for each in set(expected.items()) ^ set(marks.get(reader, {}).items())]
    return wrong


async def stale(owners: Owners) -> list[Any]:
    """Copies of a case that are not at intake's version."""
    truth = set(await owners.rows("intake", VERSIONS["intake"]))
    return [
        (service, *row) for service in SERVICES for row in truth ^ set(await owners.rows(service, VERSIONS[service]))
    ]


async def out_of_order(owners: Owners) -> list[Any]:
    """Debtors of whom analytics has kept other facts than a teller told, or in another order."""
    wrong: list[Any] = []
    for teller in TELLERS:
        told = "SELECT debtor_id, event_id FROM history WHERE debtor_id <> '' ORDER BY id"
        own = f"type LIKE '{teller}.%' OR (type LIKE 'quarantine.%' AND data->>'service' = '{teller}')"
        kept = f"SELECT debtor_id, event_id FROM fact WHERE {own} ORDER BY id"
        ours, theirs = by_debtor(await owners.rows(teller, told)), by_debtor(await owners.rows("analytics", kept))
        wrong += [(teller, debtor) for debtor in ours.keys() | theirs.keys() if ours.get(debtor) != theirs.get(debtor)]
    return wrong


def by_debtor(rows: Rows) -> dict[str, list[str]]:
    """The events of each debtor, in the order of the rows."""
    found: dict[str, list[str]] = {}
    for debtor_id, event_id in rows:
        found.setdefault(debtor_id, []).append(event_id)
    return found


_TO_VERIFY = """
SELECT debtor_id, 'verification:' || verification_id FROM verification WHERE holds AND state IN ('open', 'rejected')
"""


async def wrong_holds(owners: Owners) -> list[Any]:
    """Holds that stand without a matter or a verification that wants them, and those that want one without theirs."""
    wanted = await owners.rows("legal", "SELECT DISTINCT debtor_id, hold_id FROM matter WHERE NOT closed")
    wanted += await owners.rows("outreach", "SELECT debtor_id, 'matter:' || matter_id FROM matter WHERE NOT settled")
    wanted += await owners.rows("intake", _TO_VERIFY)
    standing = await owners.rows("outreach", "SELECT debtor_id, hold_id FROM hold WHERE NOT released")
    return list(set(wanted) ^ set(standing))


async def unread(owners: Owners, log: Broker) -> list[Any]:
    """Cursors that are not at the end of what they read."""
    wrong: list[Any] = []
    for service in SERVICES:
        cursors = await owners.rows(service, "SELECT kind, topic, partition, next_offset FROM cursor_in")
        ends = await log.end_offsets(sorted({Lane(topic, partition) for _, topic, partition, _ in cursors}))
        wrong += [(service, *each) for each in cursors if ends[Lane(each[1], each[2])] != each[3]]
    return wrong
