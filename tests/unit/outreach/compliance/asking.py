"""Short ways to ask the engine: attempts on a Tuesday in China, with whatever is to be different."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.outreach.compliance.domain.attempt import Attempt, Contact
from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.verdict import Verdict
from services.outreach.compliance.domain.words import Channel, Mode, Outcome, Party
from services.outreach.compliance.store import shipped

CHINA = ZoneInfo("Asia/Shanghai")
DUTIES = {
    "recording": True,
    "identity_disclosed": True,
    "id_shown": True,
    "mandate_shown": True,
    "crew": 2,
    "given_by_debtor": True,
    "on_published_list": True,
    "contract_valid": True,
    "last_evaluation": "2026-06-01",
    "training_current": True,
}
"""Everything that the rules of China ask for."""

RELAY = {"content": ("ask_to_relay",)}
"""What they ask for besides, of whoever is no party to the debt."""


def on_tuesday(clock: str) -> datetime:
    """A time of 1 December 2026 in China."""
    return datetime.fromisoformat(f"2026-12-01T{clock}").replace(tzinfo=CHINA)


NOON = on_tuesday("12:00")


def attempt(at: datetime = NOON, **others: Any) -> Attempt:
    """A notice by telephone, from the lender, with everything in order, but for what is given."""
    person = others.pop("person", "debtor")
    defaults: dict[str, Any] = {
        "channel": Channel.CALL,
        "party": Party(person.partition(":")[0]),
        "person": person,
        "debt": "D1",
        "number": "A",
        "by": "",
        "mode": Mode.INFORM,
    }
    said = RELAY if person.startswith(("contact", "unrelated", "third")) else {}
    attributes = {**DUTIES, **said, **others.pop("attributes", {})}
    return Attempt(at=at, attributes=attributes, **{**defaults, **others})


def without(*names: str, **others: Any) -> dict[str, Any]:
    """Attributes of which some are not known."""
    return {**dict.fromkeys(names), **others}


def contact(clock: str, outcome: Outcome = Outcome.CONNECTED, **others: Any) -> Contact:
    """A call of that Tuesday."""
    person = others.pop("person", "debtor")
    defaults: dict[str, Any] = {"channel": Channel.CALL, "party": Party(person.partition(":")[0]), "person": person}
    at = others.pop("at", None) or on_tuesday(clock)
    return Contact(at=at, outcome=outcome, **{**defaults, "debt": "D1", "number": "A", **others})


def judge(one: Attempt, history: Sequence[Contact] = (), pack: Pack | None = None) -> Verdict:
    """The verdict, by the whole pack of China where no other is given."""
    return evaluate(one, history, pack or shipped()["CN"])


def rules(verdict: Verdict) -> list[str]:
    """The rules in the way."""
    return [finding.rule for finding in verdict.failing]


def reasons(verdict: Verdict) -> dict[str, str]:
    """Why each rule is in the way."""
    return {finding.rule: finding.reason for finding in verdict.failing}


def edges(
    verdict: Verdict, one: Attempt, history: Sequence[Contact] = (), pack: Pack | None = None
) -> tuple[bool, bool]:
    """Whether it is allowed one second before the next allowed instant, and then."""
    following = verdict.next_allowed
    assert following is not None
    asked = (following - timedelta(seconds=1), following)
    before, then = (judge(moved(one, at), history, pack).allowed for at in asked)
    return before, then


def moved(one: Attempt, at: datetime) -> Attempt:
    """The same attempt at another instant."""
    names = [name for name in one.__slots__ if name not in {"at", "second"}]
    return Attempt(at=at, **{name: getattr(one, name) for name in names})
