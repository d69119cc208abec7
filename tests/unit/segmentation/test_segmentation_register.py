"""The register of strategies: who may do what with a version, when, and what every lane is told of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.installed import declared
from services.segmentation.domain.playbook import Playbook
from services.segmentation.publishing import handlers as publishing
from services.segmentation.publishing.commands import ApproveStrategy, ProposeStrategy, WithdrawStrategy
from services.segmentation.publishing.editions import Editions, digest_of, directive_of
from services.segmentation.publishing.handlers import Publisher
from services.segmentation.publishing.store import LAYOUT, REGISTER, Register, State
from services.segmentation.publishing.views import version_views
from shared.contracts import catalogue, intake
from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.segmentation import StrategyDocument, StrategyProposed, StrategyPublished, StrategyWithdrawn
from shared.messaging.broker import Lane, Record
from shared.messaging.inputs import from_record
from shared.service import Rejected
from shared.settings import Settings
from tests.unit.segmentation.play import SHIPPED, document

TODAY = date(2026, 3, 9)
NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
ANN, ANN_AS_SUPERVISOR, BOB = "operator/ann", "supervisor/ann", "supervisor/bob"
SOON, LATER = TODAY + timedelta(1), TODAY + timedelta(20)


@dataclass
class Office:
    """The register, with people who ask things of it one after the other."""

    playbook: Playbook = SHIPPED
    register: Register = field(default_factory=lambda: LAYOUT.empty(REGISTER))
    told: Sequence[Told] = ()
    events: int = 0

    def __post_init__(self) -> None:
        self.reaches(TODAY)

    def reaches(self, day: date, lender: str = "bank") -> None:
        event = self._event(intake.BusinessDateAdvanced(business_date=day), "system", lender)
        self.register, told = publishing.on_business_date(self.register, event, self._moment())
        assert told == ()

    def proposes(self, text: StrategyDocument, who: str = ANN) -> None:
        self._do(Publisher.propose, ProposeStrategy(strategy=text), who)

    def approves(self, version: int = 2, who: str = BOB, digest: str = "", name: str = "s2_ladder") -> None:
        known = self.register.versions.get((name, version))
        digest = digest or (known.digest if known else "")
        self._do(Publisher.approve, ApproveStrategy(strategy=name, version=version, digest=digest), who)

    def withdraws(self, version: int = 2, who: str = BOB) -> None:
        command = WithdrawStrategy(strategy="s2_ladder", version=version, reason="it comes too early")
        self._do(Publisher.withdraw, command, who)

    def _do(self, handler: Callable[..., Any], data: Any, who: str) -> None:
        event = self._event(data, who)
        self.register, self.told = handler(Publisher(Editions(self.playbook)), self.register, event, self._moment())

    def _event(self, data: Any, who: str, lender: str = "") -> Event[Any]:
        self.events += 1
        return Event(
            id=f"e{self.events}", type="t", lender_id=lender, debtor_id=REGISTER, actor=who, occurred_at=NOON,
            recorded_at=NOON, data=data,
        )  # fmt: skip

    def _moment(self) -> Moment:
        return Moment(NOON + timedelta(minutes=self.events), date.min)

    def states(self, on: date = TODAY) -> Mapping[tuple[str, int], str]:
        """How all versions are shown on a day."""
        views = version_views(self.playbook, list(self.register.versions.values()), on)
        return {(one.id, one.version): one.state for one in views}

    def way(self) -> list[tuple[int, str, str]]:
        return [(entry.version, entry.step, entry.actor) for entry in self.register.entries]


@pytest.fixture
def office() -> Office:
    return Office()


def refused(act: Callable[[], None]) -> tuple[str, str]:
    with pytest.raises(Rejected) as refusal:
        act()
    return refusal.value.field, refusal.value.reason


# -- the way of a version ----------------------------------------------------------------------------------------------


def test_one_proposes_another_approves_and_every_lane_is_told_of_both(office: Office) -> None:
    text = document(effective=SOON)
    office.proposes(text)
    digest = digest_of(text)
    assert office.told == (Told(StrategyProposed(strategy=text, digest=digest, proposed_by=ANN), debtor_id=""),)
    office.approves()
    fact = StrategyPublished(strategy=text, digest=digest, proposed_by=ANN, approved_by=BOB)
    assert office.told == (Told(fact, debtor_id=""),)
    assert office.way() == [(2, "proposed", ANN), (2, "approved", BOB)]
    version = office.register.versions["s2_ladder", 2]
    assert (version.state, version.proposed_at < (version.approved_at or NOON)) == (State.APPROVED, True)


def test_one_that_is_withdrawn_says_by_whom_and_why_and_its_number_is_used_up(office: Office) -> None:
    office.proposes(document(effective=SOON))
    office.withdraws(who=ANN)
    (told,) = office.told
    fact = StrategyWithdrawn(strategy="s2_ladder", version=2, withdrawn_by=ANN, reason="it comes too early")
    assert (told.data, told.debtor_id) == (fact, "")
    assert refused(lambda: office.proposes(document(effective=SOON))) == (
        "version",
        "the next version of s2_ladder is 3",
    )
    office.proposes(document(3, effective=SOON))
    office.approves(3)
    assert office.way()[1:] == [(2, "withdrawn", ANN), (3, "proposed", ANN), (3, "approved", BOB)]


def test_one_that_is_approved_can_be_withdrawn_until_the_day_before_it_takes_effect(office: Office) -> None:
    office.proposes(document(effective=LATER))
    office.approves()
    office.reaches(LATER - timedelta(1))
    published = office.told[0].data
    office.withdraws()
    assert isinstance(published, StrategyPublished)
    (told,) = office.told
    assert isinstance(told.data, StrategyWithdrawn)
    assert directive_of(told.data) == directive_of(published)


def test_what_a_withdrawn_version_stood_in_the_way_of_can_be_published(office: Office) -> None:
    office.proposes(document(effective=LATER))
    office.approves()
    office.withdraws()
    office.proposes(document(3, effective=SOON))
    office.approves(3)
    assert office.states(SOON)["s2_ladder", 3] == "effective"


# -- what is refused ---------------------------------------------------------------------------------------------------


def spoilt(**fields: Any) -> StrategyDocument:
    return msgspec.structs.replace(document(effective=SOON), **fields)


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        pytest.param(
            spoilt(id="zz_other"),
            "id",
            "there is no strategy of this id, and no arm of an experiment that it would be for",
            id="a strategy that no arm has",
        ),
        pytest.param(spoilt(version=1), "version", "the next version of s2_ladder is 2", id="a number that is used"),
        pytest.param(spoilt(version=3), "version", "the next version of s2_ladder is 2", id="a number left out"),
        pytest.param(
            spoilt(effective_from=TODAY),
            "effective_from",
            "the books have already reached this date",
            id="from today on",
        ),
        pytest.param(
            spoilt(stages=document(effective=SOON).stages[1:]),
            "stages",
            "REMIND: the stage has no steps",
            id="a stage that is left out",
        ),
    ],
)
def test_a_proposal_is_held_to_all_that_a_file_is(
    office: Office, text: StrategyDocument, field: str, reason: str
) -> None:
    before = office.register
    assert refused(lambda: office.proposes(text)) == (field, reason)
    assert office.register is before


def test_the_date_must_lie_after_the_books_of_every_lender(office: Office) -> None:
    office.reaches(SOON, "another bank")
    assert refused(lambda: office.proposes(document(effective=SOON)))[0] == "effective_from"
    office.proposes(document(effective=SOON + timedelta(1)))


@pytest.mark.parametrize(
    ("who", "why"),
    [
        pytest.param(ANN, ANN, id="the same token"),
        pytest.param(ANN, ANN_AS_SUPERVISOR, id="the same person in another role"),
        pytest.param(BOB, BOB, id="a supervisor"),
    ],
)
def test_nobody_approves_what_they_have_proposed(office: Office, who: str, why: str) -> None:
    office.proposes(document(effective=SOON), who)
    assert refused(lambda: office.approves(who=why)) == (
        "approver",
        "whoever proposed a version may not approve it: a second person must",
    )
    assert office.states()["s2_ladder", 2] == "proposed"


def proposed(office: Office) -> None:
    office.proposes(document(effective=SOON))


def approved(office: Office) -> None:
    proposed(office)
    office.approves()


def withdrawn(office: Office) -> None:
    proposed(office)
    office.withdraws()


def too_late(office: Office) -> None:
    proposed(office)
    office.reaches(SOON)


def in_effect(office: Office) -> None:
    approved(office)
    office.reaches(SOON)


def overtaken(office: Office) -> None:
    office.proposes(document(effective=LATER))
    office.proposes(document(3, effective=SOON))
    office.approves(3)


@pytest.mark.parametrize(
    ("before", "act", "field", "reason"),
    [
        pytest.param(
            lambda _: None,
            Office.approves,
            "version",
            "no such version was ever proposed",
            id="approved: never proposed",
        ),
        pytest.param(approved, Office.approves, "version", "the version is approved already", id="approved: twice"),
        pytest.param(
            withdrawn, Office.approves, "version", "the version is withdrawn already", id="approved: after all"
        ),
        pytest.param(
            too_late,
            Office.approves,
            "effective_from",
            "the books have already reached this date",
            id="approved: too late",
        ),
        pytest.param(
            overtaken,
            Office.approves,
            "effective_from",
            "s2_ladder version 3: version 3 takes effect no later than version 2",
            id="approved: a later one is before it",
        ),
        pytest.param(
            proposed,
            lambda office: office.approves(digest="0" * 64),
            "digest",
            "the version has another text than the one that was read",
            id="approved: something else was read",
        ),
        pytest.param(
            lambda _: None,
            Office.withdraws,
            "version",
            "no such version was ever proposed",
            id="withdrawn: never proposed",
        ),
        pytest.param(withdrawn, Office.withdraws, "version", "the version is withdrawn already", id="withdrawn: twice"),
        pytest.param(
            in_effect,
            Office.withdraws,
            "version",
            "the version is in effect: publish another instead",
            id="withdrawn: in effect",
        ),
    ],
)
def test_what_cannot_be_done_with_a_version_leaves_it_as_it_is(
    office: Office, before: Callable[[Office], None], act: Callable[[Office], None], field: str, reason: str
) -> None:
    before(office)
    register = office.register
    assert refused(lambda: act(office)) == (field, reason)
    assert office.register is register


def test_a_proposal_that_nobody_approved_in_time_can_be_withdrawn(office: Office) -> None:
    too_late(office)
    office.withdraws()
    assert office.states(SOON)["s2_ladder", 2] == "withdrawn"


def test_a_version_that_a_new_release_contradicts_is_not_approved(office: Office) -> None:
    proposed(office)
    stages = tuple(replace(one, name=one.name.replace("NPL", "LATE")) for one in SHIPPED.ladder.stages)
    office.playbook = replace(SHIPPED, ladder=replace(SHIPPED.ladder, stages=stages))
    assert refused(office.approves) == ("stages", "NPL: the ladder has no such stage")


# -- how it is shown ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "on", "state"),
    [
        pytest.param(proposed, SOON, "proposed", id="proposed, whatever the date"),
        pytest.param(approved, TODAY, "approved", id="approved until the day before"),
        pytest.param(approved, SOON, "effective", id="in effect from its day on"),
        pytest.param(withdrawn, SOON, "withdrawn", id="withdrawn"),
    ],
)
def test_a_version_is_shown_as_it_stands(office: Office, before: Any, on: date, state: str) -> None:
    before(office)
    assert office.states(on) == {
        ("s2_ladder", 1): "effective",
        ("s2_ladder", 2): state,
        ("s3_timetable", 1): "effective",
    }


def test_a_version_that_the_files_contradict_by_now_is_shown_to_be_of_no_use(office: Office) -> None:
    approved(office)
    later = replace(SHIPPED.strategies[0], effective_from=SOON)
    office.playbook = replace(SHIPPED, strategies=(later, *SHIPPED.strategies[1:]))
    assert office.states(SOON)["s2_ladder", 2] == "unusable"


# -- what it hears -----------------------------------------------------------------------------------------------------


def record(fact: Any, *, named: bool = True) -> Record:
    event = Event(
        id="e", type=catalogue.wire_name(type(fact)), lender_id="bank", occurred_at=NOON, recorded_at=NOON, data=fact
    )  # fmt: skip
    headers = (("type", event.type.encode()),) if named else ()
    return Record(Lane(intake.TOPIC, 0), 1, b"", catalogue.encode(event), headers, NOON)


def test_it_reads_business_dates_and_passes_over_the_rest_unread() -> None:
    [register] = [kind for kind in declared(Settings.demo({}), ["segmentation"])[0].actors if kind.name == "publisher"]
    date_reached = intake.BusinessDateAdvanced(business_date=TODAY)
    for named in (True, False):
        item = from_record(register, 0, record(date_reached, named=named))
        assert item is not None
        assert item.event is not None
        assert item.event.data == date_reached
    headers = (("type", b"intake.case-opened.v1"),)
    other = msgspec.structs.replace(record(date_reached), value=b"not read", headers=headers)
    assert from_record(register, 0, other) is None
