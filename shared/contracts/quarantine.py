"""What any service tells when it can no longer trust its own state of a debtor; these travel on every topic."""

from collections.abc import Mapping

from shared.contracts.envelope import Fact


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
