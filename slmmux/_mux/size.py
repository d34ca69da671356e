"""How long a reply is, as far as it matters: whether it can be read on the event loop, or at all."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from slmmux._decision.types import Answer, Sample
from slmmux._mux.engine import Question

__all__ = ["LONGEST", "QUICK", "is_longer", "number_too_long", "read_within"]

R = TypeVar("R")

LONGEST = 1_000_000  # characters of a reply that is read; a longer one abstains
QUICK = 4_000  # characters that are read in a few milliseconds, whatever they say


def is_longer(value: Any, limit: int) -> bool:
    """Return whether a value has more than so many characters, its parts included; each part counts as one more.

    It looks no further than the limit, so that a huge value costs no more than one at the limit.

    Example:
        >>> is_longer({"a": ["four", "five"]}, 8), is_longer({"a": ["four"]}, 8)
        (True, False)
    """
    length = 0
    parts = [value]
    while parts:
        part = parts.pop()
        length += len(part) if isinstance(part, str) else 1
        if length > limit:
            return True
        if isinstance(part, BaseModel):
            part = part.__dict__
        if isinstance(part, Mapping):
            if len(part) > limit:
                return True
            parts += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            if len(part) > limit:
                return True
            parts += part
    return False


def read_within(question: Question[R], reply: R) -> Answer | None:
    """Return the answer of a reply; one that is too long has none."""
    return None if is_longer(question.content_of(reply), LONGEST) else question.read(reply)


def number_too_long(question: Question[R], samples: Iterable[Sample[R | None]]) -> int:
    """Return how many samples abstain because their replies are too long."""
    replies = (sample.reply for sample in samples if sample.answer is None and not sample.is_unread)
    return sum(reply is not None and is_longer(question.content_of(reply), LONGEST) for reply in replies)
