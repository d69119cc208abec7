"""Who carries messages: what may be set, and that production contacts nobody through the sandbox."""

import base64
import json
from pathlib import Path

import pytest

from services.outreach.contacts.adapters.sandbox import SandboxGateway
from services.outreach.sending.guarded import GuardedGateway
from services.outreach.sending.pacing import Pace
from services.outreach.sending.providers import FILE, ways_of
from shared.carriers import SmsService, SmtpServer
from shared.settings import SERVICES, Settings, SettingsError

SENDERS = str(Path(__file__).parents[3] / "services" / "outreach" / "sending" / "senders.yaml")
REAL = {
    "FAIRDUE_DISPATCH": "on",
    "FAIRDUE_CHANNELS": "sms,email",
    "FAIRDUE_SMS_URL": "https://sms.example/v1",
    "FAIRDUE_SMS_TOKEN": "hush",
    "FAIRDUE_SMTP_URL": "smtps://fairdue:h%40sh@mail.example",
    "FAIRDUE_SENDERS": SENDERS,
}
PRODUCTION = {
    "BROKER_URL": "kafka://one:9092",
    "FAIRDUE_UNENCRYPTED_LINES": "allow",
    "FAIRDUE_PERSONAL_DATA_KEY": base64.b64encode(bytes(range(32))).decode(),
    "FAIRDUE_KEY_ENCRYPTION_KEY": base64.b64encode(bytes(range(1, 33))).decode(),
    "FAIRDUE_INDEX_KEY": base64.b64encode(bytes(range(2, 34))).decode(),
    "FAIRDUE_KEY_FILE": "/nowhere/data-keys",
    "FAIRDUE_API_TOKENS": json.dumps([{"name": "Ann", "role": "operator", "token": "s" * 24}]),
    **{f"DATABASE_URL_{name.upper()}": f"postgresql://u:hidden@db/{name}" for name in SERVICES},
    **REAL,
}


def production(**changes: str) -> Settings:
    return Settings.from_environment({name: value for name, value in {**PRODUCTION, **changes}.items() if value})


def test_production_contacts_people_where_every_channel_in_use_is_carried_by_somebody() -> None:
    settings = production()
    assert settings.dispatch
    assert settings.carriers.smtp == SmtpServer("mail.example", 465, "tls", "fairdue", "h@sh")
    assert settings.carriers.sms == SmsService("https://sms.example/v1/", "hush")
    assert "hush" not in repr(settings)
    assert "h@sh" not in repr(settings)


REFUSED = {
    "no channel is named": ({"FAIRDUE_CHANNELS": ""}, "FAIRDUE_CHANNELS: is not set"),
    "calls are among them": ({"FAIRDUE_CHANNELS": "sms,phone"}, "FAIRDUE_CHANNELS: nobody carries phone"),
    "nobody carries one": ({"FAIRDUE_CHANNELS": "sms,letter"}, "FAIRDUE_LETTER_FOLDER: is not set, and the sandbox"),
    "nobody carries another": ({"FAIRDUE_SMTP_URL": ""}, "FAIRDUE_SMTP_URL: is not set, and the sandbox"),
    "nobody is known to write": ({"FAIRDUE_SENDERS": ""}, "FAIRDUE_SENDERS: is not set"),
    "mail would go unencrypted": ({"FAIRDUE_SMTP_URL": "smtp+plain://mail.example"}, "FAIRDUE_SMTP_URL: without"),
    "messages would": ({"FAIRDUE_SMS_URL": "http://sms.example"}, "FAIRDUE_SMS_URL: without"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_production_contacts_nobody_where(case: str) -> None:
    changes, problem = REFUSED[case]
    with pytest.raises(SettingsError, match=f"^{problem}"):
        production(**changes)
    assert not production(**changes, FAIRDUE_DISPATCH="off").dispatch


def test_on_this_machine_nothing_needs_to_be_encrypted() -> None:
    production(FAIRDUE_SMTP_URL="smtp+plain://127.0.0.1:2525", FAIRDUE_SMS_URL="http://localhost:8080/")


WRONG = [
    ("FAIRDUE_CHANNELS", "sms,fax"),
    ("FAIRDUE_CHANNELS", "sms,sms"),
    ("FAIRDUE_SMTP_URL", "mail.example"),
    ("FAIRDUE_SMTP_URL", "http://mail.example"),
    ("FAIRDUE_SMTP_URL", "smtp://mail.example:99999"),
    ("FAIRDUE_SMTP_URL", "smtp://mail.example/x"),
    ("FAIRDUE_SMS_URL", "ftp://sms.example"),
    ("FAIRDUE_SMS_URL", "https://user:hush@sms.example"),
    ("FAIRDUE_SMS_URL", "https://sms.example:99999/"),
    ("FAIRDUE_LETTER_FOLDER", "/nowhere"),
    ("FAIRDUE_SENDERS", "/nowhere.yaml"),
    ("FAIRDUE_PROVIDERS", "/nowhere.yaml"),
    ("FAIRDUE_ALLOCATION", "/nowhere.yaml"),
]


@pytest.mark.parametrize(("variable", "value"), WRONG)
def test_a_wrong_value_is_refused_by_name_and_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: ") as refused:
        production(**{variable: value})
    assert "hush" not in str(refused.value)


async def test_a_demo_has_the_sandbox_for_what_nobody_carries_and_no_writer_for_it() -> None:
    settings = Settings.demo({**REAL, "FAIRDUE_CHANNELS": ""}).with_databases(
        {"sandbox": "postgresql://s", "outreach": "postgresql://o"}
    )
    ways = ways_of(settings, bytes(32), {"CN": "Asia/Shanghai"})
    kinds = {channel: (type(way.gateway), way.writer is not None) for channel, way in ways.by_channel.items()}
    assert kinds == {
        "sms": (GuardedGateway, True),
        "email": (GuardedGateway, True),
        "letter": (SandboxGateway, False),
        "phone": (SandboxGateway, False),
    }
    await ways.close()


async def test_the_demos_sandbox_has_a_pace_where_the_file_of_providers_has_one_for_it(tmp_path: Path) -> None:
    paced = "  - {provider: sandbox, failures: 5, seconds: 1, paces: [{channel: sms, per_second: 9, per_minute: 99}]}\n"
    (tmp_path / "providers.yaml").write_text(FILE.read_text() + paced)
    settings = Settings.demo({"FAIRDUE_PROVIDERS": str(tmp_path / "providers.yaml")}).with_databases(
        {"sandbox": "postgresql://s", "outreach": "postgresql://o"}
    )
    ways = ways_of(settings, bytes(32), {"CN": "Asia/Shanghai"})
    gateways = {channel: way.gateway for channel, way in ways.by_channel.items()}
    paces = {
        name: each.pacer and each.pacer.pace for name, each in gateways.items() if isinstance(each, GuardedGateway)
    }
    assert paces == {"sms": Pace(9, 99), "email": None, "letter": None, "phone": None}
    await ways.close()


async def test_production_has_no_sandbox_at_all() -> None:
    ways = ways_of(production(), bytes(32), {"CN": "Asia/Shanghai"})
    assert {channel: type(way.gateway) for channel, way in ways.by_channel.items()} == {
        "sms": GuardedGateway,
        "email": GuardedGateway,
    }
    await ways.close()


def test_a_channel_that_is_carried_and_not_worked_has_no_way() -> None:
    ways = ways_of(production(FAIRDUE_CHANNELS="sms"), bytes(32), {"CN": "Asia/Shanghai"})
    assert set(ways.by_channel) == {"sms"}
