"""`python -m services.intake.connectors`: a bank's files and topics become events on the public topic.

`csv` sends a file of rows, `iso20022` notices of credit and returns, `mambu` what Mambu streams; `bridge` reads a topic
of the core's own until it is stopped. BROKER_URL and the KAFKA_ variables say where Kafka is.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TypeAlias

from services.intake.connectors import commands
from services.intake.connectors.arguments import (
    folder,
    identifier,
    pattern,
    readable_file,
    topic,
    writable_file,
    zone,
)
from services.intake.connectors.bridging import WrongPositionError
from services.intake.connectors.csv_files.examining import CsvFileError
from services.intake.connectors.fineract.schemas import SchemaFolderError
from services.intake.connectors.iso20022.money import ANY_LOAN
from services.intake.connectors.positions import PositionError
from shared import logs
from shared.command_line import OneLineParser
from shared.data_files import WrongDataError
from shared.messaging.broker import BrokerUnavailableError, OffsetGoneError
from shared.settings import SettingsError

EXPECTED = (
    BrokerUnavailableError,
    CsvFileError,
    OffsetGoneError,
    OSError,
    PositionError,
    SchemaFolderError,
    SettingsError,
    WrongDataError,
    WrongPositionError,
)
"""What a user can do something about: one line, and exit code 2."""

Command = Callable[[argparse.Namespace], Coroutine[None, None, int]]
Kinds: TypeAlias = "argparse._SubParsersAction[OneLineParser]"  # noqa: SLF001  # argparse has no other name for it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0, 1 where something was refused and the rest sent, 2 with one line where nothing can be."""
    chosen = _parser().parse_args(arguments)
    logs.configure("production")
    command: Command = chosen.command
    try:
        return asyncio.run(command(chosen))
    except EXPECTED as error:
        sys.stderr.write(f"{str(error).splitlines()[0]}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m services.intake.connectors", description=__doc__)
    kinds = parser.add_subparsers(required=True, metavar="csv|iso20022|mambu|bridge", parser_class=OneLineParser)
    _csv(_command(kinds, "csv", commands.send_csv, "a file of payments, reversals, closings, arrears or profiles"))
    _iso20022(_command(kinds, "iso20022", commands.send_notices, "camt.054 and pacs.004, as XML or JSON"))
    _command(kinds, "mambu", commands.send_batches, "batches of Mambu's stream on standard input, one a line")
    bridging = kinds.add_parser("bridge", help="a topic of the core's own, carried over until stopped")
    sources = bridging.add_subparsers(required=True, metavar="fineract|outbox|tables", parser_class=OneLineParser)
    _fineract(_bridge(sources, "fineract", commands.from_fineract, "Apache Fineract's external events"))
    _bridge(sources, "outbox", commands.from_outbox, "an outbox, by Debezium")
    of_tables = _bridge(sources, "tables", commands.from_tables, "tables of the core, by Debezium")
    of_tables.add_argument(
        "--map", type=readable_file, required=True, help="YAML: which change of which table is which event"
    )
    return parser


def _command(
    kinds: "argparse._SubParsersAction[OneLineParser]", name: str, command: Command, what: str
) -> OneLineParser:
    parser = kinds.add_parser(name, help=what, description=what)
    parser.add_argument("--lender", type=identifier, required=True, help="whose loans these are")
    parser.add_argument("--zone", type=zone, default="UTC", help="of days and times that name none (UTC)")
    parser.set_defaults(command=command)
    return parser


def _csv(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=readable_file, metavar="FILE")
    parser.add_argument(
        "--report", type=writable_file, required=True, help="what was refused; the position lies beside"
    )
    parser.add_argument("--encoding", choices=["utf-8", "gb18030"], default="utf-8")
    parser.add_argument(
        "--corrections", type=readable_file, help="a report of this file, corrected: send only its rows"
    )


def _iso20022(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", type=readable_file, nargs="+", metavar="FILE")
    parser.add_argument("--payments", type=writable_file, required=True, help="keeps the references of payments")
    parser.add_argument("--loan", type=pattern, default=ANY_LOAN, help="finds the loan in a remittance text")


def _bridge(
    sources: "argparse._SubParsersAction[OneLineParser]",
    name: str,
    source: Callable[[argparse.Namespace], object],
    what: str,
) -> OneLineParser:
    parser = _command(sources, name, commands.bridge, what)
    parser.add_argument("--from", dest="topic", type=topic, required=True, metavar="TOPIC")
    parser.add_argument("--position", type=writable_file, required=True, help="keeps how far the topic was read")
    parser.set_defaults(source=source)
    return parser


def _fineract(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--schemas", type=folder, action="append", required=True, help="a release's .avsc files; once for each release"
    )
    parser.add_argument("--tenant", default="default")
    parser.add_argument("--portfolio", type=identifier, default="default")
    parser.add_argument("--jurisdiction", type=identifier, default="CN")
    parser.add_argument("--language", default="zh-CN", help="of the debtors, as far as Fineract does not know it")


if __name__ == "__main__":
    sys.exit(main())
