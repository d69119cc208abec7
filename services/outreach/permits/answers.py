"""What people are answered who ask for a permit: the permit, signed, or every rule that stands in the way."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.asking import fact
from services.outreach.contacts.api import RuleView, rules_of
from services.outreach.contacts.permits import Permit, Signer
from shared.contracts import outreach
from shared.http.problems import Problem, ProblemDetails

TITLE = "Not permitted"


class PermitAnswer(BaseModel):
    """A permit to make one contact, and what it was judged by."""

    model_config = ConfigDict(extra="forbid")

    contact_id: str
    permit: str = Field(description="The signed document, to be shown by whoever makes the contact.")
    channel: str
    purpose: str
    party: str
    permitted_at: datetime
    expires_at: datetime = Field(description="The contact must have begun by then.")
    report_by: datetime = Field(
        description="Until then it can be said how the contact ended, or that it was not made; then it counts as made."
    )
    pack: str
    pack_version: str
    rules: list[RuleView] = Field(description="Every rule that was read, with what it found.")


class NotPermitted(ProblemDetails):
    """Why a contact is not allowed. Where something stands above all rules (a hold, say), there is only `detail`."""

    rules: list[RuleView] | None = Field(default=None, description="Every rule that stands in the way.")
    pack: str | None = None
    pack_version: str | None = None
    next_allowed: datetime | None = Field(
        default=None, description="When the rules next allow it if nothing else happens; missing where waiting is vain."
    )


REFUSED: dict[int | str, dict[str, Any]] = {409: {"model": NotPermitted, "description": "Not permitted, and why."}}
"""How routes that ask for a permit describe a refusal."""


def permit_in(answer: dict[str, Any], debtor_id: str, signer: Signer) -> PermitAnswer:
    """The permit that an actor has granted, signed. Raises Problem 409 where its rules do not allow the contact."""
    denied = fact(answer, "outreach.contact-denied.v1")
    if denied:
        raise _not_permitted(msgspec.convert(denied, outreach.ContactDenied))
    granted = msgspec.convert(fact(answer, "outreach.permit-granted.v1"), outreach.PermitGranted)
    return PermitAnswer(
        contact_id=granted.contact_id,
        permit=signer.signed(_document(granted, debtor_id)),
        channel=granted.channel,
        purpose=granted.purpose,
        party=granted.party,
        permitted_at=granted.permitted_at,
        expires_at=granted.expires_at,
        report_by=granted.report_by,
        pack=granted.pack,
        pack_version=granted.pack_version,
        rules=_views(granted.pack, granted.rules),
    )


def _document(granted: outreach.PermitGranted, debtor_id: str) -> Permit:
    return Permit(
        permit_id=granted.contact_id,
        debtor_id=debtor_id,
        channel=granted.channel,
        purpose=granted.purpose,
        key=granted.idempotency_key,
        pack=granted.pack,
        pack_version=granted.pack_version,
        permitted_at=granted.permitted_at,
        expires_at=granted.expires_at,
        party=granted.party,
        contact_point=granted.contact_point,
        held_by=granted.asked_by,
    )


def _not_permitted(denied: outreach.ContactDenied) -> Problem:
    found = NotPermitted(
        type="",
        title=TITLE,
        status=409,
        rules=_views(denied.pack, denied.findings),
        pack=denied.pack,
        pack_version=denied.pack_version,
        next_allowed=denied.next_allowed,
    )
    members = found.model_dump(mode="json", include={"rules", "pack", "pack_version", "next_allowed"})
    detail = f"Rules of contact stand in the way: {', '.join(denied.rules)}."
    return Problem(409, TITLE, detail, members={name: each for name, each in members.items() if each is not None})


def _views(pack: str, rules: Iterable[outreach.RuleRead]) -> list[RuleView]:
    return rules_of(pack, [msgspec.to_builtins(each) for each in rules])
