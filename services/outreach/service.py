"""The declaration of outreach: what it hears and tells, and which function decides each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from services.outreach import api
from services.outreach.contacts.adapters.sandbox import SandboxGateway
from services.outreach.contacts.adapters.sandbox_log import PostgresGatewayLog
from services.outreach.contacts.domain.judging import Rules
from services.outreach.contacts.domain.rows import ContactDue
from services.outreach.contacts.effects import Dispatcher, Heard
from services.outreach.contacts.permits import Signer
from services.outreach.contacts.ports import Gateway
from services.outreach.contacts.red_line_watch import RedLineWatch
from services.outreach.contacts.store import rules_of
from services.outreach.field import handlers as field
from services.outreach.field.domain import Field
from services.outreach.field.store import LAYOUT as BOOKS
from services.outreach.field.store import read_field
from services.outreach.plans.commands import PlaceHold, ReleaseHold
from services.outreach.plans.domain.rows import HoldDue, PlanDue, StepDue
from services.outreach.plans.domain.window import Window
from services.outreach.plans.handlers import cases, contacting, holds, steps, treatments
from services.outreach.plans.store import LAYOUT as PLANS
from services.outreach.plans.store import read_windows
from shared import profiles
from shared.contracts import intake, legal, outreach, quarantine, segmentation
from shared.service import ActorKind, Errand, Service
from shared.settings import SANDBOX, Settings


def declare(settings: Settings) -> Service:
    """Outreach, with the data files that it decides by. Raises WrongDataError where one contradicts itself."""
    windows = read_windows()
    zones = {code: window.zone for code, window in windows.items()}
    lane = _lane(windows, rules_of(zones), settings.dispatch)
    return Service(
        name="outreach",
        actors=(_dispatching(lane, settings) if settings.dispatch else lane, _allocator(read_field())),
        routes=api.routes,
        migrations=Path(__file__).parent / "migrations",
        watches=_watches(settings, zones),
    )


def _watches(settings: Settings, zones: Mapping[str, str]) -> tuple[RedLineWatch, ...]:
    """The red lines, counted from the sandbox's log as well where that is in use; nothing where no database is."""
    if "outreach" not in settings.database_urls:
        return ()
    sandbox = settings.database_url(SANDBOX) if settings.dispatch else None
    return (RedLineWatch(settings.database_url("outreach"), sandbox, zones),)


def _dispatching(lane: ActorKind, settings: Settings) -> ActorKind:
    """The lane with somebody who carries its messages: so far only the sandbox, which settings keep to demos."""
    signer = Signer(settings.personal_data_key)
    log = PostgresGatewayLog(settings.database_url(SANDBOX))
    return with_gateway(lane, SandboxGateway(log, signer.public_key), signer, log.close)


def with_gateway(
    lane: ActorKind, gateway: Gateway, signer: Signer, close: Callable[[], Awaitable[None]] | None = None
) -> ActorKind:
    """The lane, with a gateway that its permits are used at."""
    dispatcher = Dispatcher(gateway, signer)
    errands: Mapping[type, Errand] = {
        outreach.ContactPermitted: dispatcher.send,
        outreach.ContactDoubted: dispatcher.look_up,
    }
    return replace(lane, errands=errands, let_go=close)


def _lane(windows: Mapping[str, Window], rules: Mapping[str, Rules], dispatch: bool) -> ActorKind:  # noqa: FBT001
    """Plans: by debtor. Nobody is contacted unless `dispatch` is on."""
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
            StepDue: partial(steps.on_step_due, rules if dispatch else None),
            ContactDue: contacting.on_contact_due,
            Heard: contacting.on_heard,
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
