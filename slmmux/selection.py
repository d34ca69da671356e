"""Which models of a recorded pool complete each other, what to expect of them, and whether to mux at all.

Objective of a subset S: `UnionAcc(S) - penalty x Contradiction(S)`, over every subset of the sizes asked for, exactly
(SLM-MUX, arXiv 2510.05077, section on model selection). What is in-sample and what is held out is named so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError

from slmmux._arrays import Arrays, Missing, Same, arrays_of
from slmmux._contest import RULES, Fitted, Foretold, Rule, contest, learners
from slmmux._errors import ArgumentError, RecordingError
from slmmux._held_out import SELF_CONSISTENCY, HeldOut, held_out, ranked
from slmmux._replay import group_of, replay
from slmmux._search import Found, search
from slmmux._threshold import Threshold, threshold
from slmmux.recording import Recording

__all__ = ["Foretold", "HeldOut", "Profiled", "Selection", "Subset", "Threshold", "select_complementary"]

Bools = NDArray[np.bool_]

_SIZES = (1, 2, 3)  # what is asked for when nobody asks: clipped to the pool, where explicit sizes are refused
_TIME_LIMIT_S = 60.0
_FEW = 30  # questions below which an interval promises too much


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """One model of the pool, as it was profiled.

    Attributes:
        accuracy: The share of questions that its vote is right on (self-consistency over its k samples), in-sample.
        samples: k.
        settings: What it was asked with: temperature and the like.
    """

    accuracy: float
    samples: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """Some models of the pool, and what they would do together; shares of questions, 0 to 1.

    All of it is in-sample, measured on the questions they were chosen on, but for `held_out`.

    Attributes:
        models: Their labels, best first: the rank.
        objective: union - penalty x contradiction.
        union: Questions that some model is right on, by the rule of `correct`.
        contradiction: Questions that some model is confidently wrong on and some model is right on.
        floor: Union - contradiction with "right" as unanimous: Algorithm 1 is never below it on these samples.
        ceiling: Union with "right" as the vote: Algorithm 1 is never above it.
        accuracy: Algorithm 1, replayed.
        samples: Samples a question, by plan; for "parallel" all that are asked, before any is cancelled. "adaptive" on
            the best subset of each size only: it is replayed.
        tokens: Tokens a question, by plan; `None` where they were not recorded.
        held_out: On the best subset of each size: what choosing that many models brings on questions not chosen on.
        contest: On the best subset of each size, where a rule was asked for: what each brings on questions that neither
            it nor the choice of models had seen, by its name and, as "single", the best single model. Few repeats; the
            winner's figure is the best of a handful, which flatters it a little.
        rule: Of the rules in the contest the one of highest accuracy, equal ones the simplest; "self-consistency" where
            there was none.
        fitted: By name, the rules of these models that were fitted on all questions, whether or not one won.
        foretold: What the better of them foretold of questions it had not seen.
    """

    models: tuple[str, ...]
    objective: float
    union: float
    contradiction: float
    floor: float
    ceiling: float
    accuracy: float
    samples: Mapping[str, float]
    tokens: Mapping[str, float] | None = None
    held_out: HeldOut | None = None
    contest: Mapping[str, HeldOut] | None = None
    rule: Rule = SELF_CONSISTENCY
    fitted: Mapping[str, Fitted] = field(default_factory=dict)
    foretold: Foretold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The ranked subsets of a pool, made by `select_complementary()` or `Selection.load(path)`.

    Attributes:
        best: The best subset: by objective, then union, then fewer models, then cheaper, then name.
        by_size: The best subset of each size.
        ranking: The subsets that were kept, best first.
        single: The best single model with self-consistency: what a mux has to beat.
        verdict: What to do, in a sentence.
        models: The pool, by label.
        questions: How many questions it was chosen on.
        correct: The rule of "right".
        penalty: What a contradiction costs.
        extractor: How answers were read; `None` where the recording does not say.
        agreement: How answers were compared.
        system_prompt: What stood in front of every question.
        proved: By size, whether nothing better exists: not where the search ran out of time.
        fingerprint: Of the recording.
    """

    best: Subset
    by_size: Mapping[int, Subset]
    ranking: tuple[Subset, ...]
    single: Subset
    verdict: str
    models: Mapping[str, Profiled]
    questions: int
    correct: str
    penalty: float
    extractor: str | None
    agreement: str
    system_prompt: str | None
    proved: Mapping[int, bool]
    fingerprint: str

    def of_size(self, size: int | None = None) -> Subset:
        """Return the best subset of a size; `None`: the best of all.

        Raises:
            ArgumentError: A size that was not looked at.
        """
        if size is None:
            return self.best
        if size not in self.by_size:
            raise ArgumentError(f"size {size} was not looked at; the selection has {sorted(self.by_size)}")
        return self.by_size[size]

    def threshold(
        self, *, target_accuracy: float | None = None, budget: float | None = None, size: int | None = None
    ) -> Threshold:
        """Return from which probability on to answer, and what that brings on held-out questions.

        The probability is that of the best fitted rule (`.rule` of what is returned), which is not always the rule that
        is served: where it is not, ask the mux for it by that name. p is for `abstain_below` or `escalate_below`.

        Args:
            target_accuracy: The lowest p such that the questions at or above it were answered with this accuracy.
            budget: The highest p that gives up (abstains on, or escalates) no more than this share of the questions.
            size: Of the best subset of this size; `None`: of the best of all.

        Raises:
            ArgumentError: Both or none of the two, one that is not above 0 and at most 1, an accuracy that is reached
                from no probability on, a size that was not looked at, or a selection without a fitted rule.

        Example:
            >>> from slmmux import Row
            >>> said = {"a": ["11"] * 20 + ["12"] * 20, "b": ["22", "11", "13", "11"] * 10}  # the gold answer is 1
            >>> recording = Recording.of(
            ...     Row(question_id=f"q{q:02}", model=model, sample_index=i, answer=answer, gold="1")
            ...     for model, answers in said.items()
            ...     for q, both in enumerate(answers)
            ...     for i, answer in enumerate(both)
            ... )
            >>> selection = select_complementary(recording, sizes=[2], rule="learned")
            >>> found = selection.threshold(target_accuracy=0.95)
            >>> found.rule, found.accuracy >= 0.95, found.low <= found.accuracy <= found.high
            ('learned', True, True)
            >>> found.p >= selection.threshold(target_accuracy=0.8).p
            True
            >>> selection.threshold(budget=0.1).answered >= 0.9
            True
        """
        subset = self.of_size(size)
        told = subset.foretold
        if told is None:
            raise ArgumentError(
                f"no fitted rule of {' + '.join(subset.models)} foretold anything; make the selection with "
                'select_complementary(..., rule="learned"), on more questions where it was'
            )
        return threshold(told.probability, told.right, target_accuracy=target_accuracy, budget=budget, rule=told.rule)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as JSON; a file that is there is replaced.

        Raises:
            OSError: The file cannot be written.
        """
        # Rules and what they foretold are large: each once, with the best subset of its size.
        bare = replace(self, best=_bare(self.best), ranking=tuple(map(_bare, self.ranking)))
        Path(path).write_bytes(_FILE.dump_json(_File(1, bare), indent=1) + b"\n")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Selection":
        """Read what `save` wrote.

        Raises:
            ArgumentError: The file is no selection; says where.
            OSError: The file cannot be read.
        """
        try:
            found = _FILE.validate_json(Path(path).read_bytes()).selection
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise ArgumentError(
                f"{path} is no selection: {where}: {first['msg']}; make one with `slmmux select` or Selection.save()"
            ) from None
        whole = {subset.models: subset for subset in found.by_size.values()}
        ranking = tuple(whole.get(subset.models, subset) for subset in found.ranking)
        return replace(found, best=whole.get(found.best.models, found.best), ranking=ranking)


def _bare(subset: Subset) -> Subset:
    return replace(subset, fitted={}, foretold=None)


@dataclass(frozen=True, slots=True)
class _File:
    """A selection as a file: its version first."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    slmmux_selection: Literal[1]
    selection: Selection


_FILE = TypeAdapter(_File)


def select_complementary(
    recording: Recording,
    sizes: Iterable[int] = _SIZES,
    penalty: float = 1.0,
    correct: str = "unanimous",
    samples: int | Mapping[str, int] | None = None,
    *,
    models: Sequence[str] | None = None,
    keep: int = 50,
    folds: int = 5,
    repeats: int = 20,
    seed: int = 0,
    same: Same | None = None,
    missing: Missing = "error",
    time_limit: float = _TIME_LIMIT_S,
    rule: Rule = SELF_CONSISTENCY,
    embedding: Any = None,
) -> Selection:
    """Return the subsets of a recorded pool whose models complete each other, best first, and what to expect of them.

    Every subset is looked at, or proved not to be among the best. A model is *right* on a question by `correct`; it is
    *confidently wrong* when all its k samples gave one answer that is not the gold one. Contradiction counts the
    questions with both, over all questions.

    Args:
        recording: A pool's samples, with gold answers.
        sizes: Models a subset; the default is clipped to the pool.
        penalty: What a contradiction costs, at least 0; the paper's lambda.
        correct: When a model is right: "unanimous" (all k samples gave the gold answer), "plurality" (its vote did), or
            "at_least:r" (at least r samples did).
        samples: k, or k by label: the first k recorded; `None`: as many as were recorded.
        models: Which models of the recording; `None`: all.
        keep: The most subsets of each size to return.
        folds: Parts of the nested held-out estimate.
        repeats: How often it is split anew.
        seed: Of its splits and its bootstrap.
        same: Whether two answers are equal, the gold one included; without it as they were recorded.
        missing: What a question that was not recorded in full of every model is: an "error", or one to "drop".
        time_limit: Seconds a size; past them the best found so far is returned, and `proved` says so.
        rule: What is to decide, at most: with more than "self-consistency" the rules up to it ("pooled", "learned",
            "learned-by-question") are fitted for the best subset of each size, and held against each other and the best
            single model on questions that they have not seen; `.best.rule` is the winner, never more than it need be.
        embedding: What "learned-by-question" compares questions by: a LangChain `Embeddings`, a LlamaIndex
            `BaseEmbedding`, or a function: text -> vector. Without it by their words, with scikit-learn (the extra
            `learned`).

    Returns:
        The selection; `.best.models`, `.verdict`.

    Raises:
        ArgumentError: Sizes larger than the pool, a penalty below 0, an unknown rule, a k that was not recorded; a rule
            that compares answers of different members, where equality was no key; or one by question, without the
            questions' texts or the extra `learned`.
        RecordingError: No samples, samples missing, or questions without a gold answer.

    Example:
        >>> from slmmux import Row
        >>> said = {"a": "1144", "b": "1233", "c": "9944"}  # question by question; the gold answers are 1 2 3 4
        >>> rows = [
        ...     Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold=str(q + 1))
        ...     for model, answers in said.items() for q, answer in enumerate(answers) for i in range(2)
        ... ]
        >>> selection = select_complementary(Recording.of(rows), sizes=[2])
        >>> selection.best.models, selection.best.union, selection.best.contradiction
        (('b', 'a'), 1.0, 0.75)
    """
    if not recording.rows:
        raise RecordingError("the recording holds no samples; record a pool first with `slmmux profile`")
    arrays = arrays_of(recording, models, samples, same=same, missing=missing)
    wanted = _sizes(sizes, len(arrays.models))
    _check(penalty, keep, folds, repeats)
    _check_rule(rule, recording, embedding)
    fitting = learners(rule, lambda: _texts(recording, arrays.questions), embedding)
    pool = _Pool(arrays, _right(arrays, correct), penalty, keep, time_limit)

    found: dict[int, list[Subset]] = {}
    proved: dict[int, bool] = {}
    for size in wanted:
        subsets, proved[size] = pool.subsets(size)
        estimate = held_out(arrays.votes, pool.chooser(size), size, folds=folds, repeats=repeats, seed=seed)
        replayed = {**subsets[0].samples, "adaptive": _adaptive(recording, subsets[0].models, samples, same, arrays)}
        best = replace(subsets[0], held_out=estimate, samples=replayed)
        if rule != SELF_CONSISTENCY:
            members = [arrays.models.index(model) for model in best.models]
            choose = pool.chooser(size)
            outcome = contest(arrays, rule, fitting, members, choose, folds=folds, repeats=repeats, seed=seed)
            best = replace(
                best, contest=outcome.held, rule=outcome.rule, fitted=outcome.fitted, foretold=outcome.foretold
            )
        found[size] = [best, *subsets[1:]]
    ranking = sorted((s for subsets in found.values() for s in subsets), key=pool.order)
    by_size = {size: subsets[0] for size, subsets in found.items()}
    single = pool.subset(Found((int(pool.accuracy.argmax()),), 0, 0))
    settings = recording.settings
    return Selection(
        best=ranking[0],
        by_size=by_size,
        ranking=tuple(ranking),
        single=single,
        verdict=_verdict(ranking[0], by_size, single, rule, len(arrays.questions)),
        models={
            model: Profiled(
                accuracy=float(pool.accuracy[m]),
                samples=int(arrays.of[m]),
                settings=settings.get("models", {}).get(model, {}),
            )
            for m, model in enumerate(arrays.models)
        },
        questions=len(arrays.questions),
        correct=correct,
        penalty=float(penalty),
        extractor=settings.get("extract"),
        agreement=settings.get("agreement", "canonical"),
        system_prompt=settings.get("system_prompt"),
        proved=proved,
        fingerprint=recording.fingerprint,
    )


class _Pool:
    """A pool's arrays, and everything that is counted of a subset of it."""

    def __init__(self, arrays: Arrays, right: Bools, penalty: float, keep: int, time_limit: float) -> None:
        votes = arrays.votes
        self._arrays = arrays
        self._penalty = penalty
        self._keep = keep
        self._time_limit = time_limit
        self._right = right
        # All samples gave one answer, and it is not the gold one; all empty is no answer, so its count is 0.
        self._wrong = votes.unanimous & ~votes.right
        self._sure = votes.unanimous & votes.right
        self.accuracy = votes.right.mean(axis=1)
        k = arrays.of[:, None]
        self._asked = np.broadcast_to(k, votes.count.shape)
        self._costs = [int(c) for c in (self._asked if arrays.tokens is None else arrays.tokens).sum(axis=1)]

    def chooser(self, size: int) -> Callable[[NDArray[np.int64]], Sequence[int]]:
        """Return what chooses the best subset of a size on some of the questions."""

        def choose(questions: NDArray[np.int64]) -> Sequence[int]:
            searched = search(
                self._right[:, questions],
                self._wrong[:, questions],
                size,
                names=self._arrays.models,
                penalty=self._penalty,
                keep=1,
                costs=self._costs,
                time_limit=self._time_limit,
            )
            return searched.found[0].members

        return choose

    def subsets(self, size: int) -> tuple[list[Subset], bool]:
        """Return the best subsets of a size, best first, and whether nothing better exists."""
        searched = search(
            self._right,
            self._wrong,
            size,
            names=self._arrays.models,
            penalty=self._penalty,
            keep=self._keep,
            costs=self._costs,
            time_limit=self._time_limit,
        )
        return [self.subset(found) for found in searched.found], searched.proved

    def subset(self, found: Found) -> Subset:
        """Return what the models of a subset would do together."""
        rank = ranked(found.members, self.accuracy)
        questions = len(self._arrays.questions)
        union, contradiction = self._counted(rank, self._right)
        sure, disputed = self._counted(rank, self._sure)
        ceiling, _ = self._counted(rank, self._arrays.votes.right)
        return Subset(
            models=tuple(self._arrays.models[m] for m in rank),
            objective=float((union - _exact(self._penalty) * contradiction) / questions),
            union=union / questions,
            contradiction=contradiction / questions,
            floor=(sure - disputed) / questions,
            ceiling=ceiling / questions,
            accuracy=float(self._arrays.votes.decided_right(rank).mean()),
            samples=self._by_plan(rank, self._asked, np.ones(self._asked.shape, dtype=np.int64)),
            tokens=self._by_plan(rank, tokens, alone)
            if (tokens := self._arrays.tokens) is not None and (alone := self._arrays.tokens_alone) is not None
            else None,
        )

    def order(self, subset: Subset) -> tuple[Any, ...]:
        """Return what subsets of all sizes are sorted by, exactly."""
        members = [self._arrays.models.index(model) for model in subset.models]
        union, contradiction = self._counted(members, self._right)
        objective = union - _exact(self._penalty) * contradiction
        return -objective, -union, len(members), sum(self._costs[m] for m in members), sorted(subset.models)

    def _counted(self, members: Sequence[int], right: Bools) -> tuple[int, int]:
        rows = list(members)
        some_right = right[rows].any(axis=0)
        return int(some_right.sum()), int((some_right & self._wrong[rows].any(axis=0)).sum())

    def _by_plan(self, rank: Sequence[int], whole: NDArray[Any], first: NDArray[Any]) -> dict[str, float]:
        """Return what a question costs on average: all of it, up to the first unanimous member, or one round of it."""
        rows = list(rank)
        unanimous = self._arrays.votes.unanimous[rows]
        sums = whole[rows].cumsum(axis=0)
        last = np.where(unanimous.any(axis=0), unanimous.argmax(axis=0), len(rows) - 1)
        codes = self._arrays.codes[rows, :, 0]
        agreed = (codes == codes[0]).all(axis=0) & (codes[0] >= 0)
        return {
            "parallel": float(sums[-1].mean()),
            "cascade": float(np.take_along_axis(sums, last[None], axis=0).mean()),
            "first_round": float(np.where(agreed, first[rows].sum(axis=0), sums[-1]).mean()),
        }


def _adaptive(
    recording: Recording,
    models: Sequence[str],
    samples: int | Mapping[str, int] | None,
    same: Same | None,
    arrays: Arrays,
) -> float:
    """Return the samples a question that the adaptive plan asks for: no formula knows them, the race does."""
    k = {model: samples[model] for model in models} if isinstance(samples, Mapping) else samples
    decisions = replay(recording, models, k, plan="adaptive", same=same)
    return float(np.mean([sum(v.of - v.unused for v in decisions[q].votes) for q in arrays.questions]))


def _right(arrays: Arrays, correct: str) -> Bools:
    votes = arrays.votes
    if correct == "unanimous":
        return votes.unanimous & votes.right
    if correct == "plurality":
        return votes.right
    rule, _, least = correct.partition(":")
    if rule == "at_least" and least.isdecimal() and int(least) > 0:
        enough: Bools = arrays.right.sum(axis=2) >= int(least)
        return enough
    raise ArgumentError(
        f'correct={correct!r} is no rule; write "unanimous", "plurality" or "at_least:2" with the samples that suffice'
    )


def _sizes(sizes: Iterable[int], pool: int) -> list[int]:
    wanted = sorted(set(sizes))
    if sizes is _SIZES:
        return [size for size in wanted if size <= pool]
    if not wanted:
        raise ArgumentError("sizes is empty; name at least one number of models, such as (1, 2, 3)")
    for size in wanted:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ArgumentError(f"sizes holds {size!r}; a size is a whole number of models, at least 1")
        if size > pool:
            raise ArgumentError(f"sizes holds {size}, but the pool has {pool} models; ask for at most {pool}")
    return wanted


def _check(penalty: float, keep: int, folds: int, repeats: int) -> None:
    if not isfinite(penalty) or penalty < 0:
        raise ArgumentError(f"penalty must be a number of at least 0, found {penalty!r}; the paper's is 1")
    for name, value, least in (("keep", keep, 1), ("folds", folds, 2), ("repeats", repeats, 1)):
        if value < least:
            raise ArgumentError(f"{name} must be at least {least}, found {value!r}")


def _texts(recording: Recording, questions: Sequence[str]) -> list[str]:
    found: list[str] = []
    for question in questions:
        rows = (row for of_model in recording.by_question[question].values() for row in of_model)
        text = next((row.question for row in rows if row.question), None)
        if text is None:
            raise RecordingError(
                f'rule="learned-by-question" goes by the text of a question, and {question!r} was recorded without; '
                'record it as "question", or ask for rule="learned"'
            )
        found.append(text)
    return found


def _check_rule(rule: Rule, recording: Recording, embedding: Any) -> None:
    if rule not in RULES:
        raise ArgumentError(f"rule={rule!r} is no rule; write one of {', '.join(map(repr, RULES))}")
    if embedding is not None and rule != "learned-by-question":
        raise ArgumentError(
            f'embedding is for rule="learned-by-question", found rule={rule!r}; ask for that rule, or leave it out'
        )
    if rule != SELF_CONSISTENCY and group_of(recording) is not None:
        raise ArgumentError(
            f"rule={rule!r} compares answers of different members, and this recording's were compared by "
            f"agreement={recording.settings['agreement']!r}, each member's among themselves; leave the rule at "
            f'"{SELF_CONSISTENCY}", or record with agreement="canonical"'
        )


def _exact(penalty: float) -> Fraction:
    return Fraction(str(penalty))  # as it is written: 0.1 is a tenth


def _verdict(best: Subset, by_size: Mapping[int, Subset], single: Subset, asked: Rule, questions: int) -> str:
    """Say what to do about the best mux: by what was held out, and never by what was not."""
    alone = f"model {single.models[0]}"
    muxes = [subset for size, subset in by_size.items() if size > 1]
    if not muxes:
        return f"no mux was looked at: ask for sizes of two and more; {alone} is the best single one"
    mux = best if len(best.models) > 1 else max(muxes, key=lambda subset: subset.objective)
    names = " + ".join(mux.models)
    if mux.held_out is None:
        return (
            f"nothing can be said yet: too few questions, or too many subsets, to hold any out; in-sample {names} has "
            f"{100 * mux.accuracy:.1f} % and {alone} alone {100 * single.accuracy:.1f} %"
        )
    seen, deciding = mux.held_out, ""
    if mux.contest is not None:
        seen, deciding = mux.contest[mux.rule], f' with rule="{mux.rule}"'
    # Of so few a bootstrap knows only those it was given, and its interval is too sure of itself.
    few = f", on {questions} questions only: record more before you rely on it" if questions < _FEW else ""
    interval = f"95 % interval {100 * seen.low:+z.1f} to {100 * seen.high:+z.1f}, held out{few}"
    figures = (
        f"{100 * seen.accuracy:.1f} % against {100 * seen.single:.1f} %, {100 * seen.gain:+z.1f} points, {interval}"
    )
    after = _fitted(mux, asked, muxed=seen.gain > 0)
    if seen.gain <= 0:
        how = f"{'better' if seen.high < 0 else 'as good or better'}{f' than {names}{deciding}' if deciding else ''}"
        return f"do not mux: {alone} alone is {how} ({figures}){after}"
    if seen.low <= 0:
        return f"mux {names}{deciding} if it costs you nothing: it may be better than {alone} alone ({figures}){after}"
    return f"mux {names}{deciding}: better than {alone} alone ({figures}){after}"


def _fitted(mux: Subset, asked: Rule, *, muxed: bool) -> str:
    """Say what became of the rule asked for, where another is served."""
    if mux.contest is None or mux.rule == asked:
        return ""
    served = f'rule="{mux.rule}" {"is" if muxed else "would be"} served'
    if asked in mux.contest:
        return f'; rule="{asked}" did not help ({100 * mux.contest[asked].accuracy:.1f} %), so {served}'
    return f'; too few questions tell right from wrong to fit rule="{asked}", so {served}'
