r"""Whether two replies agree, across kinds: by the answers read in them, and by a small model's embeddings of them.

    python -m bench.crossing [--model smollm2-135m-instruct] [--judge qwen2.5-coder-0.5b-instruct] [--every 4]

Pairs of replies of one model to one question of `cookbook/data`: a pair should agree if both replies say the gold
answer (`includes`), and should not if one of them does ("164" and "The sum of 80 and 84 is 164." are a pair of two
kinds). Replies are compared by their texts alone, by `auto`, by `auto` with the question (frames), by the cosine of
their embeddings, and by frames or embeddings; with `--judge`, by a local model that is asked whether the two say the
same. The share of agreeing pairs is given for both sorts, for each cosine.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from slmmux import Recording, answers

RECORDING = Path(__file__).parent.parent / "cookbook" / "data" / "samples.jsonl.gz"
LEAST_COSINES = (0.8, 0.9, 0.95, 0.98)
Pair = tuple[str, str, str, bool]  # the question, two replies, and whether they should agree
Vectors = dict[str, "np.ndarray[tuple[int], np.dtype[np.float64]]"]


def pairs(recording: Recording, every: int = 1) -> Iterator[Pair]:
    """Yield each pair of different replies of one model to one question of which at least one says the gold answer."""
    wanted = set(list(recording.questions)[::every])
    by_question: dict[tuple[str, str], dict[str, bool]] = {}
    questions: dict[str, str] = {}
    for row in recording.rows:
        if row.question_id in wanted and row.text and row.question:
            questions[row.question_id] = row.question
            says_gold = answers.includes(row.text, row.gold, row.question)
            by_question.setdefault((row.question_id, row.model), {})[row.text.strip()] = says_gold
    for (question_id, _), replies in by_question.items():
        for one, other in combinations(replies, 2):
            if replies[one] or replies[other]:
                yield questions[question_id], one, other, replies[one] and replies[other]


def by_answer(*, question: bool, spec: str = "auto") -> Callable[[str, str, str], bool]:
    """Return what compares two replies by the answers that are read in them, with the question or without."""

    def agree(asked: str, one: str, other: str) -> bool:
        read = answers.reader(spec, question=asked if question else "")
        return read(one) == read(other)

    return agree


def by_cosine(vectors: Vectors, least: float) -> Callable[[str, str, str], bool]:
    """Return what compares two replies by the cosine of their vectors, which have length 1."""
    return lambda _, one, other: float(vectors[one] @ vectors[other]) >= least


def share(compared: Iterable[Pair], agree: Callable[[str, str, str], bool]) -> tuple[float, float]:
    """Return the percentages of pairs that agree: of those that should, and of those that should not."""
    verdicts: dict[bool, list[bool]] = {True: [], False: []}
    for question, one, other, should in compared:
        verdicts[should].append(agree(question, one, other))
    return tuple(100 * sum(verdict) / max(len(verdict), 1) for verdict in (verdicts[True], verdicts[False]))  # type: ignore[return-value]


def embedded(texts: Iterable[str], model: str) -> Vectors:
    """Return the vectors of texts, by a local model."""
    from openai import OpenAI

    from slmmux.local import serve

    server = serve(model, embeddings=True)
    client = OpenAI(base_url=server.base_url, api_key=server.api_key)
    vectors: Vectors = {}
    for text in track(sorted(set(texts)), description=model):
        reply = client.embeddings.create(model=server.model, input=text, encoding_format="float")
        vector = np.array(reply.data[0].embedding)
        vectors[text] = vector / np.linalg.norm(vector)
    return vectors


JUDGED = """Question: {question}

Reply 1: {one}

Reply 2: {other}

Do the two replies give the same answer to the question? Answer with yes or no."""


def judged(compared: Iterable[Pair], model: str) -> dict[tuple[str, str, str], bool]:
    """Return whether a local model says that two replies give the same answer, for each pair."""
    from openai import OpenAI

    from slmmux.local import serve

    server = serve(model)
    client = OpenAI(base_url=server.base_url, api_key=server.api_key)
    verdicts: dict[tuple[str, str, str], bool] = {}
    for question, one, other, _ in track(list(compared), description=model):
        prompt = JUDGED.format(question=question, one=one, other=other)
        reply = client.chat.completions.create(
            model=server.model, messages=[{"role": "user", "content": prompt}], max_tokens=4, temperature=0
        )
        verdicts[question, one, other] = (reply.choices[0].message.content or "").strip().lower().startswith("yes")
    return verdicts


def ways(vectors: Vectors) -> Iterator[tuple[str, Callable[[str, str, str], bool]]]:
    """Yield each way to compare two replies, with its name."""
    frames = by_answer(question=True)
    yield "the whole text", by_answer(question=False, spec="text")
    yield "auto", by_answer(question=False)
    yield "auto with the question (frames)", frames
    for least in LEAST_COSINES if vectors else ():
        cosine = by_cosine(vectors, least)
        yield f"embeddings, cosine at least {least}", cosine
        yield f"frames or cosine at least {least}", lambda *pair, cosine=cosine: frames(*pair) or cosine(*pair)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m-instruct", help="the local model that embeds; 'none' for none")
    parser.add_argument("--every", type=int, default=4, help="take only every n-th question")
    parser.add_argument("--judge", help="the local model that is asked; by default none")
    args = parser.parse_args()
    compared = list(pairs(Recording.load(RECORDING), args.every))
    texts = (text for _, one, other, _ in compared for text in (one, other))
    vectors = {} if args.model == "none" else embedded(texts, args.model)
    count = sum(should for *_, should in compared)
    title = f"{count} pairs that should agree, {len(compared) - count} that should not; embeddings by {args.model}"
    table = Table("way", "agree, of those that should, %", "agree, of the others, %", title=title)
    compare = list(ways(vectors))
    if args.judge is not None:
        verdicts = judged(compared, args.judge)
        frames = by_answer(question=True)
        compare.append((f"{args.judge} as judge", lambda *pair: verdicts[pair]))
        compare.append(("frames or the judge", lambda *pair: frames(*pair) or verdicts[pair]))
    for name, agree in compare:
        table.add_row(name, *(f"{percent:.1f}" for percent in share(compared, agree)))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
