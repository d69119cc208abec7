"""What staff can ask about matters."""

from typing import Annotated

import msgspec

from shared.contracts.envelope import Identifier
from shared.contracts.outreach import MatterKind
from shared.contracts.reasons import Reason


class RaiseMatter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something has come up without a contact: a letter, a call of the debtor's own, a regulator."""

    kind: MatterKind
    loan_id: Identifier | None = None


class ResolveMatter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A matter was seen to, and how."""

    matter_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    reason: Reason
