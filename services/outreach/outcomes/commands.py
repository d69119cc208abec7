"""What staff can say of a contact, in codes and in reasons without digits: nothing here can carry personal data."""

from datetime import date, datetime
from typing import Annotated

import msgspec

from shared.contracts.envelope import CurrencyCode, Identifier
from shared.contracts.outreach import Ability, DelinquencyCause, OutcomeResult, SaidBy, Willingness
from shared.contracts.reasons import Reason
from shared.contracts.segmentation import Channel


class PromiseSaid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sum in minor units, and the day by which it is to be paid."""

    amount: Annotated[int, msgspec.Meta(ge=1, le=10**15)]
    currency: CurrencyCode
    promised_on: date


class OpenChannel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person wants to be reached by a channel again that they had opted out of: how they said so, and why."""

    channel: Channel
    said_by: SaidBy
    reason: Reason


class RecordOutcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of a contact; "unknown" teaches nothing. Opting out is of its own channel unless others are named."""

    contact_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    result: OutcomeResult
    reason_code: DelinquencyCause = DelinquencyCause.UNKNOWN
    ability: Ability = Ability.UNKNOWN
    willingness: Willingness = Willingness.UNKNOWN
    promise: PromiseSaid | None = None
    call_back_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    opts_out_of: tuple[Channel, ...] = ()
    loan_id: Identifier | None = None
