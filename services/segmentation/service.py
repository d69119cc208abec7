"""The declaration of segmentation: what it hears, what it tells, and by which data it decides."""

from functools import partial
from pathlib import Path

from services.segmentation import api
from services.segmentation.commands import OverrideTier
from services.segmentation.handlers.segmenter import Segmenter
from services.segmentation.store import LAYOUT, ReviewDue, StageDue
from services.segmentation.strategies import load_playbook
from shared.contracts import intake, outreach, segmentation
from shared.service import ActorKind, Service
from shared.settings import Settings


def declare(_settings: Settings) -> Service:
    """Segmentation, with the ladder and strategies of this version. Raises WrongDataError, one line with the file."""
    playbook = load_playbook()
    decide = Segmenter(playbook)
    return Service(
        name="segmentation",
        actors=(
            ActorKind(
                name="lane",
                inputs=(intake.TOPIC, outreach.TOPIC),
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
                commands={"override-tier": OverrideTier},
                keeps_history=True,
            ),
        ),
        routes=partial(api.routes, playbook),
        migrations=Path(__file__).parent / "migrations",
    )
