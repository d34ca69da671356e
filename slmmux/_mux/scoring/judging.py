"""A judge's ratings: one request for each different answer of each member, made as a race of its own.

So the ratings keep the window, the time-outs, the deadline and the budget of the question, and a failed one is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from slmmux._decision.race import Race
from slmmux._decision.types import Answer, Decision, Draw, Draws
from slmmux._mux.engine import Question, Sampling
from slmmux._mux.scoring.confidence import fraction_of

__all__ = ["JUDGE", "Judging", "judge_prompt"]

R = TypeVar("R")

JUDGE = "judge"  # the label of a judge that is no member

_PROMPT = (
    "Question:\n{question}\n\nProposed answer:\n{reply}\n\n"
    "How likely is it that the proposed answer is right? Reply with one number from 0 to 100 and nothing else."
)


def judge_prompt(question: str, reply: str) -> str:
    """Return what a judge is asked about a reply to a question."""
    return _PROMPT.format(question=question, reply=reply)


class Judging(Generic[R]):
    """The ratings of one decision's answers.

    Args:
        decision: The members' decision.
        question: The question.
        label: The label under which the judge is called.
        ask: Makes the question that asks for a rating, of a prompt.
    """

    def __init__(
        self, decision: Decision[R], question: Question[R], label: str, ask: Callable[[str], Question[R]]
    ) -> None:
        self._draws: dict[tuple[str, Answer], list[Draw]] = {}
        prompts: dict[tuple[str, Answer], str] = {}
        for sample in decision.samples:
            if sample.answer is not None and sample.reply is not None:
                place = sample.draw.model, sample.answer
                self._draws.setdefault(place, []).append(sample.draw)
                if place not in prompts:
                    prompts[place] = judge_prompt(question.text(), question.text_of(sample.reply))
        self._questions = [ask(prompt) for prompt in prompts.values()]
        self._label = label
        self._question = question

    def race(self) -> Race[R] | None:
        """Return the race to drive; `None` if there is nothing to rate."""
        if not self._questions:
            return None
        return Race({self._label: len(self._questions)}, self._rating, wait="exhausted")

    def sampling(self, race: Race[R]) -> "JudgeSampling[R]":
        """Return the calls of the race."""
        return JudgeSampling([question.sampling(race) for question in self._questions])

    def scores(self, ratings: Decision[R]) -> dict[Draw, float]:
        """Return the rating of each sample of the members."""
        by_index = {sample.draw.index: sample.answer for sample in ratings.samples if sample.answer is not None}
        groups = list(self._draws.values())
        return {draw: float(answer.value) for index, answer in by_index.items() for draw in groups[index]}

    def _rating(self, reply: R) -> Answer | None:
        rating = fraction_of(self._question.text_of(reply))
        return None if rating is None else Answer(rating, JUDGE, str(rating))


class JudgeSampling(Generic[R]):
    """The calls of a judge: each has a prompt of its own, so that none shares a request.

    Args:
        calls: The calls of each prompt.
    """

    def __init__(self, calls: Sequence[Sampling[R]]) -> None:
        self._calls = calls

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        """Make one request for each draw."""
        return [(draw,) for draw in draws]

    def pace(self, draws: Draws) -> float:
        """Ask the judge's rate limiter: return 0, or the seconds after which to ask again."""
        return self._calls[draws[0].index].pace(draws)

    def call(self, draws: Draws) -> Sequence[R]:
        """Make one request in this thread."""
        return self._calls[draws[0].index].call(draws)

    async def acall(self, draws: Draws) -> Sequence[R]:
        """Make one request in this task."""
        return await self._calls[draws[0].index].acall(draws)

    def sent(self, begun: Mapping[Draws, int]) -> tuple[Draws, ...]:
        """Return those of some requests that were sent as often as they were begun."""
        return tuple(draws for draws, times in begun.items() if self._calls[draws[0].index].sent({draws: times}))

    def close(self) -> None:
        """Close every call."""
        for each in self._calls:
            each.close()

    async def aclose(self) -> None:
        """Close every call, on the event loop."""
        for each in self._calls:
            await each.aclose()
