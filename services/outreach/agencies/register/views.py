"""How agencies are shown to staff."""

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from services.outreach.agencies.register.domain import Alg, Scope, State


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AgencyView(_View):
    """An agency as the register has it."""

    agency_id: str
    name: str
    state: State
    state_reason: str = Field(description="Why it is suspended, or was resumed; empty where it never was.")
    licence_number: str
    licence_until: date
    contract_number: str
    contract_from: date
    contract_until: date
    last_evaluation_on: date | None
    trained_until: date | None
    published: bool
    capacity: int
    commission_ppm: list[int]
    scopes: list[Scope]
    complaints: int
    listed_by: str
    listed_at: datetime
    changed_by: str
    changed_at: datetime


class KeyView(_View):
    """A public key that clients of the agency sign with."""

    kid: str
    alg: Alg
    added_by: str
    added_at: datetime
    removed_by: str
    removed_at: datetime | None


class ApiKeyView(_View):
    """An API key, by its first part: nobody can show the whole."""

    prefix: str
    scopes: list[Scope]
    expires_at: datetime
    issued_by: str
    issued_at: datetime
    revoked_by: str
    revoked_at: datetime | None


class AgencyEntryView(_View):
    """One step of an agency's way."""

    step: str
    actor: str
    at: datetime
    content: dict[str, Any] = Field(description="What was said, as it was said.")


class WholeAgencyView(AgencyView):
    """An agency with its keys, and all that was done with it, in order."""

    keys: list[KeyView]
    api_keys: list[ApiKeyView]
    entries: list[AgencyEntryView]
