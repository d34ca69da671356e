"""The accuracies in the README are recomputed from the recordings beside the bench."""

import importlib.util
import re
from itertools import product
from pathlib import Path
from unittest import mock

import pytest

from slmmux import Recording, select_complementary
from slmmux.answers._mathematics.comparison import available
from slmmux.baselines import AGENT_FOREST, baselines

ROOT = Path(__file__).parents[2]


README = (ROOT / "README.md").read_text(encoding="utf-8")


def bench(name="accuracy"):
    spec = importlib.util.spec_from_file_location(name, ROOT / "bench" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.full
def test_the_readme_prints_the_recorded_accuracies():
    """Each row of the README's table equals the bench's row, to the decimal, at both temperatures."""
    accuracy = bench()
    recordings = [Recording.load(ROOT / "bench" / "recordings" / f"pair-{t}.jsonl.gz") for t in ("t07", "t03")]
    computed = {}
    for recording in recordings:
        for who, samples, shares in accuracy.figures(recording, 5):
            assert (who, samples, shares) in accuracy.figures(recording, 5, "includes")
            computed.setdefault((who, str(samples)), []).extend(f"{share:.1f}" for share in shares)
    readme = README.partition("## When it helps")[2].partition("\n## ")[0]
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in readme.splitlines() if re.match(r"\| \S.*\| \d", line)]
    assert {(who, samples): figures for who, samples, *figures in rows} == computed
    assert len(computed) == 6
    ((_, _, (large, *_)),) = accuracy.figures(
        Recording.load(ROOT / "bench" / "recordings" / "single-1.5b-t07.jsonl.gz"), 5
    )
    assert f"*alone*, with five samples at\n0.7, had {large:.1f}" in readme


@pytest.mark.full
def test_the_readme_prints_what_the_selection_says():
    """Each row of the table of pools, by both scores, and its verdict are recomputed from the published recording."""
    recording = Recording.load(ROOT / "cookbook" / "data" / "samples.jsonl.gz")
    small = ["smollm2-135m", "gemma-270m", "qwen-coder-0.5b"]
    rows = []
    pools = {"three up to 0.5B": small, "the same and a 1.5B": None}
    for (name, models), score in product(pools.items(), ("includes", "exact")):
        selection = select_complementary(recording, models=models, score=score)
        mux, single = selection.by_size[2], selection.single
        assert selection.best == mux
        forest = next(row for row in baselines(recording, mux.models, score=score) if row.name == AGENT_FOREST)
        held_out = mux.held_out
        rows.append(
            f"| {name} | {score} | {100 * single.accuracy:.1f} ({single.models[0]}) | {100 * forest.accuracy:.1f} | "
            f"{100 * mux.accuracy:.1f} ({' + '.join(mux.models)}) | {100 * held_out.accuracy:.1f} | "
            f"{100 * held_out.gain:+z.1f} ({100 * held_out.low:+z.1f} to {100 * held_out.high:+z.1f}) |"
        )
        without = "do not mux" if score == "includes" else "cannot tell yet"
        assert selection.recommendation == ("mux" if models else without)
        assert models or score == "includes" or round(selection.more_questions, -2) == 500
    for row in rows:
        assert row in README
    assert (len(recording.questions), len(recording.rows)) == (336, 336 * 4 * 5)


def test_every_recorded_sample_is_of_a_question_of_the_bench():
    """The recordings hold ten samples of two models for each question, and no other text."""
    ids = {question["question_id"] for question in bench().questions()}
    for t in ("t07", "t03"):
        recording = Recording.load(ROOT / "bench" / "recordings" / f"pair-{t}.jsonl.gz")
        assert set(recording.questions) == ids
        assert len(recording.rows) == len(ids) * 2 * 10


# Real replies as read by today's extractors, by model and kind: replies, those that agree with gold, those without an
# answer, and those that agree with gold under auto. If these change, `--look` shows which replies are read differently.
REPLIES = {
    ("qwen2.5-coder-0.5b-instruct", "number"): (40, 9, 0, 5),
    ("qwen2.5-coder-0.5b-instruct", "choice"): (20, 2, 5, 2),
    ("qwen2.5-coder-0.5b-instruct", "boxed"): (20, 9, 9, 9),
    ("gemma-3-270m", "number"): (80, 1, 12, 1),
    ("gemma-3-270m", "choice"): (40, 9, 22, 9),
    ("gemma-3-270m", "boxed"): (40, 0, 39, 4),
    ("smollm2-135m-instruct", "number"): (20, 0, 0, 0),
    ("smollm2-135m-instruct", "choice"): (10, 0, 6, 0),
    ("smollm2-135m-instruct", "boxed"): (10, 0, 10, 1),
    ("qwen2.5-coder-1.5b-instruct", "number"): (8, 5, 0, 4),
    ("qwen2.5-coder-1.5b-instruct", "choice"): (4, 1, 0, 1),
    ("qwen2.5-coder-1.5b-instruct", "boxed"): (4, 2, 2, 2),
}
# Without the extra `math` an expression is right only in a form that has a key.
WITHOUT_MATH = {
    ("qwen2.5-coder-0.5b-instruct", "boxed"): (20, 8, 9, 8),
    ("gemma-3-270m", "boxed"): (40, 0, 39, 2),
}


@pytest.mark.parametrize("math", [True, False])
def test_the_recorded_replies_are_read_as_they_were(math):
    """Extractors read real replies as on the day this table was made; a change does not go unnoticed."""
    if math and not available():
        pytest.skip("the extra `math` is not installed")
    recording = Recording.load(ROOT / "bench" / "recordings" / "replies.jsonl.gz")
    with mock.patch("slmmux.answers._same.available", return_value=math):
        computed = {(model, kind): tuple(counts) for model, kind, *counts in bench("replies").figures(recording)}
    assert computed == REPLIES | ({} if math else WITHOUT_MATH)
