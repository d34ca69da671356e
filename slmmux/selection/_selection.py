"""A selection: the ranked subsets of a pool, saved as JSON and loaded again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from slmmux._errors import ArgumentError
from slmmux._files.write import write_whole
from slmmux.selection._contest import Fitted, Foretold, Rule
from slmmux.selection._held_out import SELF_CONSISTENCY, HeldOut
from slmmux.selection._spending import Within, front_of
from slmmux.selection._threshold import Threshold, threshold

__all__ = ["Profiled", "Selection", "Subset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """One model of the pool, as it was profiled.

    Attributes:
        accuracy: The share of questions that its vote is right on (self-consistency over its k samples), in-sample.
        samples: k.
        settings: The settings it was asked with: temperature and the like.
    """

    accuracy: float
    samples: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """Some models of the pool, and their figures together; shares of questions, 0 to 1.

    All figures but `held_out`, `contest` and `foretold` are in-sample: measured on the questions that chose the models.

    Attributes:
        models: Their labels, best first: the rank.
        objective: union - penalty x contradiction.
        union: The questions on which some model is right, by the rule of `correct`.
        contradiction: The questions on which some model is confidently wrong and some model is right.
        floor: Union - contradiction with "right" as unanimous: Algorithm 1 is never below it on these samples.
        ceiling: Union with "right" as the vote: Algorithm 1 is never above it.
        accuracy: The accuracy of Algorithm 1, replayed.
        samples: Samples per question, by plan; for "parallel" all that are asked, before any is cancelled. "adaptive"
            is replayed, on 2,000 of the questions if there are more, so it is there for the best subset of each size
            only.
        tokens: Tokens per question, by plan; `None` if they were not recorded.
        cost: What these tokens cost per question, by plan; `None` if they, or the price of a member, are not known.
        held_out: On the best subset of each size, the figures of choosing that many models by self-consistency, on
            questions that had no part in the choice.
        contest: On the best subset of each size, if a rule was asked for: the same of each rule up to it, by name, and
            of the best single model as "single". Few repeats.
        rule: The rule that decides: the one asked for, or "self-consistency" if it could not be fitted.
        fitted: By name, the rules of these models that were fitted on all questions.
        foretold: The probabilities of `rule` on questions that it had not seen, if it is a fitted one.
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
    cost: Mapping[str, float] | None = None

    def per_right(self) -> dict[str, dict[str, float]]:
        """Return samples, tokens and cost per right answer, by unit and plan, as far as they are known.

        These are the figures per question / the accuracy, in-sample. "first_round" is left out: it can change answers,
        so that its accuracy is another.

        Example:
            >>> from slmmux import Recording, select_complementary
            >>> recording = Recording.load("cookbook/data/samples.jsonl.gz")
            >>> pair = select_complementary(recording, sizes=[2], repeats=1, n_resamples=0).best
            >>> pair.per_right()["tokens"]["cascade"] > pair.tokens["cascade"]
            True
        """
        units = {"samples": self.samples, "tokens": self.tokens, "cost": self.cost}
        return {
            unit: {plan: amount / self.accuracy for plan, amount in figures.items() if plan != "first_round"}
            for unit, figures in units.items()
            if figures is not None and self.accuracy > 0
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The ranked subsets of a pool, made by `select_complementary()` or `Selection.load(path)`.

    Attributes:
        best: The subset to serve. The best by objective, then union, then fewer models, then cheaper, then name; the
            single model if a rule was asked for, there are fewer than 100 questions, and they do not prefer the rule.
        by_size: The best subset of each size.
        ranking: The subsets that were kept, best first.
        single: The best single model with self-consistency, which a mux has to beat.
        verdict: Whether to mux, in a sentence that begins with the words of `recommendation`.
        models: The pool, by label.
        questions: The number of questions that it was chosen on.
        correct: The rule of "right".
        penalty: The cost of a contradiction.
        extractor: The extractor that read the answers; `None` if the recording does not name it.
        agreement: The way answers were compared.
        system_prompt: The system prompt before every question.
        proved: By size, whether nothing better exists; False if the search ran out of time.
        bounds: By size, the most that the objective of any subset can be: that of the best one if it is proved. Empty
            in the file of an older version.
        fingerprint: The fingerprint of the recording.
        recommendation: "mux" if the whole interval of the held-out gain is above 0, "do not mux" if it is below the
            smallest gain worth the cost, else "cannot tell yet"; `None` in the file of an older version.
        more_questions: With "cannot tell yet", about how many more questions would tell; `None` if no number would.
        never_right: Answers that are common and were never right, most frequent first: likely no answers, as
            "unknown" is. If they are, select again with `no_answer=`.
        no_answer: Answers whose samples abstain.
        score: The form of scoring; see `slmmux.answers.scored`.
        within: If `within` was asked for, the cheapest subset within so many points of the most accurate one, which is
            then the subset to serve, and held-out figures of choosing so.
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
    recommendation: Literal["mux", "do not mux", "cannot tell yet"] | None = None
    more_questions: int | None = None
    never_right: tuple[str, ...] = ()
    no_answer: tuple[str, ...] = ()
    score: str = "exact"
    within: Within | None = None
    bounds: Mapping[int, float] = field(default_factory=dict)

    @property
    def front(self) -> tuple[Subset, ...]:
        """The kept subsets that no other one beats in accuracy and spending at once, cheapest first.

        Both are in-sample. Spending is the cost of a question by plan="cascade", or its tokens or samples if prices or
        tokens are not known.
        """
        return front_of((*self.ranking, self.single))

    def of_size(self, size: int | None = None) -> Subset:
        """Return the best subset of a size; `None` means the subset to serve.

        Raises:
            ArgumentError: If the size was not looked at.
        """
        if size is None:
            return self.best
        if size not in self.by_size:
            raise ArgumentError(f"size {size} was not looked at; the selection has {sorted(self.by_size)}")
        return self.by_size[size]

    def threshold(
        self,
        *,
        target_accuracy: float | None = None,
        budget: float | None = None,
        confidence: float = 0.9,
        size: int | None = None,
    ) -> Threshold:
        """Return the probability from which on to answer, with a promise for questions not seen yet.

        The probability is the fitted rule's, which the result names as `.rule`. p is for `abstain_below` or
        `escalate_below`. The promise is kept with the stated confidence, although p is chosen among many: see
        `Threshold.bound`.

        Args:
            target_accuracy: The accuracy to keep: p is the lowest whose answered questions keep it.
            budget: The share of the questions that may be given up (abstained on, or escalated): p is the highest that
                gives up no more.
            confidence: The confidence of the promise, between 0 and 1.
            size: The size of the subset; `None` means the subset to serve.

        Raises:
            ArgumentError: If both or neither of accuracy and budget are passed, one is not above 0 and at most 1, the
                confidence is not between 0 and 1, no probability keeps the accuracy, the size was not looked at, or the
                selection has no fitted rule.

        Example:
            >>> from slmmux import Recording, Row, select_complementary
            >>> answers = {"a": ["11"] * 60 + ["12"] * 60, "b": ["22", "11", "13", "11"] * 30}  # the gold answer is 1
            >>> recording = Recording.of(
            ...     Row(question_id=f"q{q:03}", model=model, sample_index=i, answer=answer, gold="1")
            ...     for model, pairs in answers.items()
            ...     for q, both in enumerate(pairs)
            ...     for i, answer in enumerate(both)
            ... )
            >>> selection = select_complementary(recording, sizes=[2], rule="learned", repeats=5, n_resamples=0)
            >>> result = selection.threshold(target_accuracy=0.9)
            >>> result.rule, result.accuracy >= result.bound >= 0.9, result.confidence
            ('learned', True, 0.9)
            >>> result.p >= selection.threshold(target_accuracy=0.6).p
            True
            >>> selection.threshold(budget=0.2).answered >= 0.8
            True
        """
        subset = self.of_size(size)
        foretold = subset.foretold
        if foretold is None:
            raise ArgumentError(
                f"the selection holds no probabilities of a fitted rule for {' + '.join(subset.models)}; make it with "
                'select_complementary(..., rule="learned"), and on more questions if it was'
            )
        return threshold(
            foretold.probability,
            foretold.right,
            target_accuracy=target_accuracy,
            budget=budget,
            confidence=confidence,
            rule=foretold.rule,
            served=foretold.served,
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as JSON, over a file that is there.

        Raises:
            OSError: If the file cannot be written; an existing file stays as it was.
        """
        # Rules and their probabilities are large: each is written once, with the best subset of its size.
        bare = replace(self, best=_bare(self.best), ranking=tuple(map(_bare, self.ranking)))
        write_whole(path, _FILE.dump_json(_File(1, bare), indent=1) + b"\n")

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Selection":
        """Read a selection that `save` wrote.

        Raises:
            ArgumentError: If the file is no selection; says where.
            OSError: If the file cannot be read.
        """
        try:
            loaded = _FILE.validate_json(Path(path).read_bytes()).selection
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise ArgumentError(
                f"{path} is no selection: {where}: {first['msg']}; make one with `slmmux select` or Selection.save()"
            ) from None
        by_models = {subset.models: subset for subset in loaded.by_size.values()}
        ranking = tuple(by_models.get(subset.models, subset) for subset in loaded.ranking)
        # `best` has a rule of its own: on few questions the single model is served without one.
        best = replace(by_models.get(loaded.best.models, loaded.best), rule=loaded.best.rule)
        return replace(loaded, best=best, ranking=ranking)


def _bare(subset: Subset) -> Subset:
    return replace(subset, fitted={}, foretold=None)


@dataclass(frozen=True, slots=True)
class _File:
    """A selection as a file: its version first."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    slmmux_selection: Literal[1]
    selection: Selection


_FILE = TypeAdapter(_File)
