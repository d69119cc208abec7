"""Documents of placements, played by hand: who may file what and until when, and what is told of it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.outreach.agencies.documents.commands import FileAgencyDocument, FileLenderDocument
from services.outreach.agencies.documents.domain import (
    BEGINNINGS,
    AgencyKind,
    LenderKind,
    MediaType,
    begins_as,
)
from services.outreach.agencies.placements.commands import HandBackPlacement
from services.outreach.agencies.placements.domain.placement import GRACE, is_open
from services.outreach.plans.store import named
from shared.contracts import intake, placements
from shared.contracts.envelope import Event
from shared.contracts.intake import SealedProfile
from tests.unit.outreach.placing import ALPHA, BETA, CALL, CHIEF, MORNING, Placing, last, opened
from tests.unit.outreach.play import DEBTOR, LENDER

PAPER, OTHER_PAPER = "1" * 32, "2" * 32
OPERATOR = "operator/olga"
DAY = timedelta(1)


def said(play: Placing, **other: Any) -> dict[str, Any]:
    """What every filing says, of a content that is kept."""
    return {
        "placement_id": play.placement.placement_id,
        "document_id": PAPER,
        "media_type": MediaType.PDF,
        "size": 4711,
        "sha256": "f" * 64,
        "key_id": "key-1",
        "after_erasure": False,
        **other,
    }


def evidence(play: Placing, **other: Any) -> FileAgencyDocument:
    return FileAgencyDocument(**{"kind": AgencyKind.PROOF_OF_PAYMENT, **said(play, **other)})


def paper(play: Placing, **other: Any) -> FileLenderDocument:
    return FileLenderDocument(**{"kind": LenderKind.MANDATE, **said(play, **other)})


def profile(key_id: str) -> SealedProfile:
    return SealedProfile(
        key_id=key_id, updated_at=MORNING, language="zh-CN", time_zones=(), name=b"sealed", id_number=b"", contacts=()
    )


def handed_back(play: Placing) -> Placing:
    wanted = HandBackPlacement(placement_id=play.placement.placement_id, reason="nobody found")
    play.tell(wanted, actor=ALPHA)
    return play


# -- on file -----------------------------------------------------------------------------------------------------------


def test_what_an_agency_files_is_told_by_what_it_is() -> None:
    play = opened().placed()
    assert play.tell(evidence(play), actor=ALPHA) == ["PlacementDocumentFiled"]
    told = last(play, placements.PlacementDocumentFiled)
    assert (told.document_id, told.kind, told.media_type, told.size) == (
        PAPER,
        "proof_of_payment",
        "application/pdf",
        4711,
    )
    assert (told.agency_id, told.placement_id) == ("alpha", play.placement.placement_id)
    assert (told.by_lender, told.contact_id) == (False, "")
    kept = play.state.placement_documents[PAPER]
    assert (kept.filed_by, kept.filed_at, kept.filed_on) == (ALPHA, MORNING, date(2026, 3, 2))
    assert "alpha document_filed accepted" not in play.changes, "what it did itself is no news to it"


@pytest.mark.parametrize("staff", [CHIEF, OPERATOR])
def test_a_paper_of_the_lenders_is_among_the_changes_of_the_agency(staff: str) -> None:
    play = opened().placed()
    play.tell(paper(play), actor=staff)
    told = last(play, placements.PlacementDocumentFiled)
    assert (told.by_lender, told.kind, told.agency_id) == (True, "mandate", "alpha")
    assert play.changes[-1] == "alpha document_filed accepted"
    assert play.state.placement_changes[-1].document_id == PAPER


@pytest.mark.parametrize("forgets", [False, True], ids=["at once", "when the state was loaded anew"])
def test_the_same_again_changes_nothing(*, forgets: bool) -> None:
    play = opened(forgets=forgets).placed()
    for filing, actor in ((evidence(play), ALPHA), (paper(play, document_id=OTHER_PAPER), CHIEF)):
        play.tell(filing, actor=actor)
        before = play.state
        assert play.tell(filing, actor=actor) == []
        assert play.state == before


@pytest.mark.parametrize("forgets", [False, True], ids=["at once", "when the state was loaded anew"])
def test_an_agency_files_of_a_contact_of_its_own(*, forgets: bool) -> None:
    play = opened(forgets=forgets).placed()
    play.ask(asked=CALL)
    [contact_id] = play.state.contacts
    play.tell(evidence(play, contact_id=contact_id), actor=ALPHA)
    assert last(play, placements.PlacementDocumentFiled).contact_id == contact_id


# -- refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actor", "changed", "field", "reason"),
    [
        pytest.param(BETA, {}, "placement_id", "no such placement", id="another's placement does not exist"),
        pytest.param(
            ALPHA, {"placement_id": "0" * 32}, "placement_id", "no such placement", id="nor does one that nobody has"
        ),
        pytest.param(
            ALPHA, {"contact_id": "0" * 32}, "contact_id", "no such contact of this agency's", id="of no contact"
        ),
        pytest.param(
            ALPHA,
            {"after_erasure": True},
            "placement_id",
            "the person was erased: nothing new is kept of them",
            id="after an erasure",
        ),
    ],
)
def test_what_an_agency_cannot_file(actor: str, changed: dict[str, Any], field: str, reason: str) -> None:
    play = opened().placed()
    assert play.refused(evidence(play, **changed), actor) == (field, reason)


def test_nothing_is_filed_under_an_offer() -> None:
    play = opened()
    play.offer()
    refusal = ("placement_id", "the placement was not accepted")
    assert play.refused(evidence(play)) == refusal
    assert play.refused(paper(play), CHIEF) == refusal


def test_another_agencys_contact_is_none_of_its_own() -> None:
    play = opened().placed()
    play.ask(asked=CALL)
    [contact_id] = play.state.contacts
    handed_back(play).placed("beta")
    assert play.refused(evidence(play, contact_id=contact_id), BETA)[0] == "contact_id"


@pytest.mark.parametrize("changed", [{"kind": AgencyKind.CORRESPONDENCE}, {"contact_id": "c"}])
def test_the_same_content_is_not_two_things(changed: dict[str, Any]) -> None:
    play = opened().placed()
    play.ask(asked=CALL)
    [contact_id] = play.state.contacts
    play.tell(evidence(play), actor=ALPHA)
    other = {name: contact_id if name == "contact_id" else value for name, value in changed.items()}
    assert play.refused(evidence(play, **other)) == ("content", "this content is on file already, as something else")


# -- after the end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "is_filed"), [(0, True), (GRACE.days, True), (GRACE.days + 1, False)])
def test_evidence_comes_late_and_not_for_ever(*, days: int, is_filed: bool) -> None:
    play = handed_back(opened(forgets=True).placed())
    play.now = replace(play.now, business_date=date(2026, 3, 2) + days * DAY)
    if is_filed:
        assert play.tell(evidence(play), actor=ALPHA) == ["PlacementDocumentFiled"]
        return
    refusal = ("placement_id", "the placement has ended too long ago")
    assert play.refused(evidence(play)) == refusal
    assert play.refused(paper(play), CHIEF) == refusal


def test_what_comes_late_leaves_the_next_agency_to_its_work() -> None:
    play = handed_back(opened(forgets=True).placed())
    first = play.placement.placement_id
    play.placed("beta")
    due = play.state.placement_due
    assert due is not None
    play.tell(evidence(play, placement_id=first), actor=ALPHA)
    play.tell(paper(play, placement_id=first, document_id=OTHER_PAPER), actor=CHIEF)
    assert play.state.placement_due == due
    assert play.placement.agency_id == "beta"


# -- erased ------------------------------------------------------------------------------------------------------------


def test_what_is_sealed_by_the_key_of_the_profile_is_kept() -> None:
    play = opened().placed()
    play.tell(intake.ProfileChanged(version=1, profile=profile("key-1")))
    assert play.tell(evidence(play, after_erasure=True), actor=ALPHA) == ["PlacementDocumentFiled"]


def test_what_another_key_seals_would_outlive_the_erasure() -> None:
    """The key was destroyed, and the news of it is on its way: what is sealed now has a key that nobody destroys."""
    play = opened().placed()
    play.tell(intake.ProfileChanged(version=1, profile=profile("key-1")))
    assert play.refused(evidence(play, key_id="key-2"))[1].startswith("the person was erased")


def test_of_an_erased_person_nothing_new_is_kept() -> None:
    play = opened().placed()
    play.tell(intake.ProfileErased(version=1, erased_at=MORNING))
    assert play.refused(evidence(play))[1].startswith("the person was erased")
    assert play.refused(paper(play), CHIEF)[1].startswith("the person was erased")


# -- words -------------------------------------------------------------------------------------------------------------


def test_what_is_told_knows_every_kind_and_no_other() -> None:
    assert {*map(str, AgencyKind), *map(str, LenderKind)} == set(map(str, placements.DocumentKind))
    assert not {*map(str, AgencyKind)} & {*map(str, LenderKind)}


def test_each_beginning_is_of_one_media_type() -> None:
    assert BEGINNINGS.keys() == set(MediaType)
    for media_type, beginning in BEGINNINGS.items():
        assert [each for each in MediaType if begins_as(each, beginning + b"more")] == [media_type]
        assert not begins_as(media_type, beginning[:-1])
        assert not begins_as(media_type, b"\x00" + beginning)


@pytest.mark.parametrize(
    ("accepted", "ended", "after", "answer"),
    [
        pytest.param(False, None, 0, False, id="an offer"),
        pytest.param(True, None, 1000, True, id="one that is worked"),
        pytest.param(True, 0, 60, True, id="sixty days after the end"),
        pytest.param(True, 0, 61, False, id="a day later"),
        pytest.param(False, 0, 0, False, id="an offer that was declined"),
    ],
)
def test_when_documents_are_open(*, accepted: bool, ended: int | None, after: int, answer: bool) -> None:
    first = date(2026, 3, 2)
    ended_on = None if ended is None else first + ended * DAY
    assert is_open(first if accepted else None, ended_on, first + after * DAY) is answer


def test_a_filing_names_the_rows_that_it_needs_however_old_they_are() -> None:
    play = opened().placed()
    of = ("placements", play.placement.placement_id), ("placement_documents", PAPER)
    assert [*named(filed(paper(play)))] == [*of]
    assert [*named(filed(evidence(play, contact_id="c")))] == [*of, ("contacts", "c")]


def filed(content: FileAgencyDocument | FileLenderDocument) -> Event[Any]:
    return Event(
        id="e", type="", lender_id=LENDER, debtor_id=DEBTOR, occurred_at=MORNING, recorded_at=MORNING, data=content
    )
