"""Reads variables of the environment one at a time, and names the variable in every refusal."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from shared.vault import KEY_BYTES

Decoded = TypeVar("Decoded")


class SettingsError(Exception):
    """A setting is missing, malformed or unsafe; its text is one line for the person who starts the product."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable


class Environment:
    """The variables, and whether a demo is to run in them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._demo = environ.get("FAIRDUE_MODE") == "demo"

    def text(self, variable: str, default: str = "") -> str:
        """The variable without space around it."""
        return self._environ.get(variable, "").strip() or default

    def required(self, variable: str, what: str) -> str:
        """The variable, which must be set. Raises SettingsError."""
        value = self.text(variable)
        if not value:
            raise SettingsError(variable, f"is not set; it needs {what}")
        return value

    def number(self, variable: str, default: int, lowest: int, highest: int) -> int:
        """A whole number. Raises SettingsError."""
        value = self.text(variable, str(default))
        if not value.isdecimal() or not value.isascii() or not lowest <= int(value) <= highest:
            raise SettingsError(variable, f"{value!r} is not a whole number from {lowest} to {highest}")
        return int(value)

    def one_of(self, variable: str, choices: Any, default: str | None) -> Any:
        """One of the words of a Literal. Raises SettingsError."""
        value = self.text(variable) or default
        allowed = choices.__args__
        if value is not None and value not in allowed:
            raise SettingsError(variable, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def json(self, variable: str, form: type[Decoded], what: str) -> Decoded:
        """A document of a form. Raises SettingsError."""
        try:
            return msgspec.json.decode(self.required(variable, what), type=form)
        except msgspec.DecodeError as error:
            reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
            raise SettingsError(variable, f"needs {what}: {reason}") from None

    def key(self, variable: str, demo: bytes, *, needed: bool = True) -> bytes:
        """A key of 32 bytes; nothing where none is needed. Raises SettingsError."""
        what = f"{KEY_BYTES} random bytes in base64"
        if not self.text(variable) and (self._demo or not needed):
            return demo if self._demo else b""
        try:
            key = base64.b64decode(self.required(variable, what), validate=True)
        except binascii.Error:
            raise SettingsError(variable, f"needs {what}") from None
        if len(key) != KEY_BYTES:
            raise SettingsError(variable, f"needs {what}, not {len(key)}")
        return key
