"""The file of deadlines, and the queries of the routes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import text

from services.outreach.compliance.domain.words import Force
from services.outreach.matters.domain import Deadline, Deadlines, MatterKind
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent / "matters.yaml"
EVERYWHERE = "*"


class _DeadlineForm(Form, frozen=True):
    jurisdiction: str
    kind: MatterKind
    days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    team: Annotated[str, msgspec.Meta(min_length=1)]
    force: Force
    citation: Annotated[str, msgspec.Meta(min_length=1)]


class _DeadlinesForm(Form, frozen=True):
    version: str
    deadlines: tuple[_DeadlineForm, ...]


def read_deadlines(zones: Mapping[str, str], file: Path = FILE) -> Mapping[str, Deadlines]:
    """The deadlines of each jurisdiction of which a zone is known, and of every other under "*".

    Raises WrongDataError, one line with jurisdiction and kind.
    """
    known: dict[tuple[str, MatterKind], Deadline] = {}
    for form in read(file, _DeadlinesForm).deadlines:
        if (form.jurisdiction, form.kind) in known:
            raise WrongDataError(f"{file.name}: {form.jurisdiction} {form.kind} occurs more than once")
        if form.jurisdiction not in {EVERYWHERE, *zones}:
            raise WrongDataError(f"{file.name}: {form.jurisdiction} {form.kind} has no zone")
        known[form.jurisdiction, form.kind] = Deadline(form.days, form.team, form.force, form.citation)
    missing = [kind for kind in MatterKind if (EVERYWHERE, kind) not in known]
    if missing:
        raise WrongDataError(f"{file.name}: {EVERYWHERE} {missing[0]} is missing")
    return {code: _deadlines(code, zone, known) for code, zone in {**zones, EVERYWHERE: "UTC"}.items()}


def _deadlines(code: str, zone: str, known: Mapping[tuple[str, MatterKind], Deadline]) -> Deadlines:
    return Deadlines(zone, {kind: known.get((code, kind)) or known[EVERYWHERE, kind] for kind in MatterKind})


MATTERS_OF = text(
    "SELECT * FROM matter WHERE debtor_id = :debtor_id ORDER BY settled, opened_at DESC, matter_id LIMIT 100"
)

MATTERS = text("""
    SELECT * FROM matter
    WHERE (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:kind AS text) IS NULL OR kind = :kind)
      AND (debtor_id, matter_id) > (:after_debtor, :after_matter)
    ORDER BY debtor_id, matter_id LIMIT :limit
""")
