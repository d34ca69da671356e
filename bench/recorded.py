"""The recordings that figures replay, and the outcome of a decision, compared by the answer's key."""

import os
import random
from pathlib import Path
from typing import Any

from slmmux import Decision, Recording

__all__ = ["OWN_RANK", "our_recording", "outcome_of", "shared", "shared_pools"]

OUR_RECORDING = Path(__file__).parents[1] / "cookbook" / "data" / "samples.jsonl.gz"
OWN_RANK = ("qwen-coder-0.5b", "gemma-270m", "smollm2-135m")  # by single accuracy in that recording, best first
HOSTILE = "claude-instant-1"  # Its answers are recorded with the text around them, so no two are equal.


def our_recording() -> Recording:
    """Return this repository's recording: small models on 336 questions of six kinds."""
    return Recording.load(OUR_RECORDING)


def shared() -> Recording | None:
    """Return the shared recording of code execution, if SLMMUX_TEST_RECORDING has its path."""
    path = os.environ.get("SLMMUX_TEST_RECORDING")
    return Recording.load(path) if path else None


def shared_pools(recording: Recording, pools: int, members: int = 3, seed: int = 0) -> list[list[str]]:
    """Return random pools of the shared recording's models, each ranked by single accuracy, best first."""
    right: dict[str, int] = {}
    for row in recording.rows:
        right[row.model] = right.get(row.model, 0) + (row.answer == row.gold)
    models = [model for model in recording.models if model != HOSTILE]
    rng = random.Random(seed)
    return [sorted(rng.sample(models, members), key=lambda model: -right[model]) for _ in range(pools)]


def outcome_of(decision: Decision[Any]) -> tuple[str, tuple[str, str] | None]:
    """Return a decision's model and answer; equal answers have one key, for any spelling."""
    answer = next(sample.answer for sample in decision.samples if sample.draw == decision.sample)
    return decision.winner.model, None if answer is None else (answer.kind, answer.key)
