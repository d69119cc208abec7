"""What staff decide about what the data gate has found."""

from datetime import date
from enum import StrEnum
from typing import Annotated

import msgspec

from shared.contracts.core_banking import Instalment
from shared.contracts.envelope import CurrencyCode, MinorUnits
from shared.contracts.reasons import Reason


class Choice(StrEnum):
    """It is right as the bank says; it is wrong, and this is right; it is wrong, and the case is not to be worked."""

    APPROVE = "approve"
    CORRECT = "correct"
    REJECT = "reject"


class Corrected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is right in the place of what the bank said; what is left out is right as it stands."""

    as_of: date | None = None
    currency: CurrencyCode | None = None
    outstanding: MinorUnits | None = None
    instalments: Annotated[tuple[Instalment, ...], msgspec.Meta(max_length=1_000)] | None = None


class DecideVerification(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person has looked at a verification, in the revision that they name, and has decided."""

    verification_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    revision: Annotated[int, msgspec.Meta(ge=1)]
    choice: Choice
    reason: Reason
    corrected: Corrected | None = None
