"""`select_complementary`: the search, the held-out figures, the rules and the verdict, put together."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, TypedDict

from slmmux._decision.price import Price
from slmmux._decision.race import Plan
from slmmux._errors import ArgumentError, RecordingError, did_you_mean
from slmmux.learned import never_right
from slmmux.recording import Recording
from slmmux.recording._arrays import Arrays, Missing, Same, Score, arrays_of, sample_tokens
from slmmux.recording._prices import prices_of
from slmmux.recording._replay import group_of, question_of, replay
from slmmux.selection._contest import RULES, Rule, contest, learners
from slmmux.selection._held_out import SELF_CONSISTENCY, HeldOut, Progress, held_out
from slmmux.selection._pool import Bools, Closing, HowChosen, PoolFigures
from slmmux.selection._scores import parting
from slmmux.selection._search import ScoredSubset
from slmmux.selection._selection import Profiled, Selection, Subset
from slmmux.selection._spending import cheapest_within, unit_of
from slmmux.selection._verdict import verdict_of

__all__ = ["select_complementary"]

_SIZES = (1, 2, 3)  # the default, which is clipped to the pool; explicit sizes beyond it are refused
_TIME_LIMIT_S = 60.0
_RESAMPLES = 50
_WORTH = 0.01
_REPLAYED = 2_000  # questions, evenly spaced: the mean over more of them would only take longer
_TOLERATED = 0.01  # the share of a model's samples that may fail before the verdict says so
_FEW = 100  # questions, below which a rule has to beat the single model to be served in its place


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
    score: Score | None = None,
    time_limit: float = _TIME_LIMIT_S,
    rule: Rule = SELF_CONSISTENCY,
    embedding: Any = None,
    n_resamples: int = _RESAMPLES,
    worth: float = _WORTH,
    no_answer: Sequence[str] = (),
    prices: Mapping[str, Any] | None = None,
    within: float | None = None,
    progress: Progress | None = None,
    closing: Closing | None = None,
) -> Selection:
    """Return the subsets of a recorded pool whose models complete each other, best first, and what to expect of them.

    Every subset is looked at, or proved not to be among the best. A model is *right* on a question by `correct`; it is
    *confidently wrong* if all its k samples gave one answer that is not the gold one. Contradiction counts the
    questions with both, over all questions.

    Args:
        recording: A pool's samples, with gold answers.
        sizes: Numbers of models per subset; the default is clipped to the pool.
        penalty: The cost of a contradiction, at least 0; the paper's lambda.
        correct: When a model is right: "unanimous" (all k samples gave the gold answer), "plurality" (its vote did), or
            "at_least:r" (at least r samples did).
        samples: k, or k by label: the first k recorded; `None` means all that were recorded.
        models: The models of the recording to choose from; `None` means all.
        keep: The most subsets of each size to return.
        folds: The parts of the nested held-out estimate.
        repeats: The number of splits into parts.
        seed: The random seed of its splits and resamples.
        same: Whether two answers are equal, the gold one included; without it answers are compared as recorded.
        missing: "error" refuses a question that was not recorded in full for every model, "drop" leaves it out.
        score: When a sample is right: "exact", "includes", "choice", "math", "recorded" or a function of the reply and
            gold; see `slmmux.answers.scored`. `None`: replies that are read as texts include gold, and other answers
            equal it. If "exact" and "includes" differ by more than two points for a model, the verdict gives both.
        time_limit: Seconds per size; past them the best subsets so far are returned, and `proved` and `bounds` say so.
        rule: The rule that decides. With more than "self-consistency" the rules up to it ("pooled", "learned",
            "learned-by-question") are fitted for the best subset of each size, and compared with each other and the
            best single model on questions that they have not seen. The rule asked for is the one served, `.best.rule`;
            with fewer than 100 questions `.best` is the single model if the rule's held-out gain is not above 0.
        embedding: The embedding by which "learned-by-question" compares questions: a LangChain `Embeddings`, a
            LlamaIndex `BaseEmbedding`, or a function: text -> vector. Without it questions are compared by their words,
            with scikit-learn (the extra `learned`).
        n_resamples: The halves of the questions on which models, rank and rule are chosen again for the 95 % interval
            of each gain; 0 leaves the intervals out. Each costs about one search and one fit per size.
        worth: The smallest gain worth the cost of a mux: the verdict is "do not mux" if the interval lies below it.
        no_answer: Answers that are none, such as "unknown": their samples abstain, here and in a mux that serves the
            selection. `.never_right` names candidates.
        prices: What a million tokens of each model cost, {label: {"input": 0.10, "output": 0.40}}; `None` means the
            prices in the recording. Without prices spending is counted in tokens, and without token counts in samples.
        within: Serve the cheapest subset whose accuracy is at most so many points below that of the most accurate one:
            `.within`. What it loses and saves is counted on questions that had no part in the choice.
        progress: Called with the number of resamples done and the number of all.
        closing: Called as a search goes on: with the size, the objective of the best subset so far, and the most that
            any subset of that size can have. When the two meet, the best one is proved.

    Returns:
        The selection; `.best.models`, `.verdict`.

    Raises:
        ArgumentError: If a size is larger than the pool, the penalty is below 0, the rule is unknown, or a k was not
            recorded; if the rule compares answers of different members but equality was no key; or if it is one by
            question, without the questions' texts or the extra `learned`.
        RecordingError: If there are no samples, samples are missing, or a question has no gold answer.

    Example:
        >>> from slmmux import Row
        >>> answers = {"a": "1144", "b": "1233", "c": "9944"}  # question by question; the gold answers are 1 2 3 4
        >>> rows = [
        ...     Row(question_id=f"q{q}", model=model, sample_index=i, answer=answer, gold=str(q + 1))
        ...     for model, given in answers.items() for q, answer in enumerate(given) for i in range(2)
        ... ]
        >>> selection = select_complementary(Recording.of(rows), sizes=[2])
        >>> selection.best.models, selection.best.union, selection.best.contradiction
        (('b', 'a'), 1.0, 0.75)
    """
    if not len(recording):  # a recording without samples is a recording all the same
        raise RecordingError("the recording holds no samples; record a pool first with `slmmux profile`")
    fingerprint, recording = recording.fingerprint, recording.abstaining(no_answer)
    if prices is not None:
        recording = recording.priced(_prices(prices, list(models or recording.models)))
    arrays = arrays_of(recording, models, samples, same=same, missing=missing, score=score)
    if prices is not None and arrays.tokens is None:
        warnings.warn(
            "prices are those of tokens, which are not recorded of every model: spending is counted in samples",
            stacklevel=2,
        )
    sizes_to_search = _sizes(sizes, len(arrays.models))
    _check(penalty, {"keep": keep, "folds": folds, "repeats": repeats}, n_resamples, worth)
    _check_rule(rule, recording, embedding)
    _check_within(within, rule)
    fitting = learners(rule, lambda: _texts(recording, arrays.questions), embedding)
    pool = PoolFigures(arrays, _right(arrays, correct), penalty, keep, time_limit)

    resamples = _Resamples(progress, n_resamples * len(sizes_to_search) * (1 if rule == SELF_CONSISTENCY else 2))
    by_size_all: dict[int, list[Subset]] = {}
    proved: dict[int, bool] = {}
    bounds: dict[int, float] = {}
    for size in sizes_to_search:
        subsets, proved[size], bounds[size] = pool.subsets(size, closing)
        choose, how = pool.chooser(size, folds * repeats)
        nested: _Nested = {"folds": folds, "repeats": repeats, "seed": seed, "n_resamples": n_resamples}
        estimate = held_out(arrays.votes, choose, **nested, progress=resamples.done)
        if estimate is not None:
            estimate = replace(estimate, search=how)
        best = _with_replays(replace(subsets[0], held_out=estimate), recording, same, arrays)
        if rule != SELF_CONSISTENCY:
            members = [arrays.models.index(model) for model in best.models]
            result = contest(arrays, rule, fitting, members, choose, **nested, progress=resamples.done)
            best = replace(
                best,
                contest=_chosen(result.estimates, how),
                rule=result.rule,
                fitted=result.fitted,
                foretold=result.foretold,
            )
        by_size_all[size] = [best, *subsets[1:]]
    ranking = sorted((s for subsets in by_size_all.values() for s in subsets), key=pool.order)
    by_size = {size: subsets[0] for size, subsets in by_size_all.items()}
    single = pool.subset(ScoredSubset((int(pool.accuracy.argmax()),), 0, 0))
    settings = recording.settings
    verdict = verdict_of(ranking[0], by_size, single, rule, questions=len(arrays.questions), worth=worth)
    to_serve = _to_serve(ranking[0], by_size, single, len(arrays.questions))
    near = None
    if within is not None:
        near = cheapest_within(
            arrays,
            pool.spending,
            unit_of(single),
            within,
            sizes_to_search,
            folds=folds,
            repeats=min(repeats, 5),
            seed=seed,
        )
        places = tuple(sorted(arrays.models.index(model) for model in near.models))
        kept = next((subset for subset in ranking if {*subset.models} == {*near.models}), None)
        to_serve = kept or pool.subset(ScoredSubset(places, 0, 0))
    return Selection(
        best=to_serve,
        by_size=by_size,
        ranking=tuple(ranking),
        single=single,
        verdict=verdict.sentence
        + parting(recording, arrays, models=models, samples=samples, same=same, missing=missing)
        + _failures(recording, arrays.models)
        + _left_out(by_size, proved, bounds),
        recommendation=verdict.recommendation,
        more_questions=verdict.more_questions,
        never_right=never_right(arrays),
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
        bounds=bounds,
        fingerprint=fingerprint,
        no_answer=tuple(no_answer),
        score=arrays.score,
        within=near,
    )


def _failures(recording: Recording, models: Sequence[str]) -> str:
    """Return a clause on the models of which many samples failed, if there are any: a failed sample counts as wrong."""
    clauses = []
    of = recording.columns.coded("model")
    for model in models:
        failures = recording.columns.failed[of.codes == of.values.index(model)]
        failed, count = int(failures.sum()), failures.size
        if failed > _TOLERATED * count:
            clauses.append(f"{failed:,} of {count:,} samples of {model} ({100 * failed / count:.1f} %)")
    if not clauses:
        return ""
    return (
        f"; {' and '.join(clauses)} failed and count as wrong: record them with `slmmux profile --retry-failed` first"
    )


def _chosen(estimates: Mapping[str, HeldOut] | None, how: HowChosen) -> dict[str, HeldOut] | None:
    return None if estimates is None else {name: replace(each, search=how) for name, each in estimates.items()}


def _left_out(by_size: Mapping[int, Subset], proved: Mapping[int, bool], bounds: Mapping[int, float]) -> str:
    """Return clauses on the searches that ran out of time, and on held-out figures that a beam search chose for."""
    clauses = [
        f"; not proved within the time for size {size}: the best subset has an objective of "
        f"{100 * by_size[size].objective:.1f} %, and none has more than {100 * bounds[size]:.1f} %"
        for size, is_proved in proved.items()
        if not is_proved
    ]
    beams = [
        str(size) for size, best in by_size.items() if best.held_out is not None and best.held_out.search == "beam"
    ]
    if beams:
        clauses.append(
            f"; for size {', '.join(beams)} the held-out figures are of models that a beam search chose in each fold, "
            "as exact searches would take longer than the choice"
        )
    return "".join(clauses)


class _Nested(TypedDict):
    """The arguments that the held-out estimates of all rules share, so that all see the same splits."""

    folds: int
    repeats: int
    seed: int
    n_resamples: int


class _Resamples:
    """Counts resamples over sizes and rules, so that whoever waits sees one number rise."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._count = 0

    def done(self) -> None:
        """Count one resample."""
        self._count += 1
        if self._progress is not None:
            self._progress(self._count, self._total)


def _to_serve(best: Subset, by_size: Mapping[int, Subset], single: Subset, questions: int) -> Subset:
    """Return the subset to serve: the best one, or the single model on few questions that do not prefer the rule.

    On so few a fitted rule is often worse than the single model, and the questions cannot show it. Self-consistency is
    served all the same: nothing of it is fitted, and the verdict says what is known.
    """
    if best.contest is None or questions >= _FEW or best.contest[best.rule].gain > 0:
        return best
    alone = next((subset for subset in by_size.values() if subset.models == single.models), single)
    return replace(alone, rule=SELF_CONSISTENCY)


def _with_replays(subset: Subset, recording: Recording, same: Same | None, arrays: Arrays) -> Subset:
    """Return a subset with its figures under the plans that are replayed, as no formula gives them."""
    k = {model: int(arrays.of[arrays.models.index(model)]) for model in subset.models}
    questions = arrays.questions[:: -(-len(arrays.questions) // _REPLAYED)]
    if len(questions) < len(arrays.questions):
        recording = recording.of_questions(questions)
    recording, prices = recording.without_texts(), prices_of(recording.settings)
    plans: tuple[Plan, ...] = ("adaptive",) if subset.cost is None else ("adaptive", "cheapest")
    for plan in plans:
        decisions = replay(recording, subset.models, k, plan=plan, same=same)
        drawn = [sample.draw for q in questions for sample in decisions[q].samples]
        subset = replace(subset, samples={**subset.samples, plan: len(drawn) / len(questions)})
        if subset.tokens is None:
            continue
        tokens = cost = 0.0
        for question in questions:
            by_model = recording.by_question[question]
            alone = {model: sample_tokens(by_model[model][: k[model]]) for model in subset.models}
            for draw in (sample.draw for sample in decisions[question].samples):
                sent, received = alone[draw.model][draw.index]
                tokens += sent + received
                if subset.cost is not None:
                    price = prices[draw.model]
                    cost += price.cost({"input_tokens": sent}) + received * price.cost({"output_tokens": 1})
        subset = replace(subset, tokens={**subset.tokens, plan: tokens / len(questions)})
        if subset.cost is not None:
            subset = replace(subset, cost={**subset.cost, plan: cost / len(questions)})
    return subset


def _prices(prices: Any, models: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the prices that were passed, each as a recording keeps it.

    Raises:
        ArgumentError: One cannot be read, or a model has none: figures of a part would look like those of the whole.
    """
    if not isinstance(prices, Mapping):
        raise ArgumentError(
            f'prices must name the price of each model, received {prices!r}; write prices={{label: {{"input": 0.10, '
            '"output": 0.40}}, per million tokens'
        )
    plain = {label: Price.of(price, f"prices[{label!r}]").plain() for label, price in prices.items()}
    if absent := [model for model in models if model not in prices]:
        near = did_you_mean(absent[0], [label for label in prices if label not in models])
        raise ArgumentError(
            f"prices does not name {', '.join(map(repr, absent))}; {near and near + ' '}give every model its price "
            '(of a model on your own machine, {"input": 0, "output": 0}), or leave it out with models='
        )
    return plain


def _check_within(within: float | None, rule: Rule) -> None:
    if within is None:
        return
    if not 0 <= within < 100:  # noqa: PLR2004 - points
        raise ArgumentError(f"within must be points of accuracy, at least 0 and below 100, received {within!r}")
    if rule != SELF_CONSISTENCY:
        raise ArgumentError(
            f"within chooses by the accuracy of self-consistency, received rule={rule!r}; leave one of them out"
        )


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
        f'correct must be "unanimous", "plurality" or "at_least:2" with the samples that suffice, received {correct!r}'
    )


def _sizes(sizes: Iterable[int], pool: int) -> list[int]:
    sizes_to_search = sorted(set(sizes))
    if sizes is _SIZES:
        return [size for size in sizes_to_search if size <= pool]
    if not sizes_to_search:
        raise ArgumentError("sizes is empty; name at least one number of models, such as (1, 2, 3)")
    for size in sizes_to_search:
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ArgumentError(f"sizes holds {size!r}; a size is a whole number of models, at least 1")
        if size > pool:
            raise ArgumentError(f"sizes holds {size}, but the pool has {pool} models; ask for at most {pool}")
    return sizes_to_search


def _check(penalty: float, counts: Mapping[str, int], n_resamples: int, worth: float) -> None:
    if not isfinite(penalty) or penalty < 0:
        raise ArgumentError(f"penalty must be a number of at least 0, received {penalty!r}; the paper's is 1")
    least = {"keep": 1, "folds": 2, "repeats": 1}
    for name, value in counts.items():
        if value < least[name]:
            raise ArgumentError(f"{name} must be at least {least[name]}, received {value!r}")
    if not isinstance(n_resamples, int) or isinstance(n_resamples, bool) or n_resamples < 0 or n_resamples == 1:
        raise ArgumentError(
            f"n_resamples must be a whole number of at least 2, or 0 for no interval, received {n_resamples!r}; 50 is "
            "usual"
        )
    if not 0 <= worth < 1:
        raise ArgumentError(
            f"worth must be a share of at least 0 and below 1, received {worth!r}; for a point write 0.01"
        )


def _texts(recording: Recording, questions: Sequence[str]) -> list[str]:
    texts: list[str] = []
    for question in questions:
        text = question_of(recording.by_question[question])
        if not text:
            raise RecordingError(
                f'rule="learned-by-question" goes by the text of a question, and {question!r} has none; '
                'record it as "question", or ask for rule="learned"'
            )
        texts.append(text)
    return texts


def _check_rule(rule: Rule, recording: Recording, embedding: Any) -> None:
    if rule not in RULES:
        raise ArgumentError(f"rule={rule!r} does not exist; write one of {', '.join(map(repr, RULES))}")
    if embedding is not None and rule != "learned-by-question":
        raise ArgumentError(
            f'embedding is for rule="learned-by-question", received rule={rule!r}; ask for that rule, or leave it out'
        )
    if rule != SELF_CONSISTENCY and group_of(recording) is not None:
        raise ArgumentError(
            f"rule={rule!r} compares answers of different members, and this recording's were compared by "
            f"agreement={recording.settings['agreement']!r}, each member's among themselves; leave the rule at "
            f'"{SELF_CONSISTENCY}", or record with agreement="canonical"'
        )
