"""Which strategy a person is given by chance: arms with shares, one of which may be a hold-out that ends.

A person's place is a number from 0 to 9,999 that follows from the experiment's id and the person's pseudonym alone. So
all loans of a person have one arm, and whoever asks again gets the same answer.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate, pairwise

from services.segmentation.domain.ladder import ContradictionError

WHOLE = 10_000
"""All shares together, in basis points."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of treating; `share` in basis points. Without a strategy it is the hold-out."""

    name: str
    strategy: str | None
    share: int


@dataclass(frozen=True, slots=True)
class Bound:
    """How long a hold-out lasts: while neither count of days is exceeded."""

    last_day_past_due: int
    last_day_since_opening: int

    def ends_on(self, oldest_due_on: date, opened_on: date) -> date:
        """The first date on which nobody is held out any more."""
        by_due = oldest_due_on + timedelta(self.last_day_past_due + 1)
        return min(by_due, opened_on + timedelta(self.last_day_since_opening + 1))


@dataclass(frozen=True, slots=True)
class Experiment:
    """One version of an experiment; persons are assigned by it from `effective_from` on, and keep their arm."""

    name: str
    version: int
    effective_from: date
    source: str
    champion: str
    arms: tuple[Arm, ...]
    bound: Bound | None
    file: str

    def __post_init__(self) -> None:
        """Check the arms. Raises ContradictionError."""
        _check_shares(self.arms)
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise ContradictionError("arms: a name occurs more than once")
        if self.arm(self.champion) is None or self.arm(self.champion) in self._held_out:
            raise ContradictionError(f"champion: {self.champion} is not an arm with a strategy")
        if len(self._held_out) > 1:
            raise ContradictionError(f"arms: {self._held_out[1].name} is a second hold-out")
        if bool(self._held_out) != (self.bound is not None):
            raise ContradictionError("hold_out: a hold-out and its bound need each other")

    @property
    def _held_out(self) -> Sequence[Arm]:
        return [arm for arm in self.arms if arm.strategy is None]

    @property
    def champion_strategy(self) -> str:
        """What everybody gets whose arm has none, or no longer."""
        champion = self.arm(self.champion)
        return "" if champion is None or champion.strategy is None else champion.strategy

    def arm(self, name: str) -> Arm | None:
        """The arm of that name."""
        return next((arm for arm in self.arms if arm.name == name), None)

    def place_of(self, debtor_id: str) -> int:
        """A person's place, from 0 to 9,999; the same in every version."""
        digest = hashlib.sha256(f"{self.name}/{debtor_id}".encode()).digest()
        return int.from_bytes(digest[:8]) % WHOLE

    def arm_at(self, place: int) -> Arm:
        """The arm whose share holds that place."""
        ends = accumulate(arm.share for arm in self.arms)
        return next(arm for arm, end in zip(self.arms, ends, strict=True) if place < end)


def _check_shares(arms: Sequence[Arm]) -> None:
    for arm in arms:
        if arm.share < 0:
            raise ContradictionError(f"{arm.name}: share is below 0")
    if sum(arm.share for arm in arms) != WHOLE:
        total = sum(arm.share for arm in arms)
        raise ContradictionError(f"arms: the shares add up to {total} basis points instead of {WHOLE}")


def check_experiments(experiments: Sequence[Experiment], strategies: set[str]) -> None:
    """Raise ContradictionError unless arms have known strategies and versions follow each other; in order of effect."""
    for one in experiments:
        for arm in one.arms:
            if arm.strategy is not None and arm.strategy not in strategies:
                raise ContradictionError(f"{one.file}: {arm.name}: there is no strategy {arm.strategy}")
    for earlier, later in pairwise(experiments):
        if earlier.effective_from == later.effective_from:
            raise ContradictionError(f"{later.file}: takes effect on the same day as {earlier.file}")
        _check_kept(earlier, later)


def _check_kept(earlier: Experiment, later: Experiment) -> None:
    """Whoever has an arm keeps it: a closed arm stays with a share of 0."""
    if earlier.name != later.name:
        return
    if later.version <= earlier.version:
        raise ContradictionError(f"{later.file}: version {later.version} takes effect after version {earlier.version}")
    for arm in earlier.arms:
        kept = later.arm(arm.name)
        if kept is None or kept.strategy != arm.strategy:
            raise ContradictionError(f"{later.file}: {arm.name}: an arm that persons have must stay as it is")
