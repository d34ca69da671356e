"""Choosing in a large pool: the exact search with its bound, and the held-out estimate beside it, in seconds of CPU.

python -m bench.pools --models 100 --questions 10000 --sizes 2,3,4,5
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.large import synthetic_file

__all__ = ["main"]

FOLDS, REPEATS = 5, 20  # as `select_complementary` has them
SHOWN = 6  # bounds of a search that are printed


def _run(path: str, size: int, limit: float) -> None:
    from slmmux import Recording
    from slmmux.recording._arrays import arrays_of
    from slmmux.selection._held_out import held_out
    from slmmux.selection._pool import PoolFigures

    arrays = arrays_of(Recording.load(path))
    votes = arrays.votes
    pool = PoolFigures(arrays, votes.unanimous & votes.right, 1.0, 50, limit)
    counted = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begin = time.process_time()
    states: list[tuple[float, float, float]] = []
    subsets, proved, bound = pool.subsets(
        size, lambda _, best, most: states.append((time.process_time() - begin, best, most))
    )
    searched = time.process_time() - begin
    choose, how = pool.chooser(size, FOLDS * REPEATS)
    begin = time.process_time()
    estimate = held_out(votes, choose, folds=FOLDS, repeats=REPEATS, seed=0)
    held = time.process_time() - begin
    assert estimate is not None
    closing = [*states[:: max(1, len(states) // SHOWN)], (searched, subsets[0].objective, bound)]
    print(
        json.dumps(
            {
                "size": size,
                "proved": proved,
                "objective": subsets[0].objective,
                "bound": bound,
                "search_s": round(searched, 1),
                "held_out_s": round(held, 1),
                "how": how,
                "gain": estimate.gain,
                "counting_mib": round(counted),
                "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "closing": [(round(s, 1), round(best, 4), round(most, 4)) for s, best, most in closing],
            }
        )
    )


def main() -> None:
    """Measure each size in a process of its own, and print a line for it."""
    parser = argparse.ArgumentParser(prog="python -m bench.pools", description="Measure choosing in a large pool.")
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--sizes", default="2,3,4,5")
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--one", nargs=2)
    options = parser.parse_args()
    if options.one:
        _run(options.one[0], int(options.one[1]), options.limit)
        return
    path = Path(tempfile.mkdtemp(), "pool.parquet")
    synthetic_file(path, options.models * options.questions * options.samples, options.models, options.samples)
    for size in options.sizes.split(","):
        command = [sys.executable, "-m", "bench.pools", "--one", str(path), size, "--limit", str(options.limit)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
