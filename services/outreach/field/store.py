"""Field: the files of crews and districts."""

from pathlib import Path
from typing import Annotated

import msgspec

from services.outreach.field.domain import Crew, District, Field
from shared.data_files import Form, WrongDataError, read, refuse_twice

FOLDER = Path(__file__).parent


class _DistrictForm(Form, frozen=True):
    code: str
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    jurisdiction: str


class _DistrictsForm(Form, frozen=True):
    version: str
    source: str
    districts: tuple[_DistrictForm, ...]


class _BaseForm(Form, frozen=True):
    district: str
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]


class _CrewForm(Form, frozen=True):
    code: str
    members: tuple[str, str]
    base: _BaseForm
    capacity: Annotated[int, msgspec.Meta(ge=0, le=1_000)]
    jurisdictions: tuple[str, ...]


class _CrewsForm(Form, frozen=True):
    version: str
    crews: tuple[_CrewForm, ...]


def read_field(folder: Path = FOLDER) -> Field:
    """The crews and districts in `crews.yaml` and `districts.yaml`. Raises WrongDataError, one line with the part."""
    crews, districts = read(folder / "crews.yaml", _CrewsForm), read(folder / "districts.yaml", _DistrictsForm)
    _check(crews, districts)
    return Field(
        version=f"crews {crews.version}, districts {districts.version}",
        crews=tuple(
            Crew(c.code, c.members, c.base.district, c.base.latitude, c.base.longitude, c.capacity, c.jurisdictions)
            for c in crews.crews
        ),
        districts=tuple(District(d.code, d.jurisdiction, d.latitude, d.longitude) for d in districts.districts),
    )


def _check(crews: _CrewsForm, districts: _DistrictsForm) -> None:
    known = {district.code for district in districts.districts}
    refuse_twice("districts.yaml", "district", (district.code for district in districts.districts))
    refuse_twice("crews.yaml", "crew", (crew.code for crew in crews.crews))
    refuse_twice("crews.yaml", "member", (member for crew in crews.crews for member in crew.members))
    for crew in crews.crews:
        if crew.base.district not in known:
            raise WrongDataError(f"crews.yaml: crew {crew.code} has its base in a district that is not known")
