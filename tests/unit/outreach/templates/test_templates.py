"""The shipped templates are complete, say what they must, and a file that is wrong is refused in one line."""

import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from services.outreach.compliance.store import read_figures
from services.outreach.templates.domain import denials
from services.outreach.templates.domain.rendering import Value
from services.outreach.templates.domain.template import PLACEHOLDERS, Language
from services.outreach.templates.store import (
    FOLDER,
    LANGUAGES,
    TEXTS,
    RefusedWordingError,
    UnknownTemplateError,
    Wordings,
    book,
    read_clauses,
    read_template,
    read_templates,
    read_traditional,
    sample_findings,
    samples,
    shipped,
    wordings,
)
from shared.data_files import WrongDataError

ROOT = Path(__file__).parents[4]
DAY = date(2026, 11, 26)
NAMES = [template.id for template in read_templates()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEXTS, tmp_path / "texts"))


def change(folder: Path, name: str, *pairs: tuple[str, str]) -> Path:
    file = folder / f"{name}.v1.yaml"
    text = file.read_text("utf-8")
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    file.write_text(text, "utf-8")
    return file


def steps() -> set[tuple[str, str]]:
    """The templates that the shipped strategies name, each with its channel."""
    files = (ROOT / "services/segmentation/strategies").glob("*.yaml")
    stages = (stage for file in files for stage in yaml.safe_load(file.read_text("utf-8"))["stages"])
    listed = [each for stage in stages for each in stage.values() if isinstance(each, list)]
    asked = [step for each in listed for step in each if "template" in step]
    return {(step["template"], step["channel"]) for step in asked if step["channel"] != "legal_referral"}


def test_there_is_a_template_for_every_step_of_a_strategy_and_for_its_channel() -> None:
    assert steps()
    assert steps() <= {(template.id, template.channel) for template in read_templates()}


@pytest.mark.parametrize("template", read_templates(), ids=NAMES)
def test_no_shipped_template_has_a_finding_in_any_language(template: object) -> None:
    findings = sample_findings(template)  # type: ignore[arg-type]  # pytest's ids want a list
    assert findings == dict.fromkeys(LANGUAGES, ())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_shipped_template_is_said_in_its_language(name: str, language: Language) -> None:
    said = shipped().say(name, samples()[language], language, DAY)
    assert not set("{}") & set(said.whole)
    assert bool(re.search("[\u4e00-\u9fff]", said.whole)) is (language == "zh-CN")
    assert re.fullmatch("[0-9a-f]{64}", said.sha256)


def test_each_template_lists_every_clause_that_is_demanded_of_it() -> None:
    for template in read_templates():
        assert template.clauses == {clause.id for clause in book().clauses if clause.is_demanded(template)}


def test_every_letter_says_amount_deadline_and_consequence() -> None:
    letters = [template for template in read_templates() if template.channel == "letter"]
    assert len(letters) == 4
    for letter in letters:
        assert {"identity", "sum_and_deadline", "consequence", "complaint", "dispute"} <= letter.clauses


def test_reminders_are_in_a_service_tone_and_speak_of_no_consequence() -> None:
    reminders = [template for template in read_templates() if template.purpose == "remind"]
    assert {template.id for template in reminders} == {
        *("remind_service", "remind_call", "remind_promise", "remind_promise_mail"),
    }
    for template in reminders:
        assert template.tone == "service"
        for text in template.texts.values():
            assert not re.search("诉讼|法院|征信|利息|court|claim|credit|interest", text.body)


def told(purpose: str, language: Language) -> dict[str, str]:
    """The bodies of all texts of a purpose."""
    return {each.id: each.texts[language].body for each in read_templates() if each.purpose == purpose}


@pytest.mark.parametrize(("language", "word"), [("zh-CN", "自愿"), ("en", "voluntary")])
def test_every_text_about_an_interview_says_that_it_is_voluntary(language: Language, word: str) -> None:
    texts = told("interview", language)
    assert set(texts) == {"interview_offer_call", "interview_offer", "interview_as_agreed"}
    assert [name for name, body in texts.items() if word not in body] == []


@pytest.mark.parametrize(("language", "word"), [("zh-CN", "免费"), ("en", "free of charge")])
def test_advice_and_what_is_written_about_a_plan_say_that_talking_costs_nothing(language: Language, word: str) -> None:
    texts = {**told("advice", language), **told("plan", language)}
    assert {name for name, body in texts.items() if word in body} == {"advice_call", "plan_offer", "plan_letter"}


@pytest.mark.parametrize(("language", "months"), [("zh-CN", r"不超过(\d+)个月"), ("en", r"at most (\d+) months")])
@pytest.mark.parametrize("purpose", ["plan", "advice", "hardship"])
def test_a_plan_is_offered_for_no_longer_than_the_book_allows(purpose: str, language: Language, months: str) -> None:
    texts = told(purpose, language)
    assert texts
    for body in texts.values():
        assert re.findall(months, body) == [str(read_figures().plan_months)]


@pytest.mark.parametrize(
    ("language", "demands"), [("zh-CN", "诉讼|法院|征信|利息"), ("en", "court|claim|credit|interest")]
)
@pytest.mark.parametrize("purpose", ["advice", "hardship"])
def test_advice_and_the_question_for_hardship_threaten_nothing(purpose: str, language: Language, demands: str) -> None:
    texts = told(purpose, language)
    assert texts
    assert [name for name, body in texts.items() if re.search(demands, body)] == []


def test_the_text_for_third_persons_has_no_placeholder_about_the_debt() -> None:
    [relay] = [template for template in read_templates() if template.audience == "third_person"]
    assert relay.id == "ask_to_relay"
    for text in relay.texts.values():
        assert text.placeholders == {"agency", "lender", "collector", "debtor", "phone_line", "complaint_line"}


@pytest.mark.parametrize(
    ("name", "language", "before", "after", "rule"),
    [
        ("legal_notice", "en", "It is not a document of any court.", "The court has already ruled.", "CN-X2"),
        ("consequences_letter", "zh-CN", "我们不会威胁您", "否则后果自负", "CN-X1"),
        ("remind_service", "en", "{collector}", "us", "identity"),
        ("remind_service", "zh-CN", "回复{opt_out}退订。", "谢谢。", "opt_out"),
        ("balance_letter", "en", "{pay_by}", "soon", "sum_and_deadline"),
        ("balance_letter", "zh-CN", "可能", "将", "consequence"),
        ("interview_offer", "en", "please complain on {complaint_line}", "please say so", "complaint"),
        ("early_call", "zh-CN", "请问您是{salutation}本人吗", "{salutation}", "verified_first"),
        ("early_call", "en", "Good day", "{amount} is due, good day", "verified_first"),
        ("visit_pack", "en", "Without your consent we will not enter", "We do not enter", "no_entry"),
        ("ask_to_relay", "zh-CN", "为{lender}的客户服务致电", "为{lender}的贷款致电", "CN-X11"),
        ("ask_to_relay", "en", "call {phone_line}", "call {phone_line} about {reference}", "CN-P1"),
        ("ask_to_relay", "en", "If you do not wish to be contacted again, please say so", "Bye", "refusal_of_others"),
        ("intensive_call", "en", "this call is recorded", "this call is pleasant", "recorded"),
        ("early_follow_up", "zh-CN", "如有困难", "报警之前", "CN-X2"),
        ("plan_offer", "zh-CN", "协商免费", "协商另收取费用", "CN-X5"),
        ("plan_letter", "en", "{pay_by}", "soon", "sum_and_deadline"),
        ("hardship_call", "zh-CN", "请问您是{salutation}本人吗", "{salutation}", "verified_first"),
        ("interview_as_agreed", "zh-CN", "未经您同意", "一般", "no_entry"),
    ],
)
def test_a_template_that_lacks_a_clause_or_says_too_much_is_refused(
    folder: Path, name: str, language: Language, before: str, after: str, rule: str
) -> None:
    file = change(folder, name, (before, after))
    found = {finding.rule for finding in sample_findings(read_template(file))[language]}
    assert rule in found
    with pytest.raises(WrongDataError, match=f"^{file.name}: "):
        wordings(folder)


def test_a_clause_in_the_other_language_does_not_count(folder: Path) -> None:
    file = change(folder, "remind_service", ("退订", " to unsubscribe"))
    assert [each.rule for each in sample_findings(read_template(file))["zh-CN"]] == ["opt_out"]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("lender", "公安局催收中心", "CN-X2"),
        ("collector", "court officer Li", "CN-X2"),
        ("salutation", "Pay or else", "CN-X1"),
        ("agency", "Blacklist Office", "CN-X4"),
    ],
)
def test_what_a_field_brings_in_is_linted_as_well(field: str, value: str, rule: str) -> None:
    fields: dict[str, Value] = {**samples()["en"], field: value}
    with pytest.raises(RefusedWordingError) as refused:
        shipped().say("consequences_letter", fields, "en", DAY)
    assert rule in {finding.rule for finding in refused.value.findings}
    assert value not in str(refused.value)


def test_a_lender_whose_name_tells_of_a_loan_is_not_named_to_third_persons() -> None:
    fields: dict[str, Value] = {**samples()["zh-CN"], "lender": "示例小额贷款有限公司"}
    with pytest.raises(RefusedWordingError, match="^ask_to_relay is refused: CN-X11$"):
        shipped().say("ask_to_relay", fields, "zh-CN", DAY)


def test_the_latest_effective_version_is_said(folder: Path) -> None:
    second = (folder / "remind_call.v1.yaml").read_text("utf-8")
    second = second.replace("version: 1", "version: 2").replace("2026-01-01", "2026-12-01\nvalid_until: 2026-12-31")
    (folder / "remind_call.v2.yaml").write_text(second, "utf-8")
    known = wordings(folder)
    days = (DAY, date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1))
    assert [known.effective("remind_call", day).version for day in days] == [1, 2, 2, 1]


@pytest.mark.parametrize(("name", "day"), [("remind_calls", DAY), ("remind_call", date(2025, 12, 31))])
def test_what_is_not_effective_cannot_be_said(name: str, day: date) -> None:
    with pytest.raises(UnknownTemplateError, match=f"^no version of {name} is effective on {day}$"):
        Wordings(read_templates()).say(name, samples()["en"], "en", day)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("  en:", "  fr:"), "Invalid enum value 'fr'"),
        (("version: 1", "version: 0"), "Expected `int` >= 1"),
        (("version: 1", "version: 2"), "remind_call of version 2 is in a file of another name"),
        (("id: remind_call", "id: remind"), "remind of version 1 is in a file of another name"),
        (("tone: service", "tone: harsh"), "Invalid enum value 'harsh'"),
        (("clauses: [", "clauses: [courtesy, "), "remind_call has a clause courtesy that is not known"),
        (("compliance_officer", "head_of_collections"), "remind_call is approved by one person only"),
        (("[head_of_collections, compliance_officer]", "[head_of_collections]"), "Expected `array` of length 2"),
        (("{due_on}", "{due}"), "remind_call has a placeholder {due} that is not in the list (zh-CN)"),
        (("purpose: remind", "purposes: remind"), "Object "),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(folder: Path, pair: tuple[str, str], expected: str) -> None:
    file = change(folder, "remind_call", pair)
    with pytest.raises(WrongDataError) as refused:
        read_template(file)
    assert str(refused.value).startswith(f"remind_call.v1.yaml: {expected}")
    assert "\n" not in str(refused.value)


def test_a_file_without_a_language_is_refused(folder: Path) -> None:
    file = folder / "remind_call.v1.yaml"
    file.write_text(file.read_text("utf-8").partition("  en:")[0], "utf-8")
    with pytest.raises(WrongDataError, match="^remind_call.v1.yaml: remind_call has no text in en$"):
        read_template(file)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("id: hardship", "id: dispute"), "dispute occurs more than once"),
        (("shows: [opt_out]", "shows: [opt]"), "opt_out has a placeholder opt that is not in the list"),
    ],
)
def test_a_wrong_book_of_clauses_is_refused(tmp_path: Path, pair: tuple[str, str], expected: str) -> None:
    (tmp_path / "clauses.yaml").write_text((FOLDER / "clauses.yaml").read_text("utf-8").replace(*pair, 1), "utf-8")
    with pytest.raises(WrongDataError, match=f"^clauses.yaml: {expected}$"):
        read_clauses(tmp_path / "clauses.yaml")


def test_samples_have_every_placeholder() -> None:
    for fields in samples().values():
        assert set(fields) == set(PLACEHOLDERS)


def test_only_characters_of_the_book_are_simplified() -> None:
    said = [*(phrase for rule in book().conduct for phrase in rule.looks_for["zh"])]
    said += [phrase for clause in book().clauses for phrase in clause.says.get("zh", ())]
    known = set("".join(said)) | set(Path(denials.__file__).read_text("utf-8"))
    assert set(read_traditional().values()) <= known
    assert not set(read_traditional()) & known


def test_a_denial_is_believed_of_a_conduct_only_where_the_book_allows_it() -> None:
    believed: Callable[[str], bool] = {rule.id: rule.may_be_denied for rule in book().conduct}.__getitem__
    assert believed("CN-X6")
    assert not believed("CN-X11")


def test_a_year_from_now_something_can_still_be_said() -> None:
    assert shipped().effective("remind_call", DAY + timedelta(days=365)).id == "remind_call"
