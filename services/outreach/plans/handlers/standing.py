"""What stands between a debtor and the next contact, besides holds: for the rules, and for the step itself."""

from collections.abc import Mapping
from datetime import datetime

from services.outreach.compliance.domain.attempt import Span
from services.outreach.contacts.domain.judging import Standing
from services.outreach.matters.domain import MatterKind
from services.outreach.outcomes.domain import is_bad
from services.outreach.plans.domain.rows import DebtorPlans
from shared.profiles import HeldProfile


def standing_of(state: DebtorPlans) -> Standing:
    """What the rules ask about a debtor: flags, and the channels that they opted out of."""
    since: Mapping[str, datetime | None] = {
        "dispute_open": min(
            (each.opened_at for each in state.matters.values() if not each.settled and each.kind is MatterKind.DISPUTE),
            default=None,
        ),
        "contact_refused": min((each.since for each in state.refusals.values()), default=None),
        "debtor_number_invalid": state.bad_points["number"].since if has_bad_point(state, "phone") else None,
    }
    flags = {name: Span(since=instant) for name, instant in since.items() if instant is not None}
    return Standing(flags, frozenset(state.opt_outs))


def has_bad_point(state: DebtorPlans, channel: str) -> bool:
    """Whether a channel's contact point led to somebody else, and the profile has not changed since."""
    return is_bad(state.bad_points, channel, profile_version(state))


def profile_version(state: DebtorPlans) -> int:
    """The version of the profile that is held; 0 where none is."""
    held: HeldProfile | None = state.profile
    return 0 if held is None else held.version
