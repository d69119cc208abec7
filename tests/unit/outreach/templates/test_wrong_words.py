"""What the linter refuses and accepts, sentence by sentence, and that no disguise gets a threat past it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.templates.domain.linting import wrong_words
from services.outreach.templates.domain.template import Audience
from services.outreach.templates.store import book
from tests.unit.outreach.templates.sentences import (
    ACCEPTED,
    DISGUISED,
    FALSE_DENIALS,
    REFUSED,
    TELLS_NOTHING,
    TELLS_OF_A_DEBT,
    UNSEEN_ACCEPTED,
    UNSEEN_REFUSED,
)

INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\ufe0f\u202e"
SPACES = " \u00a0\u3000\u2009\t\n"


def rules(text: str, audience: Audience = "debtor") -> set[str]:
    return {finding.rule for finding in wrong_words(text, audience, book())}


@pytest.mark.parametrize(("rule", "text"), REFUSED, ids=[text for _, text in REFUSED])
def test_refused(rule: str, text: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(("rule", "text"), DISGUISED)
def test_a_disguise_does_not_help(rule: str, text: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize(("rule", "text"), FALSE_DENIALS, ids=[text for _, text in FALSE_DENIALS])
def test_what_only_looks_like_a_denial_is_refused(rule: str, text: str) -> None:
    assert rule in rules(text)


@pytest.mark.parametrize("text", ACCEPTED, ids=ACCEPTED)
def test_accepted(text: str) -> None:
    assert wrong_words(text, "debtor", book()) == ()


@pytest.mark.parametrize("text", UNSEEN_REFUSED, ids=UNSEEN_REFUSED)
def test_refused_by_some_rule(text: str) -> None:
    assert rules(text)


@pytest.mark.parametrize("text", UNSEEN_ACCEPTED, ids=UNSEEN_ACCEPTED)
def test_accepted_as_well(text: str) -> None:
    assert rules(text) == set()


@pytest.mark.parametrize("text", TELLS_OF_A_DEBT, ids=TELLS_OF_A_DEBT)
def test_a_third_person_is_told_of_no_debt(text: str) -> None:
    assert rules(text, "third_person") & {"CN-X10", "CN-X11"}


@pytest.mark.parametrize("text", TELLS_NOTHING, ids=TELLS_NOTHING)
def test_a_third_person_may_be_asked_to_relay(text: str) -> None:
    assert wrong_words(text, "third_person", book()) == ()


@pytest.mark.parametrize("text", ["我们不会\u200b联系您的家人。", "We will nev\u00ader contact your fam\u200bily."])
def test_what_has_no_width_is_not_there(text: str) -> None:
    assert rules(text) == set()


def test_the_tables_are_as_long_as_they_have_to_be_in_both_languages() -> None:
    for table in ([text for _, text in REFUSED], ACCEPTED):
        chinese = [text for text in table if any("\u4e00" <= sign <= "\u9fff" for sign in text)]
        assert len(table) >= 40
        assert min(len(chinese), len(table) - len(chinese)) >= 20
        assert len(set(table)) == len(table)


def test_a_finding_says_where_it_is_and_in_which_words() -> None:
    text = "您好。我们会联\u200b系您的家人。"
    first, *others = wrong_words(text, "debtor", book())
    assert first.words == "联\u200b系您的家人"
    assert first.position == text.index("联")
    assert first.citation.startswith("CBA collection guideline 2026")
    assert {text[each.position : each.position + len(each.words)] for each in others} == {"您的家人"}


def test_all_findings_are_told_in_the_order_of_the_text() -> None:
    found = wrong_words("我们会报警,然后有黑名单。", "debtor", book())
    assert [finding.rule for finding in found] == ["CN-X2", "CN-X4"]


@given(st.data())
def test_nothing_inserted_between_its_letters_gets_a_threat_past(data: st.DataObject) -> None:
    rule, text = data.draw(st.sampled_from(REFUSED))
    inserted = st.text(INVISIBLE, max_size=3) | st.text(INVISIBLE + SPACES, max_size=1)
    disguised = "".join(sign + data.draw(inserted) for sign in text)
    assert rule in rules(disguised)


@given(st.sampled_from([text for _, text in REFUSED]), st.sampled_from(ACCEPTED), st.booleans())
def test_decent_words_around_a_threat_do_not_excuse_it(threat: str, decent: str, first: bool) -> None:  # noqa: FBT001
    text = f"{threat} {decent}" if first else f"{decent} {threat}"
    assert rules(threat) <= rules(text)
