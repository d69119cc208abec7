"""Reads how channels are worked, and joins that with the rules of contact by jurisdiction."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from services.outreach.compliance.domain.words import Channel, Mode
from services.outreach.compliance.store import shipped
from services.outreach.contacts.domain.judging import Line, Rules
from shared.carriers import CHANNELS
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent / "channels.yaml"


class _ChannelForm(Form, frozen=True):
    channel: str
    worked_as: Channel = msgspec.field(name="as")
    mode: Mode | None = None
    attributes: Mapping[str, Any] = {}
    queue: str = ""


class _ChannelsForm(Form, frozen=True):
    version: str
    channels: tuple[_ChannelForm, ...]


def read_lines(file: Path = FILE) -> Mapping[str, Line]:
    """How each channel of plans is worked. Raises WrongDataError, one line with the channel."""
    lines: dict[str, Line] = {}
    for form in read(file, _ChannelsForm).channels:
        if form.channel in lines:
            raise WrongDataError(f"{file.name}: {form.channel} occurs more than once")
        lines[form.channel] = Line(form.worked_as, form.mode, dict(form.attributes), form.queue)
    return lines


def rules_of(zones: Mapping[str, str], channels: Collection[str] = CHANNELS) -> Mapping[str, Rules]:
    """What contacts by these channels are judged by, for each jurisdiction of which rules and a zone are known."""
    packs, lines = shipped(), {name: line for name, line in read_lines().items() if name in channels}
    return {code: Rules(packs[code], zone, lines) for code, zone in zones.items() if code in packs}
