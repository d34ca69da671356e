"""A recording as arrays: which samples of a question give one answer, which of them are right, and what they cost.

The first place of the offline half that reads `gold`. Whatever is counted on a recording is counted on these.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.rules import text_of
from slmmux._decision.types import Answer
from slmmux._errors import RecordingError
from slmmux.answers import right
from slmmux.recording._recording import Recording
from slmmux.recording._replay import group_of, planned_samples, read_answers, replay
from slmmux.recording._row import Row, answer_of, as_recorded

__all__ = ["Arrays", "Missing", "Same", "Votes", "arrays_of"]

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Same: TypeAlias = Callable[[Any, Any], bool]
Missing: TypeAlias = Literal["error", "drop"]

_NAMED = 3  # questions an error names


@dataclass(frozen=True, slots=True)
class Votes:
    """Each member's vote on each question (Algorithm 1, `y*` and `s`), for m members and q questions.

    Attributes:
        count: [m, q] samples that gave the vote's answer; 0 where none was read.
        right: [m, q] whether that answer is the gold one.
        of: [m] k, the samples of each member.
    """

    count: Ints
    right: Bools
    of: Ints

    @property
    def unanimous(self) -> Bools:
        """[m, q] confidence is 1."""
        return np.equal(self.count, self.of[:, None])

    def at(self, questions: Ints) -> "Votes":
        """Return the votes on some of the questions."""
        return Votes(self.count[:, questions], self.right[:, questions], self.of)

    def decided_right(self, rank: Sequence[int]) -> Bools:
        """Return whether the mux of some members, in rank order, is right on each question: [q].

        Highest confidence wins, equal ones fall to the better-ranked: fractions are compared over one denominator.
        """
        order = list(rank)
        whole = np.lcm.reduce(self.of[order])
        confidence = self.count[order] * (whole // self.of[order])[:, None]
        # argmax returns the first of equals, and the members stand in rank order.
        speaker = confidence.argmax(axis=0)
        right: Bools = self.right[np.array(order)[speaker], np.arange(speaker.size)]
        return right


@dataclass(frozen=True, slots=True)
class Arrays:
    """Samples of m members on q questions, n of each at most.

    Attributes:
        models: The members' labels.
        questions: The question ids.
        codes: [m, q, n] which answer a sample gave; two samples of one question agree when their codes are equal,
            whosever they are. -1: no answer, a failed call, or beyond the member's k.
        right: [m, q, n] whether that answer is the gold one.
        of: [m] k, the samples of each member.
        votes: The members' votes on all their k samples.
        tokens: [m, q] input and output tokens of all k samples; `None` where a member's were not recorded.
        tokens_alone: [m, q] those of the first sample if it were asked for alone: of a request that all k share its
            input and one k-th of its output.
        answers: [q] by code, the text of each answer (`text_of`); empty where the texts are not known.
    """

    models: tuple[str, ...]
    questions: tuple[str, ...]
    codes: Ints
    right: Bools
    of: Ints
    votes: Votes
    tokens: Ints | None
    tokens_alone: NDArray[np.float64] | None
    answers: tuple[tuple[str, ...], ...] = ()


def arrays_of(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
) -> Arrays:
    """Return a recording's samples as arrays.

    Args:
        recording: Where the samples are.
        models: Which members, in this order; `None`: all, as recorded.
        samples: k, or k by label: the first k by `sample_index`; `None`: as many as were recorded of the member.
        same: Whether two answers are equal, the gold one included. Without it answers are compared as recorded, and
            with gold by `answers.right`.
        missing: "error" names what a member was not asked; "drop" leaves those questions out, for all members.

    Raises:
        ArgumentError: No, unknown or repeated models, or a k that was not recorded.
        RecordingError: Samples missing, or a question without gold or with two.
    """
    planned = planned_samples(recording, recording.models if models is None else models, samples)
    questions = _complete(recording, planned, missing)
    shape = len(planned), len(questions), max(planned.values())
    codes = np.full(shape, -1, dtype=np.int64)
    is_right = np.zeros(shape, dtype=np.bool_)
    tokens = np.zeros(shape[:2], dtype=np.int64)
    alone = np.zeros(shape[:2])
    counted = np.zeros(len(planned), dtype=np.bool_)
    texts: list[tuple[str, ...]] = []
    for q, question in enumerate(questions):
        by_model = recording.by_question[question]
        gold = _gold(question, by_model)
        coding = _Coding(same)
        rights: dict[Answer, bool] = {}
        for m, (model, k) in enumerate(planned.items()):
            rows = by_model[model][:k]
            place = {row.sample_index: i for i, row in enumerate(rows)}
            for row, code, answer in coding.of(rows):
                i = place[row.sample_index]
                codes[m, q, i] = code
                if answer not in rights:
                    rights[answer] = right(answer, gold) if same is None else same(answer.value, gold)
                is_right[m, q, i] = rights[answer]
            if any(row.input_tokens is not None or row.output_tokens is not None for row in rows):
                counted[m] = True
                tokens[m, q], alone[m, q] = _tokens(rows)
        texts.append(tuple(coding.texts))
    of = np.array(list(planned.values()), dtype=np.int64)
    grouped = same is None and group_of(recording) is not None
    votes = _replayed(recording, planned, questions, of) if grouped else _votes(codes, is_right, of)
    sums, firsts = (tokens, alone) if counted.all() else (None, None)
    return Arrays(tuple(planned), questions, codes, is_right, of, votes, sums, firsts, tuple(texts))


def _tokens(rows: Sequence[Row]) -> tuple[int, float]:
    """Return the tokens of a member's samples for one question, and those of the first had it been asked for alone."""
    sent, got = [row.input_tokens or 0 for row in rows], [row.output_tokens or 0 for row in rows]
    shared = len(rows) > 1 and not any(got[1:])
    return sum(sent) + sum(got), sent[0] + got[0] / (len(rows) if shared else 1)


def _votes(codes: Ints, is_right: Bools, of: Ints) -> Votes:
    """Count: a vote is a member's most frequent answer, equal counts the one at the lower index."""
    support = ((codes[..., :, None] == codes[..., None, :]) & (codes >= 0)[..., None]).sum(axis=-1)
    first = support.argmax(axis=-1)[..., None]  # argmax returns the first of equals
    return Votes(
        np.take_along_axis(support, first, axis=-1)[..., 0], np.take_along_axis(is_right, first, axis=-1)[..., 0], of
    )


def _replayed(recording: Recording, planned: Mapping[str, int], questions: Sequence[str], of: Ints) -> Votes:
    """Where equality was no key the members' votes come from their own race, groups and all."""
    count = np.zeros((len(planned), len(questions)), dtype=np.int64)
    is_right = np.zeros(count.shape, dtype=np.bool_)
    for m, (model, k) in enumerate(planned.items()):
        decisions = replay(recording, [model], k, wait="exhausted")
        for q, question in enumerate(questions):
            won = decisions[question]
            spoken = next((s.answer for s in won.samples if s.draw == won.sample), None)
            count[m, q] = won.winner.count
            is_right[m, q] = spoken is not None and right(spoken, _gold(question, recording.by_question[question]))
    return Votes(count, is_right, of)


class _Coding:
    """Numbers the answers of one question, whosever they are."""

    def __init__(self, same: Same | None) -> None:
        self._same = same
        self._codes: dict[Answer, int] = {}
        self._firsts: list[Any] = []
        self.texts: list[str] = []  # of the first answer under each number

    def of(self, rows: Sequence[Row]) -> Iterable[tuple[Row, int, Answer]]:
        """Yield each of a member's answers with its number, and as it was recorded."""
        own: dict[Answer, int] = {}  # one class of a member is one number, and two are two
        for row, answer in read_answers(rows, self._same):
            if answer not in own:
                own[answer] = self._code(answer, taken=own.values())
            yield row, own[answer], answer_of(row) or answer

    def _code(self, answer: Answer, taken: Iterable[int]) -> int:
        if self._same is None:
            code = self._codes.setdefault(answer, len(self._codes))
            if code == len(self.texts):
                self.texts.append(text_of(answer))
            return code
        free = set(range(len(self._firsts))) - set(taken)
        code = next((c for c in sorted(free) if self._same(self._firsts[c], answer.value)), len(self._firsts))
        if code == len(self._firsts):
            self._firsts.append(answer.value)
            self.texts.append(text_of(answer))
        return code


def _complete(recording: Recording, planned: Mapping[str, int], missing: Missing) -> tuple[str, ...]:
    lacking: dict[str, str] = {}
    for question, by_model in recording.by_question.items():
        for model, k in planned.items():
            there = len(by_model.get(model, ()))
            if there < k and question not in lacking:
                lacking[question] = f"{model!r} has {there} of {k} samples for question {question!r}"
    if lacking and missing == "error":
        raise RecordingError(
            f"{len(lacking)} of {len(recording.questions)} questions are not recorded in full: "
            f"{'; '.join(list(lacking.values())[:_NAMED])}; record the rest, ask for fewer samples, or leave these "
            'questions out with missing="drop"'
        )
    if len(lacking) == len(recording.questions):
        raise RecordingError("no question was recorded in full of every model; record the rest, or name fewer models")
    return tuple(question for question in recording.questions if question not in lacking)


def _gold(question: str, by_model: Mapping[str, Sequence[Row]]) -> Any:
    golds: list[Any] = []
    for rows in by_model.values():
        for row in rows:
            if row.gold is not None and not any(_is_same(row.gold, gold) for gold in golds):
                golds.append(row.gold)
    if not golds:
        raise RecordingError(f"question {question!r} has no gold answer, so nobody can be right; record it with one")
    if len(golds) > 1:
        raise RecordingError(f"question {question!r} has two gold answers, {golds[0]!r} and {golds[1]!r}; keep one")
    return golds[0]


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other)) or as_recorded(one) == as_recorded(other)
