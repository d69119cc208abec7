"""Reads the screening data from its file, and refuses what contradicts itself."""

from pathlib import Path
from typing import Annotated

import msgspec

from services.legal.domain import ContradictionError, Screening
from shared.contracts.envelope import CurrencyCode
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent / "screening.yaml"


class _MinimumForm(Form, frozen=True):
    source: str
    minor_units: dict[CurrencyCode, int]


class _LimitationForm(Form, frozen=True):
    source: str
    years: Annotated[int, msgspec.Meta(le=100)]


class _ScreeningForm(Form, frozen=True):
    version: str
    source: str
    minimum_claim: _MinimumForm
    limitation_period: _LimitationForm


def load_screening(file: Path = FILE) -> Screening:
    """The screening data of a file. Raises WrongDataError, one line that names the file."""
    form = read(file, _ScreeningForm)
    limitation = form.limitation_period
    try:
        return Screening(form.version, form.minimum_claim.minor_units, limitation.years, limitation.source)
    except ContradictionError as error:
        raise WrongDataError(f"{file.name}: {error}") from None
