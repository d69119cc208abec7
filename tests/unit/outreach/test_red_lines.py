"""Red lines: one violation of each is planted, and counted; what is lawful is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.outreach.contacts.red_lines import Entry, Sent, Source, Stop, by_source, counted

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in China
NIGHT = datetime(2026, 3, 2, 15, tzinfo=UTC)
MOMENT = timedelta(seconds=1)
ENTRY = Entry("c1", "d1", 1, 1, "k1", "made", 5, NOON, NOON + timedelta(minutes=1), "Asia/Shanghai")
SENT = Sent("k1", "c1", "d1", "sms", NOON + MOMENT)
STOP = Stop("d1", 1, 6)
NOTHING = {
    "contacts_without_permit": 0,
    "contacts_after_payment": 0,
    "quiet_hours_violations": 0,
    "duplicate_contacts": 0,
}


def in_the_night(entry: Entry, sent: Sent) -> tuple[Entry, Sent]:
    return replace(entry, permitted_at=NIGHT, expires_at=NIGHT + timedelta(minutes=1)), replace(sent, taken_at=NIGHT)


@pytest.mark.parametrize(
    ("ledger", "sent", "stops"),
    [
        pytest.param([ENTRY], [SENT], [STOP], id="a message under its permit, before the stop"),
        pytest.param([ENTRY], [], [], id="a permit that was not used"),
        pytest.param([replace(ENTRY, contact_id="c0", state="not_made"), ENTRY], [SENT], [], id="a second try"),
        pytest.param([replace(ENTRY, plan_number=2)], [SENT], [replace(STOP, order=4)], id="of the next plan"),
        pytest.param([replace(ENTRY, debtor_id="d2")], [], [replace(STOP, order=4)], id="of another debtor"),
    ],
)
def test_what_is_lawful_is_not_counted(ledger: list[Entry], sent: list[Sent], stops: list[Stop]) -> None:
    assert counted(ledger, sent, stops) == NOTHING


def test_a_letter_may_be_posted_in_the_night() -> None:
    entry, sent = in_the_night(replace(ENTRY, channel="letter"), replace(SENT, channel="letter"))
    assert counted([entry], [sent], []) == NOTHING
    assert counted([entry], [], []) == NOTHING


@pytest.mark.parametrize("state", ["sending", "not_made"])
def test_a_contact_that_nobody_is_known_to_have_felt_is_not_counted_by_the_ledger(state: str) -> None:
    entry, _ = in_the_night(replace(ENTRY, state=state), SENT)
    assert counted([entry], [], []) == NOTHING


def test_what_a_gateways_log_shows_is_not_counted_by_the_ledger_as_well() -> None:
    entry, sent = in_the_night(ENTRY, SENT)
    sources = by_source([entry], [sent], [])
    assert (sources[Source.GATEWAY]["quiet_hours_violations"], sources[Source.LEDGER]["quiet_hours_violations"]) == (
        1,
        0,
    )


@pytest.mark.parametrize(
    ("line", "ledger", "sent", "stops"),
    [
        pytest.param("contacts_without_permit", [], [replace(SENT, channel="letter")], [], id="no permit at all"),
        pytest.param("contacts_without_permit", [ENTRY], [replace(SENT, debtor_id="d2")], [], id="another's permit"),
        pytest.param("contacts_without_permit", [ENTRY], [replace(SENT, key="k2")], [], id="another contact's permit"),
        pytest.param(
            "contacts_without_permit", [ENTRY], [replace(SENT, taken_at=ENTRY.expires_at)], [], id="an expired permit"
        ),
        pytest.param(
            "contacts_without_permit", [replace(ENTRY, order=0)], [SENT], [], id="a permit that was never told"
        ),
        pytest.param("contacts_without_permit", [replace(ENTRY, order=0)], [], [], id="nor sent through a log of ours"),
        pytest.param("contacts_after_payment", [ENTRY], [SENT], [replace(STOP, order=4)], id="after a payment"),
        pytest.param(
            "quiet_hours_violations", [replace(ENTRY, zone="")], [SENT], [], id="nobody knows where they live"
        ),
        pytest.param("quiet_hours_violations", [in_the_night(ENTRY, SENT)[0]], [], [], id="by the ledger alone"),
        pytest.param("quiet_hours_violations", *([each] for each in in_the_night(ENTRY, SENT)), [], id="in the night"),
        pytest.param(
            "duplicate_contacts", [ENTRY, replace(ENTRY, contact_id="c2", key="k2")], [SENT], [], id="a step twice"
        ),
        pytest.param("duplicate_contacts", [ENTRY], [SENT, SENT], [], id="a key and its permit twice"),
    ],
)
def test_a_planted_violation_is_counted(line: str, ledger: list[Entry], sent: list[Sent], stops: list[Stop]) -> None:
    crossed = {name: times for name, times in counted(ledger, sent, stops).items() if times}
    assert list(crossed) == [line]
