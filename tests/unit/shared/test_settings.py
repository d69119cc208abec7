"""What may be set, and what is refused: always in one line that names the variable."""

import base64
import json
from pathlib import Path

import pytest

from shared.environment import SettingsError
from shared.settings import (
    DEMO_INDEX_KEY,
    DEMO_KEK,
    DEMO_KEY,
    DEMO_LENDER,
    DEMO_TOKENS,
    PORTS,
    SERVICES,
    Lender,
    Settings,
)

SECRET = "s" * 24
TOKENS = json.dumps([{"name": "Ann", "role": "operator", "token": SECRET}])
PRODUCTION = {
    "BROKER_URL": "kafka://one:9092,two:9092",
    "KAFKA_SECURITY_PROTOCOL": "SSL",
    "FAIRDUE_PERSONAL_DATA_KEY": base64.b64encode(bytes(range(32))).decode(),
    "FAIRDUE_KEY_ENCRYPTION_KEY": base64.b64encode(bytes(range(1, 33))).decode(),
    "FAIRDUE_INDEX_KEY": base64.b64encode(bytes(range(2, 34))).decode(),
    "FAIRDUE_KEY_FILE": "/nowhere/data-keys",
    "FAIRDUE_API_TOKENS": TOKENS,
    **{f"DATABASE_URL_{name.upper()}": f"postgresql://u:hidden@db/{name}?sslmode=verify-full" for name in SERVICES},
}


def test_production_needs_no_more_than_keys_databases_and_a_broker() -> None:
    settings = Settings.from_environment(PRODUCTION)
    assert settings.mode == "production"
    assert settings.kafka_servers == ("one:9092", "two:9092")
    assert settings.database_url("legal") == "postgresql://u:hidden@db/legal?sslmode=verify-full"
    assert settings.host == "127.0.0.1"
    assert settings.ports == PORTS
    assert not settings.dispatch
    assert settings.worked_by_people == ()


def test_who_holds_no_profiles_needs_no_means_to_open_them() -> None:
    keys = ("FAIRDUE_KEY_ENCRYPTION_KEY", "FAIRDUE_INDEX_KEY", "FAIRDUE_KEY_FILE")
    environment = {name: value for name, value in PRODUCTION.items() if name not in keys}
    settings = Settings.from_environment(environment, ["segmentation", "analytics"])
    with pytest.raises(SettingsError, match="FAIRDUE_KEY_ENCRYPTION_KEY"):
        _ = settings.keys


def test_a_demo_needs_nothing() -> None:
    settings = Settings.demo({})
    assert settings.embedded_broker
    assert settings.kafka_servers == ()
    assert settings.tokens == DEMO_TOKENS
    assert settings.lenders == (DEMO_LENDER,)
    assert settings.vault is settings.vault


def test_only_a_demo_may_have_agencies_call_into_the_network() -> None:
    assert not Settings.demo({}).webhooks_to_private
    assert Settings.demo({"FAIRDUE_WEBHOOKS_TO_PRIVATE": "allow"}).webhooks_to_private


def test_a_demo_takes_its_databases_from_the_embedded_server_but_for_those_that_were_named() -> None:
    chosen = Settings.demo({"DATABASE_URL_LEGAL": "postgresql://mine/legal"})
    settings = chosen.with_databases({"legal": "postgresql://embedded/legal", "intake": "postgresql://embedded/intake"})
    assert settings.database_url("legal") == "postgresql://mine/legal"
    assert settings.database_url("intake") == "postgresql://embedded/intake"
    with pytest.raises(SettingsError, match="^DATABASE_URL_OUTREACH: is not set$"):
        settings.database_url("outreach")


def test_a_process_needs_the_databases_of_its_own_services_only() -> None:
    environ = {k: v for k, v in PRODUCTION.items() if not k.startswith("DATABASE_URL_") or k.endswith("INTAKE")}
    assert set(Settings.from_environment(environ, ["intake"]).database_urls) == {"intake"}


def test_every_number_can_be_set() -> None:
    environ = {
        "FAIRDUE_BATCH_SIZE": "50",
        "FAIRDUE_LEASE_SECONDS": "3",
        "FAIRDUE_LINGER_MS": "0",
        "FAIRDUE_WATCHDOG_SECONDS": "7",
        "FAIRDUE_DEAD_LETTER_COUNT": "5",
        "FAIRDUE_DEAD_LETTER_SECONDS": "9",
        "FAIRDUE_PORT_LEGAL": "9104",
        "FAIRDUE_DATA": "/var/lib/fairdue",
        "FAIRDUE_OUTBOX_HOURS": "24",
        "FAIRDUE_WORKED_BY_PEOPLE": "phone, visit",
        "FAIRDUE_TOPIC_REPLICATION": "3",
        "FAIRDUE_WORKER_PORT": "9100",
    }
    settings = Settings.demo(environ)
    tuning = settings.worker
    assert (tuning.batch_size, tuning.lease_seconds, tuning.linger_ms, tuning.watchdog_seconds) == (50, 3, 0, 7)
    assert (settings.dead_letters.count, settings.dead_letters.seconds) == (5, 9)
    assert settings.ports["legal"] == 9104
    assert settings.outbox_hours == 24
    assert settings.worked_by_people == ("phone", "visit")
    assert (settings.topic_replication, settings.worker_port) == (3, 9100)
    assert settings.data_directory == Path("/var/lib/fairdue")


def test_what_is_secret_may_lie_in_files(tmp_path: Path) -> None:
    open_to_all = {"BROKER_URL", "KAFKA_SECURITY_PROTOCOL", "FAIRDUE_KEY_FILE"}
    secret = {name: value for name, value in PRODUCTION.items() if name not in open_to_all}
    for name, value in secret.items():
        (tmp_path / name).write_text(value + "\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in secret}
    plain = {name: value for name, value in PRODUCTION.items() if name not in secret}
    assert Settings.from_environment({**plain, **files}) == Settings.from_environment(PRODUCTION)


def test_a_secret_that_cannot_be_read_is_named_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for file, problem in [("missing", "cannot be read: FileNotFoundError"), ("empty", "is empty")]:
        environ = {**PRODUCTION, "FAIRDUE_INDEX_KEY": "", "FAIRDUE_INDEX_KEY_FILE": str(tmp_path / file)}
        with pytest.raises(SettingsError, match=f"^FAIRDUE_INDEX_KEY_FILE: .*{file} {problem}$"):
            Settings.from_environment(environ)


def test_a_secret_is_given_once() -> None:
    with pytest.raises(SettingsError, match="^DATABASE_URL_LEGAL: is set twice"):
        Settings.from_environment({**PRODUCTION, "DATABASE_URL_LEGAL_FILE": "/nowhere"})


def test_lenders_are_read_with_their_calendars() -> None:
    text = '[{"lender_id": "b1", "time_zone": "Asia/Tokyo", "country": "JP"}]'
    assert Settings.demo({"FAIRDUE_LENDERS": text}).lenders == (Lender("b1", "Asia/Tokyo", "JP"),)


def test_no_secret_is_shown_when_settings_are_printed() -> None:
    shown = repr(Settings.from_environment({**PRODUCTION, "KAFKA_SASL_PASSWORD": "hush-hush"}))
    assert not [word for word in (SECRET, "hidden", "hush-hush", repr(bytes(range(32)))) if word in shown]


WITHOUT = [(name, "is not set") for name in PRODUCTION if name not in {"BROKER_URL", "KAFKA_SECURITY_PROTOCOL"}]


@pytest.mark.parametrize(("variable", "problem"), WITHOUT, ids=[f"without {name}" for name, _ in WITHOUT])
def test_production_names_what_is_missing(variable: str, problem: str) -> None:
    environ = {name: value for name, value in PRODUCTION.items() if name != variable}
    with pytest.raises(SettingsError, match=f"^{variable}: {problem}"):
        Settings.from_environment(environ)


def lender(**changes: str) -> str:
    return json.dumps([{"lender_id": "b", "time_zone": "Europe/Berlin", "country": "DE"} | changes])


def token(**changes: str) -> str:
    return json.dumps([{"name": "Ann", "role": "operator", "token": SECRET} | changes])


WRONG = [
    ("a mode that does not exist", "FAIRDUE_MODE", "test"),
    ("no broker", "BROKER_URL", ""),
    ("a broker without a scheme", "BROKER_URL", "one:9092"),
    ("a broker without a port", "BROKER_URL", "kafka://one"),
    ("a broker with a port that is none", "BROKER_URL", "kafka://one:90920"),
    ("a second broker that is empty", "BROKER_URL", "kafka://one:9092,"),
    ("the embedded broker in production", "BROKER_URL", "embedded:"),
    ("a key that is not base64", "FAIRDUE_PERSONAL_DATA_KEY", "!" * 44),
    ("a key that is too short", "FAIRDUE_PERSONAL_DATA_KEY", base64.b64encode(bytes(16)).decode()),
    ("the demo's key in production", "FAIRDUE_PERSONAL_DATA_KEY", base64.b64encode(DEMO_KEY).decode()),
    ("no key to wrap data keys", "FAIRDUE_KEY_ENCRYPTION_KEY", ""),
    ("the demo's wrapping key in production", "FAIRDUE_KEY_ENCRYPTION_KEY", base64.b64encode(DEMO_KEK).decode()),
    ("one key for two purposes", "FAIRDUE_KEY_ENCRYPTION_KEY", PRODUCTION["FAIRDUE_PERSONAL_DATA_KEY"]),
    ("the demo's index key in production", "FAIRDUE_INDEX_KEY", base64.b64encode(DEMO_INDEX_KEY).decode()),
    ("no index key", "FAIRDUE_INDEX_KEY", ""),
    ("no file for data keys", "FAIRDUE_KEY_FILE", ""),
    ("tokens that are not JSON", "FAIRDUE_API_TOKENS", "operator:abc"),
    ("an empty list of tokens", "FAIRDUE_API_TOKENS", "[]"),
    ("a short token", "FAIRDUE_API_TOKENS", token(token="s" * 23)),
    ("a token of nobody", "FAIRDUE_API_TOKENS", token(name="")),
    ("a role that does not exist", "FAIRDUE_API_TOKENS", token(role="boss")),
    ("one token for two", "FAIRDUE_API_TOKENS", json.dumps(json.loads(TOKENS) * 2)),
    ("a token of the demo in production", "FAIRDUE_API_TOKENS", token(token=DEMO_TOKENS[2].token)),
    ("a database of another kind", "DATABASE_URL_INTAKE", "mysql://u:hidden@db/intake"),
    ("a server without a database", "DATABASE_URL_INTAKE", "postgresql://u:hidden@db"),
    ("a port that is none", "DATABASE_URL_INTAKE", "postgresql://u:hidden@db:x/intake"),
    ("a port out of range", "FAIRDUE_PORT_INTAKE", "65536"),
    ("a negative number", "FAIRDUE_LINGER_MS", "-1"),
    ("a number in words", "FAIRDUE_BATCH_SIZE", "many"),
    ("no records at all per batch", "FAIRDUE_BATCH_SIZE", "0"),
    ("a limit of no dead letters", "FAIRDUE_DEAD_LETTER_COUNT", "0"),
    ("a half-way dispatch", "FAIRDUE_DISPATCH", "maybe"),
    ("webhooks into the network", "FAIRDUE_WEBHOOKS_TO_PRIVATE", "allow"),
    ("webhooks half-way into the network", "FAIRDUE_WEBHOOKS_TO_PRIVATE", "some"),
    ("no lender", "FAIRDUE_LENDERS", "[]"),
    ("a lender without a country", "FAIRDUE_LENDERS", '[{"lender_id": "b", "time_zone": "Europe/Berlin"}]'),
    ("one lender twice", "FAIRDUE_LENDERS", json.dumps(json.loads(lender()) * 2)),
    ("a time zone that does not exist", "FAIRDUE_LENDERS", lender(time_zone="Mars/Base")),
    ("a country that does not exist", "FAIRDUE_LENDERS", lender(country="XX")),
    ("an unknown protocol", "KAFKA_SECURITY_PROTOCOL", "TLS"),
    ("an unknown mechanism", "KAFKA_SASL_MECHANISM", "NTLM"),
    ("a certificate that is not there", "KAFKA_CA_FILE", "/no/such/file.pem"),
]


@pytest.mark.parametrize(("variable", "value"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_value_is_refused_in_one_line_that_names_it_and_no_secret(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({**PRODUCTION, variable: value})
    text = str(caught.value)
    assert text.startswith(f"{variable}: ")
    assert "\n" not in text
    assert not [secret for secret in (SECRET, "hidden", "!!!!") if secret in text]


OPEN_LINES = {
    "a broker elsewhere in the open": {"KAFKA_SECURITY_PROTOCOL": ""},
    "a login to a broker elsewhere in the open": {
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": "fairdue",
        "KAFKA_SASL_PASSWORD": "hush",
    },
    "a database elsewhere that need not be encrypted": {"DATABASE_URL_LEGAL": "postgresql://u:hidden@db/legal"},
    "one that prefers to be": {"DATABASE_URL_LEGAL": "postgresql://u:hidden@db/legal?sslmode=prefer"},
}


@pytest.mark.parametrize("case", OPEN_LINES)
def test_nothing_crosses_a_network_in_the_open_but_where_somebody_answers_for_it(case: str) -> None:
    environ = {**PRODUCTION, **OPEN_LINES[case]}
    with pytest.raises(SettingsError, match="FAIRDUE_UNENCRYPTED_LINES=allow") as refused:
        Settings.from_environment(environ)
    assert str(refused.value).partition(":")[0] in OPEN_LINES[case]
    assert Settings.from_environment({**environ, "FAIRDUE_UNENCRYPTED_LINES": "allow"}).unencrypted_lines


def test_on_this_machine_nothing_needs_to_be_encrypted() -> None:
    here = {f"DATABASE_URL_{name.upper()}": f"postgresql://u:hidden@127.0.0.1/{name}" for name in SERVICES}
    broker = {"BROKER_URL": "kafka://localhost:9092", "KAFKA_SECURITY_PROTOCOL": ""}
    assert not Settings.from_environment({**PRODUCTION, **here, **broker}).unencrypted_lines


def test_logging_in_to_kafka_needs_a_name_and_a_password() -> None:
    environ = {**PRODUCTION, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"}
    with pytest.raises(SettingsError, match="^KAFKA_SASL_USERNAME: "):
        Settings.from_environment(environ)
    full = {**environ, "KAFKA_SASL_USERNAME": "fairdue", "KAFKA_SASL_PASSWORD": "hush"}
    assert Settings.from_environment(full).kafka.username == "fairdue"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "collections.example"])
def test_a_demo_that_others_can_reach_needs_tokens_of_its_own(host: str) -> None:
    with pytest.raises(SettingsError, match="^FAIRDUE_HOST: "):
        Settings.demo({"FAIRDUE_HOST": host})
    assert Settings.demo({"FAIRDUE_HOST": host, "FAIRDUE_API_TOKENS": TOKENS}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_a_demo_may_listen_on_the_machine_itself(host: str) -> None:
    assert Settings.demo({"FAIRDUE_HOST": host}).host == host
