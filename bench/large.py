"""Recordings of millions of samples: how long loading, selecting and reporting take, and how much memory.

python -m bench.large --rows 5000000 --models 50
python -m bench.large --lines samples.jsonl.gz    loading a file of JSON lines, over parsing its JSON
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

__all__ = ["main", "synthetic_file"]

ANSWERS = 12  # different answers to a question


def synthetic_file(path: Path, rows: int, models: int, samples: int = 10, seed: int = 0) -> None:
    """Write a Parquet recording: each question has one right answer, and each model its own accuracy.

    Args:
        path: The file.
        rows: The number of samples.
        models: The number of models; all answer every question.
        samples: k.
        seed: The random seed.
    """
    from slmmux.recording._columns import NONE, Coded, Columns
    from slmmux.recording._parquet import part_writer

    questions = rows // (models * samples)
    rng = np.random.default_rng(seed)
    accuracy = np.linspace(0.4, 0.75, models)
    readings = [(str(value), "number", str(value)) for value in range(ANSWERS + 100)]
    labels, ids = [f"m{m:02}" for m in range(models)], [f"q{q:05}" for q in range(questions)]
    texts = [f"How many are {q} and a few more, and why?" for q in range(questions)]
    golds = [str(value) for value in range(100)]
    settings = {"extract": "number", "models": {label: {} for label in labels}}
    with part_writer(path, settings) as writer:
        for start in range(0, questions, 500):
            some = np.arange(start, min(start + 500, questions))
            shape = len(some), models, samples
            hardness = rng.beta(2, 2, size=(len(some), 1, 1))
            right = rng.random(shape) < np.clip(accuracy[None, :, None] + 0.5 - hardness, 0.02, 0.98)
            wrong = (some[:, None, None] + rng.geometric(0.4, shape)) % (ANSWERS + 99) + 1
            q = np.broadcast_to(some[:, None, None], shape).ravel()
            count = q.size
            none = np.broadcast_to(np.int32(-1), (count,))
            writer.write(
                Columns(
                    count,
                    {
                        "question_id": Coded(q.astype(np.int32), ids),
                        "model": Coded(np.broadcast_to(np.arange(models)[None, :, None], shape).ravel(), labels),
                        "question": Coded(q.astype(np.int32), texts),
                        "gold": Coded((q % 100).astype(np.int32), golds),
                        "reading": Coded(
                            np.where(right, some[:, None, None] % 100, wrong).ravel().astype(np.int32), readings
                        ),
                        "dataset": Coded(np.zeros(count, dtype=np.int32), ["sums"]),
                        "temperature": Coded(np.zeros(count, dtype=np.int32), [0.7]),
                        "error": Coded(none, []),
                        "alike": Coded(none, []),
                        "sample_index": np.broadcast_to(np.arange(samples), shape).ravel(),
                        "input_tokens": rng.integers(20, 200, count),
                        "output_tokens": rng.integers(20, 800, count),
                        "attempt": np.full(count, NONE),
                        "latency_s": rng.exponential(2.0, count),
                        "score": np.full(count, np.nan),
                        "text": np.full(count, None, dtype=object),
                    },
                )
            )


def _step(step: str, path: str) -> dict[str, float]:
    """Run one step in a process of its own, so that each has its own peak of memory."""
    result = subprocess.run(
        [sys.executable, "-m", "bench.large", "--step", step, path], capture_output=True, text=True, check=True
    )
    values: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return values


def _run(step: str, path: str) -> None:
    from slmmux import Recording, select_complementary
    from slmmux.recording import arrays_of

    start = time.process_time()
    recording = Recording.load(path)
    if step == "arrays":
        arrays_of(recording)
    elif step.startswith("select"):
        selection = select_complementary(recording, [1, 2, 3], n_resamples=50 if step == "select" else 0)
        print(selection.verdict, selection.best.models, selection.proved)
    elif step == "fingerprint":
        print(recording.fingerprint)
    elif step == "report":
        from slmmux.report import report

        print(len(report(recording)))
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def _lines(path: str) -> None:
    import gzip

    from pydantic_core import from_json

    from slmmux import Recording

    with (gzip.open if path.endswith(".gz") else open)(path) as file:
        content = file.read()
    plain = Path(tempfile.mkdtemp(), "samples.jsonl")
    plain.write_bytes(content)
    lines = content.splitlines()
    times: dict[str, list[float]] = {"json.loads": [], "from_json": [], "load": []}
    runs = {
        "json.loads": lambda: [json.loads(line) for line in lines],
        "from_json": lambda: [from_json(line) for line in lines],
        "load": lambda: Recording.load(plain),
    }
    for _ in range(7):
        for name, run in runs.items():
            start = time.process_time()
            kept = run()
            times[name].append(time.process_time() - start)
            del kept
    fastest = {name: min(values) for name, values in times.items()}
    print(f"{len(lines):,} lines: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in fastest.items()))
    print(f"load / json.loads {fastest['load'] / fastest['json.loads']:.2f}, "
          f"load / from_json {fastest['load'] / fastest['from_json']:.2f}")  # fmt: skip


def main() -> None:
    """Measure, and print a line for each step."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description="Measure large recordings.")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--lines")
    parser.add_argument("--step", nargs=2)
    parser.add_argument("--steps", default="load,arrays,fingerprint,select-point,select,report")
    options = parser.parse_args()
    if options.step:
        _run(*options.step)
    elif options.lines:
        _lines(options.lines)
    else:
        path = Path(tempfile.mkdtemp(), "large.parquet")
        synthetic_file(path, options.rows, options.models)
        print(f"{options.rows:,} rows of {options.models} models, {path.stat().st_size / 2**20:.0f} MiB", flush=True)
        for step in options.steps.split(","):
            values = _step(step, str(path))
            print(f"{step}: {values['seconds']:.1f} s of CPU, {values['mib']:.0f} MiB at most", flush=True)


if __name__ == "__main__":
    main()
