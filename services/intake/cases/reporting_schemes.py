"""Reads the reporting schemes from YAML."""

from pathlib import Path

import msgspec

from services.intake.cases.domain.reporting import Range, Scheme, SchemeError, Schemes
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent.parent / "reporting_schemes.yaml"


class _Ranges(Form, frozen=True):
    ranges: list[Range]
    portfolios: list[str] = msgspec.field(default_factory=list)


class _File(Form, frozen=True):
    version: int
    default: str
    schemes: dict[str, _Ranges]


def load(path: Path = FILE) -> Schemes:
    """The schemes in a file. Raises WrongDataError, in one line that names the file and the part at fault."""
    try:
        return _schemes(read(path, _File))
    except SchemeError as error:
        raise WrongDataError(f"{path.name}: {error}") from None


def _schemes(content: _File) -> Schemes:
    schemes = {name: Scheme(name, tuple(entry.ranges)) for name, entry in content.schemes.items()}
    if content.default not in schemes:
        raise SchemeError(f"default: there is no scheme {content.default}")
    by_portfolio: dict[str, Scheme] = {}
    for name, entry in content.schemes.items():
        for portfolio in entry.portfolios:
            if portfolio in by_portfolio:
                raise SchemeError(f"portfolio {portfolio}: has two schemes, {by_portfolio[portfolio].name} and {name}")
            by_portfolio[portfolio] = schemes[name]
    return Schemes(content.version, schemes[content.default], by_portfolio)
