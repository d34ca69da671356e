"""The recordings that figures are replayed from, and what was decided, told apart by its answer's key."""

import os
import random
from pathlib import Path
from typing import Any

from slmmux import Decision, Recording

__all__ = ["OWN_RANK", "decided", "own", "shared", "shared_pools"]

OWN = Path(__file__).parents[1] / "cookbook" / "data" / "samples.jsonl.gz"
OWN_RANK = ("qwen-coder-0.5b", "gemma-270m", "smollm2-135m")  # by single accuracy in that recording, best first
HOSTILE = "claude-instant-1"  # its answers were never cut out of their wrapping


def own() -> Recording:
    """Return our own recording: small models on 336 questions of six kinds."""
    return Recording.load(OWN)


def shared() -> Recording | None:
    """Return the shared recording of code execution, if SLMMUX_TEST_RECORDING says where it is."""
    path = os.environ.get("SLMMUX_TEST_RECORDING")
    return Recording.load(path) if path else None


def shared_pools(recording: Recording, pools: int, members: int = 3, seed: int = 0) -> list[list[str]]:
    """Return random pools of the shared recording's models, each in rank order: single accuracy, best first."""
    right: dict[str, int] = {}
    for row in recording.rows:
        right[row.model] = right.get(row.model, 0) + (row.answer == row.gold)
    models = [model for model in recording.models if model != HOSTILE]
    rng = random.Random(seed)
    return [sorted(rng.sample(models, members), key=lambda model: -right[model]) for _ in range(pools)]


def decided(decision: Decision[Any]) -> tuple[str, tuple[str, str] | None]:
    """Return a decision's (model, answer): equal answers have one key, however each was written."""
    answer = next(sample.answer for sample in decision.samples if sample.draw == decision.sample)
    return decision.winner.model, None if answer is None else (answer.kind, answer.key)
