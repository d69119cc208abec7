"""The declaration of segmentation: what it hears, what it tells, and by which data it decides."""

from functools import partial
from pathlib import Path

from services.segmentation import api
from services.segmentation.commands import OverrideTier
from services.segmentation.handlers.segmenter import Segmenter
from services.segmentation.publishing import handlers as publishing
from services.segmentation.publishing.commands import ApproveStrategy, ProposeStrategy, WithdrawStrategy
from services.segmentation.publishing.editions import Editions, directive_of
from services.segmentation.publishing.handlers import Publisher
from services.segmentation.publishing.store import LAYOUT as REGISTER
from services.segmentation.store import LAYOUT, ReviewDue, StageDue
from services.segmentation.strategies import load_playbook
from shared.contracts import intake, outreach, segmentation
from shared.service import ActorKind, Reach, Service
from shared.settings import Settings


def declare(_settings: Settings) -> Service:
    """Segmentation, with the ladder and strategies of this version. Raises WrongDataError, one line with the file."""
    playbook = load_playbook()
    return Service(
        name="segmentation",
        actors=(_lane(Segmenter(playbook)), _publisher(Publisher(Editions(playbook)))),
        routes=partial(api.routes, playbook),
        migrations=Path(__file__).parent / "migrations",
    )


def _lane(decide: Segmenter) -> ActorKind:
    """Treatments: by debtor, and by the strategies that the lane was told of."""
    return ActorKind(
        name="lane",
        inputs=(segmentation.STRATEGIES, intake.TOPIC, outreach.TOPIC),
        output=segmentation.TOPIC,
        layout=LAYOUT,
        handlers={
            intake.CaseOpened: decide.follow_case,
            intake.CaseUpdated: decide.follow_case,
            intake.CaseCured: decide.follow_case,
            intake.CaseReopened: decide.reopen,
            intake.CaseClosed: decide.follow_case,
            intake.DelinquencyRangeChanged: decide.follow_case,
            intake.PaymentPosted: decide.answer_payment,
            intake.PaymentReversed: decide.answer_reversal,
            outreach.HoldReleased: decide.answer_release,
            outreach.OutcomeRecorded: decide.hear_outcome,
            outreach.PromiseMade: decide.hear_promise,
            outreach.PromiseKept: decide.hear_kept,
            outreach.PromiseBroken: decide.hear_broken,
            outreach.PromiseReopened: decide.hear_reopened,
            StageDue: decide.enter_stage,
            ReviewDue: decide.review,
            OverrideTier: decide.override,
        },
        directives={segmentation.StrategyPublished: directive_of, segmentation.StrategyWithdrawn: directive_of},
        commands={"override-tier": OverrideTier},
        keeps_history=True,
    )


def _publisher(publisher: Publisher) -> ActorKind:
    """The register of strategies: one for all, since every lane is to go by the same."""
    return ActorKind(
        name="publisher",
        inputs=(intake.TOPIC,),
        reach=Reach.FIRST_LANE,
        output=segmentation.STRATEGIES,
        layout=REGISTER,
        handlers={
            intake.BusinessDateAdvanced: publishing.on_business_date,
            ProposeStrategy: publisher.propose,
            ApproveStrategy: publisher.approve,
            WithdrawStrategy: publisher.withdraw,
        },
        commands={
            "propose-strategy": ProposeStrategy,
            "approve-strategy": ApproveStrategy,
            "withdraw-strategy": WithdrawStrategy,
        },
        owner_of=publishing.register_of,
        patient=True,
    )
