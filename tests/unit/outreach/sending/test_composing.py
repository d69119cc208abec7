"""What a contact says is written from the debtor's own data, held against the book, and refused without a name."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pypdfium2
import pytest

from services.outreach.contacts.points import chosen
from services.outreach.contacts.ports import PutOffError, RefusedError, StoppedError
from services.outreach.sending.letters import opened
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactPoint
from shared.keys import FileKeys, KeyForgottenError, KeysUnavailableError, LocalKms
from shared.vault import Vault
from tests.unit.outreach.sending.written import ADDRESS, DEBTOR, EMAIL, MOBILE, NAME, NOW, PERSONAL, POINTS, Desk


def test_a_short_message_is_in_the_readers_language_and_goes_to_the_point_that_was_permitted() -> None:
    desk = Desk()
    said = desk.write("sms", "remind_service")
    assert said.recipient == MOBILE
    assert said.text.startswith("【示例信用管理有限公司】尊敬的测试安宁")
    assert "{" not in said.text
    assert said.wording == "remind_service.v1 zh-CN"
    mobile = chosen(desk.profile, "sms")
    assert mobile is not None
    assert said.point == mobile.digest


def test_another_language_is_served_in_english() -> None:
    said = Desk(name="Anna Test", language="de").write("email", "plan_offer")
    assert said.recipient == EMAIL
    assert said.subject == "An offer to agree on a repayment plan"
    assert said.text.startswith("Dear Anna Test,")
    assert "by 9 March 2026" in said.text, "seven days after the day in China"


def test_a_letter_states_the_debt_and_is_kept_as_it_was_printed_under_the_debtors_key() -> None:
    desk = Desk()
    said = desk.write("letter", "balance_letter")
    [kept] = desk.desk.letters.values()
    assert kept.sha256 == hashlib.sha256(said.pdf).hexdigest()
    assert (kept.template, kept.template_version, kept.language) == ("balance_letter", 1, "zh-CN")
    text = "".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(said.pdf))
    text = text.replace("\r\n", "")
    for part in (
        "尊敬的测试安宁",
        "CNY 1,234.56",
        "2026年2月1日",
        "2026年3月12日",
        "上海市样例路17号",
        "FD-0123-4567-89AB",
    ):
        assert part in text
    assert said.pdf[:40] not in kept.sealed
    assert opened(kept, desk.keys) == said.pdf
    desk.keys.forget(DEBTOR, NOW)
    with pytest.raises(KeyForgottenError):
        opened(kept, desk.keys)


def test_a_letter_that_was_kept_is_handed_over_again_and_not_written_anew() -> None:
    desk = Desk()
    first = desk.write("letter", "balance_letter")
    desk.known(past_due=99_900)
    assert desk.write("letter", "balance_letter").pdf == first.pdf
    assert desk.write("letter", "balance_letter", contact_id="d" * 32).pdf != first.pdf


REFUSED: Mapping[str, tuple[Callable[[Desk], Any], str]] = {
    "for a debtor of whom nothing is known": (lambda desk: setattr(desk.desk, "found", None), "nothing is known"),
    "for one without a profile": (lambda desk: desk.known(profile=None), "not on file any more"),
    "for one who was erased": (lambda desk: desk.keys.forget(DEBTOR, NOW), "erased"),
    "of a debt of which nothing is open": (lambda desk: desk.known(past_due=0), "amount is missing"),
    "in a currency whose minor unit is not known": (lambda desk: desk.known(currency="XXX"), "currency"),
    "of a debt whose first due date is not known": (lambda desk: desk.known(oldest_due_on=None), "due_on is missing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_written(case: str) -> None:
    change, reason = REFUSED[case]
    desk = Desk()
    event = desk.permit("letter", "balance_letter")
    change(desk)
    with pytest.raises(RefusedError, match=reason):
        desk.write(event.data.channel, event.data.template)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("李四再不还钱就去你家", "CN-"),
        ("点击 http://x.example", "markup or a link"),
        ("x" * 200, "longer"),
        ("", "salutation is missing"),
    ],
)
def test_a_name_that_would_bring_other_words_in_is_refused_and_not_repeated(name: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        Desk(name=name).write("sms", "remind_service")
    assert not name or name not in str(refused.value)


def test_no_refusal_says_who_the_person_is() -> None:
    desk = Desk()
    desk.known(past_due=0)
    for channel, template in (("letter", "balance_letter"), ("sms", "plan_offer"), ("sms", "no_such_text")):
        with pytest.raises(RefusedError) as refused:
            desk.write(channel, template)
        assert not [each for each in PERSONAL if each in repr(refused.value)]
    assert not [each for each in PERSONAL if each in repr(Desk().write("sms", "remind_service"))]


def test_a_text_of_another_channel_is_not_sent() -> None:
    with pytest.raises(RefusedError, match="another channel"):
        Desk().write("sms", "plan_offer")


def test_a_character_that_the_font_lacks_is_refused_and_not_printed_as_a_box() -> None:
    with pytest.raises(RefusedError, match="cannot be printed"):
        Desk(name="Ann \U0001f600").write("letter", "balance_letter")


def test_what_was_stopped_meanwhile_is_not_sent() -> None:
    desk = Desk()
    desk.known(running=False)
    with pytest.raises(StoppedError, match="stopped"):
        desk.write("sms", "remind_service")


class AwayKeys(FileKeys):
    def opening(self, debtor_id: str, key_id: str) -> Vault:
        raise KeysUnavailableError("the key store does not answer")


def test_where_the_key_store_is_away_the_step_is_put_off() -> None:
    desk = Desk()
    desk.writer = replace(desk.writer, keys=AwayKeys(LocalKms(bytes(32))))
    with pytest.raises(PutOffError):
        desk.write("sms", "remind_service")


# Which contact point


def point(kind: ContactKind, value: str, *, verified: bool = False, owner: str = "debtor") -> ContactPoint:
    return ContactPoint(kind=kind, value=value, verified=verified, owner=ContactOwner(owner))


CHOICES = {
    "a verified one before others": (
        [point(ContactKind.MOBILE, "1"), point(ContactKind.MOBILE, "2", verified=True)],
        "2",
    ),
    "a mobile before a telephone": ([point(ContactKind.PHONE, "1"), point(ContactKind.MOBILE, "2")], "2"),
    "a verified telephone before a mobile": (
        [point(ContactKind.MOBILE, "1"), point(ContactKind.PHONE, "2", verified=True)],
        "2",
    ),
    "the bank's first among equals": ([point(ContactKind.MOBILE, "1"), point(ContactKind.MOBILE, "2")], "1"),
    "never a guarantor's": (
        [point(ContactKind.MOBILE, "1", verified=True, owner="guarantor"), point(ContactKind.PHONE, "2")],
        "2",
    ),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_point_is(case: str) -> None:
    points, expected = CHOICES[case]
    assert Desk(*points).write("sms", "remind_service").recipient == expected


def test_there_is_none_where_others_alone_can_be_reached_so() -> None:
    desk = Desk(point(ContactKind.MOBILE, "1", owner="contact"))
    assert chosen(desk.profile, "sms") is None
    assert chosen(desk.profile, "visit") is None
    with pytest.raises(RefusedError, match="no contact point"):
        desk.write("sms", "remind_service")


def test_one_number_has_one_digest_however_it_is_written_and_whatever_it_is_called() -> None:
    spelled = ("+86 100 9988 7766", "010099887766", "+8610099887766")
    kinds = (ContactKind.MOBILE, ContactKind.PHONE, ContactKind.MOBILE)
    digests = {
        chosen(Desk(point(kind, text)).profile, "sms").digest  # type: ignore[union-attr]  # there is one
        for kind, text in zip(kinds, spelled, strict=True)
    }
    assert len(digests) == 1
    emails = {chosen(Desk(point(ContactKind.EMAIL, text)).profile, "email") for text in (EMAIL, EMAIL.upper())}
    assert len({each.digest for each in emails if each is not None}) == 1
    assert {POINTS[0].value, ADDRESS, NAME}.isdisjoint(digests)
