"""What staff send about agencies."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.outreach.agencies.register.domain import Scope
from shared.contracts.reasons import REASON_LENGTH, REASON_PATTERN
from shared.http.inputs import WHOLE, Instant, IsoDate

AGENCY_PATTERN = "^[a-z][a-z0-9-]{1,39}$"
NAME_PATTERN = "^[0-9A-Za-z_.-]{1,64}$"
PREFIX_PATTERN = "^[0-9a-f]{12}$"

AgencyId = Annotated[str, Path(pattern=AGENCY_PATTERN, description="The agency's id.")]
"""Of which agency a route is."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]*$")]
Kid = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Coordinate = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{43}$")]
"""32 bytes, as a JWK writes them."""
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TermsBody(_Body):
    """What an agency is listed with."""

    name: Text
    licence_number: Text
    licence_until: IsoDate = Field(description="The last day of its licence.")
    contract_number: Text
    contract_from: IsoDate
    contract_until: IsoDate = Field(description="The last day of the contract.")
    last_evaluation_on: IsoDate | None = None
    trained_until: IsoDate | None = None
    published: bool = Field(strict=True, description="Whether it is on the public list of agencies.")
    capacity: Annotated[int, Field(ge=0, le=1_000_000, description="The cases of one lender that it may hold."), WHOLE]
    commission_ppm: list[Annotated[int, Field(ge=0, le=1_000_000), WHOLE]] = Field(
        min_length=1, max_length=9, description="Its share of payments in millionths, by tier; the first is tier 1."
    )
    scopes: Scopes = Field(default_factory=lambda: list(Scope), description="What its machines may ask for.")


class NewAgencyBody(TermsBody):
    """An agency that the register does not have yet, under an id that stays."""

    agency_id: Annotated[str, StringConstraints(pattern=AGENCY_PATTERN)]


class ReasonBody(_Body):
    """Why, in plain words without digits."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]


class Ed25519Body(_Body):
    """A public key of Ed25519, as a JWK; a private member is refused."""

    kid: Kid
    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: Coordinate
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"


class P256Body(_Body):
    """A public key of P-256, as a JWK; a private member is refused."""

    kid: Kid
    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate
    alg: Literal["ES256"] = "ES256"
    use: Literal["sig"] = "sig"


KeyBody = Annotated[Ed25519Body | P256Body, Field(discriminator="kty")]


class ApiKeyBody(_Body):
    """What an API key is to be good for, and until when: a year at most."""

    scopes: Scopes
    expires_at: Instant
