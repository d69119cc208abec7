"""What supervisors say of agencies; each is about the agency whose id owns the command."""

from datetime import date, datetime

import msgspec

from services.outreach.agencies.register.domain import Alg, Scope
from shared.contracts.reasons import Reason


class AgencyTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that an agency is listed with; `capacity` is how many cases it may hold at a time."""

    name: str
    licence_number: str
    licence_until: date
    contract_number: str
    contract_from: date
    contract_until: date
    last_evaluation_on: date | None
    trained_until: date | None
    published: bool
    capacity: int
    commission_ppm: tuple[int, ...]
    scopes: tuple[Scope, ...]


class ListAgency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency is new in the register, and may work within its terms."""

    terms: AgencyTerms


class ChangeAgency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency is in the register with other terms from now on."""

    terms: AgencyTerms


class SuspendAgency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency may do nothing until it is resumed."""

    reason: Reason


class ResumeAgency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agency may work again, within its terms."""

    reason: Reason


class RecordComplaint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody has complained about an agency."""

    reason: Reason


class AddKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key that the agency's clients sign with; `jwk` has its public members alone."""

    kid: str
    alg: Alg
    jwk: dict[str, str]


class RemoveKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed with this key is to count no more."""

    kid: str
    reason: Reason


class IssueApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key, by its first part and the SHA-256 of the whole: the key itself is seen by nobody but its owner."""

    prefix: str
    sha256: str
    scopes: tuple[Scope, ...]
    expires_at: datetime


class RevokeApiKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API key is to open nothing any more."""

    prefix: str
    reason: Reason
