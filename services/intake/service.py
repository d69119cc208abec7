"""intake, declared: what it hears, what it tells, and where its state lies."""

from functools import partial
from pathlib import Path

from services.intake import api
from services.intake.cases import handlers as cases
from services.intake.cases import reporting_schemes
from services.intake.cases import store as case_store
from services.intake.cases.domain.reporting import Schemes
from services.intake.connectors import cloud_events
from services.intake.connectors.sealing import BlindIndex, Sealer
from services.intake.ingress import handlers as ingress
from services.intake.ingress import store as ingress_store
from services.intake.profiles import handlers as profiles
from services.intake.profiles import store as profile_store
from services.intake.profiles.commands import EraseProfile
from services.intake.profiles.effects import destroy_key
from services.intake.profiles.store import KeyDue
from services.intake.reconciliation.watch import ReconciliationWatch
from services.intake.verification import gates
from services.intake.verification.commands import DecideVerification
from services.intake.verification.domain import Gate
from services.intake.verification.handlers.deciding import decide
from shared.contracts import core_banking
from shared.contracts import ingress as inward
from shared.contracts import intake as outward
from shared.keys import KeyStore
from shared.service import ActorKind, Service
from shared.settings import Settings


def declare(settings: Settings) -> Service:
    """Declare intake. Raises WrongDataError where the reporting schemes or the data gate contradict themselves."""
    schemes, gate, index = reporting_schemes.load(), gates.load(), BlindIndex(settings.index_key)
    return Service(
        name="intake",
        actors=(_ingress(Sealer(settings.vault, settings.keys, index)), _lane(schemes, gate), _profiles(settings.keys)),
        routes=partial(api.routes, settings.vault, schemes, index),
        migrations=Path(__file__).parent / "migrations",
        watches=_watches(settings),
    )


def _watches(settings: Settings) -> tuple[ReconciliationWatch, ...]:
    """What reconciliations have found; nothing where no database is."""
    if "intake" not in settings.database_urls:
        return ()
    return (ReconciliationWatch(settings.database_url("intake")),)


def _ingress(sealer: Sealer) -> ActorKind:
    """The edge: by partition of the bank's topic."""
    return ActorKind(
        name="ingress",
        inputs=(core_banking.TOPIC,),
        output=inward.TOPIC,
        layout=ingress_store.LAYOUT,
        handlers=ingress.HANDLERS,
        on_lane=ingress.ON_LANE,
        decode=partial(cloud_events.decode, sealer=sealer),
        owner_of=ingress.owner_of,
        refusal=inward.EventRefused,
        resolution=inward.RefusalResolved,
    )


def _lane(schemes: Schemes, gate: Gate) -> ActorKind:
    """Cases: by debtor."""
    return ActorKind(
        name="lane",
        inputs=(inward.TOPIC,),
        output=outward.TOPIC,
        layout=case_store.LAYOUT,
        handlers={**cases.handlers(schemes, gate), DecideVerification: partial(decide, schemes, gate)},
        on_lane=cases.ON_LANE,
        commands={"decide-verification": DecideVerification},
        keeps_history=True,
        relays_watermarks=True,
    )


def _profiles(keys: KeyStore) -> ActorKind:
    """People: by debtor too, and told on a topic of their own that only those read who contact people."""
    return ActorKind(
        name="profiles",
        inputs=(inward.TOPIC,),
        output=outward.PROFILES,
        layout=profile_store.LAYOUT,
        handlers={
            inward.ProfileReceived: profiles.take_profile,
            EraseProfile: profiles.erase,
            KeyDue: partial(destroy_key, keys),
        },
        commands={"erase-profile": EraseProfile},
        decode=profiles.decode,
        patient=True,
    )
