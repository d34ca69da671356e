"""What an extractor is that knows more than to return a value: which kind of answer it read, and its own name."""

from abc import ABC, abstractmethod
from typing import Any

from slmmux._decision.types import Answer

__all__ = ["Extractor"]


class Extractor(ABC):
    """An extractor made of something: a pattern, other extractors. It prints, compares and pickles as a value.

    Attributes:
        name: What the record and a cache key call it.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """What the record and a cache key call it."""
        ...

    @abstractmethod
    def read(self, text: str, question: str = "") -> Answer | None:
        """Return a reply's answer with its kind; the question may tell how it is read."""
        ...

    @abstractmethod
    def __call__(self, text: str) -> Any:
        """Return a reply's answer as shown."""
        ...
