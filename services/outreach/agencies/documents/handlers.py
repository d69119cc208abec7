"""How a document comes on file: its content is kept already, and shows only from here on."""

from typing import TypeAlias

from services.outreach.agencies.documents.commands import FileAgencyDocument, FileLenderDocument
from services.outreach.agencies.documents.domain import Document
from services.outreach.agencies.placements.domain.placement import Change, Placement
from services.outreach.agencies.placements.handlers.keeping import changed, placement_open
from services.outreach.agencies.placements.handlers.working import own_contact
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.telling import Decision, told
from shared.contracts import placements
from shared.contracts.envelope import Event, Moment
from shared.frozen import replace
from shared.profiles import HeldProfile
from shared.service import Rejected

Asked: TypeAlias = FileAgencyDocument | FileLenderDocument
Filing: TypeAlias = Event[FileAgencyDocument] | Event[FileLenderDocument]


def on_file_by_agency(state: DebtorPlans, event: Event[FileAgencyDocument], now: Moment) -> Decision:
    """Have what an agency files on file, also for some time after its placement has ended. Raises Rejected."""
    placement, contact_id = placement_open(state, event.data.placement_id, now, event.actor), event.data.contact_id
    if contact_id:
        own_contact(state, contact_id, event.actor)
    return _filed(state, event.data, replace(_document(placement, event, now), contact_id=contact_id))


def on_file_by_lender(state: DebtorPlans, event: Event[FileLenderDocument], now: Moment) -> Decision:
    """Have what the lender gives an agency on file, and let the agency hear of it. Raises Rejected."""
    placement = placement_open(state, event.data.placement_id, now)
    state, facts = _filed(state, event.data, replace(_document(placement, event, now), by_lender=True))
    if not facts:
        return state, facts
    change = replace(changed(placement, Change.DOCUMENT_FILED, now), document_id=event.data.document_id)
    return replace(state, placement_changes=(*state.placement_changes, change)), facts


def _document(placement: Placement, event: Filing, now: Moment) -> Document:
    return Document(
        document_id=event.data.document_id,
        placement_id=placement.placement_id,
        agency_id=placement.agency_id,
        kind=event.data.kind,
        media_type=event.data.media_type,
        size=event.data.size,
        sha256=event.data.sha256,
        filed_by=event.actor,
        filed_at=now.instant,
        filed_on=now.business_date,
    )


def _filed(state: DebtorPlans, asked: Asked, document: Document) -> Decision:
    """Put a document on file, once however often it is filed."""
    if _is_erased(state, asked):
        raise Rejected("the person was erased: nothing new is kept of them", field="placement_id")
    there = state.placement_documents.get(document.document_id)
    if there is None:
        state = replace(state, placement_documents={**state.placement_documents, document.document_id: document})
        return state, (told(state, _fact(document)),)
    if (there.kind, there.contact_id) != (document.kind, document.contact_id):
        raise Rejected("this content is on file already, as something else", field="content")
    return state, ()


def _is_erased(state: DebtorPlans, asked: Asked) -> bool:
    """Whether what is sealed now would outlive an erasure: its key is not the one that the next erasure destroys."""
    held: HeldProfile | None = state.profile
    if held is None:
        return asked.after_erasure
    return held.sealed is None or held.sealed.key_id != asked.key_id


def _fact(document: Document) -> placements.PlacementDocumentFiled:
    return placements.PlacementDocumentFiled(
        placement_id=document.placement_id,
        agency_id=document.agency_id,
        document_id=document.document_id,
        kind=placements.DocumentKind(document.kind),
        media_type=document.media_type,
        size=document.size,
        sha256=document.sha256,
        by_lender=document.by_lender,
        contact_id=document.contact_id,
    )
