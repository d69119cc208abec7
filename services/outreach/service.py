"""The declaration of outreach: what it hears and tells, and which function decides each."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from services.outreach import api
from services.outreach.field import handlers as field
from services.outreach.field.domain import Field
from services.outreach.field.store import LAYOUT as BOOKS
from services.outreach.field.store import read_field
from services.outreach.plans.commands import PlaceHold, ReleaseHold
from services.outreach.plans.domain.rows import HoldDue, PlanDue, StepDue
from services.outreach.plans.domain.window import Window
from services.outreach.plans.handlers import cases, holds, steps, treatments
from services.outreach.plans.store import LAYOUT as PLANS
from services.outreach.plans.store import read_windows
from shared import profiles
from shared.contracts import intake, legal, outreach, quarantine, segmentation
from shared.service import ActorKind, Service
from shared.settings import Settings


def declare(_settings: Settings) -> Service:
    """Outreach, with the data files that it decides by. Raises WrongDataError where one contradicts itself."""
    return Service(
        name="outreach",
        actors=(_lane(read_windows()), _allocator(read_field())),
        routes=api.routes,
        migrations=Path(__file__).parent / "migrations",
    )


def _lane(windows: Mapping[str, Window]) -> ActorKind:
    """Plans: by debtor."""
    return ActorKind(
        name="lane",
        inputs=(intake.TOPIC, intake.PROFILES, segmentation.TOPIC, legal.TOPIC, outreach.ALLOCATIONS),
        output=outreach.TOPIC,
        layout=PLANS,
        handlers={
            intake.CaseOpened: cases.on_case,
            intake.CaseUpdated: cases.on_case,
            intake.CaseCured: cases.on_case,
            intake.CaseReopened: cases.on_case,
            intake.CaseClosed: cases.on_case,
            intake.DelinquencyRangeChanged: cases.on_case,
            intake.PaymentPosted: cases.on_payment,
            intake.PaymentReversed: cases.on_reversal,
            intake.ProfileChanged: profiles.take,
            intake.ProfileErased: profiles.drop,
            segmentation.TreatmentAssigned: treatments.on_treatment,
            legal.HoldPlaced: holds.on_legal_hold,
            legal.HoldReleased: holds.on_legal_release,
            quarantine.DebtorQuarantined: holds.on_quarantine,
            quarantine.DebtorReleased: holds.on_quarantine_end,
            outreach.VisitScheduled: steps.on_visit_scheduled,
            outreach.VisitNotScheduled: steps.on_visit_not_scheduled,
            PlanDue: partial(treatments.on_plan_due, windows),
            StepDue: steps.on_step_due,
            HoldDue: holds.on_hold_due,
            PlaceHold: holds.on_place_hold,
            ReleaseHold: holds.on_release_hold,
        },
        on_lane={intake.BusinessDateAdvanced: steps.on_business_date},
        commands={"place-hold": PlaceHold, "release-hold": ReleaseHold},
        keeps_history=True,
    )


def _allocator(crews: Field) -> ActorKind:
    """Field: by lender, since crews cannot be split by debtor."""
    return ActorKind(
        name="allocator",
        inputs=(outreach.TOPIC,),
        output=outreach.ALLOCATIONS,
        layout=BOOKS,
        handlers={
            outreach.VisitRequested: partial(field.on_requested, crews),
            field.LaneClosed: partial(field.on_closed, crews),
        },
        decode=field.decode,
        owner_of=field.lender_of,
    )
