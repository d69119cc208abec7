"""Dated plays about people who have no part in a debt: when they may be asked, for what, and when never again."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.outreach.compliance.domain.attempt import Contact, Span
from services.outreach.compliance.domain.verdict import Verdict
from services.outreach.compliance.domain.words import Channel, Outcome
from tests.unit.outreach.compliance.asking import CHINA, attempt, contact, edges, judge, moved, reasons

RELAY = ("ask_to_relay",)


def at(text: str) -> datetime:
    """A day and time of December 2026 in China."""
    return datetime.fromisoformat(f"2026-12-{text}").replace(tzinfo=CHINA)


@dataclass
class Search:
    """What was done to find a debtor, and what is known of the people around."""

    history: list[Contact] = field(default_factory=list)
    flags: dict[str, Span] = field(default_factory=dict)

    def happened(self, when: str, outcome: Outcome, person: str = "debtor", **other: Any) -> None:
        self.history.append(contact("", outcome, person=person, at=at(when), **other))

    def asked(self, when: str, person: str = "contact:K1", content: tuple[str, ...] = RELAY, **other: Any) -> Verdict:
        return judge(self._attempt(when, person, content, **other), self.history)

    def edges(self, when: str, person: str = "contact:K1") -> tuple[bool, bool]:
        one = self._attempt(when, person, RELAY)
        return edges(judge(one, self.history), one, self.history)

    def _attempt(self, when: str, person: str, content: tuple[str, ...], **other: Any) -> Any:
        return attempt(at(when), person=person, flags=self.flags, attributes={"content": content}, **other)


def lost() -> Search:
    """Three calls in a row on two days, which the debtor did not take."""
    search = Search()
    search.happened("01T09:00", Outcome.NO_ANSWER)
    search.happened("01T18:00", Outcome.VOICEMAIL)
    search.happened("02T09:00", Outcome.FAILED)
    return search


def test_contact_is_lost_with_the_third_failure_in_a_row_and_found_again_with_the_first_answer() -> None:
    search = lost()
    last = search.history.pop()
    assert reasons(search.asked("02T08:59")) == {"CN-P1": "debtor_not_tried"}
    search.history.append(last)
    assert search.asked("02T09:01").allowed
    search.happened("02T12:00", Outcome.CONNECTED)
    assert reasons(search.asked("02T12:01")) == {"CN-P1": "debtor_not_tried"}


def test_a_number_that_is_no_longer_the_debtors_proves_it_without_any_failure() -> None:
    search = Search()
    assert reasons(search.asked("01T09:00")) == {"CN-P1": "debtor_not_tried"}
    search.flags["debtor_number_invalid"] = Span(since=at("01T09:30"))
    assert not search.asked("01T09:29").allowed
    assert search.asked("01T09:30").allowed


def test_there_is_one_purpose_to_locate_the_debtor_or_to_pass_a_request_on() -> None:
    search = lost()
    assert search.asked("02T10:00", content=("ask_debtor_contact", "ask_to_relay")).allowed
    for beyond in ("amount", "overdue_since", "that_there_is_a_debt", "urge_to_pay", "payment_information"):
        assert reasons(search.asked("02T10:00", content=(*RELAY, beyond))) == {"CN-P1": "content"}


def test_what_is_to_be_said_has_to_be_known_and_waiting_does_not_make_it_so() -> None:
    search = lost()
    for told in ({"content": None}, {"content": ()}):
        verdict = judge(attempt(at("02T10:00"), person="contact:K1", attributes=told), search.history)
        assert reasons(verdict) == {"CN-P1": "missing:content"}
        assert verdict.next_allowed is None
    assert search.asked("02T10:00").allowed


def test_each_is_asked_once_a_day() -> None:
    search = lost()
    search.happened("02T10:00", Outcome.NO_ANSWER, "contact:K1")
    verdict = search.asked("02T15:00", channel=Channel.SMS)
    assert (reasons(verdict), verdict.next_allowed) == ({"CN-H1": "cap"}, at("03T08:00"))
    assert search.edges("02T15:00") == (False, True)
    assert search.asked("02T15:00", "contact:K2").allowed


def test_a_refusal_is_for_ever_on_every_channel_and_by_whomever() -> None:
    search = lost()
    search.happened("02T10:00", Outcome.CONVERSATION, "contact:K1")
    search.flags["contact_refused"] = Span(since=at("02T10:01"), until=at("02T10:02"))
    for when in ("02T10:01", "03T10:00", "31T10:00"):
        for channel in (Channel.CALL, Channel.SMS, Channel.IM, Channel.LETTER):
            for by in ("", "AG1", "AG2"):
                verdict = search.asked(when, channel=channel, by=by)
                assert reasons(verdict)["CN-P1"] == "refused"
                assert verdict.next_allowed is None
    search.flags["debtor_missing"] = Span()
    assert reasons(search.asked("31T10:00"))["CN-P1"] == "refused", "no other ground opens the gate again"


def test_a_number_from_a_telephone_book_is_never_called() -> None:
    one = attempt(at("02T10:00"), person="contact:K1", attributes={"content": RELAY, "given_by_debtor": False})
    verdict = judge(one, lost().history)
    assert set(reasons(verdict)) == {"CN-I2"}
    assert verdict.next_allowed is None
    assert not judge(moved(one, at("31T10:00")), lost().history).allowed


def test_whoever_owes_as_well_is_no_third_person() -> None:
    assert judge(attempt(at("02T10:00"), person="guarantor:G1"), ()).allowed
