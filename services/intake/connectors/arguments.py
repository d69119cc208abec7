"""What the commands of intake are given, checked before anything is done."""

import argparse
import re
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.intake.connectors.iso20022.money import IDENTIFIER


def identifier(text: str) -> str:
    """A name of the bank's. Raises ArgumentTypeError."""
    if not IDENTIFIER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no identifier of letters, digits and ._:/@+-")
    return text


def topic(text: str) -> str:
    """The name of a topic. Raises ArgumentTypeError."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,200}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a topic")
    return text


def zone(text: str) -> ZoneInfo:
    """A time zone. Raises ArgumentTypeError."""
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time zone of the IANA list") from None


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression. Raises ArgumentTypeError."""
    try:
        return re.compile(text)
    except re.error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression") from None


def readable_file(text: str) -> Path:
    """A file that is there. Raises ArgumentTypeError."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def folder(text: str) -> Path:
    """A folder that is there. Raises ArgumentTypeError."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text!r}")
    return Path(text)


def writable_file(text: str) -> Path:
    """Where a file can be written. Raises ArgumentTypeError."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written")
    return path
