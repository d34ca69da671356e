"""What the methods were worth: accuracy by both forms of scoring, cost, latency, and gains with paired intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median

from slmmux._decision.types import Answer
from slmmux.answers import right, scored
from slmmux.compare._methods import Outcome
from slmmux.profiling import Question
from slmmux.recording import Row

__all__ = ["Comparison", "Gain", "MethodResult", "result_of"]

_Z = 1.959963984540054  # of 95 %


@dataclass(frozen=True, slots=True)
class Gain:
    """A difference of two methods' shares of right answers on the same questions.

    Attributes:
        points: The difference, as a share from -1 to 1.
        low: The lower end of its 95 % interval.
        high: The upper end.
    """

    points: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method on all questions.

    Attributes:
        method: Its name; "single:LABEL" is a member alone.
        includes: [question] whether the reply plainly says the gold answer.
        exact: [question] whether the answer read in the reply is the gold one.
        calls: Calls per question.
        tokens: Tokens per question, of requests and replies; `None` if a member does not report them.
        seconds: The median time of a question if the calls of one stage run at once; `None` if it is not recorded.
    """

    method: str
    includes: tuple[bool, ...]
    exact: tuple[bool, ...]
    calls: float
    tokens: float | None
    seconds: float | None

    def accuracy(self, score: str = "includes") -> float:
        """Return the share of right answers by "includes" or "exact"."""
        flags = self.flags(score)
        return sum(flags) / len(flags)

    def gain_over(self, other: "MethodResult", score: str = "includes") -> Gain:
        """Return the gain over another method on the same questions, with its 95 % interval.

        With b questions right by this method only and c by the other only, of n, the gain is (b - c) / n. The interval
        is Wald's for paired shares with half a question added to each of the four cells (Agresti and Min, 2005), which
        covers on few questions too and never has zero width.
        """
        pairs = list(zip(self.flags(score), other.flags(score), strict=True))
        wins, losses = pairs.count((True, False)), pairs.count((False, True))
        n, b, c = len(pairs) + 2, wins + 0.5, losses + 0.5
        middle, half = (b - c) / n, _Z * sqrt(b + c - (b - c) ** 2 / n) / n
        return Gain((wins - losses) / len(pairs), max(-1.0, middle - half), min(1.0, middle + half))

    def flags(self, score: str = "includes") -> tuple[bool, ...]:
        """Return, for each question, whether the method is right by "includes" or "exact"."""
        return self.exact if score == "exact" else self.includes


@dataclass(frozen=True, slots=True)
class Comparison:
    """Methods on the same members and questions.

    Attributes:
        models: The members, by rank.
        questions: The number of questions.
        methods: The results, in the order that was asked for.
    """

    models: tuple[str, ...]
    questions: int
    methods: tuple[MethodResult, ...]

    def best_single(self, score: str = "includes") -> MethodResult | None:
        """Return the member that is most often right on these very questions; `None` if "single" was not compared.

        It is chosen on the questions that it is measured on, so a gain over it is understated.
        """
        singles = [result for result in self.methods if result.method.startswith("single:")]
        return max(singles, key=lambda result: result.accuracy(score), default=None)


def result_of(method: str, outcomes: Mapping[str, Outcome], questions: Sequence[Question]) -> MethodResult:
    """Return the result of a method from its outcomes."""
    ordered = [outcomes[question.question_id] for question in questions]
    rows = [row for outcome in ordered for stage in outcome.stages for row in stage]
    seconds = [_seconds(outcome) for outcome in ordered]
    known = [each for each in seconds if each is not None]
    return MethodResult(
        method,
        tuple(_includes(outcome, question) for outcome, question in zip(ordered, questions, strict=True)),
        tuple(_exact(outcome.answer, question) for outcome, question in zip(ordered, questions, strict=True)),
        len(rows) / len(questions),
        _tokens(rows, len(questions)),
        median(known) if known else None,
    )


def _includes(outcome: Outcome, question: Question) -> bool:
    if not outcome.text:
        return False
    return scored(outcome.text, question.gold, "includes", question=question.question, answer=outcome.answer)


def _exact(answer: Answer | None, question: Question) -> bool:
    return answer is not None and right(answer, question.gold, question=question.question)


def _tokens(rows: Sequence[Row], questions: int) -> float | None:
    if not any(row.output_tokens is not None for row in rows):
        return None
    return sum((row.input_tokens or 0) + (row.output_tokens or 0) for row in rows) / questions


def _seconds(outcome: Outcome) -> float | None:
    """Return the time of a question: of each stage, that of its slowest call."""
    latencies = [[row.latency_s for row in stage if row.latency_s is not None] for stage in outcome.stages]
    return sum(map(max, latencies)) if latencies and all(latencies) else None
