"""Which local models serve a newcomer: fifty everyday questions, by each model alone and by each pair.

    python -m bench.everyday [RECORDING]

Accuracy beside the size of the download, and the time of a member's request. Made again, the recording comes from

    slmmux profile cookbook/data/everyday.jsonl --config cookbook/data/pool.toml --out RECORDING
"""

import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from statistics import median

from slmmux import Recording
from slmmux.local import CATALOGUE
from slmmux.recording import arrays_of

__all__ = ["RECORDED", "rows"]

RECORDED = Path(__file__).parent / "recordings" / "everyday.jsonl.gz"
RANK = ("qwen-coder-1.5b", "qwen-coder-0.5b", "gemma-270m", "smollm2-135m")  # by accuracy on these questions


def rows(recording: Recording) -> Iterator[str]:
    """Yield a row for each model alone, then for each pair: download in MB, shares right in %, and seconds."""
    by_score = [arrays_of(recording, RANK, score=score) for score in ("includes", "exact")]
    seconds = [
        median(row.latency_s or 0.0 for row in recording.rows if row.model == model and row.sample_index == 0)
        for model in RANK
    ]
    yield "| models | download, MB | includes, % | exact, % | seconds |"
    yield "| --- | --: | --: | --: | --: |"
    for size in (1, 2):
        for members in combinations(range(len(RANK)), size):
            names = " + ".join(RANK[m] for m in members)
            megabytes = sum(_size(recording, RANK[m]) for m in members) / 1e6
            shares = (f"{100 * arrays.votes.decided_right(members).mean():.0f}" for arrays in by_score)
            slowest = max(seconds[m] for m in members)
            yield f"| {names} | {megabytes:,.0f} | {' | '.join(shares)} | {slowest:.1f} |"


def _size(recording: Recording, label: str) -> int:
    return CATALOGUE[recording.settings["models"][label]["model"]].size


if __name__ == "__main__":
    print(*rows(Recording.load(sys.argv[1] if len(sys.argv) > 1 else RECORDED)), sep="\n")
