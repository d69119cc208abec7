"""The declaration of legal: what it hears, what it tells, and by which data it screens."""

from pathlib import Path

from services.legal.api import routes
from services.legal.handlers import LegalDesk
from services.legal.screening import load_screening
from services.legal.store import LAYOUT
from shared import profiles
from shared.contracts import intake, legal, outreach
from shared.service import ActorKind, Service
from shared.settings import Settings


def declare(_settings: Settings) -> Service:
    """Legal, with the screening data of this version. Raises WrongDataError, one line with the file."""
    desk = LegalDesk(load_screening())
    return Service(
        name="legal",
        actors=(
            ActorKind(
                name="lane",
                inputs=(intake.TOPIC, intake.PROFILES, outreach.TOPIC),
                output=legal.TOPIC,
                layout=LAYOUT,
                handlers={
                    intake.CaseOpened: desk.follow_case,
                    intake.CaseUpdated: desk.follow_case,
                    intake.CaseCured: desk.follow_case,
                    intake.CaseReopened: desk.follow_case,
                    intake.CaseClosed: desk.follow_case,
                    intake.DelinquencyRangeChanged: desk.follow_case,
                    intake.PaymentPosted: desk.follow_case,
                    intake.PaymentReversed: desk.follow_case,
                    intake.ProfileChanged: profiles.take,
                    intake.ProfileErased: profiles.drop,
                    outreach.LegalReferred: desk.take_referral,
                },
                keeps_history=True,
            ),
        ),
        routes=routes,
        migrations=Path(__file__).parent / "migrations",
    )
