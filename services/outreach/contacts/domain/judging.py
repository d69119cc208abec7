"""What is asked of the rules of contact about a step, and what the ledger tells them of the past."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.outreach.compliance.domain import attempt as compliance
from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.verdict import Finding, Verdict
from services.outreach.compliance.domain.words import Channel, Mode, Outcome, Party
from services.outreach.contacts.domain.rows import Contact, ContactState, JudgedRule

REMEMBERED = timedelta(days=35)
"""How far back the rules may count; what is older is settled."""

ON_FILE = "on file"
"""The point of a channel where no profile is held, the bank's: a contact with it counts for every number."""


OTHERS = frozenset({Party.CONTACT, Party.UNRELATED, Party.THIRD})
"""Whoever owes nothing. Which of them somebody is stays with the bank, so they are counted as one person."""


@dataclass(frozen=True, slots=True)
class Line:
    """How one channel of plans is worked: the rules' word for it, and what always holds of it, as rules ask for it.

    queue: where its steps wait for people where people work it.
    """

    channel: Channel
    mode: Mode | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a jurisdiction's contacts are judged by: its pack, the debtor's zone, and the lines that are worked."""

    pack: Pack
    zone: str
    lines: Mapping[str, Line]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be judged. `attributes` are what is known of this contact alone, beside what holds of its line.

    point: stands for the contact point, "" for the one that the bank has on file. by: the agency that makes it.
    """

    channel: str
    purpose: str
    party: str = Party.DEBTOR
    point: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    by: str = compliance.LENDER


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules ask about the debtor beside the ledger: flags, and channels of plans that they opted out of."""

    flags: Mapping[str, compliance.Span] = field(default_factory=dict)
    opt_outs: frozenset[str] = frozenset()


NOTHING_STANDS = Standing()


def judged(
    rules: Rules, asked: Asked, contacts: Iterable[Contact], at: datetime, standing: Standing = NOTHING_STANDS
) -> Verdict:
    """The verdict on a contact at a contact point now, after all that the ledger holds and all that stands."""
    line, party, number = rules.lines[asked.channel], Party(asked.party), asked.point or ON_FILE
    wanted = compliance.Attempt(
        at=at,
        channel=line.channel,
        party=party,
        person=_person(party),
        by=asked.by,
        mode=line.mode,
        number=number,
        purpose=asked.purpose,
        zones=(rules.zone,),
        flags=standing.flags,
        optouts=frozenset(rules.lines[each].channel for each in standing.opt_outs if each in rules.lines),
        attributes={**line.attributes, **asked.attributes},
    )
    history = [entry for contact in contacts for entry in _entries(rules, contact, number)]
    return evaluate(wanted, sorted(history, key=lambda entry: entry.second), rules.pack)


def _entries(rules: Rules, contact: Contact, number: str) -> Iterator[compliance.Contact]:
    """A contact as the rules count it; one that is not known to have ended counts as whatever weighs most.

    One with a point that is not known may have been with the `number` that is asked about.
    """
    if contact.state is ContactState.NOT_MADE:
        return
    line, party = rules.lines[contact.channel], Party(contact.party)
    outcomes = (Outcome(contact.outcome),) if contact.outcome else _worst(line.channel)
    for outcome in outcomes:
        yield compliance.Contact(
            at=contact.permitted_at,
            channel=line.channel,
            outcome=outcome,
            party=party,
            person=_person(party),
            number=(contact.point or number) if number != ON_FILE else ON_FILE,
            mode=line.mode,
        )


def _person(party: Party) -> str:
    """For whom counters are kept: all of one kind are one person, which is never less strict."""
    return "other" if party in OTHERS else party.value


def _worst(channel: Channel) -> tuple[Outcome, ...]:
    """Rules count failed calls, answered calls and talks apart: a call or visit in doubt is counted as all of them."""
    if channel in {Channel.CALL, Channel.VISIT}:
        return Outcome.FAILED, Outcome.CONVERSATION
    return (Outcome.SENT,)


def rules_told(findings: Iterable[Finding]) -> tuple[JudgedRule, ...]:
    """Findings as the ledger keeps them."""
    return tuple(
        JudgedRule(each.rule, each.reason, {name: str(value) for name, value in each.read}) for each in findings
    )
