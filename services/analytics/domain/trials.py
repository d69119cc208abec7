"""What became of a person in an experiment: drawn once, and counted under that arm whatever was done in the end."""

from collections.abc import Mapping

from services.analytics.domain.rows import Trial
from shared.frozen import replace

UNDRAWN = ""
"""Under which a person is counted of whom no arm was heard yet: topics have no order between them."""


def drawn(trials: Mapping[str, Trial], experiment: str, arm: str) -> Mapping[str, Trial]:
    """With a person's arm; what was counted before it was heard is counted under it, and a later one begins at zero."""
    if not experiment or experiment in trials:
        return trials
    earlier = {name: replace(one, counting=False) for name, one in trials.items() if name != UNDRAWN}
    begun = replace(trials.get(UNDRAWN, Trial()), experiment=experiment, arm=arm)
    return {**earlier, experiment: begun}


def counted(
    trials: Mapping[str, Trial],
    *,
    contacts: int = 0,
    cures: int = 0,
    promises_kept: int = 0,
    paid: Mapping[str, int] | None = None,
) -> Mapping[str, Trial]:
    """With so much more in the experiment that the person is in, by currency where it is money."""
    now = next((one for one in trials.values() if one.counting), Trial())
    amounts = dict(now.paid)
    for currency, amount in (paid or {}).items():
        amounts[currency] = amounts.get(currency, 0) + amount
    after = replace(
        now,
        contacts=now.contacts + contacts,
        cures=now.cures + cures,
        promises_kept=now.promises_kept + promises_kept,
        paid=dict(sorted(amounts.items())),
    )
    return {**trials, after.experiment: after}
