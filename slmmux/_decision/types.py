"""What the core talks about: draws, answers, samples, votes and decisions, all frozen.

Nothing here decides anything, and nothing here knows a model, a framework or a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

__all__ = ["Answer", "DecidedBy", "Decision", "Draw", "Reason", "Sample", "Vote"]

R = TypeVar("R")

DecidedBy = Literal["confidence", "tie-break", "rank"]
Reason = Literal["settled", "exhausted", "first-round", "deadline", "budget"]


@dataclass(frozen=True, slots=True)
class Draw:
    """The request for one sample: a member's label and the sample's index, 0 to k - 1.

    Example:
        >>> Draw("qwen", 0)
        Draw(model='qwen', index=0)
    """

    model: str
    index: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What an extractor read in a reply.

    Two answers are equal exactly when `kind` and `key` are; `value` is only what is shown.

    Attributes:
        value: The answer as it was read: text, or any JSON value.
        kind: Which reading it was ("boxed", "number", ...); answers of different kinds are never equal.
        key: Its canonical form.

    Example:
        >>> Answer("1,234", "number", "1234") == Answer("1234", "number", "1234")
        True
    """

    value: Any
    kind: str
    key: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Answer):
            return NotImplemented
        return (self.kind, self.key) == (other.kind, other.key)

    def __hash__(self) -> int:
        return hash((self.kind, self.key))


@dataclass(frozen=True, slots=True)
class Sample(Generic[R]):
    """What came back for one draw: a reply with its answer (`None`: it abstains), or an error.

    Attributes:
        draw: What was asked.
        reply: The framework's own reply; `None` when the call failed.
        answer: What was read in the reply; `None` when nothing was, or when the call failed.
        error: Why the call failed; `None` when a reply came.
        alike: Which of the member's earlier samples agree with this one, by index, and how much (0 to 1): the verdicts
            of an equality that is no key. Empty where answers are compared by their keys.
    """

    draw: Draw
    reply: R | None = None
    answer: Answer | None = None
    error: BaseException | None = None
    alike: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vote:
    """A member's most frequent answer and how its k samples fell.

    `count` + the samples for its other answers + `abstained` + `failed` + `unused` = `of` = k.

    Attributes:
        model: The member's label.
        answer: The answer as shown, or `None` when none was read.
        count: Samples that gave it.
        of: k, the samples planned for this member, never fewer.
        abstained: Replies in which no answer was found.
        failed: Calls that failed.
        unused: Samples never asked, or no longer waited for.
        kind: Which reading the answer came from, or `None`.
        answers: What its samples said: each answer as shown and how many gave it, most frequent first, equal ones by
            the lower index.

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

    @property
    def confidence(self) -> float:
        """Self-consistency: `count / of`, between 0 and 1 (Algorithm 1, `s_i`)."""
        return self.count / self.of


@dataclass(frozen=True, slots=True)
class Decision(Generic[R]):
    """Which member speaks, and why.

    Attributes:
        winner: The winning vote. Under a rule that weighs all members together, the speaking member's samples for the
            answer that won, which need not be the answer it gave most.
        votes: One vote for each member in rank order, asked or not.
        reply: The winner's own reply: the lowest-index sample that gave its answer.
        sample: The draw that reply belongs to.
        decided_by: "confidence" when it (or the rule's score) was highest alone, "tie-break" when the rank decided
            among equals, "rank" when no answer was read in any reply.
        reason: Why sampling ended.
        samples: Every sample that came back in time, by rank and index.
        unused: The draws never asked or no longer waited for.
        probability: That the answer is right, by a learned rule and all planned samples; `None` without either.
        seconds: What it took; `None` where nobody looked at a clock.
    """

    winner: Vote
    votes: tuple[Vote, ...]
    reply: R
    sample: Draw
    decided_by: DecidedBy
    reason: Reason
    samples: tuple[Sample[R], ...]
    unused: tuple[Draw, ...]
    probability: float | None = None
    seconds: float | None = None
