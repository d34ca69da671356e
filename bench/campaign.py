"""A store's own limit: samples a second against the number of workers, with members that reply at once.

python -m bench.campaign --store store.db
python -m bench.campaign --store postgresql://me@host/empty    each run needs an empty database
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from slmmux import Draw, answers
from slmmux.profiling import Completion
from slmmux.store import Store, put_plan, status, work

__all__ = ["Members", "main"]

QUESTIONS = 1000
SAMPLES = 10


class Members:
    """Members that give all their samples in one request, at once."""

    compare = None

    def __init__(self) -> None:
        self.samples = dict.fromkeys(("a", "b", "c", "d"), SAMPLES)
        self.settings: dict[str, Any] = {"extract": "number", "models": {label: {} for label in self.samples}}

    def group(self, draws: Sequence[Draw]) -> list[tuple[Draw, ...]]:
        """Make one request."""
        return [tuple(draws)]

    def call(self, question: str, draws: Sequence[Draw]) -> list[Completion]:
        """Reply at once."""
        text = f"The answer is {len(question)}."
        return [Completion(text, lambda: answers.reader("number")(text), 50, 5) for _ in draws]

    async def acall(self, question: str, draws: Sequence[Draw]) -> list[Completion]:
        """Reply at once."""
        return self.call(question, draws)


def main() -> None:
    """Plan, start the workers, and print the rate from their first request to their last."""
    parser = argparse.ArgumentParser(prog="python -m bench.campaign", description="Measure a store.")
    parser.add_argument("--store", required=True)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--worker", action="store_true")
    options = parser.parse_args()
    store = Store(options.store)
    if options.worker:
        work(store, Members(), concurrency=4)
        return
    put_plan(store, Members(), [{"question_id": f"q{i}", "question": "?" * (i % 90)} for i in range(options.questions)])
    command = [sys.executable, "-m", "bench.campaign", "--store", options.store, "--worker"]
    start = time.monotonic()
    workers = [subprocess.Popen(command) for _ in range(options.workers)]
    for worker in workers:
        assert worker.wait() == 0
    seconds = time.monotonic() - start
    ((first, last),) = store.database.run(lambda execute: execute("SELECT min(at), max(at) FROM request"))
    state = status(store)
    done = sum(member.done for member in state.members)
    assert done == options.questions * SAMPLES * 4
    twice = sum(member.twice for member in state.members)
    print(
        f"{options.workers} workers: {done:,} samples in {last - first:.1f} s ({seconds:.1f} s with Python's start), "
        f"{done / (last - first):,.0f} a second, {twice} asked twice"
    )


if __name__ == "__main__":
    main()
