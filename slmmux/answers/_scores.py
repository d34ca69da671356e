"""The forms of scoring by their names: whether a reply is right, by its answer or by what it says."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from slmmux._decision.types import Answer
from slmmux._errors import ArgumentError
from slmmux.answers._choice import choice
from slmmux.answers._gold import right
from slmmux.answers._includes import includes
from slmmux.answers._reader import reader
from slmmux.answers._same import same

__all__ = ["SCORES", "Score", "ScoreName", "score_name", "scored"]

ScoreName: TypeAlias = Literal["exact", "includes", "choice", "math", "recorded"]
"""The name of a form of scoring."""

Score: TypeAlias = ScoreName | Callable[[str, Any], bool]
"""A form of scoring by name, or a function: (reply, gold) -> whether the reply is right."""

SCORES: tuple[ScoreName, ...] = ("exact", "includes", "choice", "math", "recorded")


def score_name(score: Score) -> str:
    """Return the name of a form of scoring, for figures.

    Raises:
        ArgumentError: There is no form of this name.

    Example:
        >>> score_name("math"), score_name(str.endswith)
        ('math', 'str.endswith')
    """
    if callable(score):
        return str(getattr(score, "__qualname__", type(score).__qualname__))
    if score not in SCORES:
        near = get_close_matches(str(score), SCORES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(
            f"score={score!r} does not exist{hint}; write one of {', '.join(map(repr, SCORES))}, or pass a function: "
            "reply, gold -> bool"
        )
    return score


def scored(
    reply: str, gold: Any, score: Score = "includes", *, question: str = "", answer: Answer | None = None
) -> bool:
    r"""Return whether a reply is right by one form of scoring.

    | score | a reply is right if |
    |---|---|
    | `"exact"` | its answer is the gold one, see `right` |
    | `"includes"` | it plainly says the gold answer, see `includes` |
    | `"choice"` | it chooses the gold letter, see `choice` |
    | `"math"` | its answer equals gold as mathematics, see `same` |
    | a function | the function of the reply and gold says so |

    "recorded" is for recordings: the verdict of another program's grader, which came with the sample.

    Args:
        reply: The whole reply.
        gold: The gold answer, or a list of accepted ones: a function gets one after the other.
        score: The form.
        question: What was asked, if that is known.
        answer: The answer that was read in the reply; None reads it by `auto`.

    Raises:
        ArgumentError: There is no form of this name, or it is "recorded".

    Example:
        >>> scored("The capital of Ghana is Accra.", "Accra"), scored("The capital of Ghana is Accra.", "Accra", "exact")
        (True, False)
        >>> scored(r"\boxed{x + 1}", ["x", "1 + x"], "math")
        True
    """
    name = score_name(score)
    if name == "recorded":
        raise ArgumentError(
            'score="recorded" is the verdict that came with a recorded sample, and a reply alone has none; write "exact"'
        )
    if score == "includes":
        return includes(reply, gold, question, answer=answer)
    if callable(score):
        return any(bool(score(reply, accepted)) for accepted in _accepted(gold))
    if score == "choice":
        letter = reader(choice, question=question)(reply)
        return letter is not None and right(letter, gold, question=question)
    answer = answer or reader("auto", question=question)(reply)
    if answer is None:
        return False
    if score == "math":
        return any(same(str(answer.value), str(accepted)) for accepted in _accepted(gold))
    return right(answer, gold, question=question)


def _accepted(gold: Any) -> list[Any]:
    return [each for each in gold if each is not None] if isinstance(gold, list) else [gold]
