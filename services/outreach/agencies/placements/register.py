"""What a lane knows of an agency: the register's last word of it, which it keeps as a directive."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol, cast

from services.outreach.agencies.placements.domain.agency import AgencyStanding
from shared.contracts.envelope import Moment


class Listed(Protocol):
    """What is needed of the register's word: until when an agency is licensed and under contract, and its share."""

    @property
    def suspended(self) -> bool: ...
    @property
    def licensed_until(self) -> date: ...
    @property
    def contract_from(self) -> date: ...
    @property
    def contract_until(self) -> date: ...
    @property
    def commission_ppm(self) -> Sequence[int]: ...
    @property
    def on_published_list(self) -> bool | None: ...
    @property
    def last_evaluation(self) -> date | None: ...
    @property
    def training_current(self) -> bool | None: ...


def directive_of(agency_id: str) -> str:
    """The name of the directive that has the register's word of an agency."""
    return f"agency/{agency_id}"


def standing_of(now: Moment, agency_id: str) -> AgencyStanding | None:
    """How an agency stands by what the lane was told; None for one that is not on the register."""
    found = now.directives.get(directive_of(agency_id))
    if found is None:
        return None
    listed = cast("Listed", found)
    return AgencyStanding(
        agency_id=agency_id,
        suspended=listed.suspended,
        licensed_until=listed.licensed_until,
        contract_from=listed.contract_from,
        contract_until=listed.contract_until,
        commission_ppm=tuple(listed.commission_ppm),
        on_published_list=listed.on_published_list,
        last_evaluation=listed.last_evaluation,
        training_current=listed.training_current,
    )
