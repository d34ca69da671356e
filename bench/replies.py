r"""The share of replies that extractors read rightly: real replies, read by their kind's extractor and by `auto`.

    python -m bench.replies record --out replies.jsonl
    python -m bench.replies record --out replies.jsonl --models qwen2.5-coder-1.5b-instruct --every 2
    python -m bench.replies report bench/recordings/replies.jsonl.gz --look

The questions (`bench/replies.jsonl`, written for this purpose) are word problems, multiple choice, and short
mathematics with a boxed answer; each is asked in one of the ways in which people ask for a form of answer. `report`
reads the texts again, so it shows the results of today's extractors. A reading that differs from the gold answer may be
the model's mistake or the extractor's: `--look` lists them for a person to decide.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from slmmux import Recording, answers

QUESTIONS = Path(__file__).with_name("replies.jsonl")
MODELS = ("smollm2-135m-instruct", "gemma-3-270m", "qwen2.5-coder-0.5b-instruct")
MAX_TOKENS = 200  # Enough for most replies; some are cut off, as happens in practice.
INSTRUCTIONS = {
    "number": (
        "Solve it step by step and end with a line '#### <number>'.",
        "",
        "Put the final answer in \\boxed{}.",
        "Think step by step, then say: The answer is <number>.",
        "Answer with the number only.",
        "Show your work and write the final answer in bold.",
    ),
    "choice": (
        "Answer with the letter only.",
        "",
        "Explain briefly, then end with 'Answer: <letter>'.",
        "Which one is correct? Think step by step.",
        "Put the letter in \\boxed{}.",
        "Reply in the form ##Answer: <letter>##.",
    ),
    "boxed": (
        "Put the final answer in \\boxed{}.",
        "Please reason step by step, and put your final answer within \\boxed{}.",
        "Finish with: The final answer is $\\boxed{<answer>}$.",
    ),
}


def questions() -> list[dict[str, Any]]:
    """Return the questions, each with its kind, its gold answer and the text that is asked."""
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    for question in rows:
        instructions = INSTRUCTIONS[question["kind"]]
        index = int(question["question_id"].rpartition("-")[2])
        instruction = instructions[
            (index + index // len(instructions)) % len(instructions)
        ]  # Shifted by one each round, so that every n-th question gets all instructions.
        question["asked"] = f"{question['question']}\n\n{instruction}".strip()
    return rows


def record(models: Iterable[str], out: Path, samples: int, temperature: float, every: int) -> None:
    """Sample one model after another and append a row for each sample; samples in the file are not repeated."""
    from langchain_core.messages import HumanMessage

    from langchain_slmmux._from_config import member
    from slmmux._mux.from_config import arguments
    from slmmux.config import Config, MemberConfig

    done = {(row.model, row.question_id) for row in Recording.load(out).rows} if out.exists() else None
    with out.open("a", encoding="utf-8") as file:
        if done is None:
            settings = {"temperature": temperature, "max_tokens": MAX_TOKENS, "extract": "the question's kind"}
            file.write(json.dumps({"slmmux_recording": 1, "settings": settings}) + "\n")
        for name in models:
            config = Config(
                models={name: MemberConfig(local=name)},
                samples=samples,
                temperature=temperature,
                max_tokens=MAX_TOKENS,
            )
            chat = arguments(config, member)["models"][name]
            remaining = [q for q in questions()[::every] if (name, q["question_id"]) not in (done or ())]
            for question in track(remaining, description=name):
                start_time = time.monotonic()
                replies = chat.generate([[HumanMessage(question["asked"])]], n=samples).generations[0]
                latency = round(time.monotonic() - start_time, 4)
                for index, reply in enumerate(replies):
                    usage: Any = (reply.message.usage_metadata or {}) if index == 0 else {}
                    row = {
                        "dataset": f"slmmux-replies-{question['kind']}",
                        "question_id": question["question_id"],
                        "question": question["asked"],
                        "gold": question["gold"],
                        "model": name,
                        "sample_index": index,
                        "answer": getattr(answers, question["kind"])(reply.text),
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
                file.flush()


def readings(recording: Recording) -> Iterator[tuple[Any, str, str | None, str | None]]:
    """Yield every row with its kind and its answer as read now, by the kind's extractor and by auto."""
    for row in recording.rows:
        kind = row.question_id.partition("-")[0]
        yield row, kind, getattr(answers, kind)(row.text), answers.auto(row.text)


def right(answer: str | None, gold: str) -> bool:
    """Return whether an answer equals the gold answer."""
    return answer is not None and answers.same(answer, gold)


def figures(recording: Recording) -> list[tuple[str, str, int, int, int, int]]:
    """Return model, kind and counts: replies, right ones, ones without an answer, right ones under auto."""
    counts: dict[tuple[str, str], list[int]] = {}
    for row, kind, answer, auto in readings(recording):
        count = counts.setdefault((row.model, kind), [0, 0, 0, 0])
        flags = (True, right(answer, row.gold), answer is None, right(auto, row.gold))
        counts[row.model, kind] = [before + now for before, now in zip(count, flags, strict=True)]
    return [(model, kind, *count) for (model, kind), count in counts.items()]


def report(path: Path, *, look: bool) -> None:
    """Print the table of one recording, and with `look` each reply whose answer differs from gold."""
    recording = Recording.load(path)
    table = Table(title=f"{path.name}: temperature {recording.settings['temperature']}")
    for column in ("model", "kind", "replies", "gold", "no answer", "gold by auto"):
        table.add_column(column, justify="left" if column in {"model", "kind"} else "right")
    rows = figures(recording)
    for model, kind, *counts in [*rows, ("all", "", *map(sum, list(zip(*rows, strict=True))[2:]))]:
        table.add_row(model, kind, *map(str, counts))
    Console().print(table)
    if look:
        for row, kind, answer, auto in readings(recording):
            if not right(answer, row.gold):
                print(f"\n=== {row.model} {row.question_id} [{row.sample_index}], {kind}")
                print(f"{row.question}\n--- gold {row.gold!r}, read {answer!r}, by auto {auto!r}\n{row.text}")


def main() -> None:
    """Record replies, or report on a recording."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    recorder = commands.add_parser("record", help="append the samples that OUT does not have yet")
    recorder.add_argument("--models", nargs="+", default=list(MODELS))
    recorder.add_argument("--out", type=Path, required=True)
    recorder.add_argument("--samples", type=int, default=2)
    recorder.add_argument("--temperature", type=float, default=0.7)
    recorder.add_argument("--every", type=int, default=1, help="ask only every n-th question, for large, slow models")
    reporter = commands.add_parser("report")
    reporter.add_argument("recording", type=Path)
    reporter.add_argument("--look", action="store_true", help="list the replies whose answer differs from gold")
    args = parser.parse_args()
    if args.command == "record":
        record(args.models, args.out, args.samples, args.temperature, args.every)
    else:
        report(args.recording, look=args.look)


if __name__ == "__main__":
    main()
