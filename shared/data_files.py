"""Reads the data files that services decide by; a wrong one is refused with one line that names file and part."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

FormT = TypeVar("FormT")


class WrongDataError(ValueError):
    """A data file cannot be used; the text is one line for the person who changed it."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shape of a part of a data file; a misspelt field is refused."""


def read(file: Path, form: type[FormT]) -> FormT:
    """The content of a YAML file as `form`. Raises WrongDataError."""
    try:
        content: Any = yaml.safe_load(file.read_text("utf-8"))
        return msgspec.convert(content, form)
    except (OSError, UnicodeError) as error:
        raise WrongDataError(f"{file.name}: cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise WrongDataError(f"{file.name}: not YAML{place}") from None
    except msgspec.ValidationError as error:
        raise WrongDataError(f"{file.name}: {error}") from None


def refuse_twice(file: str, what: str, names: Iterable[object]) -> None:
    """Refuse a file in which a name that is to be the only one of its kind occurs again. Raises WrongDataError."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise WrongDataError(f"{file}: {what} {twice[0]} occurs more than once")
