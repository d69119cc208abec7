"""intake, declared: what it hears, what it tells, and where its state lies."""

from functools import partial
from pathlib import Path

from services.intake import api
from services.intake.cases import handlers as cases
from services.intake.cases import reporting_schemes
from services.intake.cases import store as case_store
from services.intake.connectors import cloud_events
from services.intake.ingress import handlers as ingress
from services.intake.ingress import store as ingress_store
from shared.contracts import core_banking
from shared.contracts import ingress as inward
from shared.contracts import intake as outward
from shared.service import ActorKind, Service
from shared.settings import Settings


def declare(settings: Settings) -> Service:
    """Declare intake. Raises WrongDataError where the reporting schemes contradict themselves."""
    schemes = reporting_schemes.load()
    return Service(
        name="intake",
        actors=(
            ActorKind(
                name="ingress",
                inputs=(core_banking.TOPIC,),
                output=inward.TOPIC,
                layout=ingress_store.LAYOUT,
                handlers=ingress.HANDLERS,
                on_lane=ingress.ON_LANE,
                decode=partial(cloud_events.decode, vault=settings.vault),
                owner_of=ingress.owner_of,
                refusal=inward.EventRefused,
                resolution=inward.RefusalResolved,
            ),
            ActorKind(
                name="lane",
                inputs=(inward.TOPIC,),
                output=outward.TOPIC,
                layout=case_store.LAYOUT,
                handlers=cases.handlers(schemes),
                on_lane=cases.ON_LANE,
                keeps_history=True,
                relays_watermarks=True,
            ),
        ),
        routes=partial(api.routes, settings.vault, schemes),
        migrations=Path(__file__).parent / "migrations",
    )
