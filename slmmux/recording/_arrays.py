"""A recording as arrays: which samples of a question agree, which of them are right, and how many tokens they took.

Every count over a recording starts from these arrays. Offline, this is the innermost file that reads `gold`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slmmux._decision.types import Answer, text_of
from slmmux._errors import RecordingError
from slmmux.answers import Score, ScoreName, right
from slmmux.answers._scores import score_name, scored
from slmmux.recording._counted import Counted, costs_of, counted, counts_of, without_score
from slmmux.recording._prices import prices_of
from slmmux.recording._recording import Recording
from slmmux.recording._replay import group_of, planned_samples, question_of, read_answers, replay
from slmmux.recording._row import Row, answer_of, as_recorded, scored_right

__all__ = ["Arrays", "Bools", "Floats", "Ints", "Missing", "Same", "Score", "ScoreName", "Votes", "arrays_of"]

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
Same: TypeAlias = Callable[[Any, Any], bool]
Missing: TypeAlias = Literal["error", "drop"]

_MOST_NAMED = 3  # An error names this many questions; the rest are only counted.


@dataclass(frozen=True, slots=True)
class Votes:
    """Each member's vote on each question (Algorithm 1, `y*` and `s`), for m members and q questions.

    Attributes:
        count: [m, q] samples that gave the vote's answer; 0 if the member gave no answer.
        right: [m, q] whether the vote's answer equals the gold answer.
        of: [m] k, the samples of each member.
    """

    count: Ints
    right: Bools
    of: Ints

    @property
    def unanimous(self) -> Bools:
        """[m, q] whether all k samples gave the vote's answer, that is, confidence is 1."""
        return np.equal(self.count, self.of[:, None])

    def at(self, questions: Ints) -> "Votes":
        """Return the votes on the questions at these places."""
        return Votes(self.count[:, questions], self.right[:, questions], self.of)

    def of_members(self, members: Sequence[int]) -> "Votes":
        """Return the votes of some members, in this order."""
        places = list(members)
        return Votes(self.count[places], self.right[places], self.of[places])

    def decided_right(self, rank: Sequence[int]) -> Bools:
        """Return for each question whether a mux of these members, given in rank order, is right: [q].

        The highest confidence wins; among equal ones, the better-ranked member.
        """
        order = list(rank)
        # Confidences are compared over one common denominator: as floats, 1/3 and 2/6 need not be equal.
        denominator = np.lcm.reduce(self.of[order])
        confidence = self.count[order] * (denominator // self.of[order])[:, None]
        # argmax returns the first of several maxima, and the members stand in rank order: that is the tie-break.
        winner = confidence.argmax(axis=0)
        right: Bools = self.right[np.array(order)[winner], np.arange(winner.size)]
        return right


@dataclass(frozen=True, slots=True)
class Arrays:
    """The samples of a recording as numpy arrays, for your own counts; `arrays_of` makes them.

    The functions that count on a recording take these: `slmmux.learned.fit`, `slmmux.plots.complement_of`,
    `slmmux.report.recorded` and `slmmux.scaling.expected_right`. Here m is the number of members, q of questions, and
    n the largest number of samples of any member.

    Attributes:
        models: The members' labels.
        questions: The question ids.
        codes: [m, q, n] a number for the answer of each sample. Two samples of one question agree if their codes are
            equal, also across members. -1 means: no answer, a failed call, or an index beyond the member's k.
        right: [m, q, n] whether the sample's answer equals the gold answer.
        of: [m] k, the samples of each member.
        votes: The members' votes over all their k samples.
        tokens: [m, q] input and output tokens of all k samples; `None` if any member has no token counts recorded.
        tokens_alone: [m, q] tokens that the first sample would take alone. If one request brought all k samples, these
            are its input tokens and one k-th of its output tokens.
        answers: [q] by code, the text of each answer (`text_of`); empty if the texts are unknown.
        score: The form of scoring.
        costs: [m, q] the cost of these tokens, by the recorded prices; `None` without tokens or a price of each member.
        costs_alone: [m, q] the cost of the first sample alone.
    """

    models: tuple[str, ...]
    questions: tuple[str, ...]
    codes: Ints
    right: Bools
    of: Ints
    votes: Votes
    tokens: Ints | None
    tokens_alone: Floats | None
    answers: tuple[tuple[str, ...], ...] = ()
    score: str = "exact"
    costs: Floats | None = None
    costs_alone: Floats | None = None


def arrays_of(
    recording: Recording,
    models: Sequence[str] | None = None,
    samples: int | Mapping[str, int] | None = None,
    *,
    same: Same | None = None,
    missing: Missing = "error",
    score: Score | None = None,
) -> Arrays:
    """Return a recording's samples as arrays.

    Args:
        recording: The recorded samples.
        models: The members, in this order; `None`: every recorded model, in the recording's order.
        samples: k, or k by label: the first k samples by `sample_index`; `None`: every recorded sample of the member.
        same: A function of two answers that returns whether they are equal; the gold answer is compared with it too.
            Without it, answers are compared as they were when recorded, and with gold by `answers.right`.
        missing: What to do if a member lacks samples for a question: "error" raises and names them, "drop" leaves the
            question out for all members.
        score: When a sample is right: "exact", "includes", "choice", "math", "recorded" or a function of the reply and
            gold, see `slmmux.answers.scored`. `None`: its answer is gold, by `same` or else by `answers.right`, and a
            reply that is read as a text includes gold. A vote is right if the first sample that gave its answer is:
            that is the reply that is shown.

    Raises:
        ArgumentError: `models` is empty or names a model that is unknown or repeated, or k is more than was recorded.
        RecordingError: Samples are missing, a question has no gold answer or two different ones, or a sample has not
            what the score needs.

    Example:
        >>> recording = Recording.of(
        ...     Row(question_id="q1", model="qwen", sample_index=i, answer=answer, gold="4")
        ...     for i, answer in enumerate(["4", "5", "4"])
        ... )
        >>> arrays = arrays_of(recording)
        >>> arrays.codes.tolist(), arrays.right.tolist()
        ([[[0, 1, 0]]], [[[True, False, True]]])
    """
    if score is not None:
        score_name(score)
    planned = planned_samples(recording, recording.models if models is None else models, samples)
    questions = _complete(recording, planned, missing)
    of = np.array(list(planned.values()), dtype=np.int64)
    in_pairs = group_of(recording) is not None
    if same is None and _is_by_key(score) and not (in_pairs and score is None):
        samples_of = Counted(recording.columns, planned, questions)
        codes, is_right, sums, firsts, texts, included = counted(
            samples_of, questions, None if score is None or callable(score) else score, partial(_gold_of, recording)
        )
        form_name = "includes" if included else "exact" if score is None else score_name(score)
    else:
        codes, is_right, sums, firsts, texts, form_name = _by_rows(recording, planned, questions, same, score)
    votes = (
        _votes_by_replay(recording, planned, questions, of, score)
        if same is None and in_pairs
        else _votes(codes, is_right, of)
    )
    arrays = Arrays(tuple(planned), questions, codes, is_right, of, votes, sums, firsts, texts, form_name)
    prices = prices_of(recording.settings)
    if sums is None or not prices.keys() >= planned.keys():
        return arrays
    costs, alone = costs_of(Counted(recording.columns, planned, questions), [prices[model] for model in planned])
    return replace(arrays, costs=costs, costs_alone=alone)


def _by_rows(
    recording: Recording,
    planned: Mapping[str, int],
    questions: Sequence[str],
    same: Same | None,
    score: Score | None,
) -> tuple[Ints, Bools, Ints | None, Floats | None, tuple[tuple[str, ...], ...], str]:
    """Return the parts of `Arrays` row by row: for answers that a function compares, or replies that one scores."""
    shape = len(planned), len(questions), max(planned.values())
    codes = np.full(shape, -1, dtype=np.int64)
    is_right = np.zeros(shape, dtype=np.bool_)
    tokens = np.zeros(shape[:2], dtype=np.int64)
    tokens_alone = np.zeros(shape[:2])
    has_tokens = np.zeros(len(planned), dtype=np.bool_)
    forms: set[str] = set()
    texts: list[tuple[str, ...]] = []
    for q, question in enumerate(questions):
        by_model = recording.by_question[question]
        gold = None if score == "recorded" else _gold(question, by_model)
        coding = _Coding(same)
        rights: dict[Answer, bool] = {}
        text = question_of(by_model)
        for m, (model, k) in enumerate(planned.items()):
            rows = by_model[model][:k]
            place_of = {row.sample_index: i for i, row in enumerate(rows)}
            for row, code, answer in coding.of(rows):
                i = place_of[row.sample_index]
                codes[m, q, i] = code
                form = _form(row, answer, score, same)
                if not _is_exact(form):
                    forms.add(score_name(form))
                    is_right[m, q, i] = _right_by(row, answer, gold, form, text)
                    continue
                if answer not in rights:
                    rights[answer] = (
                        right(answer, gold, question=text)
                        if same is None or score is not None
                        else same(answer.value, gold)
                    )
                is_right[m, q, i] = rights[answer]
            if any(row.input_tokens is not None or row.output_tokens is not None for row in rows):
                has_tokens[m] = True
                tokens[m, q], tokens_alone[m, q] = _tokens(rows)
        texts.append(tuple(coding.texts))
    sums, firsts = (tokens, tokens_alone) if has_tokens.all() else (None, None)
    form_name = "includes" if "includes" in forms else "exact" if score is None else score_name(score)
    return codes, is_right, sums, firsts, tuple(texts), form_name


def _is_by_key(score: Score | None) -> bool:
    """Return whether a form of scoring needs no reply, or only those read as texts."""
    return score is None or (not callable(score) and score in {"exact", "recorded"})


def _form(row: Row, answer: Answer, score: Score | None, same: Same | None) -> Score:
    """Return the form of scoring of a sample: if none is named, a reply that is read as a text has to include gold."""
    if score is not None:
        return score
    return "includes" if same is None and answer.kind == "text" and row.text else "exact"


def _is_exact(score: Score) -> bool:
    return not callable(score) and score == "exact"


def _right_by(row: Row, answer: Answer, gold: Any, score: Score, question: str) -> bool:
    """Return whether a recorded sample is right by a form of scoring."""
    if score == "recorded":
        verdict = scored_right(row)
        if verdict is None:
            raise without_score(row)
        return verdict
    if score == "exact":
        return right(answer, gold, question=question)
    reply = row.text if row.text is not None else answer.value
    if not isinstance(reply, str):
        return right(answer, gold, question=question)
    return scored(reply, gold, score, question=question, answer=answer)


def sample_tokens(rows: Sequence[Row]) -> list[tuple[int, float]]:
    """Return the tokens that each of a member's samples for one question would take alone: of input and of output."""
    inputs, outputs = [row.input_tokens or 0 for row in rows], [row.output_tokens or 0 for row in rows]
    # A server that makes k samples in one request (`n`) reports one usage; it is recorded with the first sample.
    if len(rows) > 1 and not any(outputs[1:]):
        return [(inputs[0], outputs[0] / len(rows))] * len(rows)
    return list(zip(inputs, outputs, strict=True))


def _tokens(rows: Sequence[Row]) -> tuple[int, float]:
    """Return the tokens of a member's samples for one question, and the tokens its first sample would take alone."""
    return sum((row.input_tokens or 0) + (row.output_tokens or 0) for row in rows), sum(sample_tokens(rows)[0])


def _votes(codes: Ints, is_right: Bools, of: Ints) -> Votes:
    """Count the votes: a member's most frequent answer; of equally frequent ones, the one with the lowest index."""
    count = np.zeros(codes.shape[:2], dtype=np.int64)
    voted_right = np.zeros(codes.shape[:2], dtype=np.bool_)
    for m, (code, rights) in enumerate(zip(codes, is_right, strict=True)):  # by member, since pairs take n times more
        support = ((code[:, :, None] == code[:, None, :]) & (code >= 0)[..., None]).sum(axis=-1)
        first = support.argmax(axis=-1)[..., None]  # argmax returns the first of several maxima: the lowest index
        count[m] = np.take_along_axis(support, first, axis=-1)[..., 0]
        voted_right[m] = np.take_along_axis(rights, first, axis=-1)[..., 0]
    return Votes(count, voted_right, of)


def _votes_by_replay(
    recording: Recording, planned: Mapping[str, int], questions: Sequence[str], of: Ints, score: Score | None
) -> Votes:
    """Return the members' votes as the race itself forms them.

    Answers that were compared in pairs fall into groups that only the race knows how to form, so each member is
    replayed alone.
    """
    count = np.zeros((len(planned), len(questions)), dtype=np.int64)
    is_right = np.zeros(count.shape, dtype=np.bool_)
    for m, (model, k) in enumerate(planned.items()):
        decisions = replay(recording, [model], k, wait="exhausted")
        for q, question in enumerate(questions):
            decision = decisions[question]
            answer = next((s.answer for s in decision.samples if s.draw == decision.sample), None)
            count[m, q] = decision.winner.count
            if answer is None or decision.sample is None:
                continue
            by_model = recording.by_question[question]
            gold = None if score == "recorded" else _gold(question, by_model)
            row = next(row for row in by_model[model] if row.sample_index == decision.sample.index)
            form = _form(row, answer, score, None)
            is_right[m, q] = _right_by(row, answer, gold, form, question_of(by_model))
    return Votes(count, is_right, of)


class _Coding:
    """Gives each different answer to one question a number, across all members."""

    def __init__(self, same: Same | None) -> None:
        self._same = same
        self._codes: dict[Answer, int] = {}
        self._firsts: list[Any] = []
        self.texts: list[str] = []  # of the first answer under each number

    def of(self, rows: Sequence[Row]) -> Iterable[tuple[Row, int, Answer]]:
        """Yield each row of a member that has an answer, with the answer's number and the answer as it was recorded."""
        # If `same` is not transitive, two of the member's classes could each equal one answer of an earlier member.
        # They must not get the same number: the member itself holds them apart.
        codes: dict[Answer, int] = {}
        for row, answer in read_answers(rows, self._same):
            if answer not in codes:
                codes[answer] = self._code(answer, reserved=codes.values())
            yield row, codes[answer], answer_of(row) or answer

    def _code(self, answer: Answer, reserved: Iterable[int]) -> int:
        if self._same is None:
            code = self._codes.setdefault(answer, len(self._codes))
            if code == len(self.texts):
                self.texts.append(text_of(answer))
            return code
        free = set(range(len(self._firsts))) - set(reserved)
        code = next((c for c in sorted(free) if self._same(self._firsts[c], answer.value)), len(self._firsts))
        if code == len(self._firsts):
            self._firsts.append(answer.value)
            self.texts.append(text_of(answer))
        return code


def _complete(recording: Recording, planned: Mapping[str, int], missing: Missing) -> tuple[str, ...]:
    """Return the questions of which every member has its k samples."""
    columns = recording.columns
    labels, ids = columns.coded("model").values, columns.coded("question_id").values
    members = [labels.index(model) for model in planned]
    counts = counts_of(columns)[:, members]
    lacks = counts < np.array(list(planned.values()))
    places = np.flatnonzero(lacks.any(axis=1)).tolist()
    gaps = {}
    for q in places:
        m = int(lacks[q].argmax())
        model = labels[members[m]]
        gaps[ids[q]] = f"{model!r} has {counts[q, m]} of {planned[model]} samples for question {ids[q]!r}"
    if gaps and missing == "error":
        raise RecordingError(
            f"{len(gaps)} of {len(recording.questions)} questions lack samples: "
            f"{'; '.join(list(gaps.values())[:_MOST_NAMED])}; record the rest, use fewer samples, or leave these "
            'questions out with missing="drop" (commands: --drop)'
        )
    if len(gaps) == len(recording.questions):
        raise RecordingError("every question lacks samples of some model; record the rest, or name fewer models")
    return tuple(question for question in recording.questions if question not in gaps)


def _gold_of(recording: Recording, question: str) -> Any:
    return _gold(question, recording.by_question[question])


def _gold(question: str, by_model: Mapping[str, Sequence[Row]]) -> Any:
    golds: list[Any] = []
    for rows in by_model.values():
        for row in rows:
            if row.gold is not None and not any(_is_same(row.gold, gold) for gold in golds):
                golds.append(row.gold)
    if not golds:
        raise RecordingError(
            f"question {question!r} has no gold answer, so nothing can be scored; record it with a gold answer"
        )
    if len(golds) > 1:
        raise RecordingError(f"question {question!r} has two gold answers, {golds[0]!r} and {golds[1]!r}; keep one")
    return golds[0]


def _is_same(one: Any, other: Any) -> bool:
    # JSON has no NaN and no tuples, so equal golds may differ as Python objects: what is written decides in the end.
    return one is other or (type(one) is type(other) and bool(one == other)) or as_recorded(one) == as_recorded(other)
