"""`python -m services`: run services, bring databases up to date, play the demo, replay a card panel."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import uvloop

from services import demo, live, local, replay
from services.doctor import Limits
from services.installed import DECLARATIONS
from services.intake.connectors.card_panel import PanelFileError
from shared import logs
from shared.data_files import WrongDataError
from shared.embedded.kafka_server import KafkaServerError
from shared.environment import SettingsError
from shared.messaging.broker import BrokerUnavailableError, PartitionMismatchError
from shared.messaging.store import StoreUnavailableError
from shared.postgres.migrate import SchemaBehindError
from shared.postgres.refusals import DatabaseRefusedError
from shared.postgres.server import PostgresServerError
from shared.runtime import Role
from shared.settings import Settings
from shared.stepped import StuckError

EXPECTED = (
    BrokerUnavailableError,
    DatabaseRefusedError,
    KafkaServerError,
    PanelFileError,
    PartitionMismatchError,
    PostgresServerError,
    SchemaBehindError,
    SettingsError,
    StoreUnavailableError,
    StuckError,
    WrongDataError,
)
"""What a user can do something about: one line, and exit code 2."""


def main(arguments: Sequence[str]) -> int:
    """Run a command; 0, 1 where the doctor finds something, or 2 with one line on standard error."""
    chosen = _parser().parse_args(arguments)
    try:
        _spare_the_collector()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(chosen.start(chosen)) or 0
    except EXPECTED as error:
        sys.stderr.write(f"fairdue: {str(error).splitlines()[0]}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _spare_the_collector() -> None:
    """Events and states are frozen and acyclic: looking through them for cycles costs a fifth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


async def _demo(chosen: argparse.Namespace) -> None:
    settings = _demo_settings(dispatch=True)
    await demo.run(demo.Demo(chosen.loans, chosen.days, chosen.seed), settings, chosen.summary)


async def _replay(chosen: argparse.Namespace) -> None:
    settings = _demo_settings()
    await replay.run(replay.Replay(chosen.file, chosen.accounts, chosen.broker == "kafka", chosen.out), settings)


async def _up(_chosen: argparse.Namespace) -> None:
    await live.up(_demo_settings(dispatch=True))


async def _run(chosen: argparse.Namespace) -> None:
    settings = Settings.from_environment(os.environ, chosen.services or tuple(DECLARATIONS))
    logs.configure(settings.mode)
    roles = [Role(role) for role in chosen.role] or list(Role)
    await live.run(chosen.services, roles, settings)


async def _migrate(chosen: argparse.Namespace) -> None:
    names = chosen.services or list(DECLARATIONS)
    if os.environ.get("FAIRDUE_MODE") == "demo":
        settings = _demo_settings()
        installed = await local.start(settings.data_directory / "up" / "postgres")
        settings = installed.settings(settings)
    else:
        settings = Settings.from_environment(os.environ, names)
    for name in names:
        applied = await local.upgraded(settings.database_url(name), name)
        sys.stdout.write(f"{name}: {', '.join(applied) or 'up to date'}\n")


async def _doctor(chosen: argparse.Namespace) -> int:
    found = await live.examined(os.environ, chosen.services, Limits(chosen.lag, chosen.stale))
    sys.stdout.write("".join(f"{line}\n" for line in found or ["nothing is wrong"]))
    return 1 if found else 0


def _demo_settings(*, dispatch: bool = False) -> Settings:
    """`dispatch`: made-up debtors are contacted through the sandbox, unless the environment says otherwise."""
    settings = Settings.demo({"FAIRDUE_DISPATCH": "on", **os.environ} if dispatch else os.environ)
    logs.configure(settings.mode)
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m services", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    playing = _command(commands, "demo", _demo, "a made-up portfolio through all five services, in stepped mode")
    playing.add_argument("--loans", type=_positive, default=5000)
    playing.add_argument("--days", type=_positive, default=60)
    playing.add_argument("--seed", type=int, default=1)
    playing.add_argument("--summary", type=_writable, help="also write the summary here, as JSON")
    replaying = _command(commands, "replay", _replay, "a real card panel through all five services, month by month")
    replaying.add_argument("--file", type=_file, required=True)
    replaying.add_argument("--accounts", type=_positive)
    replaying.add_argument("--broker", choices=["embedded", "kafka"], default="embedded")
    replaying.add_argument("--out", type=_writable, help="write the month-end transitions here: from,to,accounts")
    _command(commands, "up", _up, "the whole system on the embedded installation, left running")
    running = _command(commands, "run", _run, "services as the environment says, left running")
    running.add_argument("services", nargs="*", type=_service, help="which of the five; all by default")
    running.add_argument("--role", action="append", choices=[str(role) for role in Role], default=[])
    migrating = _command(commands, "migrate", _migrate, "bring databases up to date, once, before services start")
    migrating.add_argument("services", nargs="*", type=_service)
    examining = _command(commands, "doctor", _doctor, "what is wrong, a line each; exit code 1 if anything is")
    examining.add_argument("services", nargs="*", type=_service)
    examining.add_argument("--lag", type=int, default=Limits().lag, help="so many unread records are not worth a line")
    examining.add_argument("--stale", type=float, default=Limits().stale, help="so many seconds a lane may be stale")
    return parser


Start = Callable[[argparse.Namespace], Coroutine[None, None, int | None]]


def _command(commands: "argparse._SubParsersAction[_Parser]", name: str, start: Start, what: str) -> "_Parser":
    command = commands.add_parser(name, help=what, description=what)
    command.set_defaults(start=start)
    return command


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"fairdue: {message}\n")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number from 1 on, not {text!r}")
    return int(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def _writable(text: str) -> Path:
    """A file that can be written later: to learn after a long run that it cannot would be a pity."""
    path = Path(text)
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written")
    return path


def _service(text: str) -> str:
    if text not in DECLARATIONS:
        raise argparse.ArgumentTypeError(f"there is no service {text!r}, only {', '.join(DECLARATIONS)}")
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
