"""docker-compose.yml: what may run how, and that no secret stands in it."""

import re
from typing import Any

import pytest

from shared.settings import PORTS, SERVICES, Settings
from tests.unit.deploy.composing import FILE, ROOT, SECRETS, Composed, MissingVariableError

VARIABLES = {
    "FAIRDUE_SECRETS": "/secrets",
    "FAIRDUE_LENDERS": '[{"lender_id": "b", "time_zone": "Asia/Shanghai", "country": "CN"}]',
}
COMPOSED = Composed.read(VARIABLES)
EVERY_SERVICE = pytest.mark.parametrize("name", COMPOSED.services)
OF_OURS = pytest.mark.parametrize("name", COMPOSED.ours)
WRITES_INTO_ITSELF = {"kafka": "the image writes its configuration when it starts"}
"""What is not read-only, and why."""

ENDS = {"migrate", "doctor"}
"""What does one thing and ends."""


def service(name: str) -> Any:
    return COMPOSED.services[name]


@pytest.mark.parametrize("missing", VARIABLES)
def test_nothing_starts_without_what_must_be_chosen(missing: str) -> None:
    with pytest.raises(MissingVariableError, match=missing):
        Composed.read({name: value for name, value in VARIABLES.items() if name != missing})


def test_there_are_all_parts_and_api_and_worker_of_each_service_apart() -> None:
    expected = {f"{each}-{role}" for each in SERVICES for role in ("api", "worker")}
    assert set(COMPOSED.services) - ENDS == expected | {"kafka", "postgres", "prometheus", "grafana"}
    for each in SERVICES:
        for role in ("api", "worker"):
            assert service(f"{each}-{role}")["command"] == ["run", each, "--role", role]


def test_all_five_services_come_from_one_image() -> None:
    assert len({one["image"] for one in COMPOSED.ours.values()}) == 1


@EVERY_SERVICE
def test_an_image_is_pinned_to_an_exact_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?", service(name)["image"])


@EVERY_SERVICE
def test_each_part_may_use_so_much_and_no_more(name: str) -> None:
    limits = service(name)["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) <= 2
    assert re.fullmatch(r"\d+[mg]", limits["memory"])
    assert limits["pids"] <= 512


@EVERY_SERVICE
def test_no_part_may_gain_rights_or_write_where_it_should_not(name: str) -> None:
    one = service(name)
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["cap_drop"] == ["ALL"]
    assert one.get("read_only", False) != (name in WRITES_INTO_ITSELF)
    assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & set(one)
    assert not [each for each in one.get("volumes", ()) if "docker.sock" in each]


@EVERY_SERVICE
def test_what_ends_is_started_again_and_what_is_ill_is_seen(name: str) -> None:
    one = service(name)
    if name in ENDS:
        assert one["restart"] == "no"
        return
    assert one["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(one["healthcheck"])


@EVERY_SERVICE
def test_nothing_is_published_beyond_loopback(name: str) -> None:
    published = service(name).get("ports", [])
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)
    assert bool(published) == ("outside" in service(name)["networks"])
    assert COMPOSED.content["networks"]["inside"]["internal"]


@pytest.mark.parametrize("name", SERVICES)
def test_an_api_is_published_on_its_own_port_and_a_worker_on_none(name: str) -> None:
    assert service(f"{name}-api")["ports"] == [f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"]
    assert "ports" not in service(f"{name}-worker")


@EVERY_SERVICE
def test_every_secret_comes_from_a_file_and_is_granted_to_who_reads_it(name: str) -> None:
    environment = service(name).get("environment", {})
    read = {value.removeprefix(SECRETS) for value in environment.values() if value.startswith(SECRETS)}
    granted = set(service(name).get("secrets", ()))
    if name == "postgres":  # its databases.sh reads the addresses, which its test shows
        read |= {f"database_url_{each}" for each in SERVICES}
    assert read == granted
    named = [variable for variable in environment if re.search("TOKEN|PASSWORD|SECRET|(KEY|URL_[A-Z]+)$", variable)]
    assert all(re.search("_FILE$", variable) for variable in named)


def test_a_service_gets_no_secret_that_it_has_no_use_for() -> None:
    for each in SERVICES:
        granted = set(service(f"{each}-worker")["secrets"])
        assert {other for other in SERVICES if f"database_url_{other}" in granted} == {each}
        assert ("key_encryption_key" in granted) == (each in {"intake", "outreach", "legal"})
        assert ("index_key" in granted) == (each == "intake")


def test_every_secret_lies_in_the_one_directory() -> None:
    secrets = COMPOSED.content["secrets"]
    assert {COMPOSED.secret_file(name) for name in secrets} == {f"/secrets/{name}" for name in secrets}


def test_the_file_holds_no_secret_of_its_own() -> None:
    assert not re.findall(r"postgres(?:ql)?://[^\s]*:[^\s]*@", FILE.read_text())
    assert not re.findall(r"[A-Za-z0-9+/]{40,}", FILE.read_text())


KNOWN = ("settings.py", "environment.py", "tracing/choosing.py")


@OF_OURS
def test_every_variable_is_one_that_the_settings_know(name: str) -> None:
    known = "\n".join((ROOT / "shared" / file).read_text() for file in KNOWN)
    for variable in service(name)["environment"]:
        plain = re.sub("_FILE$", "", variable) if variable != "FAIRDUE_KEY_FILE" else variable
        assert f'"{plain}"' in known or plain.startswith("DATABASE_URL_"), variable


@OF_OURS
def test_a_container_without_its_secrets_refuses_to_start(name: str) -> None:
    chosen = [each for each in SERVICES if each in service(name)["command"]] or list(SERVICES)
    with pytest.raises(Exception, match="_FILE: /run/secrets/.* cannot be read"):
        Settings.from_environment(service(name)["environment"], chosen)


def test_migrations_come_first_and_the_broker_is_there() -> None:
    for each in SERVICES:
        for role in ("api", "worker"):
            waits = service(f"{each}-{role}")["depends_on"]
            assert waits["migrate"] == {"condition": "service_completed_successfully"}
            assert waits["kafka"] == {"condition": "service_healthy"}
    assert service("migrate")["depends_on"] == {"postgres": {"condition": "service_healthy"}}


@EVERY_SERVICE
def test_what_is_mounted_is_there(name: str) -> None:
    for volume in service(name).get("volumes", ()):
        source, target, *how = volume.split(":")
        assert target.startswith("/")
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
            assert how == ["ro"]
        else:
            assert source in COMPOSED.content["volumes"]
