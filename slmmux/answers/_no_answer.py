"""Answers that are no answers: "unknown", said by a model that found none, is read as an abstention."""

from collections.abc import Collection

from slmmux._decision.types import Answer, text_of
from slmmux._errors import ArgumentError
from slmmux.answers._pieces import translated

__all__ = ["NoAnswers"]

_APOSTROPHES = str.maketrans("’ʼ", "''")
_MARKS = ".!…"


class NoAnswers:
    """The texts that count as no answer, in any case and with or without a full stop.

    Args:
        texts: The texts, such as "unknown" and "I don't know". Only a whole answer is compared, never a part of it.

    Raises:
        ArgumentError: If the texts are one string, or one of them is empty or no text.

    Example:
        >>> no_answers = NoAnswers(["unknown", "I don't know"])
        >>> no_answers.holds(Answer("Unknown.", "text", "unknown")), no_answers.holds(Answer("4", "number", "4"))
        (True, False)
    """

    def __init__(self, texts: Collection[str]) -> None:
        if isinstance(texts, str):
            raise ArgumentError(f'no_answer is a list of answers, received {texts!r}; write ["{texts}"]')
        for text in texts:
            if not isinstance(text, str) or not _plain(text):
                raise ArgumentError(f'no_answer holds {text!r}; write texts, such as ["unknown", "I don\'t know"]')
        self._texts = frozenset(map(_plain, texts))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._texts)

    def holds(self, answer: Answer | None) -> bool:
        """Return whether an answer is one of them."""
        if answer is None or not self._texts:
            return False
        # The key of an object or a number is no such text; that of a short text is, and so is the text as written.
        return _plain(text_of(answer)) in self._texts or _plain(str(answer.value)) in self._texts


def _plain(text: str) -> str:
    return " ".join(translated(text, _APOSTROPHES).casefold().split()).rstrip(_MARKS)
