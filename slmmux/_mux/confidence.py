"""Other confidences than self-consistency: where the score of a sample comes from.

- "logprob": exp of the mean log-probability of the reply's tokens, as the server reports them;
- "verbalised": the model is asked how sure it is, and the line with its statement is taken out of the text;
- "judge": a model rates each different answer of each member (`judging`);
- a function of the reply's text, such as a reward model: a number from 0 to 1.

`slmmux._decision.scored` counts with the scores. This file does not know the frameworks.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from math import exp, fsum
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, get_args

from slmmux._decision.scored import by_scores
from slmmux._decision.types import Decision, Draw
from slmmux._errors import ArgumentError, did_you_mean

__all__ = [
    "CONSISTENCY",
    "INSTRUCTION",
    "REWARD",
    "ConfidenceLike",
    "ConfidenceName",
    "Scores",
    "check_confidence",
    "confidence_name",
    "fraction_of",
    "logprobs_in",
    "mean_probability",
    "reward_of",
    "without_statement",
]

R = TypeVar("R")

ConfidenceName = Literal["consistency", "logprob", "verbalised", "judge"]
ConfidenceLike: TypeAlias = ConfidenceName | Callable[[str], float]

CONSISTENCY: Literal["consistency"] = "consistency"
REWARD = "reward"  # the name of a function's score

INSTRUCTION = (
    "After your answer, write one last line of this form, with how sure you are that the answer is right: "
    "Confidence: 0 to 100 %"
)

_STATEMENT = re.compile(
    r"(?:^|\s)[*_`(\[]*confidence(?: level| score)?[*_`]*\s*[:=]\s*[*_`]*\s*"
    r"(?P<number>\d+(?:[.,]\d+)?)\s*(?P<of>%|percent|per cent|/\s*100?)?[*_`)\].]*\s*$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,-])(?P<number>\d+(?:[.,]\d+)?)\s*(?P<of>%|percent|per cent|/\s*100?)?(?!\w)")
_PERCENT = 100


class ConfidenceOptions(Protocol):
    """The options that any mux has."""

    confidence: Any
    judge: Any
    rule: Any
    agreement: Any


def check_confidence(mux: ConfidenceOptions, labels: Collection[str]) -> None:
    """Check that a mux can score its samples like this.

    Raises:
        ArgumentError: There is no such confidence; the rule or the agreement does not count by scores; a judge that is
            not needed, or is no member.
    """
    confidence = mux.confidence
    names = get_args(ConfidenceName)
    if confidence == REWARD:
        raise ArgumentError(
            'confidence="reward" names no function; pass the function itself: text -> score from 0 to 1'
        )
    if not callable(confidence) and confidence not in names:
        near = did_you_mean(str(confidence), names)
        raise ArgumentError(
            f"confidence={confidence!r} does not exist; {near and near + ' '}write one of "
            f"{', '.join(map(repr, names))}, or pass a function: text -> score from 0 to 1"
        )
    if mux.judge is not None and confidence != "judge":
        raise ArgumentError(f'judge= is used by confidence="judge" alone, received confidence={confidence!r}')
    if isinstance(mux.judge, str) and mux.judge not in labels:
        raise ArgumentError(
            f"judge={mux.judge!r} is no member; the members are {', '.join(map(repr, labels))}, or pass another model"
        )
    if confidence == CONSISTENCY:
        return
    if mux.rule != "self-consistency":
        raise ArgumentError(
            f"confidence={confidence_name(confidence)!r} ranks members by their scores, and another rule counts "
            'samples; leave the rule out, or write confidence="consistency"'
        )
    if mux.agreement != "canonical":
        raise ArgumentError(
            f'confidence={confidence_name(confidence)!r} needs answers with a key; write agreement="canonical", '
            f"received agreement={mux.agreement!r}"
        )


def confidence_name(confidence: Any) -> str:
    """Return the name of a confidence in records and recordings.

    Example:
        >>> confidence_name("logprob"), confidence_name(len)
        ('logprob', 'reward')
    """
    return REWARD if callable(confidence) else str(confidence)


def logprobs_in(report: Any) -> list[float] | None:
    """Return the tokens' log-probabilities in a report of OpenAI's form, or in Ollama's list; `None` without any.

    Example:
        >>> logprobs_in({"content": [{"token": "4", "logprob": -0.5}]}), logprobs_in(None)
        ([-0.5], None)
    """
    entries = report.get("content") if isinstance(report, Mapping) else report
    if not isinstance(entries, list):
        return None
    values = [entry.get("logprob") for entry in entries if isinstance(entry, Mapping)]
    return [float(value) for value in values if isinstance(value, int | float)] or None


def mean_probability(logprobs: Iterable[float] | None) -> float | None:
    """Return exp of the mean of tokens' log-probabilities, from 0 to 1; `None` without tokens.

    Example:
        >>> round(mean_probability([-0.1, -0.3]), 4), mean_probability([])
        (0.8187, None)
    """
    # A server may report -inf, or a sentinel far below any probability, for a token it did not choose itself.
    values = [max(float(each), -100.0) for each in logprobs or () if each == each]  # noqa: PLR0124 - NaN is no number
    return min(1.0, exp(fsum(values) / len(values))) if values else None


def without_statement(text: str) -> tuple[str, float | None]:
    r"""Return a reply without its last line on how sure it is, and that confidence; `None` if there is no such line.

    Example:
        >>> without_statement("It is 4.\nConfidence: 85 %")
        ('It is 4.', 0.85)
        >>> without_statement("My confidence grew.")
        ('My confidence grew.', None)
    """
    match = _STATEMENT.search(text)
    share = None if match is None else _share(match["number"], match["of"])
    return (text, None) if match is None or share is None else (text[: match.start()].rstrip(), share)


def fraction_of(text: str) -> float | None:
    """Return the rating from 0 to 1 in a judge's reply: its first number; `None` without one.

    Example:
        >>> fraction_of("85"), fraction_of("I rate it 7/10."), fraction_of("very good")
        (0.85, 0.7, None)
    """
    shares = (_share(match["number"], match["of"] or "%") for match in _NUMBER.finditer(text))
    return next((share for share in shares if share is not None), None)


def _share(number: str, of: str | None) -> float | None:
    """Return a number as a share of 1; a bare one above 1 is in per cent, and one out of range is no share."""
    value = float(number.replace(",", "."))
    whole = 10 if of and of.endswith("10") else _PERCENT if of or value > 1 else 1
    return value / whole if value <= whole else None


def reward_of(function: Callable[[str], float], text: str) -> float:
    """Return a function's score of a reply.

    Raises:
        ArgumentError: It is no number from 0 to 1.
    """
    score = function(text)
    try:
        number = float(score)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise ArgumentError(
            f"confidence= expected a score from 0 to 1 for a reply, received {score!r}; a reward on another scale "
            "becomes one by 1 / (1 + exp(-reward))"
        )
    return number


class Scores(Generic[R]):
    """The scores of one question's replies, noted as they are read and looked up when all are in.

    They are kept by the replies themselves, because a reply is read without its draw, and on any thread.
    """

    def __init__(self) -> None:
        self._by_reply: dict[int, tuple[R, float]] = {}

    def note(self, reply: R, score: float | None) -> None:
        """Keep a reply's score, if it has one."""
        if score is not None:
            self._by_reply[id(reply)] = reply, score  # the reply stays alive, so that no other one gets its id

    def settle(self, decision: Decision[R], judged: Mapping[Draw, float] | None = None) -> Decision[R]:
        """Return the decision by the scores."""
        noted = {
            sample.draw: self._by_reply[id(sample.reply)][1]
            for sample in decision.samples
            if id(sample.reply) in self._by_reply
        }
        return by_scores(decision, {**noted, **(judged or {})})
