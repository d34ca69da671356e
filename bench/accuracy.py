"""The accuracy of the mux, of its members alone and of one vote of all samples: questions in, a table out.

    python -m bench.accuracy record --out samples.jsonl --temperature 0.7
    python -m bench.accuracy report samples.jsonl

The questions (`bench/questions.jsonl`, capitals and sums, written for this purpose) are split: validation questions
give the rank, test questions all accuracies. An answer is right by `slmmux.answers.scored`: "exact", or
"includes".
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from slmmux import Recording, Row, answers, replay
from slmmux.answers import ScoreName, scored
from slmmux.config import FEW_WORDS
from slmmux.recording._row import answer_of
from slmmux.rereading import reread

QUESTIONS = Path(__file__).with_name("questions.jsonl")
KINDS = ("capital", "sum")
MUX = "mux of both"
POOLED = "one vote of all samples"
PAIR = ("gemma-3-270m", "qwen2.5-coder-0.5b-instruct")


def questions() -> list[dict[str, Any]]:
    """Return the questions, each with its gold answer, kind and split."""
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def record(models: Iterable[str], out: Path, samples: int, temperature: float) -> None:
    """Sample every model on every question and write one row for each sample."""
    from langchain_core.messages import HumanMessage, SystemMessage

    from langchain_slmmux._from_config import member
    from slmmux._mux.from_config import arguments
    from slmmux.config import Config, MemberConfig

    config = Config(
        models={name: MemberConfig(local=name) for name in models},
        samples=samples,
        temperature=temperature,
        max_tokens=24,
    )
    reader = answers.reader("auto")
    with out.open("w", encoding="utf-8") as file:
        settings = {"temperature": temperature, "system_prompt": FEW_WORDS, "max_tokens": 24, "extract": "auto"}
        file.write(json.dumps({"slmmux_recording": 1, "settings": settings}) + "\n")
        for name, chat in arguments(config, member)["models"].items():
            for question in track(questions(), description=name):
                messages = [SystemMessage(FEW_WORDS), HumanMessage(question["question"])]
                start_time = time.monotonic()
                replies = chat.generate([messages], n=samples).generations[0]
                latency = round(time.monotonic() - start_time, 4)
                for index, reply in enumerate(replies):
                    usage: Any = (reply.message.usage_metadata or {}) if index == 0 else {}
                    answer = reader(reply.text)
                    row = {
                        "dataset": f"slmmux-{question['kind']}s",
                        "question_id": question["question_id"],
                        "question": question["question"],
                        "gold": question["gold"],
                        "model": name,
                        "sample_index": index,
                        "answer": None if answer is None else f"{answer.kind}:{answer.key}",
                        "text": reply.text,
                        "temperature": temperature,
                        "input_tokens": usage.get(
                            "input_tokens"
                        ),  # One request brings all samples; its first row has the usage.
                        "output_tokens": usage.get("output_tokens"),
                        "latency_s": latency,
                        "error": None,
                    }
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def plurality(rows: list[Row]) -> Row | None:
    """Return the first sample with the most frequent answer of all samples (Agent Forest); of equals, the first."""
    answers_of = [(row, answer_of(row)) for row in rows]
    counts = Counter(answer for _, answer in answers_of if answer is not None)
    best = counts.most_common(1)[0][0] if counts else None
    return next((row for row, answer in answers_of if answer is not None and answer == best), None)


def share(decide: Callable[[str], Row | None], ids: list[str], gold: dict[str, str], score: ScoreName) -> float:
    """Return the percentage of questions that are right."""
    return 100 * sum(_right(decide(q), gold[q], score) for q in ids) / len(ids)


def _right(row: Row | None, gold: str, score: ScoreName) -> bool:
    if row is None:
        return False
    return scored(row.text or "", gold, score, question=row.question or "", answer=answer_of(row))


def figures(recording: Recording, k: int, score: ScoreName = "exact") -> list[tuple[str, int, list[float]]]:
    """Return ways to answer, their samples and their accuracies in per cent: all test questions, then each kind.

    The recorded replies are read anew, with the question: a reply that repeats it says what it adds.
    """
    recording = reread(recording, "auto")
    gold = {question["question_id"]: question["gold"] for question in questions()}
    validation = [question["question_id"] for question in questions() if question["split"] == "validation"]
    test = [question["question_id"] for question in questions() if question["split"] == "test"]
    kinds = [[q for q in test if q.startswith(kind)] for kind in KINDS]

    def mux(models: list[str], samples: int) -> Callable[[str], Row | None]:
        decisions = replay(recording, models=models, samples=samples)
        return lambda q: decisions[q].reply if decisions[q].winner.answer is not None else None

    def row(who: str, samples: int, decide: Callable[[str], Row | None]) -> tuple[str, int, list[float]]:
        return who, samples, [share(decide, ids, gold, score) for ids in (test, *kinds)]

    rank = sorted(recording.models, key=lambda name: -share(mux([name], k), validation, gold, score))
    alone = [row(f"{name}, self-consistency", k, mux([name], k)) for name in rank]
    if len(rank) == 1:
        return alone
    pooled = {q: [r for name in rank for r in recording.by_question[q][name][:k]] for q in test}
    return [
        *alone,
        *(row(f"{name}, self-consistency", 2 * k, mux([name], 2 * k)) for name in rank),
        row(MUX, k * len(rank), mux(rank, k)),
        row(POOLED, k * len(rank), lambda q: plurality(pooled[q])),
    ]


def report(path: Path, k: int) -> None:
    """Print the table of one recording, and the gain of the mux."""
    recording = Recording.load(path)
    rows = figures(recording, k)
    test_questions = sum(question["split"] == "test" for question in questions())
    table = Table(
        title=f"{path.name}: temperature {recording.settings['temperature']}, {test_questions} test questions, %"
    )
    for column in ("way to answer", "samples", "all", *KINDS):
        table.add_column(column, justify="left" if column == "way to answer" else "right")
    for who, samples, shares in rows:
        table.add_row(who, str(samples), *(f"{value:.1f}" for value in shares))
    console = Console()
    console.print(table)
    mux_accuracy = next((shares[0] for who, _, shares in rows if who == MUX), None)
    if mux_accuracy is not None:
        best = max(shares[0] for who, _, shares in rows if who not in {MUX, POOLED})
        half = 196 * math.sqrt(mux_accuracy / 100 * (1 - mux_accuracy / 100) / test_questions)
        verdict = "gains" if mux_accuracy > best else "loses"
        console.print(
            f"The mux {verdict} {abs(mux_accuracy - best):.1f} points against the best single model, "
            f"twice the samples included; +/- {half:.0f} (95 %) on each figure."
        )


def main() -> None:
    """Record samples, or report on a recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    recorder = commands.add_parser("record")
    recorder.add_argument("--models", nargs="+", default=list(PAIR))
    recorder.add_argument("--out", type=Path, required=True)
    recorder.add_argument("--samples", type=int, default=10)
    recorder.add_argument("--temperature", type=float, default=0.7)
    reporter = commands.add_parser("report")
    reporter.add_argument("recording", type=Path)
    reporter.add_argument("--samples", type=int, default=5)
    args = parser.parse_args()
    if args.command == "record":
        record(args.models, args.out, args.samples, args.temperature)
    else:
        report(args.recording, args.samples)


if __name__ == "__main__":
    main()
