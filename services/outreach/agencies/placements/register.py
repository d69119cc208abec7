"""What a lane knows of an agency: the register's last word of it, which it keeps as a directive."""

from collections.abc import Mapping

from services.outreach.agencies.placements.domain.agency import AgencyStanding
from services.outreach.agencies.register.domain import kept_as
from shared.contracts.agencies import AgencyListed
from shared.contracts.envelope import Moment


def standing_of(now: Moment, agency_id: str) -> AgencyStanding | None:
    """How an agency stands by what the lane was told; None for one that is not on the register."""
    listed = now.directives.get(kept_as(agency_id))
    return _standing(listed) if isinstance(listed, AgencyListed) else None


def standings(now: Moment) -> Mapping[str, AgencyStanding]:
    """How every agency stands that the lane was told of, by its id."""
    listed = (each for each in now.directives.values() if isinstance(each, AgencyListed))
    return {each.agency_id: _standing(each) for each in listed}


def _standing(listed: AgencyListed) -> AgencyStanding:
    return AgencyStanding(
        agency_id=listed.agency_id,
        state=listed.state,
        licence_until=listed.licence_until,
        contract_from=listed.contract_from,
        contract_until=listed.contract_until,
        commission_ppm=listed.commission_ppm,
        capacity=listed.capacity,
        on_published_list=listed.published,
        last_evaluation=listed.last_evaluation_on,
        trained_until=listed.trained_until,
    )
