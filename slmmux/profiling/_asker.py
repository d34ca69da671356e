"""The pool of members as a profile sees it: requests in, texts out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from slmmux import answers
from slmmux._decision.drive import Compare, Draws
from slmmux._decision.labels import by_label
from slmmux._decision.pool import Pool
from slmmux._decision.types import Answer, Draw
from slmmux._errors import ArgumentError
from slmmux.answers._reader import extractor_name

__all__ = ["Completion", "Draws", "Functions", "MemberPool"]


@dataclass(frozen=True, slots=True)
class Completion:
    """One reply of a member.

    Attributes:
        text: The whole reply.
        read: Reads the answer. If it raises, the sample is recorded as failed.
        input_tokens: Tokens of the request. If one request brought several samples, its first sample has them.
        output_tokens: Tokens of the reply.
        confidences: How sure somebody is of the reply, from 0 to 1, by the name of the confidence.
        judge_input_tokens: Tokens of the request for a judge's rating of the reply.
        judge_output_tokens: Tokens of the judge's reply.
        cut_off: Whether the reply was cut off at its limit of tokens.
    """

    text: str
    read: Callable[[], Answer | None]
    input_tokens: int | None = None
    output_tokens: int | None = None
    confidences: Mapping[str, float] = field(default_factory=dict)
    judge_input_tokens: int | None = None
    judge_output_tokens: int | None = None
    cut_off: bool = False


class MemberPool(Protocol):
    """A pool of members that a profile can sample; each adapter makes one of its framework's models."""

    @property
    def samples(self) -> Mapping[str, int]:
        """The samples of each member, by label in rank order."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that affect generation, as JSON: the shared ones, and under "models" each member's own."""
        ...

    @property
    def compare(self) -> Compare | None:
        """The comparison of answers in pairs; `None` if answers are compared by key."""
        ...

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        """Group draws of one member into requests."""
        ...

    def call(self, question: str, draws: Draws) -> Sequence[Completion]:
        """Make one request. Draws without a completion are requested again, one by one."""
        ...

    async def acall(self, question: str, draws: Draws) -> Sequence[Completion]:
        """Make one request from an event loop."""
        ...


class Functions:
    """A pool of plain functions: question text -> reply text.

    Args:
        models: The functions by label.
        samples: k, or k by label.
        extract: An extractor's name, or a callable: text -> answer or None.
    """

    compare = None

    def __init__(
        self,
        models: Mapping[str, Callable[[str], str]],
        samples: int | Mapping[str, int],
        extract: str | Callable[[str], Any] = "auto",
    ) -> None:
        if not_texts := [label for label in models if not isinstance(label, str)]:
            raise ArgumentError(f"a member's label must be a text, received {not_texts[0]!r}")
        self._models = models
        answers.reader(extract)  # An extractor that does not exist is reported before a call.
        self._extract = extract
        self.samples: Mapping[str, int] = by_label("samples", samples, models)
        self.settings: Mapping[str, Any] = {
            "extract": extractor_name(extract),
            "agreement": "canonical",
            "models": {label: {} for label in models},
        }
        self._threads = Pool(64)

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        """Make one request for each draw."""
        return [(draw,) for draw in draws]

    def call(self, question: str, draws: Draws) -> list[Completion]:
        """Call the function."""
        text = self._models[draws[0].model](question)
        if not isinstance(text, str):
            raise TypeError(f"{draws[0].model} returned a {type(text).__name__}, not a text")
        return [Completion(text, lambda: answers.reader(self._extract, question=question)(text))]

    async def acall(self, question: str, draws: Draws) -> list[Completion]:
        """Call the function in a thread."""
        return await self._threads.run(lambda: self.call(question, draws))
