"""`python -m services.intake.reconciliation`: a lender's whole book against ours; a report, and a summary as JSON.

0 where the books agree, 1 where they do not, 2 where the file, or a row of it, cannot be read. DATABASE_URL_INTAKE says
where our book is.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from services.intake.cases import reporting_schemes
from services.intake.connectors.arguments import identifier, readable_file, writable_file, zone
from services.intake.connectors.csv_files.examining import CsvFileError
from services.intake.reconciliation.running import Done, Job, run
from shared import logs
from shared.command_line import OneLineParser
from shared.data_files import WrongDataError
from shared.postgres.failures import DRIVER_ERRORS
from shared.settings import Settings, SettingsError

EXPECTED = (CsvFileError, OSError, SettingsError, WrongDataError)
"""What a user can do something about: one line, and exit code 2."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Reconcile one file."""
    chosen = parser().parse_args(arguments)
    logs.configure("production")
    try:
        return _said(asyncio.run(_run(_job(chosen))))
    except EXPECTED as error:
        sys.stderr.write(f"{str(error).splitlines()[0]}\n")
        return 2
    except (*DRIVER_ERRORS, TimeoutError) as error:
        sys.stderr.write(f"our book cannot be read: {type(error).__name__}\n")
        return 2
    except KeyboardInterrupt:
        return 130


async def _run(job: Job) -> Done:
    # The command needs none of the product's keys and tokens, so it does not ask for them as the services do.
    url = Settings.demo(os.environ, ()).database_url("intake")
    connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": "fairdue reconciliation"})
    try:
        return await run(job, connection, reporting_schemes.load())
    finally:
        await connection.close()


def _job(chosen: argparse.Namespace) -> Job:
    cut_off: datetime | None = chosen.cut_off
    if cut_off is not None and cut_off.tzinfo is None:
        cut_off = cut_off.replace(tzinfo=chosen.zone)
    return Job(chosen.file, chosen.lender, chosen.report, chosen.encoding, chosen.zone, cut_off)


def _said(done: Done) -> int:
    """Say what came of it: the summary on standard output, one line of what could not be read on standard error."""
    sys.stdout.write(f"{msgspec.json.format(msgspec.json.encode(done.summary()), indent=2).decode()}\n")
    line = done.first_refused
    if line is not None:
        more = f"; {done.refused - 1:,} more rows are in {done.job.report}" if done.refused > 1 else ""
        place = f"{done.job.file.name}, row {line.number}"
        sys.stderr.write(f"{': '.join(part for part in (place, line.field, line.reason) if part)}{more}\n")
    return done.exit_code


def parser() -> argparse.ArgumentParser:
    """What the command is given."""
    made = OneLineParser(prog="python -m services.intake.reconciliation", description=__doc__)
    made.add_argument("file", type=readable_file, metavar="FILE", help="every account of the lender, a row each")
    made.add_argument("--lender", type=identifier, required=True, help="whose book it is")
    made.add_argument("--report", type=writable_file, required=True, help="what differs, a row each")
    made.add_argument("--encoding", choices=["utf-8", "gb18030"], default="utf-8")
    made.add_argument("--zone", type=zone, default=UTC, help="in which the book's day ends (UTC)")
    made.add_argument("--cut-off", type=_instant, help="up to when postings are in it (the end of its day)")
    return made


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date with a time") from None


if __name__ == "__main__":
    sys.exit(main())
