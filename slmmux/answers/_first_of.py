"""The first of several readings that finds an answer."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from slmmux._decision.types import Answer
from slmmux._errors import ExtractorError
from slmmux.answers._extractor import Extractor
from slmmux.answers._reader import reader
from slmmux.answers._regex import Regex

__all__ = ["FirstOf", "first_of"]


@dataclass(frozen=True)
class FirstOf(Extractor):
    """Extractors in order; `first_of` makes it.

    Attributes:
        extractors: Names, or callables.
    """

    extractors: tuple[str | Callable[[str], Any], ...]

    @property
    def name(self) -> str:
        """What the record and a cache key call it."""
        return f"first_of({', '.join(_label(extractor) for extractor in self.extractors)})"

    def __call__(self, text: str) -> Any:
        """Return the answer of the first that finds one."""
        answer = self.read(text)
        return None if answer is None else answer.value

    def read(self, text: str, question: str = "") -> Answer | None:
        """Return the answer of the first that finds one, with its kind."""
        misses: Counter[str] = Counter()
        for extractor in self.extractors:
            kind = "regex" if isinstance(extractor, Regex) else "callable"
            answer = reader(extractor, question=question)(text)
            if answer is not None:
                # The second of two patterns, or of two callables, is another reading than the first.
                several = answer.kind == kind and misses[kind]
                return replace(answer, kind=f"{kind} {misses[kind] + 1}") if several else answer
            misses[kind] += 1
        return None


def _label(extractor: str | Callable[[str], Any]) -> str:
    return str(getattr(extractor, "name", None) or getattr(extractor, "__qualname__", None) or extractor)


def first_of(*extractors: str | Callable[[str], Any]) -> FirstOf:
    r"""Return an extractor that asks several, in order, and takes the first answer found.

    Args:
        extractors: Names of extractors, or callables: text -> answer or None.

    Returns:
        An extractor for `extract=`. Answers that different extractors found are never equal; the record names the
        one whose reading won.

    Raises:
        ExtractorError: None are given, or one has no extractor's name.

    Example:
        >>> read = first_of("boxed", "number")
        >>> read(r"\boxed{x+1}"), read("The answer is 4."), read("Hello.")
        ('x+1', '4', None)
    """
    if not extractors:
        raise ExtractorError('first_of needs at least one extractor: first_of("boxed", "number")')
    for extractor in extractors:
        reader(extractor)
    parts = (part.extractors if isinstance(part, FirstOf) else (part,) for part in extractors)
    return FirstOf(tuple(chain.from_iterable(parts)))
