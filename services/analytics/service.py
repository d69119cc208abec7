"""The declaration of analytics: it hears all, keeps every fact, counts, and tells nothing."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import asyncpg

from services.analytics import api, handlers, store
from shared.contracts import intake, legal, outreach, placements, quarantine, segmentation
from shared.service import ActorKind, Handler, Service
from shared.settings import Settings

HANDLERS: Mapping[type, Handler] = {
    intake.CaseOpened: handlers.count_opened,
    intake.CaseUpdated: handlers.follow_case,
    intake.CaseCured: handlers.count_cured,
    intake.CaseReopened: handlers.count_reopened,
    intake.CaseClosed: handlers.count_closed,
    intake.DelinquencyRangeChanged: handlers.follow_case,
    intake.PaymentPosted: handlers.count_payment,
    intake.PaymentReversed: handlers.count_reversal,
    intake.VerificationRequested: handlers.keep,
    intake.VerificationDecided: handlers.keep,
    segmentation.CaseSegmented: handlers.follow_stage,
    segmentation.TierAssigned: handlers.keep,
    segmentation.TreatmentAssigned: handlers.follow_treatment,
    outreach.PlanStarted: handlers.count_plan,
    outreach.PlanStopped: handlers.count_stop,
    outreach.StepEnded: handlers.count_step,
    outreach.VisitRequested: handlers.count_visit_request,
    outreach.ContactPermitted: handlers.count_permit,
    outreach.PermitGranted: handlers.count_permit,
    outreach.ContactMade: handlers.count_contact,
    outreach.ContactNotMade: handlers.count_not_made,
    outreach.ContactUnknown: handlers.count_unknown,
    outreach.ContactRecalled: handlers.keep,
    outreach.ContactDenied: handlers.count_denial,
    outreach.ContactDoubted: handlers.keep,
    outreach.WorkRequested: handlers.keep,
    outreach.LegalReferred: handlers.keep,
    outreach.HoldPlaced: handlers.keep,
    outreach.HoldReleased: handlers.keep,
    outreach.OutcomeRecorded: handlers.count_outcome,
    outreach.OptOutWithdrawn: handlers.count_withdrawal,
    outreach.PromiseMade: partial(handlers.count_promise, "made"),
    outreach.PromiseKept: partial(handlers.count_promise, "kept"),
    outreach.PromiseBroken: partial(handlers.count_promise, "broken"),
    outreach.PromiseReopened: handlers.count_reopening,
    outreach.MatterRaised: partial(handlers.count_seen_to, "raised"),
    outreach.MatterOverdue: partial(handlers.count_seen_to, "overdue"),
    outreach.MatterResolved: partial(handlers.count_seen_to, "resolved"),
    **dict.fromkeys(placements.FACTS.values(), handlers.keep),
    placements.PlacementRequested: handlers.count_placement_request,
    legal.MatterOpened: handlers.count_matter_opened,
    legal.ReferralDeclined: handlers.count_declined,
    legal.MatterClosed: handlers.count_matter_closed,
    legal.HoldPlaced: handlers.keep,
    legal.HoldReleased: handlers.keep,
    quarantine.DebtorQuarantined: handlers.keep,
    quarantine.DebtorReleased: handlers.keep,
}
"""What is done with each fact of a debtor. Facts without a debtor move the lanes' clocks, and nothing is counted."""


def declare(_settings: Settings) -> Service:
    """Analytics with its one kind of actor."""
    return Service(
        name="analytics",
        actors=(
            ActorKind(
                name="lane",
                inputs=(intake.TOPIC, segmentation.TOPIC, outreach.TOPIC, legal.TOPIC),
                output="",
                layout=store.LAYOUT,
                handlers=HANDLERS,
                patient=True,
            ),
        ),
        routes=api.routes,
        migrations=Path(__file__).parent / "migrations",
    )


async def rebuild(connection: asyncpg.Connection) -> store.Rebuilt:
    """Fold every kept fact again with the same handlers, and compare with what is stored; writes nothing."""
    return await store.rebuild(connection, HANDLERS)
