"""Whether a permit that is shown may be used now: for staff any, for a holder who is named its own alone."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.contacts.domain.rows import ContactState
from services.outreach.contacts.permits import NoPermitError, Permit, Signer, opened
from shared.http.inputs import NO_NUL

CONTACT = text("""
    SELECT state, reason FROM contact
    WHERE debtor_id = :debtor_id AND contact_id = :contact_id
      AND (CAST(:holder AS text) IS NULL OR asked_by = :holder)
""")


class ShownPermit(BaseModel):
    """A permit as it is shown."""

    model_config = ConfigDict(extra="forbid")

    permit: Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=NO_NUL)]


class CheckedView(BaseModel):
    """Whether a contact may begin now under the permit that was shown. What it says is told only if it is ours."""

    model_config = ConfigDict(extra="forbid")

    genuine: bool = Field(description="We have signed it, as it stands.")
    live: bool = Field(description="It may be used now, once.")
    reason: str = Field(description="Why it may not; empty where it may.")
    contact_id: str | None = None
    debtor_id: str | None = None
    channel: str | None = None
    purpose: str | None = None
    party: str | None = None
    contact_point: str | None = None
    held_by: str | None = Field(default=None, description="Who may use it, and nobody else.")
    expires_at: datetime | None = None


async def checked(
    body: ShownPermit, signer: Signer, now: datetime, connection: AsyncConnection, *, holder: str | None = None
) -> CheckedView:
    """What is to be said of a permit that is shown.

    holder: who asks, where they may ask about their own permits only; another's is answered as none of ours.
    """
    try:
        permit = opened(body.permit, signer.public_key)
    except NoPermitError:
        return _NO_PERMIT
    if holder not in {None, permit.held_by}:
        return _NO_PERMIT
    key = {"debtor_id": permit.debtor_id, "contact_id": permit.permit_id, "holder": holder}
    return _view(permit, _why_not(permit, (await connection.execute(CONTACT, key)).first(), now))


def _why_not(permit: Permit, contact: Any, now: datetime) -> str:
    """Why a permit of ours may not be used; the ledger knows best, since a stop takes permits back at once."""
    if contact is None:
        return "the ledger does not know it"
    if contact.state == ContactState.NOT_MADE:
        return str(contact.reason)
    if contact.state != ContactState.SENDING:
        return "it was used"
    return "" if now < permit.expires_at else "it has expired"


def _view(permit: Permit, reason: str) -> CheckedView:
    return CheckedView(
        genuine=True,
        live=not reason,
        reason=reason,
        contact_id=permit.permit_id,
        debtor_id=permit.debtor_id,
        channel=permit.channel,
        purpose=permit.purpose,
        party=permit.party,
        contact_point=permit.contact_point,
        held_by=permit.held_by,
        expires_at=permit.expires_at,
    )


_NO_PERMIT = CheckedView(genuine=False, live=False, reason="this is no permit of ours")
