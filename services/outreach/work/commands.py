"""What people ask of the work that waits for them."""

import msgspec


class ClaimWork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step is to be carried out by whoever asks, now: its permit is asked for with it."""

    plan_number: int
    step_number: int


class ReleaseWork(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claimed step was not carried out, and is for somebody else."""

    plan_number: int
    step_number: int
