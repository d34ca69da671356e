"""A mux's members put to many questions: what the `profile` functions of both adapters share."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import Any

from slmmux._decision.labels import by_label
from slmmux._decision.types import Answer, Draw
from slmmux._errors import ArgumentError, quote
from slmmux._mux.base import Mux
from slmmux._mux.engine import Question, Sampling
from slmmux._mux.generation import generation_settings
from slmmux._mux.limiter import await_for, wait_for
from slmmux._mux.replies.reading import read_within
from slmmux._mux.sampling import OnceMoreError
from slmmux._mux.scoring.confidence import CONSISTENCY, confidence_name, fraction_of, mean_probability
from slmmux._mux.scoring.judging import JUDGE, judge_prompt
from slmmux._mux.secrets import secrets_of_client, strike, strike_text
from slmmux.answers._reader import extractor_name
from slmmux.profiling import Came, Questions, Watch
from slmmux.profiling import aprofile as aprofile_members
from slmmux.profiling import profile as profile_members
from slmmux.profiling._asker import Draws
from slmmux.profiling._pressing import Pressing, split
from slmmux.profiling._progress import watching
from slmmux.recording import Recording
from slmmux.recording._prices import PRICES

__all__ = ["Members", "Questions", "Watch", "aprofile_mux", "members_of", "profile_mux"]

_log = logging.getLogger("slmmux")

_SAMPLES = 5  # k of a mux that a profile makes itself


class Members:
    """A mux's members, each asked as the mux would ask it.

    Args:
        mux: The mux.
        samples: k, or k by label; `None` leaves the mux's own.
    """

    def __init__(self, mux: Mux, samples: int | dict[str, int] | None = None) -> None:
        self._mux = mux
        self.pressing: Pressing = {"max_concurrency": mux.max_concurrency, "timeout": mux.timeout}
        self.extract = mux.extract
        self.samples = mux.k if samples is None else by_label("samples", samples, mux.k)
        self.compare = mux._agreement.compare
        self._any = mux._plain_question("").sampling()  # the draws of one request are the same for all questions
        members = mux._members
        self.settings: dict[str, Any] = {
            "extract": extractor_name(self.extract),
            "agreement": mux.agreement,
            "tau": mux.tau if mux.agreement == "embedding" else None,
            "system_prompt": mux.system_prompt,
            "stop": mux.stop,
            "models": {label: generation_settings(m.model, m.kwargs) for label, m in members.items()},
        }
        if mux.confidence == "verbalised":  # nobody else asks for another reply
            self.settings["confidence"] = mux.confidence
        prices = {label: price.plain() for label, price in mux._prices.items() if label in members}
        if mux.confidence == JUDGE and (price := mux._prices.get(mux._judge_label)) is not None:
            prices[JUDGE] = price.plain()
        if prices:
            self.settings[PRICES] = prices

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        return self._any.group(draws)

    def call(self, question: str, draws: Draws) -> list[Came]:
        asking = self._mux._plain_question(question)
        calls = asking.sampling()
        pace = partial(calls.pace, draws)
        wait_for(pace)
        try:
            replies = calls.call(draws)
        except OnceMoreError:
            wait_for(pace)
            replies = calls.call(draws)
        ratings = self._ratings(asking, draws, replies)
        for rating in ratings.values():
            with _missing_if_it_fails():
                wait_for(partial(rating.calls.pace, rating.draws))
                rating.replies = rating.calls.call(rating.draws)
        return self._completions(asking, draws, replies, ratings)

    async def acall(self, question: str, draws: Draws) -> list[Came]:
        asking = self._mux._plain_question(question)
        calls = asking.sampling()
        pace = partial(calls.pace, draws)
        await await_for(pace)
        try:
            replies = await calls.acall(draws)
        except OnceMoreError:
            await await_for(pace)
            replies = await calls.acall(draws)
        ratings = self._ratings(asking, draws, replies)
        for rating in ratings.values():
            with _missing_if_it_fails():
                await await_for(partial(rating.calls.pace, rating.draws))
                rating.replies = await rating.calls.acall(rating.draws)
        return self._completions(asking, draws, replies, ratings)

    def _ratings(self, asking: Question[Any], draws: Draws, replies: Sequence[Any]) -> "dict[str, _Rating]":
        """Return the requests to a judge for each different text among some replies; none without a judge."""
        mux = self._mux
        if mux.confidence != JUDGE:
            return {}
        texts = {asking.text_of(reply): None for reply in replies}
        label = mux._judge_label
        return {
            text: _Rating(
                mux._judge_question(judge_prompt(asking.text(), text), mux._account()).sampling(),
                (Draw(label, draws[0].index),),
            )
            for text in texts
            if text.strip()
        }

    def _completions(
        self, asking: Question[Any], draws: Draws, replies: Sequence[Any], ratings: "Mapping[str, _Rating]"
    ) -> list[Came]:
        secrets = self._secrets(draws)
        unpaid = dict(ratings)  # equal replies are rated once, and the first of them has the tokens
        completions = []
        for reply in replies:
            completion = _completion(asking, reply, secrets, self._confidences(asking, reply, ratings))
            rating = unpaid.pop(asking.text_of(reply), None)
            if rating is not None and rating.replies:
                input_tokens, output_tokens = _tokens(asking, rating.replies[0])
                completion = replace(completion, judge_input_tokens=input_tokens, judge_output_tokens=output_tokens)
            completions.append(completion)
        return completions

    def _confidences(self, asking: Question[Any], reply: Any, ratings: "Mapping[str, _Rating]") -> dict[str, float]:
        """Return the confidences of a reply: the mux's own, and that by log-probabilities, which costs nothing."""
        name = confidence_name(self._mux.confidence)
        scores = {"logprob": mean_probability(asking.logprobs_of(reply))}
        if name != CONSISTENCY:
            scores[name] = self._mux._score(asking, reply)
        if (rating := ratings.get(asking.text_of(reply))) is not None and rating.replies:
            scores[JUDGE] = fraction_of(asking.text_of(rating.replies[0]))
        return {name: score for name, score in scores.items() if score is not None}

    def _secrets(self, draws: Draws) -> tuple[str, ...]:
        member = self._mux._members[draws[0].model]
        return (*member.secrets, *secrets_of_client(member.model))


@contextmanager
def _missing_if_it_fails() -> Iterator[None]:
    """Leave a rating out if the judge fails: the reply itself is there, and must not be lost with it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever the judge's client raises
        _log.warning("a judge's rating is missing: %s", quote(error))


@dataclass
class _Rating:
    """One request to a judge, and its reply when it has arrived."""

    calls: Sampling[Any]
    draws: Draws
    replies: Sequence[Any] = ()


def _completion(
    question: Question[Any], reply: Any, secrets: tuple[str, ...], confidences: Mapping[str, float]
) -> Came:
    """Return a reply as it is recorded: a server that echoes what it was sent gets no secret into the file."""
    text = question.text_of(reply)
    struck = strike_text(text, secrets)

    def read() -> Answer | None:
        answer = read_within(question, reply)
        if answer is None or struck == text:
            return answer
        value = strike(answer.value, tuple(secrets))
        return Answer(value, answer.kind, strike_text(answer.key, secrets))

    return Came(struck, read, *_tokens(question, reply), confidences, cut_off=question.is_cut_off(reply))


def _tokens(question: Question[Any], reply: Any) -> tuple[int | None, int | None]:
    """Return the tokens of a request and its reply; those that were not counted are unknown, not 0."""
    tokens = question.usage_of(reply)
    return (tokens.get("input_tokens"), tokens.get("output_tokens")) if tokens.get("total_tokens") else (None, None)


def members_of(
    cls: type[Mux], models: Any, samples: int | dict[str, int] | None, options: Mapping[str, Any]
) -> tuple[Members, Pressing]:
    """Return the members of a mux, `models` itself or one made of them, and how hard they are pressed.

    Raises:
        ArgumentError: Options beside a mux, which has its own.
    """
    pressing, others = split(options)
    if not isinstance(models, cls):
        mux: Mux = cls(models=models, samples=_SAMPLES if samples is None else samples, **others)
    elif others:
        raise ArgumentError(f"{next(iter(others))!r} is the mux's own; give it to {cls.__name__}(...)")
    else:
        mux = models
    members = Members(mux, samples)
    return members, members.pressing | pressing


def profile_mux(
    cls: type[Mux],
    models: Any,
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | dict[str, int] | None,
    progress: bool | Watch,
    trial_only: bool,
    retry_failed: bool,
    options: Mapping[str, Any],
) -> Recording:
    """Sample every member of a mux of a class on every question; an adapter's `profile` documents the arguments."""
    members, pressing = members_of(cls, models, samples, options)
    with watching(progress) as watch:
        return profile_members(
            members,
            questions,
            recording=recording,
            watch=watch,
            trial_only=trial_only,
            retry_failed=retry_failed,
            **pressing,
        )


async def aprofile_mux(
    cls: type[Mux],
    models: Any,
    questions: Questions,
    *,
    recording: str | PathLike[str],
    samples: int | dict[str, int] | None,
    progress: bool | Watch,
    trial_only: bool,
    retry_failed: bool,
    options: Mapping[str, Any],
) -> Recording:
    """Sample every member of a mux of a class on every question, from an event loop."""
    members, pressing = members_of(cls, models, samples, options)
    with watching(progress) as watch:
        return await aprofile_members(
            members,
            questions,
            recording=recording,
            watch=watch,
            trial_only=trial_only,
            retry_failed=retry_failed,
            **pressing,
        )
