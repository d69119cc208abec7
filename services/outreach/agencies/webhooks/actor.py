"""The declaration of the actor that tells agencies: alone, since places are counted by agency and not by debtor."""

from services.outreach.agencies.webhooks import handlers, hearing
from services.outreach.agencies.webhooks.commands import ReplayDeliveries, RotateSecret, SetWebhook, SwitchWebhook
from services.outreach.agencies.webhooks.domain import Delivery, DeliveryDue
from services.outreach.agencies.webhooks.hearing import DeliveryHeard, Notice
from services.outreach.agencies.webhooks.sending import Caller
from services.outreach.agencies.webhooks.store import LAYOUT
from shared.contracts import deliveries, outreach
from shared.service import ActorKind, Reach


def webhooks(caller: Caller) -> ActorKind:
    """Webhooks: by agency. One that answers slowly keeps nobody but itself waiting."""
    return ActorKind(
        name="webhooks",
        inputs=(outreach.TOPIC,),
        reach=Reach.EVERY_LANE,
        output=deliveries.TOPIC,
        layout=LAYOUT,
        handlers={
            Notice: handlers.on_notice,
            DeliveryDue: handlers.on_due,
            Delivery: handlers.on_old,
            DeliveryHeard: handlers.on_heard,
            SetWebhook: handlers.on_set,
            RotateSecret: handlers.on_rotate,
            SwitchWebhook: handlers.on_switch,
            ReplayDeliveries: handlers.on_replay,
        },
        commands={
            "set-webhook": SetWebhook,
            "rotate-webhook-secret": RotateSecret,
            "switch-webhook": SwitchWebhook,
            "replay-deliveries": ReplayDeliveries,
        },
        decode=hearing.decode,
        owner_of=hearing.agency_of,
        errands={deliveries.DeliveryBegun: caller.call},
        room_of=hearing.agency_of,
        let_go=caller.close,
        patient=True,
    )
