"""Reads the screening data from its file, and refuses what contradicts itself."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from services.legal.domain import Screening, WrongDataError
from shared.contracts.envelope import CurrencyCode

FILE = Path(__file__).parent / "screening.yaml"


class _MinimumForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    minor_units: dict[CurrencyCode, int]


class _LimitationForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    years: Annotated[int, msgspec.Meta(le=100)]


class _ScreeningForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    source: str
    minimum_claim: _MinimumForm
    limitation_period: _LimitationForm


def load_screening(file: Path = FILE) -> Screening:
    """The screening data of a file. Raises WrongDataError, one line that names the file."""
    form = _read(file)
    limitation = form.limitation_period
    try:
        return Screening(form.version, form.minimum_claim.minor_units, limitation.years, limitation.source)
    except WrongDataError as error:
        raise WrongDataError(f"{file.name}: {error}") from None


def _read(file: Path) -> _ScreeningForm:
    try:
        content: Any = yaml.safe_load(file.read_text("utf-8"))
        return msgspec.convert(content, _ScreeningForm)
    except (OSError, UnicodeError) as error:
        raise WrongDataError(f"{file.name}: cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError as error:
        raise WrongDataError(f"{file.name}: not YAML{_place(error)}") from None
    except msgspec.ValidationError as error:
        raise WrongDataError(f"{file.name}: {error}") from None


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1})" if mark is not None else ""
