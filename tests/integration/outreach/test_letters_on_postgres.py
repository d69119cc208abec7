"""From a sealed profile to a mail server, a service and a folder, on real PostgreSQL; letters read again by staff."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from services.outreach import api
from services.outreach.contacts.adapters.letter_folder import LetterFolder
from services.outreach.contacts.adapters.smtp import SmtpGateway
from services.outreach.contacts.effects import Way
from services.outreach.contacts.permits import Signer
from services.outreach.contacts.ports import Gateway, PutOffError
from services.outreach.plans.store import LAYOUT
from services.outreach.sending.breaker import Breaker
from services.outreach.sending.composing import Composer
from services.outreach.sending.guarded import GuardedGateway
from services.outreach.sending.last_look import LastLook
from services.outreach.sending.pacing import Grant, Pace, Pacer
from services.outreach.sending.senders import read_senders
from services.outreach.sending.store import Cabinet
from services.outreach.service import declare, with_ways
from services.outreach.templates.store import shipped
from shared.carriers import SmtpServer
from shared.clock import SystemClock
from shared.contracts import intake, segmentation
from shared.contracts.core_banking import ContactPoint
from shared.contracts.envelope import Fact
from shared.contracts.segmentation import Channel
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.keys import FileKeys, LocalKms
from shared.messaging.rows import columns_of, values
from shared.messaging.sharding import shard_of
from shared.settings import Settings
from tests.conftest import BlankDatabase, DatabaseOf
from tests.contract.gateway_sites import MailServer, SmsProvider, mail_server, sms_service
from tests.integration.outreach.rig import LENDER
from tests.integration.outreach.test_contacts_on_postgres import ANNA, SERVICE, SIGNER, Sending
from tests.unit.outreach.play import case
from tests.unit.outreach.saying import contact
from tests.unit.outreach.sending.written import ADDRESS, EMAIL, MOBILE, NAME, NOW, PERSONAL, POINTS, profile_of

TEXTS = {Channel.SMS: "remind_service", Channel.EMAIL: "plan_offer", Channel.LETTER: "balance_letter"}


def assigned(*channels: Channel) -> segmentation.TreatmentAssigned:
    return segmentation.TreatmentAssigned(
        stage="EARLY",
        strategy="ladder",
        strategy_version=1,
        steps=tuple(
            segmentation.TreatmentStep(number=number, channel=channel, after_days=0, template=TEXTS[channel])
            for number, channel in enumerate(channels, 1)
        ),
        explanation=segmentation.Explanation(rule="r", version="1", inputs={}),
    )


class Real:
    """Outreach with a mail server, a service and a folder, and the keys that profiles are sealed under."""

    def __init__(self, dsn: str, sandbox: str, folder: Path) -> None:
        self.mail, self.sms, self.folder = MailServer(), SmsProvider(), folder
        self.keys = FileKeys(LocalKms(bytes(32)))
        self.cabinet = Cabinet(dsn)
        self.meanwhile: list[Fact] = []
        self.ahead = 0.0
        self.dsn, self.sandbox = dsn, sandbox

    async def start(self, servers: AsyncExitStack) -> "Real":
        host, port = await servers.enter_async_context(mail_server(self.mail))
        self.gateways: dict[str, Gateway] = {
            "email": SmtpGateway(SmtpServer(host, port, "none")),
            "sms": await servers.enter_async_context(sms_service(self.sms)),
            "letter": LetterFolder(self.folder),
        }
        writer = Composer(self.cabinet, self.keys, read_senders(), {"CN": "Asia/Shanghai"}, shipped())
        ways = {channel: Way(self.guarded(channel), writer) for channel in self.gateways}
        self.sending = Sending(self.dsn, self.sandbox, with_ways(SERVICE.actors[0], ways, SIGNER, self.cabinet.close))
        await self.sending.worker.take(range(32))
        return self

    def guarded(self, channel: str) -> GuardedGateway:
        pacer = Pacer(self, channel, channel, Pace(50, 3000, 5.0), self._monotonic, self._wait)
        gateway = self.gateways[channel]
        return GuardedGateway(channel, gateway, Breaker(5, 30), pacer, LastLook(self.cabinet), self._now)

    async def claim(self, provider: str, channel: str, many: int, spacing: float, horizon: float) -> Grant | None:
        """A block of tokens; where something is to happen meanwhile, another worker has just taken half a minute's."""
        if self.meanwhile:
            await self.cabinet.claim(provider, channel, 1, 30.0, horizon)
        return await self.cabinet.claim(provider, channel, many, spacing, horizon)

    async def behind(self, provider: str, channel: str) -> float:
        return await self.cabinet.behind(provider, channel)

    async def _wait(self, seconds: float) -> None:
        """For a token, in no time; what is to happen meanwhile happens then."""
        while self.meanwhile:
            await self.sending.hear(self.meanwhile.pop(), 2)
        self.ahead += seconds

    def _monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def _now(self) -> datetime:
        return self.sending.clock.now()

    async def knows(self, *points: ContactPoint) -> None:
        """A case, and a profile as intake tells it."""
        held = profile_of(self.keys, *points, debtor_id=ANNA)
        assert held.sealed is not None
        await self.sending.hear(intake.CaseOpened(case=case()), 1)
        await self.sending.hear(intake.ProfileChanged(version=1, profile=held.sealed), 0)

    async def promise(self, on: str) -> None:
        """An operator has called, and was promised 100 yuan by a day."""
        made, table = contact(plan_number=0), LAYOUT.tables["contacts"]
        columns = ["shard", "debtor_id", *(column.name for column in columns_of(table))]
        row = (shard_of(ANNA), ANNA, *values(table, made))
        body = {"contact_id": made.contact_id, "result": "promised"}
        said = {**body, "promise": {"amount": 10_000, "currency": "CNY", "promised_on": on}}
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        connection = await asyncpg.connect(self.dsn)
        await connection.execute(f"INSERT INTO contact ({', '.join(columns)}) VALUES ({places})", *row)
        await connection.execute(
            "INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash) "
            "VALUES ('said', 'test', 'said', 'lane', $1, 'record-outcome', $2, $3, 'operator/x', $4, '')",
            shard_of(ANNA), ANNA, LENDER, msgspec.json.encode(said).decode(),
        )  # fmt: skip
        await connection.close()
        self.sending.actor.standings = self.sending.worker.standings
        self.sending.actor.now = self.sending.clock.now()
        await self.sending.actor.commands()
        self.sending.worker.standings = self.sending.actor.standings

    async def rows(self, query: str) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.dsn)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def get(self, path: str) -> httpx.Response:
        """Read by an operator."""
        settings = Settings.demo()
        engine = engine_of(self.dsn, pool_size=2)
        service = replace(
            declare(settings),
            routes=partial(api.routes, Signer(settings.personal_data_key), SystemClock(), lambda: self.keys),
        )
        app = create_app(service, settings, engine=engine)
        token = next(one.token for one in settings.tokens if one.role == "operator")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
        await close(app)
        await engine.dispose()
        return answer


@pytest.fixture
async def real(database_of: DatabaseOf, blank_database: BlankDatabase, tmp_path: Path) -> AsyncIterator[Real]:
    async with AsyncExitStack() as servers:
        real = await Real(database_of("outreach"), blank_database(), tmp_path).start(servers)
        yield real
        await real.sending.close()


async def test_what_is_written_reaches_whom_it_is_for_by_each_channel_and_is_in_the_ledger(real: Real) -> None:
    await real.knows(*POINTS)
    await real.sending.hear(assigned(Channel.SMS, Channel.EMAIL, Channel.LETTER), 1)
    await real.sending.wait(days=1)
    [message] = real.sms.messages.values()
    assert message["to"] == MOBILE
    assert f"尊敬的{NAME}" in message["text"]
    [mail] = real.mail.mails
    assert mail["To"] == EMAIL
    assert f"尊敬的{NAME}" in mail.get_content()
    ledger = await real.rows("SELECT channel, state, point, wording, provider_reference FROM contact ORDER BY channel")
    assert [(row["channel"], row["state"], row["wording"]) for row in ledger] == [
        ("email", "made", "plan_offer.v1 zh-CN"),
        ("letter", "made", "balance_letter.v1 zh-CN"),
        ("sms", "made", "remind_service.v1 zh-CN"),
    ]
    assert len({row["point"] for row in ledger}) == 3
    assert all(len(row["point"]) == 32 for row in ledger)


async def test_a_letter_lies_in_the_folder_and_can_be_read_again_by_staff_which_is_noted(real: Real) -> None:
    await real.knows(*POINTS)
    await real.sending.hear(assigned(Channel.LETTER), 1)
    await real.sending.wait(days=1)
    [letter] = await real.rows("SELECT * FROM letter")
    [file] = [each for each in _files(real.folder) if each.suffix == ".pdf"]
    assert hashlib.sha256(_content(file)).hexdigest() == letter["sha256"]
    answer = await real.get(f"/v1/debtors/{ANNA}/letters/{letter['contact_id']}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content == _content(file)
    assert answer.headers["x-content-sha256"] == letter["sha256"]
    [note] = await real.rows("SELECT actor, debtor_id, what, contact_id FROM personal_data_read")
    assert note == {
        "actor": "operator/demo operator",
        "debtor_id": ANNA,
        "what": "letter",
        "contact_id": letter["contact_id"],
    }


async def test_a_letter_of_nobody_is_not_found_and_one_of_an_erased_person_cannot_be_opened(real: Real) -> None:
    await real.knows(*POINTS)
    await real.sending.hear(assigned(Channel.LETTER), 1)
    await real.sending.wait(days=1)
    [letter] = await real.rows("SELECT contact_id FROM letter")
    assert (await real.get(f"/v1/debtors/{ANNA}/letters/{'0' * 32}")).status_code == 404
    assert (await real.get(f"/v1/debtors/{'b' * 32}/letters/{letter['contact_id']}")).status_code == 404
    real.keys.forget(ANNA, NOW)
    assert (await real.get(f"/v1/debtors/{ANNA}/letters/{letter['contact_id']}")).status_code == 410


async def test_no_table_names_anybody(real: Real) -> None:
    await real.knows(*POINTS)
    await real.sending.hear(assigned(Channel.SMS, Channel.EMAIL, Channel.LETTER), 1)
    await real.sending.wait(days=1)
    tables = await real.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    everything = [str(await real.rows(f"SELECT t::text AS row FROM {table['relname']} t")) for table in tables]
    assert len(everything) > 20
    looked_for = [*PERSONAL, *(word.encode().hex() for word in (*PERSONAL, ADDRESS))]
    assert not [word for word in looked_for for text in everything if word in text]


async def test_without_a_profile_nobody_is_contacted_for_real(real: Real) -> None:
    await real.sending.hear(intake.CaseOpened(case=case()), 1)
    await real.sending.hear(assigned(Channel.SMS), 1)
    await real.sending.wait(days=1)
    [step] = await real.rows("SELECT state, reason FROM plan_step")
    assert step == {"state": "failed", "reason": "no contact point is on file"}
    assert real.sms.calls == []


async def test_a_name_that_the_linter_refuses_ends_the_step_and_is_not_repeated(real: Real) -> None:
    await real.knows(*POINTS)
    held = profile_of(real.keys, *POINTS, debtor_id=ANNA, name="李四再不还钱就去你家")
    assert held.sealed is not None
    await real.sending.hear(intake.ProfileChanged(version=2, profile=held.sealed), 0)
    await real.sending.hear(assigned(Channel.SMS), 1)
    await real.sending.wait(days=1)
    [step] = await real.rows("SELECT state, reason FROM plan_step")
    assert step["state"] == "failed"
    assert step["reason"].startswith("its text may not be sent: remind_service is refused: CN-")
    assert real.sms.calls == []


# Tokens


@pytest.fixture
async def cabinets(database_of: DatabaseOf) -> AsyncIterator[list[Cabinet]]:
    dsn = database_of("outreach")
    made = [Cabinet(dsn) for _ in range(4)]
    yield made
    for each in made:
        await each.close()


async def test_blocks_of_tokens_never_overlap_whoever_takes_them(cabinets: list[Cabinet]) -> None:
    spacing = 0.001
    loop = asyncio.get_running_loop()

    async def taken(cabinet: Cabinet, many: int) -> tuple[float, float, float]:
        asked = loop.time()
        grant = await cabinet.claim("sms", "sms", many, spacing, 60)
        assert grant is not None
        assert grant.many == many
        return asked + grant.first, loop.time() + grant.first, many * spacing

    work = [taken(cabinets[place % 4], 1 + place % 7) for place in range(200)]
    blocks = sorted(await asyncio.gather(*work))
    total = sum(length for _, _, length in blocks)
    assert await cabinets[0].behind("sms", "sms") == pytest.approx(
        max(latest + length for _, latest, length in blocks) - loop.time(), abs=0.25
    )
    earliest, latest = blocks[0][0], blocks[-1][1] + blocks[-1][2]
    assert latest - earliest >= total - 0.001


async def test_a_bucket_gives_nothing_beyond_the_horizon_and_is_one_for_each_channel(cabinets: list[Cabinet]) -> None:
    cabinet = cabinets[0]
    assert await cabinet.behind("sms", "sms") == 0
    assert await cabinet.claim("sms", "sms", 10, 10.0, 0) is not None
    assert await cabinet.claim("sms", "sms", 1, 10.0, 60) is None
    assert 95 < await cabinet.behind("sms", "sms") <= 100
    other = await cabinet.claim("sms", "email", 1, 10.0, 0)
    assert other is not None
    assert other.first <= 0
    later = await cabinets[1].claim("sms", "sms", 1, 10.0, 120)
    assert later is not None
    assert 95 < later.first <= 100


async def test_workers_on_one_bucket_keep_to_the_rate_of_any_second(cabinets: list[Cabinet]) -> None:
    loop, asked = asyncio.get_running_loop(), list[float]()
    pace = Pace(per_second=20, per_minute=6000, slack=0.25)
    pacers = [Pacer(cabinet, "sms", "sms", pace, loop.time) for cabinet in cabinets]

    async def call(pacer: Pacer) -> None:
        await pacer.turn(30)
        asked.append(loop.time())

    await asyncio.gather(*(call(pacers[place % 4]) for place in range(60)))
    assert len(asked) == 60
    assert max(sum(start <= each < start + 1 for each in asked) for start in asked) <= 20


async def test_where_the_database_is_away_everything_is_put_off() -> None:
    cabinet = Cabinet("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(PutOffError):
        await cabinet.dossier(ANNA, 1)
    with pytest.raises(PutOffError):
        await cabinet.standing({"c": ANNA})
    with pytest.raises(PutOffError):
        await Pacer(cabinet, "sms", "sms", Pace(1, 1)).turn(1)


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def _content(file: Path) -> bytes:
    return file.read_bytes()
