"""The file of the rules by which cases are allotted, and the query that compares what agencies make of them."""

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import text

from services.outreach.agencies.allocation.domain import MILLION, AllocationRule
from shared.data_files import Form, WrongDataError, read, refuse_twice

FILE = Path(__file__).parent / "rules.yaml"

_Share = Annotated[int, msgspec.Meta(ge=0, le=MILLION)]
_Some = Annotated[int, msgspec.Meta(ge=1, le=MILLION)]


class _RuleForm(Form, frozen=True):
    version: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    effective_from: date
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)]
    random_share_ppm: _Share
    most_a_day: _Some
    most_share_ppm: _Some
    weights: dict[str, _Some]


class _RulesForm(Form, frozen=True):
    rules: Annotated[tuple[_RuleForm, ...], msgspec.Meta(min_length=1)]


def read_rules(most_days: int, file: Path | None = None) -> tuple[AllocationRule, ...]:
    """The rules of a file, which keep to what the house allows. Raises WrongDataError, one line with the field."""
    file = file or FILE
    rules = tuple(AllocationRule(**msgspec.structs.asdict(form)) for form in read(file, _RulesForm).rules)
    refuse_twice(file.name, "version", (rule.version for rule in rules))
    refuse_twice(file.name, "effective_from", (rule.effective_from for rule in rules))
    long = next((rule for rule in rules if rule.days > most_days), None)
    if long is not None:
        raise WrongDataError(f"{file.name}: days of version {long.version}: a placement lasts {most_days} days at most")
    return rules


COMPARISON = text("""
    WITH came_in AS (
        SELECT placement_id, currency, sum(amount) AS collected, sum(commission) AS commission
        FROM agency_credit GROUP BY placement_id, currency
    )
    SELECT tier, chosen, rule_version, agency_id, currency, count(*) AS cases, sum(amount)::bigint AS placed,
        count(accepted_on) AS accepted, count(*) FILTER (WHERE ended_as = 'paid') AS cured,
        coalesce(sum(collected), 0)::bigint AS collected, coalesce(sum(commission), 0)::bigint AS commission,
        coalesce(floor(sum(collected) * 1000000 / nullif(sum(amount), 0)), 0)::bigint AS liquidation_ppm
    FROM placement LEFT JOIN came_in USING (placement_id, currency)
    WHERE offered_on BETWEEN :first AND :last
    GROUP BY tier, chosen, rule_version, agency_id, currency
    ORDER BY tier, chosen, rule_version, agency_id, currency
""")
"""What came in under the placements that were offered between two business dates, of those in the same currency."""
