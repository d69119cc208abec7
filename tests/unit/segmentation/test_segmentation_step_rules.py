"""What every strategy is held to beside its form: texts that exist, nothing too early, and some things by a day."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from services.segmentation.domain.ladder import ContradictionError
from services.segmentation.domain.strategy import Step
from services.segmentation.domain.tiers import Tier
from services.segmentation.strategies import load_playbook, strategy_of
from shared.contracts.segmentation import StrategyDocument
from shared.data_files import WrongDataError
from tests.unit.segmentation.play import DUE_ON, document

ROOT = Path(__file__).parents[3]
PLAYBOOK = load_playbook()
PLAIN: dict[str, Any] = msgspec.to_builtins(document(effective=30))
TIERED: dict[str, Any] = msgspec.to_builtins(document(effective=30, name="s3_timetable"))


def changed(plain: dict[str, Any], stage: str, change: Callable[[list[dict[str, Any]]], Any], of: str = "steps") -> Any:
    """A document with the steps of one stage changed."""
    copy = msgspec.json.decode(msgspec.json.encode(plain))
    change(next(one for one in copy["stages"] if one["stage"] == stage)[of])
    return msgspec.convert(copy, StrategyDocument)


def to(place: int, **fields: Any) -> Callable[[list[dict[str, Any]]], Any]:
    """Other fields for one step."""
    return lambda steps: steps[place].update(fields)


def no_interview(steps: list[dict[str, Any]]) -> None:
    """Something else is said on the phone and in the e-mail."""
    texts = {"phone": "advice_call", "email": "plan_offer"}
    for step in steps:
        step["template"] = texts.get(step["channel"], step["template"])


def only_a_call_on_the_fifth_day(steps: list[dict[str, Any]]) -> None:
    """The text message is left out."""
    del steps[0]
    steps[0].update(number=1, after_days=4)


REFUSED = [
    pytest.param(
        changed(PLAIN, "REMIND", to(0, template="remind_rudely")),
        "REMIND step 1: there is no template remind_rudely for sms",
        id="a text that nobody has approved",
    ),
    pytest.param(
        changed(PLAIN, "REMIND", to(0, template="remind_call")),
        "REMIND step 1: there is no template remind_call for sms",
        id="a text of another channel",
    ),
    pytest.param(
        changed(PLAIN, "EARLY", to(0, channel="phone", template="ask_to_relay")),
        "EARLY step 1: there is no template ask_to_relay for phone",
        id="a text that is said to others than the debtor",
    ),
    pytest.param(
        changed(PLAIN, "EARLY", to(0, template="")),
        "EARLY step 1: there is no template without a name for letter",
        id="no text",
    ),
    pytest.param(
        changed(PLAIN, "EARLY", to(1, channel="visit", template="visit_pack")),
        "EARLY step 2: no visit before day 18 past due",
        id="a visit to who is a week late",
    ),
    pytest.param(
        changed(PLAIN, "INTENSIVE", to(2, channel="legal_referral", template="")),
        "INTENSIVE step 3: no legal_referral before day 31 past due",
        id="a referral before the legal notice",
    ),
    pytest.param(
        changed(TIERED, "INTENSIVE", to(1, channel="legal_referral", template=""), of="high"),
        "INTENSIVE high step 2: no legal_referral before day 31 past due",
        id="the same in one tier",
    ),
    pytest.param(
        changed(PLAIN, "REMIND", only_a_call_on_the_fifth_day),
        None,
        id="a first contact on the fifth day is in time",
    ),
    pytest.param(
        changed(PLAIN, "INTENSIVE", lambda steps: steps.pop()),
        "low: the offer of an interview must come by day 30 past due",
        id="no interview is offered",
    ),
    pytest.param(
        changed(TIERED, "INTENSIVE", no_interview, of="medium"),
        "medium: the offer of an interview must come by day 30 past due",
        id="no interview is offered in one tier",
    ),
]


@pytest.mark.parametrize(("text", "line"), REFUSED)
def test_a_strategy_that_goes_too_far_or_not_far_enough_is_refused(text: StrategyDocument, line: str | None) -> None:
    if line is None:
        assert strategy_of(text, PLAYBOOK).version == 2
        return
    with pytest.raises(WrongDataError) as refused:
        strategy_of(text, PLAYBOOK)
    assert str(refused.value) == line


@pytest.mark.parametrize("tier", list(Tier))
def test_a_first_contact_that_comes_too_late_is_seen_in_every_tier(tier: Tier) -> None:
    sooner = tuple(replace(one, by_day=1) for one in PLAYBOOK.rules.milestones[:1])
    timetable = PLAYBOOK.newest("s3_timetable", DUE_ON)
    at_once = (Step(1, "sms", 0, "remind_service"),)
    remind: dict[str, tuple[Step, ...]] = dict.fromkeys(map(str, Tier), at_once) | {
        tier: timetable.prescribes("REMIND", tier)
    }
    strategy = replace(timetable, steps={**timetable.steps, "REMIND": remind})
    with pytest.raises(ContradictionError, match=f"^{tier}: a first contact must come by day 1 past due$"):
        replace(PLAYBOOK.rules, milestones=sooner).check(strategy, PLAYBOOK.ladder)


HANDED_ON = {"agency", "legal_referral"}
"""What has no text for the debtor."""


def test_the_texts_that_steps_may_name_are_those_that_outreach_says_to_debtors_but_of_promises() -> None:
    texts = [yaml.safe_load(file.read_text("utf-8")) for file in (ROOT / "services/outreach/templates/texts").glob("*")]
    said = {(text["channel"], text["id"]) for text in texts if text["audience"] == "debtor"}
    rules = PLAYBOOK.rules.channels
    named = {(channel, text) for channel in rules for text in rules[channel].templates if channel not in HANDED_ON}
    terms = yaml.safe_load((ROOT / "services/outreach/promises/promises.yaml").read_text("utf-8"))["terms"]
    of_promises = {text for each in terms for text in each.get("reminder", {}).get("texts", {}).items()}
    assert of_promises <= said
    assert named == said - of_promises
