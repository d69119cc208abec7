"""Known vulnerabilities of what is locked: from a file of OSV records, or from whatever source pip-audit reaches."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.version import InvalidVersion, Version

from deploy.dependencies.locks import Pin, plain

SECONDS: Final = 15


class Looked(NamedTuple):
    """What was found, and where was looked; `where` is "" where nobody was asked, and `why` then says why not."""

    found: list[str]
    where: str
    why: str = ""


def in_file(pins: Iterable[Pin], file: Path) -> Looked:
    """Hold pins against a file of OSV records: a list of them in JSON. Raises ValueError, OSError."""
    records = json.loads(file.read_text())
    if not isinstance(records, list) or not all(isinstance(each, dict) and "id" in each for each in records):
        raise ValueError("needs a list of OSV records in JSON")
    found = [
        f"{pin.name} {pin.version}: {record['id']}"
        for pin in pins
        for record in records
        if any(_touches(affected, pin) for affected in record.get("affected", ()))
    ]
    return Looked(found, f"{len(records)} advisories of {file}")


def _touches(affected: Mapping[str, Any], pin: Pin) -> bool:
    package = affected.get("package", {})
    if package.get("ecosystem") != "PyPI" or plain(package.get("name", "")) != pin.name:
        return False
    if pin.version in affected.get("versions", ()):
        return True
    ranges = [each["events"] for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM"]
    try:
        return any(_within(events, Version(pin.version)) for events in ranges)
    except InvalidVersion:
        return True  # nobody can say that it is not: somebody looks


def _within(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    """Whether a version lies in a range, whose events stand in order."""
    inside = False
    for event in events:
        if "introduced" in event:
            inside |= event["introduced"] == "0" or version >= Version(event["introduced"])
        if "fixed" in event:
            inside &= version < Version(event["fixed"])
        if "last_affected" in event:
            inside &= version <= Version(event["last_affected"])
    return inside


def by_pip_audit(lock: Path) -> Looked:
    """Have pip-audit ask its source, where it is installed and its source answers for everything."""
    program = shutil.which("pip-audit")
    if program is None:
        return Looked([], "", "pip-audit is not installed")
    command = [program, "--requirement", str(lock), "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return Looked([], "", "pip-audit got no answer in time")
    return answered(ended.stdout)


def answered(output: str) -> Looked:
    """What an answer of pip-audit says; one that has left anything out is no answer."""
    try:
        listed = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Looked([], "", "pip-audit reached no source")
    left_out = [each["name"] for each in listed if "skip_reason" in each]
    if left_out or not listed:
        return Looked([], "", f"the source of pip-audit knows {len(listed) - len(left_out)} of {len(listed)}")
    found = [f"{each['name']} {each['version']}: {one['id']}" for each in listed for one in each["vulns"]]
    return Looked(found, "pip-audit")
