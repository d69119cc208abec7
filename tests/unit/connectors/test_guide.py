"""Every example of the guide is what a connector reads, and every command in it is one."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest

from services.intake.connectors import mambu
from services.intake.connectors.__main__ import _parser
from services.intake.connectors.cloud_events import STRUCTURED, decode
from services.intake.connectors.csv_files.examining import examine
from services.intake.connectors.csv_files.kinds import KINDS
from services.intake.connectors.csv_files.running import Job, run
from services.intake.connectors.csv_files.units import REPORT, read_corrections
from services.intake.connectors.debezium import tables
from services.intake.connectors.iso20022 import camt054, pacs004
from services.intake.connectors.iso20022.money import Collecting
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.sealing import Sealer
from services.intake.connectors.sending import Outcome, Sent
from services.intake.reconciliation import __main__ as reconciliation
from services.intake.reconciliation.rows import as_of_in, lines
from services.intake.verification.api import CorrectingDecision
from services.intake.verification.commands import DecideVerification
from shared.contracts import core_banking
from shared.contracts.core_banking import PaymentPosted, PaymentReversed
from shared.messaging.broker import Outgoing
from shared.settings import Settings
from tests.unit.fuzz.anything import record

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "connect-your-core-system.md"
SEALER = Sealer.for_trying(Settings.demo({}).vault)
PROGRAMS = {
    "python -m services.intake.connectors ": _parser(),
    "python -m services.intake.reconciliation ": reconciliation.parser(),
}


class Example(NamedTuple):
    """A block of the guide."""

    language: str
    text: str


EXAMPLES = [
    Example(*each) for each in re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
]


def of(language: str, word: str = "") -> list[str]:
    return [text for found, text in EXAMPLES if found == language and word in text]


def only(outcomes: Sequence[Outcome]) -> Any:
    [sent] = outcomes
    assert isinstance(sent, Sent), sent
    return sent.fact


def test_every_example_is_looked_at_below() -> None:
    read = [*of("sh"), *of("yaml"), *of("csv"), *of("xml")]
    words = ('"specversion"', '"op"', '"cursor"', '"transforms"', '"corrected"')
    read += [text for word in words for text in of("json", word)]
    assert len(read) == len(EXAMPLES) > 15


def test_the_event_is_one_that_the_edge_takes() -> None:
    [event] = of("json", '"specversion"')
    taken = decode(record(core_banking.TOPIC, event.encode(), (("content-type", STRUCTURED.encode()),)), SEALER)
    assert taken is not None
    assert taken.data.amount == 85610


def test_every_event_of_the_contract_is_in_the_table() -> None:
    named = set(re.findall(r"^\| `(core-banking\.[a-z.\-0-9]+)` \|", GUIDE.read_text(), re.MULTILINE))
    assert named == set(core_banking.EVENTS) - {"core-banking.debtor-updated.v1"}, "the profile says more than it"


def test_the_change_is_the_payment_that_the_map_makes_of_it(tmp_path: Path) -> None:
    [content], [change] = of("yaml"), of("json", '"op"')
    (tmp_path / "tables.yaml").write_text(content)
    payment = only(tables.read(change.encode(), tables.read_tables(tmp_path / "tables.yaml"), "first-bank"))
    assert (payment.amount, payment.payment_id, payment.settled_due_on) == (85610, "9001", date(2026, 1, 15))


def test_the_batch_is_a_payment() -> None:
    [batch] = of("json", '"cursor"')
    assert only(mambu.read(json.dumps(json.loads(batch)).encode(), "first-bank")).amount == 85610


def test_the_router_puts_the_type_where_it_is_read() -> None:
    [router] = of("json", '"transforms"')
    assert json.loads(router)["transforms.outbox.table.fields.additional.placement"] == "type:header:type"


def test_the_notice_is_a_payment_and_the_return_takes_it_back() -> None:
    [iso] = [line for line in commands() if " iso20022 " in line]
    chosen = shlex.split(iso)
    collecting = Collecting("first-bank", ZoneInfo("UTC"), re.compile(chosen[chosen.index("--loan") + 1]))
    notice, returned = of("xml")
    with Postings() as postings:
        posted = only(camt054.read(notice.encode(), collecting, postings))
        reversed_ = only(pacs004.read(returned.encode(), collecting, postings))
    assert isinstance(posted, PaymentPosted)
    assert isinstance(reversed_, PaymentReversed)
    assert (posted.loan_id, posted.payment_id) == ("4711", reversed_.payment_id)


async def test_each_file_is_of_one_kind_and_has_nothing_wrong(tmp_path: Path) -> None:
    files = [text for text in of("csv") if not text.startswith(REPORT[0]) and text != book()]
    types: list[bytes] = []

    async def append(records: Sequence[Outgoing]) -> None:
        types.extend(dict(each.headers)["ce_type"] for each in records)

    for number, content in enumerate(files):
        file = tmp_path / f"{number}.csv"
        file.write_text(content)
        job = Job(file, "first-bank", tmp_path / f"{number}-report.csv", zone=ZoneInfo("Asia/Shanghai"))
        done = await run(job, append)
        assert (done.sent, done.refused) == (1, 0)
    assert sorted(types) == sorted(kind.event.encode() for kind in KINDS)


def test_the_corrected_report_is_one(tmp_path: Path) -> None:
    [report] = [text for text in of("csv") if text.startswith(REPORT[0])]
    (tmp_path / "report.csv").write_text(report)
    _, corrections = read_corrections(tmp_path / "report.csv", ["amount"], rows=2)
    assert corrections == {2: {"amount": "856.10"}}


def book() -> str:
    [found] = of("csv", "past_due")
    return found


def test_the_book_is_one_and_has_nothing_wrong(tmp_path: Path) -> None:
    (tmp_path / "book.csv").write_text(book())
    examined = examine(tmp_path / "book.csv", "utf-8")
    found = list(lines(examined, as_of_in(examined)))
    assert [(line.loan_id, line.account and line.account.past_due) for line in found] == [
        ("L-4711", 85_610),
        ("L-4712", 0),
    ]
    assert not [line for line in found if line.reason]


def test_the_correction_is_one_that_staff_can_send() -> None:
    [text] = of("json", '"corrected"')
    body = CorrectingDecision.model_validate_json(text)
    asked = {"verification_id": "v", "choice": "correct", **body.model_dump(mode="json", exclude_none=True)}
    command = msgspec.convert(asked, DecideVerification)
    assert command.corrected is not None
    assert command.corrected.outstanding == 900_000


def commands() -> Iterator[str]:
    for text in of("sh"):
        yield from text.splitlines()


def test_every_command_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("payments.csv", "refused.csv", "credits.xml", "returns.xml", "tables.yaml", "book.csv"):
        (tmp_path / name).touch()
    for name in ("fineract-1.12/avro", "fineract-1.13/avro"):
        (tmp_path / name).mkdir(parents=True)
    for line in commands():
        program = next(program for program in PROGRAMS if line.startswith(program))
        assert PROGRAMS[program].parse_args(shlex.split(line.removeprefix(program))).lender == "first-bank"


def test_every_link_leads_somewhere() -> None:
    text = GUIDE.read_text()
    anchors = {
        re.sub(r"[^a-z0-9 ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (GUIDE.parent / target.partition("#")[0]).exists(), target
