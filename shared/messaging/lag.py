"""How far behind actors are, and how far every one of them has read."""

from collections.abc import Iterable

from shared.messaging.broker import Broker, Lane
from shared.messaging.worker import Worker


async def behind(workers: Iterable[Worker], broker: Broker) -> dict[tuple[str, int], int]:
    """Records that each held actor has yet to read, by kind and number, over its lanes.

    Raises BrokerUnavailableError.
    """
    actors = [(worker, number) for worker in workers for number in worker.standings]
    lanes = sorted({lane for worker, number in actors for lane in worker.lanes(number)})
    if not lanes:
        return {}
    starts, ends = await broker.earliest_offsets(lanes), await broker.end_offsets(lanes)
    found: dict[tuple[str, int], int] = {}
    for worker, number in actors:
        cursors = worker.standings[number].cursors if number in worker.standings else {}
        lags = (ends[lane] - cursors.get(lane, starts[lane]) for lane in worker.lanes(number))
        found[worker.kind.name, number] = sum(max(lag, 0) for lag in lags)
    return found


def read_up_to(workers: Iterable[Worker]) -> dict[Lane, int]:
    """The offset below which every held actor that reads a lane has read it; lanes not yet read by one are left out."""
    found: dict[Lane, int] = {}
    for worker in workers:
        for number, standing in worker.standings.items():
            for lane in worker.lanes(number):
                at = standing.cursors.get(lane, 0)
                found[lane] = min(found.get(lane, at), at)
    return {lane: offset for lane, offset in found.items() if offset}
