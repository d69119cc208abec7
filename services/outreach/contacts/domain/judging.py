"""What is asked of the rules of contact about a step, and what the ledger tells them of the past."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.outreach.compliance.domain import attempt as compliance
from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.verdict import Finding, Verdict
from services.outreach.compliance.domain.words import Channel, Mode, Outcome
from services.outreach.contacts.domain.rows import Contact, ContactState, JudgedRule

REMEMBERED = timedelta(days=35)
"""How far back the rules may count; what is older is settled."""

ON_FILE = "on file"
"""The point of a channel where no profile is held, the bank's: a contact with it counts for every number."""


@dataclass(frozen=True, slots=True)
class Line:
    """How one channel of plans is worked: the rules' word for it, and what always holds of it, as rules ask for it."""

    channel: Channel
    mode: Mode | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a jurisdiction's contacts are judged by: its pack, the debtor's zone, and the lines that are worked."""

    pack: Pack
    zone: str
    lines: Mapping[str, Line]


def judged(
    rules: Rules, channel: str, purpose: str, contacts: Iterable[Contact], at: datetime, point: str = ""
) -> Verdict:
    """The verdict on a contact with the debtor at a contact point now, after all that the ledger holds."""
    line, number = rules.lines[channel], point or ON_FILE
    wanted = compliance.Attempt(
        at=at,
        channel=line.channel,
        by=compliance.LENDER,
        mode=line.mode,
        number=number,
        purpose=purpose,
        zones=(rules.zone,),
        attributes=line.attributes,
    )
    history = [entry for contact in contacts for entry in _entries(rules, contact, number)]
    return evaluate(wanted, sorted(history, key=lambda entry: entry.second), rules.pack)


def _entries(rules: Rules, contact: Contact, number: str) -> Iterator[compliance.Contact]:
    """A contact as the rules count it; one that is not known to have ended counts as whatever weighs most.

    One with a point that is not known may have been with the `number` that is asked about.
    """
    if contact.state is ContactState.NOT_MADE:
        return
    line = rules.lines[contact.channel]
    outcomes = (Outcome(contact.outcome),) if contact.outcome else _worst(line.channel)
    for outcome in outcomes:
        yield compliance.Contact(
            at=contact.permitted_at,
            channel=line.channel,
            outcome=outcome,
            number=(contact.point or number) if number != ON_FILE else ON_FILE,
            mode=line.mode,
        )


def _worst(channel: Channel) -> tuple[Outcome, ...]:
    """Rules count failed calls, answered calls and talks apart: a call in doubt is counted as all of them."""
    if channel is Channel.CALL:
        return Outcome.FAILED, Outcome.CONVERSATION
    return (Outcome.SENT,)


def rules_told(findings: Iterable[Finding]) -> tuple[JudgedRule, ...]:
    """Findings as the ledger keeps them."""
    return tuple(
        JudgedRule(each.rule, each.reason, {name: str(value) for name, value in each.read}) for each in findings
    )
