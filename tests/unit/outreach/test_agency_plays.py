"""Plays of the register of agencies: what supervisors say, what every lane is told, and what is refused."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from services.outreach.agencies.register.commands import (
    AddKey,
    ChangeAgency,
    IssueApiKey,
    ListAgency,
    RecordComplaint,
    RemoveKey,
    ResumeAgency,
    RevokeApiKey,
    SuspendAgency,
)
from services.outreach.agencies.register.domain import Alg, Scope, why_not
from services.outreach.agencies.register.handlers import directive_of
from shared.contracts import agencies
from shared.contracts.agencies import AgencyListed, AgencyState
from shared.service import Rejected
from tests.unit.outreach.agency_play import AT, EAST, RegisterPlay, later, terms
from tests.unit.outreach.play import LANE

TOMORROW = AT + timedelta(days=1)
JWK = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43}


def key(kid: str, **other: str) -> AddKey:
    return AddKey(kid=kid, alg=Alg.EDDSA, jwk={**JWK, "x": kid[0] * 43, **other})


def api_key(prefix: str, **other: Any) -> IssueApiKey:
    content: dict[str, Any] = {"sha256": "d" * 64, "scopes": (Scope.PERMITS,), "expires_at": AT + timedelta(days=300)}
    return IssueApiKey(prefix=prefix, **content | other)


def test_an_agency_that_is_listed_is_told_whole_to_every_lane() -> None:
    play = RegisterPlay()
    assert play.does(ListAgency(terms=terms())) == AgencyListed(
        agency_id=EAST,
        name="East Recovery Ltd",
        state=AgencyState.ACTIVE,
        licence_until=date(2026, 12, 31),
        contract_from=date(2026, 1, 1),
        contract_until=date(2026, 9, 30),
        last_evaluation_on=date(2026, 2, 1),
        trained_until=date(2026, 12, 31),
        published=True,
        capacity=5_000,
        commission_ppm=(180_000, 250_000),
    )
    assert play.file.agency is not None
    assert (play.file.agency.listed_by, play.file.agency.licence_number) == ("supervisor/ann", "L-4711")


def test_a_lane_keeps_the_latest_word_about_each_agency() -> None:
    assert LANE.directives[AgencyListed] is directive_of
    assert LANE.inputs[0] == agencies.TOPIC
    play = RegisterPlay().listed()
    told = play.does(SuspendAgency(reason="called at night"))
    assert isinstance(told, AgencyListed)
    assert directive_of(told) == "agency/east-recovery"


def test_an_agency_is_changed_suspended_and_resumed_and_each_step_stays() -> None:
    play = RegisterPlay().listed()
    changed = play.does(ChangeAgency(terms=terms(capacity=10)), actor="supervisor/bob")
    suspended = play.does(SuspendAgency(reason="called at night"))
    resumed = play.does(ResumeAgency(reason="the hearing is over"))
    assert isinstance(changed, AgencyListed)
    assert isinstance(suspended, AgencyListed)
    assert isinstance(resumed, AgencyListed)
    assert (changed.capacity, changed.state) == (10, "active")
    assert (suspended.capacity, suspended.state, suspended.reason) == (10, "suspended", "called at night")
    assert (resumed.state, resumed.reason) == ("active", "the hearing is over")
    assert play.steps == ["listed", "changed", "suspended", "resumed"]
    assert [entry.actor for entry in play.file.entries][:2] == ["supervisor/ann", "supervisor/bob"]
    assert play.file.entries[1].content["terms"]["capacity"] == 10


def test_a_change_of_terms_lifts_no_suspension_and_forgets_no_complaint() -> None:
    play = RegisterPlay().listed()
    play.does(SuspendAgency(reason="called at night"))
    play.does(RecordComplaint(reason="called at night"))
    told = play.does(ChangeAgency(terms=terms(capacity=10)))
    assert isinstance(told, AgencyListed)
    assert told.state == "suspended"
    assert play.file.agency is not None
    assert play.file.agency.complaints == 1


def test_complaints_are_counted() -> None:
    play = RegisterPlay().listed()
    play.does(RecordComplaint(reason="called at night"))
    told = play.does(RecordComplaint(reason="spoke to a neighbour"))
    assert told == agencies.AgencyComplained(agency_id=EAST, complaints=2, reason="spoke to a neighbour")


def test_a_key_takes_the_place_of_another_while_both_are_live() -> None:
    play = RegisterPlay().listed()
    play.does(key("winter"))
    assert play.does(key("spring")) == agencies.AgencyKeyAdded(agency_id=EAST, kid="spring", alg="EdDSA")
    with pytest.raises(Rejected, match="kid: the agency has 2 keys"):
        play.does(key("autumn"))
    told = play.does(RemoveKey(kid="winter", reason="it was replaced"))
    assert told == agencies.AgencyKeyRemoved(agency_id=EAST, kid="winter", reason="it was replaced")
    play.does(key("autumn"))
    assert [kid for kid, each in play.file.keys.items() if each.removed_at is None] == ["spring", "autumn"]


def test_facts_name_keys_and_never_hold_them() -> None:
    play = RegisterPlay().listed()
    facts = [play.does(key("winter")), play.does(api_key("aaaaaaaaaaaa"))]
    told = msgspec.json.encode(facts).decode()
    assert "w" * 43 not in told
    assert "d" * 64 not in told
    assert "aaaaaaaaaaaa" in told


def test_two_api_keys_live_at_a_time_and_one_that_expired_is_not_live() -> None:
    play = RegisterPlay().listed()
    play.does(api_key("aaaaaaaaaaaa", expires_at=TOMORROW))
    play.does(api_key("bbbbbbbbbbbb"))
    with pytest.raises(Rejected, match="prefix: the agency has 2 API keys"):
        play.does(api_key("cccccccccccc"))
    play = later(play, TOMORROW)
    play.does(api_key("cccccccccccc"))
    told = play.does(RevokeApiKey(prefix="bbbbbbbbbbbb", reason="it was sent by mail"))
    assert told == agencies.AgencyApiKeyRevoked(agency_id=EAST, prefix="bbbbbbbbbbbb", reason="it was sent by mail")
    play.does(api_key("eeeeeeeeeeee"))


@pytest.mark.parametrize(
    ("command", "field", "reason"),
    [
        pytest.param(ListAgency(terms=terms()), "agency_id", "there is an agency", id="listed twice"),
        pytest.param(ResumeAgency(reason="why"), "agency_id", "is not suspended", id="resumed while it works"),
        pytest.param(
            ChangeAgency(terms=terms(contract_until=date(2025, 12, 31))),
            "contract_until",
            "would end before it begins",
            id="a contract that ends before it begins",
        ),
        pytest.param(
            ChangeAgency(terms=terms(last_evaluation_on=date(2026, 3, 4))),
            "last_evaluation_on",
            "nobody has evaluated",
            id="an evaluation in the future",
        ),
        pytest.param(key("known"), "kid", "has, or had, another key", id="a kid that was used"),
        pytest.param(key("kin"), "x", "has this key under another id", id="one key under two ids"),
        pytest.param(RemoveKey(kid="strange", reason="why"), "kid", "has no key", id="a key that is not there"),
        pytest.param(
            RevokeApiKey(prefix="cccccccccccc", reason="why"), "prefix", "no API key", id="an API key not there"
        ),
        pytest.param(api_key("aaaaaaaaaaaa"), "prefix", "that begins so", id="a prefix that was used"),
        pytest.param(
            api_key("cccccccccccc", expires_at=AT + timedelta(days=367)),
            "expires_at",
            "within a year",
            id="an API key for more than a year",
        ),
        pytest.param(
            api_key("cccccccccccc", expires_at=AT), "expires_at", "later than now", id="an API key of the past"
        ),
        pytest.param(
            api_key("cccccccccccc", scopes=(Scope.WEBHOOKS,)), "scopes", "may not do all", id="more than it may"
        ),
    ],
)
def test_what_is_refused_names_the_field_and_changes_nothing(command: Any, field: str, reason: str) -> None:
    play = RegisterPlay().listed(scopes=(Scope.PERMITS,))
    play.does(key("known"))
    play.does(api_key("aaaaaaaaaaaa"))
    before = play.file
    with pytest.raises(Rejected, match=reason) as refusal:
        play.does(command)
    assert refusal.value.field == field
    assert play.file is before


@pytest.mark.parametrize(
    "command",
    [
        ChangeAgency(terms=terms()),
        SuspendAgency(reason="why"),
        ResumeAgency(reason="why"),
        RecordComplaint(reason="why"),
        key("winter"),
        api_key("aaaaaaaaaaaa"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_nothing_is_said_of_an_agency_that_is_not_listed(command: Any) -> None:
    with pytest.raises(Rejected, match="there is no agency of this id"):
        RegisterPlay().does(command)


@pytest.mark.parametrize(
    ("changes", "on", "reason"),
    [
        pytest.param({}, date(2026, 3, 2), "", id="in good standing"),
        pytest.param({}, date(2026, 1, 1), "", id="on the first day of its contract"),
        pytest.param({}, date(2026, 9, 30), "", id="on the last day of its contract"),
        pytest.param({}, date(2025, 12, 31), "contract has not begun", id="the day before"),
        pytest.param({}, date(2026, 10, 1), "contract has ended", id="the day after"),
        pytest.param({"licence_until": date(2026, 3, 1)}, date(2026, 3, 1), "", id="on the last day of its licence"),
        pytest.param({"licence_until": date(2026, 3, 1)}, date(2026, 3, 2), "licence has lapsed", id="without licence"),
        pytest.param({"state": AgencyState.SUSPENDED}, date(2026, 3, 2), "suspended", id="suspended"),
    ],
)
def test_whether_an_agency_may_work_on_a_day(changes: dict[str, Any], on: date, reason: str) -> None:
    told = RegisterPlay().does(ListAgency(terms=terms()))
    why = why_not(msgspec.structs.replace(told, **changes), on)  # type: ignore[arg-type]  # a fact of this very type
    assert why.endswith(reason)
    assert bool(why) == bool(reason)
