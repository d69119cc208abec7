"""The file of what the house goes by, and the queries of the routes.

Every query of an agency's names the agency, beside what the database lets its role see.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import text

from services.outreach.agencies.placements.domain.placement import Practice
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent / "placements.yaml"

_Days = Annotated[int, msgspec.Meta(ge=1, le=3660)]


class _ObjectionForm(Form, frozen=True):
    least: _Days
    most: _Days


class _PlacementsForm(Form, frozen=True):
    version: str
    answer_days: _Days
    most_days: _Days
    objection_days: _ObjectionForm


def read_practice(zones: Mapping[str, str], file: Path = FILE) -> Practice:
    """What the house goes by in placing cases. Raises WrongDataError, one line with the field."""
    form = read(file, _PlacementsForm)
    if form.objection_days.least > form.objection_days.most:
        raise WrongDataError(f"{file.name}: objection_days has a least that is above its most")
    return Practice(form.answer_days, form.most_days, form.objection_days.least, form.objection_days.most, zones)


# -- of one agency -----------------------------------------------------------------------------------------------------

PLACE = text("SELECT debtor_id, lender_id FROM placement WHERE agency_id = :agency AND placement_id = :placement_id")

_VIEW = """
    SELECT p.*, COALESCE(p.ended_on, c.business_date) - CAST(p.owed ->> 'oldest_due_on' AS date) AS days_past_due
    FROM placement AS p
    LEFT JOIN lane_clock AS c ON c.kind = 'lane' AND c.number = p.shard AND c.lender_id = p.lender_id
"""

PLACEMENT = text(f"{_VIEW} WHERE p.agency_id = :agency AND p.placement_id = :placement_id")

PLACEMENTS = text(f"""
    {_VIEW}
    WHERE p.agency_id = :agency AND (CAST(:state AS text) IS NULL OR p.state = :state)
      AND (CAST(:after AS text) IS NULL OR p.placement_id > :after)
    ORDER BY p.placement_id LIMIT :limit
""")

# Up to a page of each shard, and of these the first: what is left out of a shard lies behind what is shown of it.
CHANGES = text("""
    SELECT found.* FROM unnest(CAST(:shards AS int[]), CAST(:seen AS bigint[])) AS asked (shard, seen)
    CROSS JOIN LATERAL (
        SELECT * FROM placement_change
        WHERE agency_id = :agency AND shard = asked.shard AND id > asked.seen ORDER BY id LIMIT :limit
    ) AS found
    ORDER BY found.id LIMIT :limit
""")

SUMS = text("""
    SELECT tier, currency,
           COALESCE(sum(amount) FILTER (WHERE amount > 0), 0)::bigint AS collected,
           COALESCE(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint AS reversed,
           COALESCE(sum(commission) FILTER (WHERE amount > 0), 0)::bigint AS commission,
           COALESCE(-sum(commission) FILTER (WHERE amount < 0), 0)::bigint AS claw_back,
           sum(commission)::bigint AS net
    FROM agency_credit WHERE agency_id = :agency AND posted_on >= :first AND posted_on < :following
    GROUP BY tier, currency ORDER BY tier, currency
""")

LINES = text("""
    SELECT * FROM agency_credit
    WHERE agency_id = :agency AND posted_on >= :first AND posted_on < :following
      AND id > CAST(:after AS bigint)
    ORDER BY id LIMIT :limit
""")

# -- for staff ---------------------------------------------------------------------------------------------------------

PLACEMENTS_OF = text(
    f"{_VIEW} WHERE p.debtor_id = :debtor_id ORDER BY p.settled, p.offered_at DESC, p.placement_id LIMIT 100"
)
