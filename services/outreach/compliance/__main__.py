"""`python -m services.outreach.compliance`: `check FILE.jsonl` judges vectors, `explain FILE.jsonl` says why."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.outreach.compliance import vectors
from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.domain.pack import UnknownRuleError
from services.outreach.compliance.vectors import VectorError
from services.outreach.compliance.wording import explained
from shared.command_line import OneLineParser
from shared.data_files import WrongDataError

Answer = Callable[[str | int, Mapping[str, Any]], str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer every line; 0, 1 where one could not be answered, 2 with one line where none can."""
    chosen = _parser().parse_args(arguments)
    try:
        lines = _lines(chosen.file)
    except OSError as error:
        sys.stderr.write(f"{chosen.file}: cannot be read ({type(error).__name__})\n")
        return 2
    try:
        failed = [not _answered(chosen.answer, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    except WrongDataError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return int(any(failed))


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m services.outreach.compliance", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="check|explain", parser_class=OneLineParser)
    for name, answer, what in (
        ("check", _checked, "one JSON line for each vector"),
        ("explain", _explained, "each verdict in words, English and Chinese"),
    ):
        command = commands.add_parser(name, help=what)
        command.add_argument("file", metavar="FILE.jsonl", help="vectors, one a line; - is standard input")
        command.set_defaults(answer=answer)
    return parser


def _lines(file: str) -> Iterable[bytes]:
    return sys.stdin.buffer if file == "-" else Path(file).read_bytes().splitlines()


def _answered(answer: Answer, number: int, line: bytes) -> bool:
    """Answer one line; whether that was possible."""
    name: str | int = number
    try:
        content = vectors.read_line(line)
        name = content["id"] if isinstance(content.get("id"), str | int) else number
        print(answer(name, content))
    except (VectorError, UnknownRuleError) as error:
        print(_json({"id": name, "error": str(error)}))
        return False
    return True


def _checked(name: str | int, content: Mapping[str, Any]) -> str:
    if "fn" in content:
        return _json({"id": name, "result": vectors.call(content)})
    asked = vectors.read_vector(content)
    verdict = evaluate(asked.attempt, asked.history, asked.pack)
    following = verdict.next_allowed
    return _json(
        {
            "id": name,
            "verdict": "allow" if verdict.allowed else "deny",
            "next": None if following is None else following.isoformat(timespec="seconds"),
            "rules": [finding.rule for finding in verdict.failing],
        }
    )


def _explained(name: str | int, content: Mapping[str, Any]) -> str:
    if "fn" in content:
        return f"{name}: {vectors.call(content)}\n"
    asked = vectors.read_vector(content)
    verdict = evaluate(asked.attempt, asked.history, asked.pack)
    return "\n".join((explained(name, verdict, asked.pack, "en"), explained(name, verdict, asked.pack, "zh"), ""))


def _json(content: Mapping[str, object]) -> str:
    return json.dumps(content, ensure_ascii=False)


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # whoever reads us may stop reading
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
