"""A person's whole ledger over HTTP: every permit, what was done under it, and every refusal, each with its rules."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.outreach.asking import no_such_debtor
from services.outreach.compliance.store import shipped
from services.outreach.compliance.wording import substitute
from services.outreach.contacts.domain.rows import ContactState
from services.outreach.plans.store import GUARD
from shared.http.database import Connection
from shared.http.inputs import DebtorId

CONTACTS = text("SELECT * FROM contact WHERE debtor_id = :debtor_id ORDER BY permitted_at, contact_id")
DENIALS = text("SELECT * FROM contact_denial WHERE debtor_id = :debtor_id ORDER BY denied_at, id")


class _View(BaseModel):
    model_config = ConfigDict(extra="ignore", from_attributes=True)


class RuleView(_View):
    """One rule that was held against a contact. `reason` is empty where it let the contact pass."""

    rule: str
    title: dict[str, str] = Field(description="What the rule is about, by language; empty for one no longer shipped.")
    citation: str = Field(description="The law or standard that it comes from.")
    force: str
    reason: str
    read: dict[str, str] = Field(description="What the rule read, by name.")
    instead: dict[str, str] = Field(
        description="What may be done in the place of what the rule refused, by language; empty where it did not."
    )


class ContactView(_View):
    """One permit, and what was done under it."""

    contact_id: str
    plan_number: int
    step_number: int
    channel: str
    purpose: str
    template: str
    asked_by: str
    by_hand: bool = Field(description="Made by a person, `asked_by`, who says how it ended.")
    party: str = Field(description="Whom it is with, in relation to the debt.")
    contact_point: str = Field(description="As the profile names it; empty where nobody said.")
    state: ContactState
    permitted_at: datetime
    expires_at: datetime
    pack: str
    pack_version: str
    rules: list[RuleView]
    tries: int
    lookups: int
    outcome: str
    provider_reference: str
    reason: str
    ended_at: datetime | None
    point: str = Field(description="What stands for the contact point; empty where no profile was held.")
    wording: str = Field(description="The text that was sent, its version and language; empty where none was.")


class DenialView(_View):
    """One contact that was not allowed; `next_allowed` is missing where waiting does not help."""

    denied_at: datetime
    plan_number: int
    step_number: int
    channel: str
    purpose: str
    party: str
    asked_by: str
    pack: str
    pack_version: str
    rules: list[RuleView]
    next_allowed: datetime | None


class LedgerView(_View):
    """Everything that was done to reach a person, and everything that was not."""

    debtor_id: str
    contacts: list[ContactView]
    denials: list[DenialView]


def add_routes(router: APIRouter) -> None:
    """Add the ledger to the routes about debtors."""
    router.add_api_route("/debtors/{debtor_id}/contacts", read_ledger, methods=["GET"])


async def read_ledger(debtor_id: DebtorId, connection: Connection) -> LedgerView:
    """Every permit and every refusal of a person, in order, each with the rules that were read and what they found."""
    key = {"debtor_id": debtor_id}
    if (await connection.execute(GUARD, key)).first() is None:
        raise no_such_debtor()
    contacts = (await connection.execute(CONTACTS, key)).mappings().all()
    denials = (await connection.execute(DENIALS, key)).mappings().all()
    return LedgerView(
        debtor_id=debtor_id,
        contacts=[ContactView(**{**row, "rules": rules_of(row["pack"], row["rules"])}) for row in contacts],
        denials=[DenialView(**{**row, "rules": rules_of(row["pack"], row["rules"])}) for row in denials],
    )


def rules_of(pack: str, judged: Iterable[Mapping[str, Any]]) -> list[RuleView]:
    """The rules as they were judged, with what the pack says of them today."""
    known = {rule.id: rule for rule in shipped()[pack].rules} if pack in shipped() else {}
    return [
        RuleView(
            rule=each["rule"],
            title=dict(known[each["rule"]].title) if each["rule"] in known else {},
            citation=known[each["rule"]].citation if each["rule"] in known else "",
            force=known[each["rule"]].force if each["rule"] in known else "",
            reason=each["reason"],
            read=each["read"],
            instead=dict(substitute(each["rule"])) if each["reason"] else {},
        )
        for each in judged
    ]
