"""`select_complementary`: the search, the held-out figures, the contest of rules and the verdict, put together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from slmmux._errors import ArgumentError, RecordingError
from slmmux.recording import Recording
from slmmux.recording._arrays import Arrays, Missing, Same, arrays_of
from slmmux.recording._replay import group_of, replay
from slmmux.selection._contest import RULES, Rule, contest, learners
from slmmux.selection._held_out import SELF_CONSISTENCY, held_out
from slmmux.selection._pool import Bools, PoolFigures
from slmmux.selection._search import ScoredSubset
from slmmux.selection._selection import Profiled, Selection, Subset
from slmmux.selection._verdict import verdict_of

__all__ = ["select_complementary"]

_SIZES = (1, 2, 3)  # what is asked for when nobody asks: clipped to the pool, where explicit sizes are refused
_TIME_LIMIT_S = 60.0


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
    pool = PoolFigures(arrays, _right(arrays, correct), penalty, keep, time_limit)

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
    single = pool.subset(ScoredSubset((int(pool.accuracy.argmax()),), 0, 0))
    settings = recording.settings
    return Selection(
        best=ranking[0],
        by_size=by_size,
        ranking=tuple(ranking),
        single=single,
        verdict=verdict_of(ranking[0], by_size, single, rule, len(arrays.questions)),
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
