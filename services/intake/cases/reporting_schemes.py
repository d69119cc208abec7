"""Reads the reporting schemes from YAML."""

from pathlib import Path

import msgspec
import yaml

from services.intake.cases.domain.reporting import Range, Scheme, SchemeError, Schemes

FILE = Path(__file__).parent.parent / "reporting_schemes.yaml"


class _Ranges(msgspec.Struct, forbid_unknown_fields=True):
    ranges: list[Range]
    portfolios: list[str] = msgspec.field(default_factory=list)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    default: str
    schemes: dict[str, _Ranges]


def load(path: Path = FILE) -> Schemes:
    """The schemes in a file. Raises SchemeError, in one line that names the file and the part at fault."""
    try:
        content = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), _File)
        return _schemes(content)
    except OSError as error:
        raise SchemeError(f"{path.name}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SchemeError(f"{path.name}: is not YAML: {' '.join(str(error).split())}") from error
    except (msgspec.ValidationError, SchemeError) as error:
        raise SchemeError(f"{path.name}: {error}") from error


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
