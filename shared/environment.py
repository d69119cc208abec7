"""The environment, read one variable at a time, with every refusal in one line that names the variable.

What is secret may lie in a file instead, as container engines hand secrets over: `NAME_FILE` then says where.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from shared.vault import KEY_BYTES


class SettingsError(Exception):
    """A setting is missing, malformed or unsafe; its text is one line for the person who starts the product."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable


SECRETS: Final = (
    *("FAIRDUE_PERSONAL_DATA_KEY", "FAIRDUE_KEY_ENCRYPTION_KEY", "FAIRDUE_INDEX_KEY", "FAIRDUE_API_TOKENS"),
    *("KAFKA_SASL_PASSWORD", "FAIRDUE_SMTP_URL", "FAIRDUE_SMS_TOKEN"),
)
DATABASE_URL: Final = "DATABASE_URL_"

Decoded = TypeVar("Decoded")


class Environment:
    """Reads one variable at a time and names it in every refusal."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.demo = environ.get("FAIRDUE_MODE") == "demo"

    def text(self, variable: str, default: str = "") -> str:
        """A variable's value, or what its file holds, without blanks around it."""
        value, file = (self._environ.get(name, "").strip() for name in (variable, f"{variable}_FILE"))
        if file and (variable in SECRETS or variable.startswith(DATABASE_URL)):
            if value:
                raise SettingsError(variable, f"is set twice: by itself and by {variable}_FILE")
            value = _content(f"{variable}_FILE", Path(file))
        return value or default

    def file(self, variable: str) -> Path | None:
        """A file that is there; None where nothing is set."""
        if not self.text(variable):
            return None
        file = Path(self.text(variable))
        if not file.is_file():
            raise SettingsError(variable, "there is no such file")
        return file

    def required(self, variable: str, what: str) -> str:
        """A value that must be there; `what` says what it is."""
        value = self.text(variable)
        if not value:
            raise SettingsError(variable, f"is not set; it needs {what}")
        return value

    def number(self, variable: str, default: int, lowest: int, highest: int) -> int:
        """A whole number within bounds."""
        value = self.text(variable, str(default))
        if not value.isdecimal() or not value.isascii() or not lowest <= int(value) <= highest:
            raise SettingsError(variable, f"{value!r} is not a whole number from {lowest} to {highest}")
        return int(value)

    def one_of(self, variable: str, choices: Any, default: str | None) -> Any:
        """One of the values of a literal type."""
        value = self.text(variable) or default
        allowed = choices.__args__
        if value is not None and value not in allowed:
            raise SettingsError(variable, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def json(self, variable: str, form: type[Decoded], what: str) -> Decoded:
        """A JSON text of a form."""
        try:
            return msgspec.json.decode(self.required(variable, what), type=form)
        except msgspec.DecodeError as error:
            reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"
            raise SettingsError(variable, f"needs {what}: {reason}") from None

    def key(self, variable: str, demo: bytes, *, needed: bool = True) -> bytes:
        """A key of 32 bytes; nothing where none is needed. Raises SettingsError."""
        what = f"{KEY_BYTES} random bytes in base64"
        if not self.text(variable) and (self.demo or not needed):
            return demo if self.demo else b""
        try:
            key = base64.b64decode(self.required(variable, what), validate=True)
        except binascii.Error:
            raise SettingsError(variable, f"needs {what}") from None
        if len(key) != KEY_BYTES:
            raise SettingsError(variable, f"needs {what}, not {len(key)}")
        return key


def _content(variable: str, file: Path) -> str:
    try:
        content = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(variable, f"{file} cannot be read: {type(error).__name__}") from None
    if not content:
        raise SettingsError(variable, f"{file} is empty")
    return content
