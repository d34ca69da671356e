"""How time and cost grow with workers, by simulation: recorded latencies, shared rate limits, a store's own rate.

python -m bench.growth RECORDING [--samples 5000000]

Nothing is asked. Each request takes the seconds of a request of the recording, drawn at random from one seed. A worker
has four requests at once; the starts of a member's requests are handed out one after another over all workers, as the
store does it; and the store writes so many samples a second, as `bench.campaign` measured, whoever writes them.
"""

import argparse
import heapq
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from slmmux import Recording

__all__ = ["Simulated", "main", "simulated"]

PLACES = 4  # requests at once in a worker
SIMULATED = 200_000  # requests; the time of more grows in proportion
WORKERS = (1, 10, 100)
RATES = (None, 600.0, 6000.0)  # requests a minute over all workers
PRICE_H = 2.0  # of a machine, in any money


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a campaign of some workers takes.

    Attributes:
        seconds: From the first request to the last.
        busy: The share of the workers' places that were waiting for a reply.
    """

    seconds: float
    busy: float


def simulated(
    latencies: np.ndarray,
    workers: int,
    *,
    per_minute: float | None = None,
    writes: float | None = None,
    seed: int = 0,
    requests: int = SIMULATED,
) -> Simulated:
    """Return what requests take with some workers.

    Args:
        latencies: The seconds of recorded requests.
        workers: Their number.
        per_minute: Requests a minute over all workers; `None` for no limit.
        writes: Requests that the store writes a second; `None` for no limit.
        seed: The random seed of the latencies.
        requests: The number of requests.
    """
    seconds = np.random.default_rng(seed).choice(latencies, requests)
    places = min(workers * PLACES, requests)
    gap = 60.0 / per_minute if per_minute else 0.0
    write = 1.0 / writes if writes else 0.0
    running: list[float] = []  # when the reply of each running request comes
    last_write = next_start = 0.0
    for number, duration in enumerate(seconds.tolist()):
        if number >= places:  # a place is taken until its reply is written, one after another
            last_write = max(heapq.heappop(running), last_write) + write
        start = max(last_write, next_start)
        next_start = start + gap
        heapq.heappush(running, start + duration)
    while running:
        last_write = max(heapq.heappop(running), last_write) + write
    return Simulated(last_write, float(seconds.sum()) / (last_write * workers * PLACES))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description="Simulate campaigns of many workers.")
    parser.add_argument("recording")
    parser.add_argument("--samples", type=int, default=5_000_000)
    parser.add_argument("--writes", type=float, default=1_000.0, help="requests a second that the store writes")
    options = parser.parse_args()
    rows = Recording.load(options.recording).rows
    latencies = np.array([row.latency_s for row in rows if row.latency_s is not None])
    scale = options.samples / SIMULATED
    table = Table(
        "workers", "requests a minute", "hours", "places busy, %", "machine hours", f"cost, {PRICE_H:g} an hour"
    )
    for per_minute in RATES:
        for workers in WORKERS:
            result = simulated(latencies, workers, per_minute=per_minute, writes=options.writes)
            hours = result.seconds * scale / 3600
            table.add_row(
                str(workers), "no limit" if per_minute is None else f"{per_minute:,.0f}", f"{hours:,.1f}",
                f"{100 * result.busy:.0f}", f"{hours * workers:,.0f}", f"{hours * workers * PRICE_H:,.0f}",
            )  # fmt: skip
    console = Console(width=110)
    console.print(f"{len(latencies):,} recorded requests, mean {latencies.mean():.2f} s; {options.samples:,} requests")
    console.print(table)


if __name__ == "__main__":
    main()
