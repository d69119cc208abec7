"""The simulator: the real services on a log and databases in memory, where a seed decides what happens next.

A schedule is one run. Every call that a process makes of its store, its log or its leases is a `Step` that waits until
the `World` picks it; the pick, and what becomes of it (done, lost, half done, the process dead), come from one random
number generator, so that a seed is a schedule and replays exactly. Time is virtual and passes when nothing else can.

`world` (steps and time), `parts` (ports made of steps), `faults` (what can happen to a step), `bank` (what is said),
`universe` (five services over it), `schedule` (one run), `invariants` (what must hold), `mutants` (the protocol, broken
on purpose), `__main__` (`make simulate`).
"""
