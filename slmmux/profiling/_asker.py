"""A pool of members as a profile sees it: requests in, texts out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from slmmux import answers
from slmmux._decision.labels import by_label
from slmmux._decision.pool import Pool
from slmmux._decision.types import Answer, Draw
from slmmux._errors import ArgumentError
from slmmux.answers._reader import extractor_name

__all__ = ["Asker", "Came", "Draws", "Functions"]

Draws: TypeAlias = tuple[Draw, ...]


@dataclass(frozen=True, slots=True)
class Came:
    """One sample as a member gave it.

    Attributes:
        text: The whole reply.
        read: Reads its answer; what it raises makes the sample a failed one.
        input_tokens: Of the request; a shared request's on its first sample.
        output_tokens: Of the reply.
    """

    text: str
    read: Callable[[], Answer | None]
    input_tokens: int | None = None
    output_tokens: int | None = None


class Asker(Protocol):
    """A pool of members, as an adapter makes it."""

    @property
    def samples(self) -> Mapping[str, int]:
        """The samples of each member, by label in rank order."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What makes the samples what they are, as JSON: what all share, and below "models" each member's own."""
        ...

    @property
    def compare(self) -> Callable[[Answer, Mapping[int, Answer]], Mapping[int, float]] | None:
        """Which answers agree, where equality is no key."""
        ...

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        """Return which draws of a member go in one request."""
        ...

    def call(self, question: str, draws: Draws) -> Sequence[Came]:
        """Make one request; draws that it returns nothing for are asked for again, one by one."""
        ...

    async def acall(self, question: str, draws: Draws) -> Sequence[Came]:
        """Make one request on the event loop."""
        ...


class Functions:
    """Members that are plain functions of a question's text.

    Args:
        models: By label, what returns a reply's text.
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
        if strange := [label for label in models if not isinstance(label, str)]:
            raise ArgumentError(f"a member's label must be a text, found {strange[0]!r}")
        self._models = models
        self._read = answers.reader(extract)
        self.samples: Mapping[str, int] = by_label("samples", samples, models)
        self.settings: Mapping[str, Any] = {
            "extract": extractor_name(extract),
            "agreement": "canonical",
            "models": {label: {} for label in models},
        }
        self._pool = Pool(64)

    def group(self, draws: Sequence[Draw]) -> list[Draws]:
        """Make a request of each draw."""
        return [(draw,) for draw in draws]

    def call(self, question: str, draws: Draws) -> list[Came]:
        """Ask the function."""
        text = self._models[draws[0].model](question)
        if not isinstance(text, str):
            raise TypeError(f"{draws[0].model} returned a {type(text).__name__}, not a text")
        return [Came(text, lambda: self._read(text))]

    async def acall(self, question: str, draws: Draws) -> list[Came]:
        """Ask the function in a thread."""
        return await self._pool.run(lambda: self.call(question, draws))
