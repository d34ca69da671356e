"""The arrays of a recording, counted from its columns: no sample is made an object.

This is for answers that are compared by their keys, which nearly all are. Each different answer to a question is
compared with gold once, and only replies that are scored by their texts are looked at one by one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.price import Price
from slmmux._decision.types import Answer, text_of
from slmmux._errors import RecordingError
from slmmux.answers import right
from slmmux.answers._scores import scored
from slmmux.recording._columns import NONE, Columns
from slmmux.recording._row import Row, answer_from

__all__ = ["Counted", "costs_of", "counted", "counts_of", "first_values", "without_score"]

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
GoldOf: TypeAlias = Callable[[str], Any]


class Counted:
    """The samples of some members on some questions, as [m, q, n] places in the columns.

    Args:
        columns: The recording's columns.
        planned: k by model, in the order of the members.
        questions: The questions, which all have k samples of every member.
    """

    def __init__(self, columns: Columns, planned: Mapping[str, int], questions: Sequence[str]) -> None:
        self.columns = columns
        self.of = np.array(list(planned.values()), dtype=np.int64)
        number = {label: i for i, label in enumerate(columns.coded("model").values)}
        place = {question: i for i, question in enumerate(columns.coded("question_id").values)}
        members = np.array([number[label] for label in planned], dtype=np.int64)
        at = np.array([place[question] for question in questions], dtype=np.int64)
        starts = _starts(columns)[:-1].reshape(len(place), len(number))[at][:, members].T
        samples = np.arange(int(self.of.max(initial=0)))
        self.there = np.broadcast_to(samples < self.of[:, None, None], (len(members), len(at), len(samples)))
        # The samples of a cell stand next to each other, by index; places beyond a member's k count nowhere.
        inside = np.minimum(starts[:, :, None] + samples, columns.count - 1)
        self.positions: Ints = columns.in_order[inside]


def _starts(columns: Columns) -> Ints:
    """Return where the samples of each (question, model) begin among those in order, and the end."""
    models = len(columns.coded("model").values)
    cells = columns.coded("question_id").codes.astype(np.int64) * models + columns.coded("model").codes
    counts = np.bincount(cells, minlength=len(columns.coded("question_id").values) * models)
    return np.concatenate(([0], np.cumsum(counts)))


def counts_of(columns: Columns) -> Ints:
    """Return [q, m] the number of recorded samples of each model on each question."""
    models = len(columns.coded("model").values)
    return np.diff(_starts(columns)).reshape(-1, models)


def first_values(columns: Columns, name: str) -> dict[str, Any]:
    """Return for each question the first value that is not empty: by model, as they first answered it, and by index."""
    column, questions = columns.coded(name), columns.coded("question_id")
    full = np.array([*map(bool, column.values), False])
    order = columns.in_order
    order = order[full[column.codes[order]]]
    if not order.size:
        return {}
    # Of one question, the model comes first of which some sample was recorded first.
    models = len(columns.coded("model").values)
    cells = questions.codes.astype(np.int64) * models + columns.coded("model").codes
    first = np.full(len(questions.values) * models, columns.count, dtype=np.int64)
    first[cells[::-1]] = np.arange(columns.count - 1, -1, -1)
    order = order[np.lexsort((first[cells[order]], questions.codes[order]))]
    codes, at = np.unique(questions.codes[order], return_index=True)
    values = column.codes[order[at]]
    return {questions.values[q]: column.values[v] for q, v in zip(codes.tolist(), values.tolist(), strict=True)}


def _golds(columns: Columns, gold_of: GoldOf) -> dict[str, Any]:
    """Return the gold answer of each question that has just one spelling of it; `gold_of` decides on the others."""
    gold, questions = columns.coded("gold"), columns.coded("question_id")
    known = gold.codes >= 0
    pairs = np.unique(questions.codes[known].astype(np.int64) * max(1, len(gold.values)) + gold.codes[known])
    of, value = np.divmod(pairs, max(1, len(gold.values)))
    several = np.bincount(of, minlength=len(questions.values))
    by_question = {questions.values[q]: gold.values[g] for q, g in zip(of.tolist(), value.tolist(), strict=True)}
    return by_question | {
        questions.values[q]: gold_of(questions.values[q]) for q in np.flatnonzero(several > 1).tolist()
    }


def counted(
    samples: Counted, questions: Sequence[str], score: str | None, gold_of: GoldOf
) -> tuple[Ints, Bools, Ints | None, Floats | None, tuple[tuple[str, ...], ...], bool]:
    """Return the codes, rights, tokens, tokens alone and texts of `Arrays`, and whether some reply had to include gold.

    Args:
        samples: The samples.
        questions: The questions' ids.
        score: `None`, "exact" or "recorded".
        gold_of: Returns a question's gold answer, or raises if it has none or two.
    """
    columns, at, there = samples.columns, samples.positions, samples.there
    number, _ = columns.answers()
    # Codes count the answers to a question by first appearance, member by member: question, member, sample.
    by_question = np.where(there, number[at], -1).astype(np.int64).transpose(1, 0, 2)
    flat, positions = by_question.reshape(-1), at.transpose(1, 0, 2).reshape(-1)
    given = np.flatnonzero(flat >= 0)
    of_question = np.repeat(np.arange(len(questions)), flat.size // max(1, len(questions)))
    height = int(flat.max(initial=0)) + 1
    distinct, first, inverse = np.unique(
        of_question[given] * height + flat[given], return_index=True, return_inverse=True
    )
    order = np.argsort(first, kind="stable")
    owner = distinct[order] // height  # ascending, as the first places are: the answers of a question lie together
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    of_given = place[inverse.reshape(-1)]  # the place of each given answer among the distinct ones
    codes = np.full(flat.size, -1, dtype=np.int64)
    codes[given] = of_given - np.searchsorted(owner, owner)[of_given]
    # Of the spellings of an answer, the one that was given first stands for it.
    shown = columns.coded("reading").codes[positions[given[first[order]]]]
    answers = {code: _answer(columns, code) for code in np.unique(shown).tolist()}

    is_right = np.zeros(flat.size, dtype=np.bool_)
    includes = np.zeros(0, dtype=np.int64)
    if score == "recorded":
        _check_scores(columns, positions[given])
        is_right[given] = columns.numbers("score")[positions[given]] > 0.5  # noqa: PLR2004 - half of right
    else:
        known = _golds(columns, gold_of)
        gold = [known[question] if question in known else gold_of(question) for question in questions]
        texts: dict[str, str] = first_values(columns, "question")
        about = [texts.get(question, "") for question in questions]
        is_right[given] = _judged(owner, shown, answers, gold, about)[of_given]
        if score is None:
            includes = _read_as_text(columns, positions, given)
            replies = columns.texts(positions[includes]) if includes.size else []
            for i, reply in zip(includes.tolist(), replies, strict=True):
                q, code = int(of_question[i]), int(columns.coded("reading").codes[positions[i]])
                is_right[i] = scored(reply or "", gold[q], "includes", question=about[q], answer=_answer(columns, code))
    names = {code: text_of(answer) for code, answer in answers.items()}
    spelt: list[list[str]] = [[] for _ in questions]
    for q, code in zip(owner.tolist(), shown.tolist(), strict=True):
        spelt[q].append(names[code])
    tokens, alone = _tokens(columns, at, there, samples.of)
    return (
        np.ascontiguousarray(codes.reshape(by_question.shape).transpose(1, 0, 2)),
        np.ascontiguousarray(is_right.reshape(by_question.shape).transpose(1, 0, 2)),
        tokens,
        alone,
        tuple(map(tuple, spelt)),
        bool(includes.size),
    )


def _judged(
    owner: Ints, shown: NDArray[Any], answers: Mapping[int, Answer], gold: Sequence[Any], about: Sequence[str]
) -> Bools:
    """Return whether each different answer to a question is right; the same comparison is made once.

    Args:
        owner: [n] the question of each answer.
        shown: [n] its reading's code.
        answers: The answers by that code.
        gold: [q] the gold answers.
        about: [q] the questions' texts.
    """
    verdicts: dict[tuple[int, Any, str], bool] = {}
    rights = np.zeros(owner.size, dtype=np.bool_)
    for i, (q, code) in enumerate(zip(owner.tolist(), shown.tolist(), strict=True)):
        # Only a choice is compared by the question's options; all else is alike for all questions.
        text = str(about[q]) if answers[code].kind.startswith("choice") else ""
        key = code, _hashable(gold[q]), text
        if key not in verdicts:
            verdicts[key] = _is_right(answers[code], gold[q], text)
        rights[i] = verdicts[key]
    return rights


def _is_right(answer: Answer, gold: Any, question: str) -> bool:
    try:
        values = json.dumps(answer.value), json.dumps(gold)
    except TypeError:  # in memory a value may be no JSON; the comparison says so
        return right(answer, gold, question=question)
    return _verdict(answer.kind, answer.key, *values, question)


@lru_cache(maxsize=2**17)  # a report counts the same samples several times
def _verdict(kind: str, key: str, value: str, gold: str, question: str) -> bool:
    return right(Answer(json.loads(value), kind, key), json.loads(gold), question=question)


def _read_as_text(columns: Columns, positions: Ints, given: Ints) -> Ints:
    """Return those of the given answers that were read as texts and have a reply."""
    readings = columns.coded("reading")
    is_text = np.array([*(kind == "text" and key is not None for _, kind, key in readings.values), False])
    texts: Ints = given[is_text[readings.codes[positions[given]]]]
    if not texts.size or not columns.has_texts:
        return np.zeros(0, dtype=np.int64)
    with_reply: Ints = texts[np.array([bool(reply) for reply in columns.texts(positions[texts])], dtype=np.bool_)]
    return with_reply


def _answer(columns: Columns, code: int) -> Answer:
    answer = answer_from(*columns.coded("reading").values[code])
    assert answer is not None  # noqa: S101 - only readings with an answer come here
    return answer


def _hashable(gold: Any) -> Any:
    return (type(gold), gold) if isinstance(gold, str | int | float) else repr(gold)


def without_score(row: Row) -> RecordingError:
    """Return the error that a sample has no recorded score."""
    return RecordingError(
        f"sample {row.sample_index} of {row.model!r} for question {row.question_id!r} has no recorded score; "
        'convert the other program\'s file again, or write score="exact"'
    )


def _check_scores(columns: Columns, positions: Ints) -> None:
    silent = positions[np.isnan(columns.numbers("score")[positions])]
    if silent.size:
        raise without_score(columns.rows(silent[:1], texts=False)[0])


def costs_of(samples: Counted, prices: Sequence[Price]) -> tuple[Floats, Floats]:
    """Return [m, q] the cost of all samples, and that of the first one alone, by the price of each member."""
    inputs, outputs = (samples.columns.numbers(name) for name in ("input_tokens", "output_tokens"))
    sums, alone = np.zeros(samples.positions.shape[:2]), np.zeros(samples.positions.shape[:2])
    for m, price in enumerate(prices):
        here, at = samples.there[m], samples.positions[m]
        one = np.where((inputs[at] != NONE) & here, inputs[at], 0)
        other = np.where((outputs[at] != NONE) & here, outputs[at], 0)
        sent, received = price.cost({"input_tokens": 1}), price.cost({"output_tokens": 1})
        sums[m] = one.sum(axis=1) * sent + other.sum(axis=1) * received
        alone[m] = one[:, 0] * sent + other[:, 0] / _in_one_request(other, int(samples.of[m])) * received
    return sums, alone


def _in_one_request(outputs: Ints, of: int) -> Ints:
    """Return how many samples the first request of each question brought: k if its usage stands for all, else 1."""
    # A server that makes k samples in one request (`n`) reports one usage; it is recorded with the first sample.
    one_request = ~outputs[:, 1:].any(axis=1) if of > 1 else np.zeros(len(outputs), dtype=np.bool_)
    return np.where(one_request, of, 1)


def _tokens(columns: Columns, at: Ints, there: Bools, of: Ints) -> tuple[Ints | None, Floats | None]:
    """Return [m, q] the tokens of all samples, and those that the first sample would take alone; `None` if unknown."""
    inputs, outputs = columns.numbers("input_tokens"), columns.numbers("output_tokens")
    sums = np.zeros(at.shape[:2], dtype=np.int64)
    alone = np.zeros(at.shape[:2])
    for m in range(len(of)):  # member by member, so that no array of all samples is made
        here = there[m]
        one, other = inputs[at[m]], outputs[at[m]]
        if not bool(((one != NONE) & here).any() or ((other != NONE) & here).any()):
            return None, None
        one, other = np.where((one != NONE) & here, one, 0), np.where((other != NONE) & here, other, 0)
        sums[m] = one.sum(axis=1) + other.sum(axis=1)
        alone[m] = one[:, 0] + other[:, 0] / _in_one_request(other, int(of[m]))
    return sums, alone
