"""What any service tells when it can no longer trust its own state of a debtor; these travel on every topic."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from shared.contracts.envelope import Fact

LetterId = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
"""A dead letter's id: what applies it keeps it as a key."""


class Refusal(Fact, frozen=True, kw_only=True, gc=False):
    """An event of this debtor was dead-lettered upstream: whoever applies this parks the debtor's later events."""

    letter_id: LetterId


class Resolution(Fact, frozen=True, kw_only=True, gc=False):
    """That dead letter was replayed or discarded: what was parked may be applied."""

    letter_id: LetterId


class DebtorQuarantined(Fact, frozen=True, kw_only=True, gc=False):
    """An event of this debtor could not be applied; later ones are parked, so nobody may be contacted on them."""

    service: str
    letter_id: str


class DebtorReleased(Fact, frozen=True, kw_only=True, gc=False):
    """The dead letter was replayed or discarded, and what was parked has been applied."""

    service: str
    letter_id: str


FACTS: Mapping[str, type[Fact]] = {
    "quarantine.debtor-quarantined.v1": DebtorQuarantined,
    "quarantine.debtor-released.v1": DebtorReleased,
}
