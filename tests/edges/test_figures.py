"""The accuracies the README prints are those of the recordings beside the bench, computed anew."""

import importlib.util
import re
from pathlib import Path

from slmmux import Recording

ROOT = Path(__file__).parents[2]


def bench():
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "bench" / "accuracy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_prints_what_was_recorded():
    """Every row of the README's table is the bench's row, to the decimal, at both temperatures."""
    accuracy = bench()
    recordings = [Recording.load(ROOT / "bench" / "recordings" / f"pair-{t}.jsonl.gz") for t in ("t07", "t03")]
    computed = {}
    for recording in recordings:
        for who, samples, shares in accuracy.figures(recording, 5):
            computed.setdefault((who, str(samples)), []).extend(f"{share:.1f}" for share in shares)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in readme.splitlines() if re.match(r"\| \S.*\| \d", line)]
    assert {(who, samples): figures for who, samples, *figures in rows} == computed
    assert len(computed) == 6
    ((_, _, (large, *_)),) = accuracy.figures(
        Recording.load(ROOT / "bench" / "recordings" / "single-1.5b-t07.jsonl.gz"), 5
    )
    assert f"*alone*, five samples at 0.7,\nhad {large:.1f}" in readme


def test_every_recorded_sample_is_of_a_question_of_the_bench():
    """The recordings hold all questions, ten samples each for two models, and no other text."""
    ids = {question["question_id"] for question in bench().questions()}
    for t in ("t07", "t03"):
        recording = Recording.load(ROOT / "bench" / "recordings" / f"pair-{t}.jsonl.gz")
        assert set(recording.questions) == ids
        assert len(recording.rows) == len(ids) * 2 * 10
