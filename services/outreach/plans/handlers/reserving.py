"""The one way to a permit, whoever asks: judged by the rules of contact, and reserved in the state that they count."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.course import Wanted
from services.outreach.contacts.domain.judging import Asked, Rules, judged
from services.outreach.contacts.domain.rows import Contact, ContactState, Denial, JudgedRule
from services.outreach.plans.domain.course import guard_of
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.standing import standing_of
from services.outreach.plans.handlers.telling import told
from shared.contracts import outreach
from shared.contracts.envelope import Moment, Told
from shared.frozen import replace

OUTREACH = "outreach"
"""Who asks for the contacts of steps and for reminders; another name is that of a person."""


def judge_of(rules: Mapping[str, Rules], state: DebtorPlans, channel: str) -> Rules | str:
    """What contacts with this debtor are judged by; why nothing is known of them where that is so."""
    jurisdiction = guard_of(state, "").jurisdiction
    judge = rules.get(jurisdiction)
    if judge is None:
        return f"no rules of contact are known for {channel} in jurisdiction {jurisdiction}"
    return judge if channel in judge.lines else f"nobody is contacted by {channel} here"


def reserved(rules: Rules, state: DebtorPlans, wanted: Wanted, now: Moment) -> tuple[DebtorPlans, Contact | Denial]:
    """Judge a contact after all that is in the ledger, and keep its permit there, or why there is none."""
    state = replace(state, contacts=course.without_old(state.contacts, now.instant))
    asked = Asked(wanted.channel, wanted.purpose, wanted.party, wanted.point, wanted.attributes, wanted.by)
    verdict = judged(rules, asked, state.contacts.values(), now.instant, standing_of(state))
    if not verdict.allowed:
        denial = course.denied(wanted, rules, verdict, now.instant)
        return replace(state, denials=(*state.denials, denial)), denial
    tries = course.tries_of(state.contacts.values(), wanted.idempotency_key) + 1
    granted = course.granted(wanted, rules, verdict, tries, now.instant)
    return kept(state, granted, now.instant), granted


def kept(state: DebtorPlans, contact: Contact, instant: datetime) -> DebtorPlans:
    """Keep a contact, with a look at it due while it has yet to end, and none afterwards."""
    due = {key: row for key, row in state.contact_due.items() if key != contact.contact_id}
    if contact.state is ContactState.SENDING:
        due[contact.contact_id] = course.check_of(contact, guard_of(state, "").lender_id, instant)
    return replace(state, contacts={**state.contacts, contact.contact_id: contact}, contact_due=due)


def denial_told(state: DebtorPlans, denial: Denial) -> Told:
    """That a contact is not allowed, by which rules, and until when."""
    payload = outreach.ContactDenied(
        plan_number=denial.plan_number,
        step_number=denial.step_number,
        channel=denial.channel,
        purpose=denial.purpose,
        pack=denial.pack,
        pack_version=denial.pack_version,
        rules=failing(denial),
        next_allowed=denial.next_allowed,
        party=denial.party,
        asked_by=denial.asked_by,
        findings=findings_of(denial.rules),
    )
    return told(state, payload)


def failing(denial: Denial) -> tuple[str, ...]:
    """The rules that stand in the way."""
    return tuple(rule.rule for rule in denial.rules)


def findings_of(rules: Iterable[JudgedRule]) -> tuple[outreach.RuleRead, ...]:
    """What rules found, as it is told."""
    return tuple(outreach.RuleRead(rule=each.rule, reason=each.reason, read=each.read) for each in rules)


def not_made_told(state: DebtorPlans, contact: Contact) -> Told:
    """That certainly nobody was reached, and why."""
    payload = outreach.ContactNotMade(
        contact_id=contact.contact_id,
        plan_number=contact.plan_number,
        step_number=contact.step_number,
        channel=contact.channel,
        reason=contact.reason,
    )
    return told(state, payload)
