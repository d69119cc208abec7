"""The declaration of outreach: what it hears and tells, and which function decides each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from services.outreach import api
from services.outreach.agencies.access.machines import machines_of
from services.outreach.agencies.allocation.handlers import allotting
from services.outreach.agencies.allocation.handlers import offering as allocated
from services.outreach.agencies.allocation.handlers.allotting import Rules as AllocationRules
from services.outreach.agencies.allocation.store import read_rules
from services.outreach.agencies.documents import commands as filing
from services.outreach.agencies.documents import handlers as documents
from services.outreach.agencies.payment_reports import commands as reporting
from services.outreach.agencies.payment_reports import handlers as reported
from services.outreach.agencies.placements import commands as placing
from services.outreach.agencies.placements.domain.placement import PlacementDue
from services.outreach.agencies.placements.domain.placement import Practice as Placing
from services.outreach.agencies.placements.handlers import following as placed
from services.outreach.agencies.placements.handlers import offering, recalling, working
from services.outreach.agencies.placements.store import read_practice
from services.outreach.agencies.register import handlers as register
from services.outreach.agencies.register.store import LAYOUT as REGISTER
from services.outreach.agencies.webhooks import api as webhooks_api
from services.outreach.agencies.webhooks.actor import webhooks
from services.outreach.agencies.webhooks.sending import Caller
from services.outreach.agencies.webhooks.watch import DeliveryWatch
from services.outreach.allocator import handlers as allocator
from services.outreach.allocator.store import LAYOUT as BOOKS
from services.outreach.contacts.domain.judging import Rules
from services.outreach.contacts.domain.rows import ContactDue
from services.outreach.contacts.effects import Dispatcher, Heard, Way
from services.outreach.contacts.permits import Signer
from services.outreach.contacts.ports import Gateway
from services.outreach.contacts.red_line_watch import RedLineWatch
from services.outreach.contacts.store import read_lines, rules_of
from services.outreach.field import handlers as field
from services.outreach.field.domain import Field
from services.outreach.field.store import read_field
from services.outreach.matters import handlers as matters
from services.outreach.matters.commands import RaiseMatter, ResolveMatter
from services.outreach.matters.domain import MatterDue
from services.outreach.matters.store import read_deadlines
from services.outreach.outcomes.commands import OpenChannel, RecordOutcome
from services.outreach.outcomes.handlers.recording import Practice
from services.outreach.outcomes.handlers.saying import on_heard, on_open, on_record
from services.outreach.permits.commands import AskPermit, GiveBack
from services.outreach.plans.commands import PlaceHold, ReleaseHold
from services.outreach.plans.domain.rows import Channel, HoldDue, PlanDue, StepDue
from services.outreach.plans.domain.window import Window
from services.outreach.plans.handlers import (
    cases,
    claiming,
    contacting,
    holds,
    permitting,
    reminding,
    steps,
    treatments,
)
from services.outreach.plans.handlers.telling import in_turn
from services.outreach.plans.store import LAYOUT as PLANS
from services.outreach.plans.store import read_windows
from services.outreach.promises import handlers as promises
from services.outreach.promises.domain import PromiseDue, ReminderDue
from services.outreach.promises.store import read_terms
from services.outreach.sending.providers import needs_sandbox, ways_of
from services.outreach.work.commands import ClaimWork, ReleaseWork
from shared import profiles
from shared.clock import SystemClock
from shared.contracts import agencies, intake, legal, outreach, placements, quarantine, segmentation
from shared.contracts.envelope import Event
from shared.frozen import replace
from shared.service import ActorKind, Errand, Handler, Reach, Service, Watch
from shared.settings import SANDBOX, Settings, SettingsError

COMMANDS: Mapping[str, type] = {
    "place-hold": PlaceHold,
    "release-hold": ReleaseHold,
    "ask-permit": AskPermit,
    "give-back-permit": GiveBack,
    "claim-work": ClaimWork,
    "release-work": ReleaseWork,
    "record-outcome": RecordOutcome,
    "open-channel": OpenChannel,
    "raise-matter": RaiseMatter,
    "resolve-matter": ResolveMatter,
    "offer-placement": placing.OfferPlacement,
    "ask-recall": placing.AskRecall,
    "withdraw-recall": placing.WithdrawRecall,
    "recall-placement": placing.RecallPlacement,
    "accept-placement": placing.AcceptPlacement,
    "decline-placement": placing.DeclinePlacement,
    "hand-back-placement": placing.HandBackPlacement,
    "object-to-recall": placing.ObjectToRecall,
    "ask-agency-permit": placing.AskAgencyPermit,
    "give-back-agency-permit": placing.GiveBackAgencyPermit,
    "record-agency-outcome": placing.RecordAgencyOutcome,
    "file-agency-document": filing.FileAgencyDocument,
    "file-lender-document": filing.FileLenderDocument,
    "report-payment": reporting.ReportPayment,
    "withdraw-payment-report": reporting.WithdrawReport,
}

HEARD = (agencies.TOPIC, intake.TOPIC, intake.PROFILES, segmentation.TOPIC, legal.TOPIC, outreach.ALLOCATIONS)
"""What a lane reads; the register first, so that it knows how an agency stands before it decides about a case."""

OF_CASES: tuple[type, ...] = (
    intake.CaseOpened,
    intake.CaseUpdated,
    intake.CaseCured,
    intake.CaseReopened,
    intake.CaseClosed,
    intake.DelinquencyRangeChanged,
)

HELD_BY_OTHERS: Mapping[type, Handler] = {
    legal.HoldPlaced: holds.on_legal_hold,
    legal.HoldReleased: holds.on_legal_release,
    quarantine.DebtorQuarantined: holds.on_quarantine,
    quarantine.DebtorReleased: holds.on_quarantine_end,
    intake.VerificationRequested: holds.on_verification,
    intake.VerificationDecided: holds.on_verified,
}
"""What others know that stands against every contact."""


@dataclass(frozen=True, slots=True)
class House:
    """What a deployment goes by. queues: where the steps of each channel that people work wait for them."""

    rules: Mapping[str, Rules]
    dispatches: bool
    queues: Mapping[str, str]
    practice: Practice
    placing: Placing


def declare(settings: Settings) -> Service:
    """Outreach, with the data files that it decides by. Raises WrongDataError where one contradicts itself."""
    windows = read_windows()
    zones = {code: window.zone for code, window in windows.items()}
    practice = Practice(read_terms(zones), read_deadlines(zones))
    rules = rules_of(zones, {*settings.carriers.channels, *settings.worked_by_people, Channel.VISIT})
    by_house = read_practice(zones)
    lane = _lane(windows, House(rules, settings.dispatch, queues_of(settings), practice, by_house))
    lane = _dispatching(lane, settings, zones) if settings.dispatch else lane
    return Service(
        name="outreach",
        actors=(
            lane,
            _allocator(read_field(), read_rules(by_house.most_days, settings.allocation)),
            _register(),
            webhooks(Caller(settings.vault, to_private=settings.webhooks_to_private)),
        ),
        routes=partial(_routes, settings),
        migrations=Path(__file__).parent / "migrations",
        watches=_watches(settings, zones),
        machines=machines_of(settings),
    )


def _routes(settings: Settings) -> APIRouter:
    router = APIRouter()
    router.include_router(api.routes(Signer(settings.personal_data_key), SystemClock(), lambda: settings.keys))
    router.include_router(webhooks_api.routes(settings.vault, to_private=settings.webhooks_to_private))
    return router


def _watches(settings: Settings, zones: Mapping[str, str]) -> tuple[Watch, ...]:
    """Dead deliveries; and the red lines, counted from the sandbox's log as well where that is in use.

    Nothing where no database is.
    """
    if "outreach" not in settings.database_urls:
        return ()
    sandbox = settings.database_url(SANDBOX) if settings.dispatch and needs_sandbox(settings) else None
    outreach_url = settings.database_url("outreach")
    return RedLineWatch(outreach_url, sandbox, zones), DeliveryWatch(outreach_url)


def _dispatching(lane: ActorKind, settings: Settings, zones: Mapping[str, str]) -> ActorKind:
    """The lane with those who carry its messages; settings keep the sandbox to demos."""
    signer = Signer(settings.personal_data_key)
    ways = ways_of(settings, signer.public_key, zones)
    return with_ways(lane, ways.by_channel, signer, ways.close)


def with_gateway(
    lane: ActorKind, gateway: Gateway, signer: Signer, close: Callable[[], Awaitable[None]] | None = None
) -> ActorKind:
    """The lane, with one gateway for all its permits, and nobody who reads what it is given."""
    return with_ways(lane, dict.fromkeys(read_lines(), Way(gateway)), signer, close)


def with_ways(
    lane: ActorKind, ways: Mapping[str, Way], signer: Signer, close: Callable[[], Awaitable[None]] | None = None
) -> ActorKind:
    """The lane, with what carries the messages of each channel."""
    dispatcher = Dispatcher(ways, signer)
    errands: Mapping[type, Errand] = {
        outreach.ContactPermitted: dispatcher.send,
        outreach.ContactDoubted: dispatcher.look_up,
        outreach.ContactRecalled: dispatcher.recall,
    }
    return replace(lane, errands=errands, room_of=_by_channel, let_go=close)


def _by_channel(event: Event[Any]) -> str:
    """A provider that is slow, or asked slowly, keeps nobody from what others carry."""
    return f"{event.type} {event.data.channel}"


def queues_of(settings: Settings) -> Mapping[str, str]:
    """Where the steps of each channel that people work wait for them. Raises SettingsError for one without a queue."""
    lines = read_lines()
    for channel in settings.worked_by_people:
        if channel not in lines or not lines[channel].queue:
            raise SettingsError("FAIRDUE_WORKED_BY_PEOPLE", f"no queue is known for the channel {channel!r}")
    return {channel: lines[channel].queue for channel in settings.worked_by_people}


def _lane(windows: Mapping[str, Window], house: House) -> ActorKind:
    """Plans: by debtor. No provider is asked unless the house dispatches; what people do, they ask for themselves."""
    return ActorKind(
        name="lane",
        inputs=HEARD,
        output=outreach.TOPIC,
        layout=PLANS,
        handlers={
            **dict.fromkeys(OF_CASES, in_turn(cases.on_case, placed.on_case)),
            intake.PaymentPosted: in_turn(
                cases.on_payment,
                promises.on_payment,
                partial(placed.on_payment, house.placing),
                partial(reported.on_payment, house.placing),
            ),
            intake.PaymentReversed: in_turn(cases.on_reversal, promises.on_reversal, placed.on_reversal),
            intake.ProfileChanged: profiles.take,
            intake.ProfileErased: profiles.drop,
            segmentation.TreatmentAssigned: treatments.on_treatment,
            **HELD_BY_OTHERS,
            outreach.VisitScheduled: steps.on_visit_scheduled,
            outreach.VisitNotScheduled: steps.on_visit_not_scheduled,
            PlanDue: partial(treatments.on_plan_due, windows),
            StepDue: partial(steps.on_step_due, house.rules if house.dispatches else None, house.queues),
            ContactDue: contacting.on_contact_due,
            ReminderDue: partial(
                reminding.on_reminder_due, house.rules if house.dispatches else None, house.practice.terms
            ),
            HoldDue: holds.on_hold_due,
            PlaceHold: holds.on_place_hold,
            ReleaseHold: holds.on_release_hold,
            **_asked_by_people(house.rules),
            **_following(house.practice),
            **_placed(house),
        },
        on_lane={intake.BusinessDateAdvanced: steps.on_business_date},
        directives={agencies.AgencyListed: register.directive_of},
        commands=COMMANDS,
        keeps_history=True,
        heeds_freshness=True,
    )


def _asked_by_people(rules: Mapping[str, Rules]) -> Mapping[type, Handler]:
    return {
        AskPermit: partial(permitting.on_ask_permit, rules),
        GiveBack: permitting.on_give_back,
        ClaimWork: partial(claiming.on_claim_work, rules),
        ReleaseWork: claiming.on_release_work,
    }


def _following(practice: Practice) -> Mapping[type, Handler]:
    """What follows from contacts, by what the house goes by."""
    return {
        RecordOutcome: partial(on_record, practice),
        Heard: partial(on_heard, practice),
        OpenChannel: on_open,
        PromiseDue: promises.on_due,
        RaiseMatter: partial(matters.on_raise, practice.deadlines),
        ResolveMatter: in_turn(matters.on_resolve, reported.on_resolved),
        MatterDue: matters.on_due,
    }


def _placed(house: House) -> Mapping[type, Handler]:
    """What supervisors and agencies do with placements, and what time does."""
    return {
        placing.OfferPlacement: partial(offering.on_offer, house.placing),
        placing.AcceptPlacement: partial(offering.on_accept, house.placing),
        placing.DeclinePlacement: offering.on_decline,
        placing.HandBackPlacement: offering.on_hand_back,
        placing.AskRecall: partial(recalling.on_ask_recall, house.placing),
        placing.ObjectToRecall: recalling.on_object,
        placing.WithdrawRecall: recalling.on_withdraw_recall,
        placing.RecallPlacement: recalling.on_recall,
        placing.AskAgencyPermit: partial(working.on_ask_permit, house.rules),
        placing.GiveBackAgencyPermit: working.on_give_back,
        placing.RecordAgencyOutcome: partial(working.on_record, house.practice),
        placements.PlacementAllotted: partial(allocated.on_allotted, house.placing),
        placements.PlacementNotAllotted: allocated.on_not_allotted,
        filing.FileAgencyDocument: documents.on_file_by_agency,
        filing.FileLenderDocument: documents.on_file_by_lender,
        reporting.ReportPayment: partial(reported.on_report, house.practice, house.placing),
        reporting.WithdrawReport: reported.on_withdraw,
        PlacementDue: placed.on_due,
    }


def _allocator(crews: Field, rules: AllocationRules) -> ActorKind:
    """Crews and agencies: by lender, since neither can be split by debtor."""
    return ActorKind(
        name="allocator",
        inputs=(agencies.TOPIC, outreach.TOPIC),
        reach=Reach.EVERY_LANE,
        output=outreach.ALLOCATIONS,
        layout=BOOKS,
        handlers={
            outreach.VisitRequested: partial(field.on_requested, crews),
            placements.PlacementRequested: allotting.on_requested,
            placements.PlacementOffered: allotting.on_offered,
            placements.PlacementNotOffered: allotting.on_left,
            placements.PlacementEnded: allotting.on_left,
            allocator.LaneClosed: partial(allocator.on_closed, crews, rules),
        },
        directives={agencies.AgencyListed: register.directive_of},
        decode=allocator.decode,
        owner_of=allocator.lender_of,
        patient=True,
    )


def _register() -> ActorKind:
    """Agencies: one register for all, since every lane is to know the same of each."""
    return ActorKind(
        name="register",
        inputs=(intake.TOPIC,),
        reach=Reach.FIRST_LANE,
        output=agencies.TOPIC,
        layout=REGISTER,
        handlers=register.HANDLERS,
        commands=register.COMMANDS,
        patient=True,
    )
