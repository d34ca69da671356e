"""The nouns of the core: draws, answers, samples, votes and decisions, all frozen.

This file decides nothing. It does not know models, frameworks or clocks.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias, TypeVar

__all__ = ["Answer", "DecidedBy", "Decision", "Draw", "Draws", "Reason", "Sample", "Vote", "text_of"]

R = TypeVar("R")

DecidedBy = Literal["confidence", "tie-break", "rank"]
Reason = Literal["settled", "risk", "exhausted", "first-round", "deadline", "budget"]


@dataclass(frozen=True, slots=True)
class Draw:
    """The request for one sample: a member's label and the sample's index, 0 to k - 1.

    Example:
        >>> Draw("qwen", 0)
        Draw(model='qwen', index=0)
    """

    model: str
    index: int


Draws: TypeAlias = tuple[Draw, ...]  # the draws of one request, all of one member


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that an extractor read in a reply.

    Two answers are equal exactly if their `kind` and their `key` are; `value` is only displayed.

    Attributes:
        value: The answer as the model wrote it: text, or any JSON value.
        kind: The extractor that read it ("boxed", "number", ...); answers of different kinds are never equal.
        key: The canonical form.
        fields: The fields that the key is made of, if the answer is an object or tool calls; see `decisive`.

    Example:
        >>> Answer("1,234", "number", "1234") == Answer("1234", "number", "1234")
        True
    """

    value: Any
    kind: str
    key: str
    fields: tuple[str, ...] = field(default=(), repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Answer):
            return NotImplemented
        return (self.kind, self.key) == (other.kind, other.key)

    def __hash__(self) -> int:
        return hash((self.kind, self.key))


@dataclass(frozen=True, slots=True)
class Sample(Generic[R]):
    """The result of one draw: a reply and its answer, or the error of the call.

    Attributes:
        draw: The draw.
        reply: The framework's own reply; `None` if the call failed.
        answer: The answer in the reply; `None` if the reply contains none (the sample abstains) or the call failed.
        error: The reason why the call failed; `None` if a reply arrived.
        alike: The earlier samples of this member that agree with this one: their indices, each with a similarity from
            0 to 1. Empty if answers are compared by their keys.
        is_unread: Whether the reply abstains because it could not be read before the deadline.
    """

    draw: Draw
    reply: R | None = None
    answer: Answer | None = None
    error: BaseException | None = None
    alike: Mapping[int, float] = field(default_factory=dict)
    is_unread: bool = False


@dataclass(frozen=True, slots=True)
class Vote:
    """A member's most frequent answer, and how its k samples are distributed.

    `count` + the samples with its other answers + `abstained` + `failed` + `unused` = `of` = k.

    Attributes:
        model: The member's label.
        answer: The most frequent answer as the model wrote it; `None` if none of its replies contains an answer.
        count: The number of samples with this answer.
        of: k, the number of samples planned for this member, whether or not all were requested.
        abstained: The number of replies without an answer.
        failed: The number of calls that failed.
        unused: The number of samples that were never requested, or were still outstanding at the decision.
        kind: The extractor that read the answer, or `None`.
        answers: Every answer of this member with its number of samples, most frequent first; equal counts are ordered
            by the lower sample index.
        fields: The fields that were voted on, if the answer is an object or tool calls.
        score: With another confidence than self-consistency: the sum of the scores of the samples with the answer,
            divided by k.

    Example:
        >>> Vote("qwen", "4", count=2, of=3, abstained=1, failed=0, unused=0).confidence
        0.6666666666666666
    """

    model: str
    answer: Any
    count: int
    of: int
    abstained: int
    failed: int
    unused: int
    kind: str | None = None
    answers: tuple[tuple[Any, int], ...] = ()
    fields: tuple[str, ...] = ()
    score: float | None = None

    @property
    def confidence(self) -> float:
        """Self-consistency: `count / of`, between 0 and 1 (Algorithm 1, `s_i`); or the score, if samples have one."""
        return self.count / self.of if self.score is None else self.score


@dataclass(frozen=True, slots=True)
class Decision(Generic[R]):
    """The member that speaks, and why.

    Attributes:
        winner: The winning vote. A rule that weighs all members together can choose an answer that is not the most
            frequent one of the member that speaks; `answer` and `count` are then those of the chosen answer.
        votes: One vote for each member in rank order, including members that were never asked.
        reply: The winner's own reply: its sample of the lowest index that contains the answer.
        sample: The draw of this reply.
        decided_by: "confidence" if one vote had the highest confidence (or score), "tie-break" if several had and the
            rank decided, "rank" if no reply contained an answer.
        reason: Why sampling ended.
        samples: Every sample that arrived before the decision, in the order of rank and index.
        unused: The draws that were never requested, or were still outstanding at the decision.
        abandoned: The requests that were running at the decision, each as its draws. They are paid for, and their
            samples are among the unused ones.
        retried: The calls that were made again after a fault that passes, by member; those that a member's own client
            made again are not among them.
        silent: The members that brought nothing by the deadline although a call of theirs ran for half of it and more.
        probability: The probability that the answer is right, by a learned rule; `None` without such a rule, or if
            samples are missing.
        seconds: The time from the first request to the decision; `None` in a replay, which has no clock.
    """

    winner: Vote
    votes: tuple[Vote, ...]
    reply: R
    sample: Draw
    decided_by: DecidedBy
    reason: Reason
    samples: tuple[Sample[R], ...]
    unused: Sequence[Draw]
    probability: float | None = None
    seconds: float | None = None
    abandoned: tuple[Draws, ...] = ()
    retried: Mapping[str, int] = field(default_factory=dict)
    silent: tuple[str, ...] = ()


def text_of(answer: object) -> str:
    """Return the text by which a rule knows an answer: the same for a recorded answer and for one that is read live.

    Example:
        >>> text_of(Answer("Unknown", "recorded", '"Unknown"')), text_of(Answer("unknown.", "text", "unknown"))
        ('unknown', 'unknown')
    """
    text = str(answer)
    if isinstance(answer, Answer):
        # An answer recorded without a key stands as JSON there, in quotes; a live one is read without them.
        is_plain = isinstance(answer.value, str) and answer.key == json.dumps(answer.value)
        text = answer.value if is_plain else answer.key
    return text.strip().casefold()
