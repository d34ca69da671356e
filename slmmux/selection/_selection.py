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
from slmmux.selection._threshold import Threshold, threshold

__all__ = ["Profiled", "Selection", "Subset"]


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
        score: The form of scoring; see `slmmux.answers.scored`.
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
    score: str = "exact"

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
            >>> from slmmux import Recording, Row, select_complementary
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
            OSError: The file cannot be written; an existing file stays as it was.
        """
        # Rules and what they foretold are large: each once, with the best subset of its size.
        bare = replace(self, best=_bare(self.best), ranking=tuple(map(_bare, self.ranking)))
        write_whole(path, _FILE.dump_json(_File(1, bare), indent=1) + b"\n")

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
