r"""An answer that a pattern finds."""

import re
from dataclasses import dataclass

from slmmux._decision.types import Answer
from slmmux._errors import ExtractorError
from slmmux.answers._extractor import Extractor
from slmmux.answers._replies.reply import reply_of

__all__ = ["Regex", "regex"]


@dataclass(frozen=True)
class Regex(Extractor):
    """A pattern as an extractor; `regex` makes it.

    Attributes:
        pattern: The pattern's text.
        flags: Its flags.
    """

    pattern: str
    flags: int = 0

    @property
    def name(self) -> str:
        """What the record and a cache key call it."""
        return f"regex({self.pattern!r}{f', {self.flags}' if self.flags else ''})"

    def __call__(self, text: str) -> str | None:
        """Return what the last match holds, trimmed; None where that is nothing."""
        return self._last(reply_of(text))

    def _last(self, reply: str) -> str | None:
        answer: str | None = None
        for match in re.finditer(self.pattern, reply, self.flags):
            content = (
                next((group for group in match.groups() if group is not None), None) if match.re.groups else match[0]
            )
            answer = (content or "").strip() or answer
        return answer

    def read(self, text: str, question: str = "") -> Answer | None:
        """Return a reply's answer."""
        answer = self._last(reply_of(text, question))
        return None if answer is None else Answer(answer, "regex", answer)


def regex(pattern: str | re.Pattern[str], flags: int = 0) -> Regex:
    r"""Return an extractor that takes what the last match of a pattern holds.

    Args:
        pattern: A pattern of Python's `re`; with groups, the first that took part is the answer, else the whole match.
            How long it takes on a long reply is its author's business.
        flags: Flags of `re`, `re.IGNORECASE` say.

    Returns:
        An extractor for `extract=`: text -> the trimmed text, or None where nothing matches. Answers are compared as
        they are.

    Raises:
        ExtractorError: It is no pattern, or one of bytes.

    Example:
        >>> read = regex(r"verdict:\s*(\w+)", re.IGNORECASE)
        >>> read("Verdict: guilty ... no.\nVERDICT: innocent."), read("none")
        ('innocent', None)
    """
    if isinstance(pattern, re.Pattern):
        flags |= pattern.flags & ~re.UNICODE
        pattern = pattern.pattern
    if not isinstance(pattern, str):
        raise ExtractorError(f"a pattern must be a text, received {type(pattern).__name__}; write regex(r'...')")
    if not isinstance(flags, int):
        raise ExtractorError(f"flags must be those of re, re.IGNORECASE say; received {type(flags).__name__}")
    try:
        re.compile(pattern, flags)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        raise ExtractorError(f"{pattern!r} is no pattern of Python's re: {error}") from error
    return Regex(pattern, int(flags))
