"""What is chosen per installation, from the environment, checked once at start.

A wrong value raises `SettingsError`, one line that names the variable and never shows a secret. What would be dangerous
outside a demo is refused there: demo keys and tokens, the embedded broker, lines on which others may listen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, TypeAlias
from zoneinfo import available_timezones

from shared.addresses import is_host_and_port, is_loopback, is_overheard, is_postgres, is_web
from shared.carriers import Carriers, read_carriers, refuse_the_sandbox
from shared.environment import Environment
from shared.environment import SettingsError as SettingsError  # noqa: PLC0414  # told on to who reads settings
from shared.keys import KeyStore, keys_of
from shared.tracing.choosing import Traces, read_traces
from shared.vault import Vault

Mode: TypeAlias = Literal["demo", "production"]
RoleName: TypeAlias = Literal["core_bank", "agency", "operator", "supervisor"]
Protocol: TypeAlias = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism: TypeAlias = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

PORTS: Final[Mapping[str, int]] = {
    "intake": 8101,
    "segmentation": 8102,
    "outreach": 8103,
    "legal": 8104,
    "analytics": 8105,
}
"""The five services and the ports that they listen on unless told otherwise."""

SERVICES: Final = tuple(PORTS)
SANDBOX: Final = "sandbox"
"""The database of the gateway that reaches nobody, which no service may enter but the one that sends."""

EMBEDDED: Final = "embedded:"
SHORTEST_TOKEN: Final = 24

DEMO_KEY: Final = b"fairdue demo key: not for people"
"""Known to everybody: it seals synthetic people only."""

DEMO_KEK: Final = b"fairdue demo wraps: not for folk"
DEMO_INDEX_KEY: Final = b"fairdue demo index: not for folk"
"""Known to everybody too: they wrap the data keys, and index the numbers, of synthetic people only."""

PERSONAL: Final = frozenset({"intake", "outreach", "legal"})
"""The services that hold people's profiles, and so ask for their data keys; no other gets the means to."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """What a client of the REST API shows, and who it then is."""

    name: str
    role: RoleName
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lender:
    """A lender whose books we follow: its business days end in `time_zone` and skip the holidays of `country`."""

    lender_id: str
    time_zone: str
    country: str


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """How to log in to Kafka; `ca_file` is for brokers whose certificate no public authority signed."""

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class WorkerTuning:
    """How a worker cuts its work: records per batch, and how long it may hold, wait and stand still.

    linger_ms: how long a worker that is not behind gathers records. It passes three times between a payment and the
        stop: 30 in place of 75 takes 0.2 s off that, and a loan's whole way costs as much.
    """

    batch_size: int = 2000
    lease_seconds: int = 10
    linger_ms: int = 30
    watchdog_seconds: int = 60


@dataclass(frozen=True, slots=True)
class DeadLetterLimit:
    """How many dead letters within how many seconds stop a shard until an operator resumes it."""

    count: int = 100
    seconds: int = 60


DEMO_TOKENS: Final = (
    ApiToken("demo core bank", "core_bank", "demo-token-core-bank-not-secret"),
    ApiToken("demo-agency", "agency", "demo-token-agency-not-secret"),
    ApiToken("demo operator", "operator", "demo-token-operator-not-secret"),
    ApiToken("demo supervisor", "supervisor", "demo-token-supervisor-not-secret"),
)
DEMO_LENDER: Final = Lender("demo-bank", "Europe/Berlin", "DE")


@dataclass(frozen=True)
class Settings:
    """Everything that an installation chooses. `database_urls` may lack services that this process does not run.

    topic_replication: on how many Kafka nodes each topic that we create lies.
    unencrypted_lines: whether databases and brokers on other machines may be talked to in the open.
    requests_per_second: how often one caller may ask a process over REST in the long run.
    webhooks_to_private: whether agencies may be told at addresses inside, and in the open: for demos and tests.
    allocation: the file of rules by which cases go to agencies, where it is not the one that we come with.
    worker_port: where a process that serves no REST tells its health and its metrics; nowhere by default.
    token_url: where agencies get their tokens, as they reach it from outside.
    traces: the collector that is sent spans, none by default, and the part of all traces that it gets.
    """

    mode: Mode
    broker_url: str
    personal_data_key: bytes = field(repr=False)
    tokens: tuple[ApiToken, ...]
    database_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    host: str = "127.0.0.1"
    ports: Mapping[str, int] = field(default_factory=lambda: dict(PORTS))
    kafka: KafkaSecurity = field(default_factory=KafkaSecurity)
    lenders: tuple[Lender, ...] = (DEMO_LENDER,)
    data_directory: Path = Path(".data")
    worker: WorkerTuning = field(default_factory=WorkerTuning)
    dead_letters: DeadLetterLimit = field(default_factory=DeadLetterLimit)
    dispatch: bool = False
    worked_by_people: tuple[str, ...] = ()
    outbox_hours: int = 72
    unencrypted_lines: bool = False
    topic_replication: int = 1
    requests_per_second: int = 200
    worker_port: int | None = None
    key_encryption_key: bytes = field(default=b"", repr=False)
    index_key: bytes = field(default=b"", repr=False)
    key_file: Path | None = None
    carriers: Carriers = field(default_factory=Carriers)
    allocation: Path | None = None
    token_url: str = f"http://127.0.0.1:{PORTS['outreach']}/v1/oauth/token"
    traces: Traces = field(default_factory=Traces)
    webhooks_to_private: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], services: Sequence[str] = SERVICES) -> "Settings":
        """Read and check the variables; `services` are those that this process runs. Raises SettingsError."""
        read = _Reader(environ)
        settings = cls(
            mode=read.one_of("FAIRDUE_MODE", Mode, "production"),
            broker_url=read.broker_url(),
            personal_data_key=read.key("FAIRDUE_PERSONAL_DATA_KEY", DEMO_KEY),
            key_encryption_key=read.key("FAIRDUE_KEY_ENCRYPTION_KEY", DEMO_KEK, needed=_need(services, PERSONAL)),
            index_key=read.key("FAIRDUE_INDEX_KEY", DEMO_INDEX_KEY, needed=_need(services, {"intake"})),
            key_file=read.key_file(needed=_need(services, PERSONAL)),
            tokens=read.tokens(),
            database_urls=read.database_urls(services),
            host=read.text("FAIRDUE_HOST", "127.0.0.1"),
            ports={name: read.number(f"FAIRDUE_PORT_{name.upper()}", port, 0, 65535) for name, port in PORTS.items()},
            kafka=read.kafka(),
            lenders=read.lenders(),
            data_directory=Path(read.text("FAIRDUE_DATA", ".data")),
            worker=read.worker(),
            dead_letters=read.dead_letters(),
            dispatch=read.one_of("FAIRDUE_DISPATCH", Literal["on", "off"], "off") == "on",
            worked_by_people=tuple(read.text("FAIRDUE_WORKED_BY_PEOPLE").replace(",", " ").split()),
            outbox_hours=read.number("FAIRDUE_OUTBOX_HOURS", 72, 1, 24 * 366),
            carriers=read_carriers(read),
            allocation=read.file("FAIRDUE_ALLOCATION"),
            topic_replication=read.number("FAIRDUE_TOPIC_REPLICATION", 1, 1, 9),
            unencrypted_lines=read.one_of("FAIRDUE_UNENCRYPTED_LINES", Literal["allow", "refuse"], "refuse") == "allow",
            requests_per_second=read.number("FAIRDUE_REQUESTS_PER_SECOND", 200, 1, 100_000),
            worker_port=read.worker_port(),
            token_url=read.token_url(),
            traces=read_traces(read),
            webhooks_to_private=read.one_of("FAIRDUE_WEBHOOKS_TO_PRIVATE", Literal["allow", "refuse"], "refuse")
            == "allow",
        )
        _refuse_unsafe(settings, channels_told=bool(read.text("FAIRDUE_CHANNELS")))
        return settings

    @classmethod
    def demo(cls, environ: Mapping[str, str] | None = None, services: Sequence[str] = SERVICES) -> "Settings":
        """The settings of a demo or a test, with what `environ` says otherwise. Raises SettingsError."""
        return cls.from_environment({**(environ or {}), "FAIRDUE_MODE": "demo"}, services)

    @property
    def embedded_broker(self) -> bool:
        """Whether the log lies in the embedded database instead of in Kafka."""
        return self.broker_url == EMBEDDED

    @property
    def kafka_servers(self) -> tuple[str, ...]:
        """The `host:port` of each Kafka server to start from; none with the embedded broker."""
        return () if self.embedded_broker else tuple(self.broker_url.removeprefix("kafka://").split(","))

    @cached_property
    def vault(self) -> Vault:
        """The vault under the personal data key."""
        return Vault(self.personal_data_key)

    @property
    def keys(self) -> KeyStore:
        """Where the data keys of debtors lie. Raises SettingsError where nothing was said."""
        if not self.key_encryption_key:
            raise SettingsError("FAIRDUE_KEY_ENCRYPTION_KEY", "is not set, so that no data key can be used")
        return keys_of(self.key_encryption_key, self.key_file)

    def with_key_file(self, file: Path) -> "Settings":
        """The same settings with the data keys in a file; what the environment chose stays."""
        return replace(self, key_file=self.key_file or file)

    def database_url(self, service: str) -> str:
        """Where a service keeps its state. Raises SettingsError where nothing was said."""
        try:
            return self.database_urls[service]
        except KeyError:
            raise SettingsError(_database_variable(service), "is not set") from None

    def with_databases(self, urls: Mapping[str, str]) -> "Settings":
        """The same settings on other databases; what the environment chose for a service stays."""
        return replace(self, database_urls={**urls, **self.database_urls})


def _refuse_unsafe(settings: Settings, *, channels_told: bool) -> None:
    demo_tokens = {known.token for known in DEMO_TOKENS}
    holds_demo_token = any(token.token in demo_tokens for token in settings.tokens)
    if not is_loopback(settings.host) and holds_demo_token:
        raise SettingsError("FAIRDUE_HOST", f"{settings.host} can be reached from outside: set FAIRDUE_API_TOKENS too")
    if settings.mode == "demo":
        return
    if settings.webhooks_to_private:
        raise SettingsError(
            "FAIRDUE_WEBHOOKS_TO_PRIVATE", "is for demos and tests: it lets agencies call into the network"
        )
    if holds_demo_token:
        raise SettingsError("FAIRDUE_API_TOKENS", "holds a token of the demo, which everybody knows")
    _refuse_unsafe_keys(settings)
    if not settings.unencrypted_lines:
        _refuse_open_lines(settings)
    if settings.dispatch:
        refuse_the_sandbox(settings.carriers, told=channels_told)
    if settings.embedded_broker:
        raise SettingsError("BROKER_URL", "the embedded broker is for demos and tests only, use kafka://host:port")


def _refuse_open_lines(settings: Settings) -> None:
    """Whatever crosses a network is encrypted, unless somebody answers for that network."""
    unless = "or set FAIRDUE_UNENCRYPTED_LINES=allow where nobody else is on that network"
    hosts = {server.rpartition(":")[0] for server in settings.kafka_servers}
    if not all(map(is_loopback, hosts)) and not settings.kafka.protocol.endswith("SSL"):
        raise SettingsError("KAFKA_SECURITY_PROTOCOL", f"needs SSL or SASL_SSL, {unless}")
    for service, url in settings.database_urls.items():
        if is_overheard(url):
            raise SettingsError(_database_variable(service), f"needs sslmode=require or better, {unless}")
    if settings.traces.overheard:
        raise SettingsError("FAIRDUE_OTLP_ENDPOINT", f"needs https, {unless}")


def _refuse_unsafe_keys(settings: Settings) -> None:
    keys = {
        "FAIRDUE_PERSONAL_DATA_KEY": settings.personal_data_key,
        "FAIRDUE_KEY_ENCRYPTION_KEY": settings.key_encryption_key,
        "FAIRDUE_INDEX_KEY": settings.index_key,
    }
    seen: set[bytes] = set()
    for variable, key in keys.items():
        if key in {DEMO_KEY, DEMO_KEK, DEMO_INDEX_KEY}:
            raise SettingsError(variable, "is a key of the demo, which everybody knows")
        if key and key in seen:
            raise SettingsError(variable, "is the same as another key: each has one purpose")
        seen.add(key)


def _need(services: Sequence[str], those: Collection[str]) -> bool:
    return not set(those).isdisjoint(services)


def _database_variable(service: str) -> str:
    return f"DATABASE_URL_{service.upper()}"


class _Reader(Environment):
    """Reads the variables of the product."""

    def broker_url(self) -> str:
        value = self.text("BROKER_URL", EMBEDDED if self.demo else "")
        if value.rstrip(":") == "embedded":
            return EMBEDDED
        servers = value.removeprefix("kafka://").split(",")
        if not value.startswith("kafka://") or not all(is_host_and_port(server) for server in servers):
            raise SettingsError("BROKER_URL", "needs embedded: or kafka://host:port,host:port")
        return value

    def key_file(self, *, needed: bool) -> Path | None:
        variable, what = "FAIRDUE_KEY_FILE", "a file for the data keys of debtors"
        if self.demo or not needed:
            return Path(self.text(variable)) if self.text(variable) else None
        return Path(self.required(variable, what))

    def tokens(self) -> tuple[ApiToken, ...]:
        variable = "FAIRDUE_API_TOKENS"
        if self.demo and not self.text(variable):
            return DEMO_TOKENS
        given = self.json(variable, tuple[ApiToken, ...], 'a JSON list of {"name", "role", "token"}')
        if not given:
            raise SettingsError(variable, "holds no token, so nobody could use the API")
        if any(len(one.token) < SHORTEST_TOKEN or not one.name for one in given):
            raise SettingsError(variable, f"each token needs a name and at least {SHORTEST_TOKEN} characters")
        if len({one.token for one in given}) != len(given):
            raise SettingsError(variable, "two clients have the same token")
        return given

    def database_urls(self, services: Sequence[str]) -> dict[str, str]:
        needed = () if self.demo else tuple(services)
        urls = {
            name: self._database_url(name, required=name in needed)
            for name in {**PORTS, **dict.fromkeys(needed), SANDBOX: None}
        }
        return {name: url for name, url in urls.items() if url}

    def _database_url(self, service: str, *, required: bool) -> str:
        variable, what = _database_variable(service), "postgresql://user:password@host:port/database"
        value = self.required(variable, what) if required else self.text(variable)
        if value and not is_postgres(value):
            raise SettingsError(variable, f"needs {what}")
        return value

    def kafka(self) -> KafkaSecurity:
        security = KafkaSecurity(
            protocol=self.one_of("KAFKA_SECURITY_PROTOCOL", Protocol, "PLAINTEXT"),
            mechanism=self.one_of("KAFKA_SASL_MECHANISM", Mechanism, None),
            username=self.text("KAFKA_SASL_USERNAME") or None,
            password=self.text("KAFKA_SASL_PASSWORD") or None,
            ca_file=Path(self.text("KAFKA_CA_FILE")) if self.text("KAFKA_CA_FILE") else None,
        )
        if security.protocol.startswith("SASL"):
            for variable in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
                self.required(variable, f"a value, because KAFKA_SECURITY_PROTOCOL is {security.protocol}")
        if security.ca_file and not security.ca_file.is_file():
            raise SettingsError("KAFKA_CA_FILE", "there is no such file")
        return security

    def lenders(self) -> tuple[Lender, ...]:
        variable = "FAIRDUE_LENDERS"
        if not self.text(variable):
            return (DEMO_LENDER,)
        given = self.json(variable, tuple[Lender, ...], 'a JSON list of {"lender_id", "time_zone", "country"}')
        if not given or len({lender.lender_id for lender in given}) != len(given):
            raise SettingsError(variable, "needs at least one lender, and each lender_id once")
        for lender in given:
            _check_calendar(variable, lender)
        return given

    def worker(self) -> WorkerTuning:
        usual = WorkerTuning()
        return WorkerTuning(
            batch_size=self.number("FAIRDUE_BATCH_SIZE", usual.batch_size, 1, 100_000),
            lease_seconds=self.number("FAIRDUE_LEASE_SECONDS", usual.lease_seconds, 1, 3600),
            linger_ms=self.number("FAIRDUE_LINGER_MS", usual.linger_ms, 0, 10_000),
            watchdog_seconds=self.number("FAIRDUE_WATCHDOG_SECONDS", usual.watchdog_seconds, 1, 86_400),
        )

    def worker_port(self) -> int | None:
        variable = "FAIRDUE_WORKER_PORT"
        return self.number(variable, 0, 1, 65535) if self.text(variable) else None

    def token_url(self) -> str:
        variable, port = "FAIRDUE_TOKEN_URL", self.number("FAIRDUE_PORT_OUTREACH", PORTS["outreach"], 0, 65535)
        value = self.text(variable, f"http://127.0.0.1:{port}/v1/oauth/token")
        if not is_web(value):
            raise SettingsError(variable, "needs https://host/path, or http:// on this machine")
        return value

    def dead_letters(self) -> DeadLetterLimit:
        usual = DeadLetterLimit()
        return DeadLetterLimit(
            count=self.number("FAIRDUE_DEAD_LETTER_COUNT", usual.count, 1, 1_000_000),
            seconds=self.number("FAIRDUE_DEAD_LETTER_SECONDS", usual.seconds, 1, 86_400),
        )


def _check_calendar(variable: str, lender: Lender) -> None:
    import holidays  # noqa: PLC0415  # a second and many megabytes, which only an installation with own lenders needs

    if lender.time_zone not in available_timezones():
        raise SettingsError(variable, f"{lender.time_zone!r} is no time zone of the IANA list")
    if lender.country not in holidays.list_supported_countries():
        raise SettingsError(variable, f"{lender.country!r} is no country whose holidays are known")
