"""Reads the rules of the data gate from YAML."""

from pathlib import Path
from typing import Annotated

import msgspec

from services.intake.verification.domain import Amounts, Gate, GateError, Rule
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent / "gate.yaml"

_Amount = Annotated[int, msgspec.Meta(ge=0, le=10**18)]


class _AmountsForm(Form, frozen=True):
    least: _Amount
    most: _Amount


class _RuleForm(Form, frozen=True):
    rule: str
    sentence: Annotated[str, msgspec.Meta(min_length=1)]
    stops_running: bool = False
    days: Annotated[int, msgspec.Meta(ge=0, le=36_525)] = 0
    amounts: dict[str, _AmountsForm] = msgspec.field(default_factory=dict)


class _GateForm(Form, frozen=True):
    version: str
    rules: tuple[_RuleForm, ...]


def load(path: Path = FILE) -> Gate:
    """The rules in a file. Raises WrongDataError, in one line that names the file and the rule."""
    try:
        return Gate(tuple(_rule(form) for form in read(path, _GateForm).rules))
    except GateError as error:
        raise WrongDataError(f"{path.name}: {error}") from None


def _rule(form: _RuleForm) -> Rule:
    amounts = {currency: Amounts(each.least, each.most) for currency, each in form.amounts.items()}
    return Rule(form.rule, form.sentence, form.stops_running, form.days, amounts)
