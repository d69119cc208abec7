"""`python -m services.outreach.templates`: `check` lists every template with its findings, `show ID` prints one."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from services.outreach.compliance.wording import substitute
from services.outreach.templates.domain.linting import Finding
from services.outreach.templates.domain.rendering import render
from services.outreach.templates.domain.template import Template
from services.outreach.templates.store import LANGUAGES, TEXTS, read_templates, sample_findings, samples
from shared.command_line import OneLineParser
from shared.data_files import WrongDataError


def main(arguments: Sequence[str] | None = None) -> int:
    """0; 1 where a template has a finding; 2, with one line, for a wrong argument or a file that cannot be read."""
    chosen = _parser().parse_args(arguments)
    try:
        templates = read_templates(chosen.folder)
        code: int = chosen.answer(chosen, templates)
    except WrongDataError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="python -m services.outreach.templates", description=__doc__)
    parser.add_argument("--folder", type=_folder, default=TEXTS, help="where the templates are, by default the shipped")
    commands = parser.add_subparsers(required=True, metavar="check|show", parser_class=OneLineParser)
    check = commands.add_parser("check", help="every template with its findings; exit code 1 where there is one")
    check.set_defaults(answer=_check)
    show = commands.add_parser("show", help="the latest version of one with made-up fields")
    show.add_argument("id", metavar="ID")
    show.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0])
    show.set_defaults(answer=_show)
    return parser


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return path


def _check(_: argparse.Namespace, templates: Sequence[Template]) -> int:
    found = False
    for template in templates:
        by_language = sample_findings(template)
        count = sum(map(len, by_language.values()))
        print(
            f"{template.id} v{template.version} {template.channel} {', '.join(by_language)}: {count or 'no'} findings"
        )
        for language, findings in by_language.items():
            for finding in findings:
                print(f"  {language} {_said(finding)}")
        found = found or count > 0
    return int(found)


def _said(finding: Finding) -> str:
    place = "lacks" if finding.position < 0 else f"at {finding.position}"
    instead = substitute(finding.rule).get("en")
    return f"{finding.rule} {place}: {finding.words} ({finding.citation})" + (
        f"\n     instead: {instead}" if instead else ""
    )


def _show(chosen: argparse.Namespace, templates: Sequence[Template]) -> int:
    versions = [each for each in templates if each.id == chosen.id]
    if not versions:
        sys.stderr.write(f"there is no template {chosen.id}\n")
        return 2
    latest = max(versions, key=_age)
    rendered = render(latest, samples()[chosen.language], chosen.language)
    print(f"{rendered.template} v{rendered.version} {rendered.language} sha256 {rendered.sha256}\n\n{rendered.whole}")
    return 0


def _age(template: Template) -> tuple[date, int]:
    return template.effective_from, template.version


if __name__ == "__main__":
    sys.exit(main())
