"""What must hold of contacts once a universe is at rest: made once, by permit, by day, before any stop."""

from collections import Counter

import msgspec

from services.intake.connectors.sending import CHINA
from services.outreach.contacts.domain.rows import ContactState
from services.outreach.contacts.red_lines import Entry, Sent, Stop, counted
from services.outreach.plans.domain.course import StopReason
from tests.simulator.looking import Found, Look

TALKS_A_DAY = 3

ENDINGS = {StopReason.PAYMENT, StopReason.CURED, StopReason.CLOSED}


def contacts_are_once(look: Look) -> Found:
    """A step has one contact at most that is not known to have reached nobody, and people were reached once."""
    contacts = look.universe.contacts()
    live = Counter(row.idempotency_key for row in contacts if row.state is not ContactState.NOT_MADE)
    for key, times in live.items():
        yield f"22 {key} has {times} contacts", times == 1
    for key, times in Counter(each.key for each in look.universe.provider.taken).items():
        yield f"23 {key} was sent {times} times", times == 1


def permits_are_used_once(look: Look) -> Found:
    """No permit is shown to the provider twice."""
    for permit, times in look.universe.provider.presented.items():
        yield f"24 {permit} was shown {times} times", times == 1


def ledger_is_true(look: Look) -> Found:
    """What the ledger says of a contact is what the provider knows."""
    sent = {each.permit_id for each in look.universe.provider.taken}
    for row in look.universe.contacts():
        made = row.contact_id in sent
        what = f"{row.contact_id} is {row.state}, sent: {made}, tries {row.tries}, lookups {row.lookups}"
        yield what, row.state is ContactState.UNKNOWN or made == (row.state is ContactState.MADE)


def no_red_line(look: Look) -> Found:
    """The product's own count of its red lines, which shares nothing with its gate."""
    history = enumerate(row for row in look.of("outreach").history)
    events = [(place, row.type, row.debtor_id, msgspec.json.decode(row.data)) for place, row in history]
    order = {data["contact_id"]: place for place, name, _, data in events if name == "outreach.contact-permitted.v1"}
    stops = [
        Stop(debtor_id, data["plan_number"], place)
        for place, name, debtor_id, data in events
        if name == "outreach.plan-stopped.v1"
    ]
    ledger = [
        Entry(
            contact_id=row.contact_id,
            debtor_id=owner,
            plan_number=row.plan_number,
            step_number=row.step_number,
            key=row.idempotency_key,
            state=row.state,
            order=order[row.contact_id],
            permitted_at=row.permitted_at,
            expires_at=row.expires_at,
            zone="Asia/Shanghai",
        )
        for owner, _, row in look.rows("outreach", "contact")
    ]
    sent = [
        Sent(each.key, each.permit_id, each.debtor_id, each.channel, each.taken_at)
        for each in look.universe.provider.taken
    ]
    for line, times in counted(ledger, sent, stops).items():
        yield f"27 {line}: {times}", times == 0


def no_plan_is_older_than_a_stop(look: Look) -> Found:
    """What was computed before a payment, a cure or a closing starts nothing once outreach has stopped for it."""
    stopped: dict[str, int] = {}
    for row in look.of("outreach").history:
        if row.type == "outreach.plan-started.v1":
            behind = stopped.get(row.debtor_id, 0)
            what = f"19 a plan of {row.debtor_id} from version {row.case_version}, stopped at {behind}"
            yield what, row.case_version >= behind
        if row.type == "outreach.plan-stopped.v1" and msgspec.json.decode(row.data)["reason"] in ENDINGS:
            stopped[row.debtor_id] = row.case_version


def caps_are_kept(look: Look) -> Found:
    """No debtor is talked with more than three times on a day."""
    talks = Counter(
        (each.debtor_id, each.taken_at.astimezone(CHINA).date())
        for each in look.universe.provider.taken
        if each.outcome in {"connected", "conversation"}
    )
    for of, times in talks.items():
        yield f"26 {of} was talked with {times} times", times <= TALKS_A_DAY
