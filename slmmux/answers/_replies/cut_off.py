r"""What of a reply that was cut off at its limit was complete before the cut."""

import re

from slmmux.answers._pattern import pattern
from slmmux.answers._replies.fences import left_open
from slmmux.answers._words.announced import announcements

__all__ = ["complete"]

# Where something has ended, whatever would have come next; a full stop at the very end could be that of 4.5.
_END = pattern(
    r"\n|[.!?](?=[\s*_\"')])|[。！？]|</answer>|[}\]]\$*(?=\s|[.,;:]|\Z)|^[ \t]*(?:```|~~~)\s*\Z", re.MULTILINE
)


def complete(reply: str, *, announced: bool, line_ended: bool = False) -> str:
    r"""Return a reply up to where its last sentence, line, box, object or block ended; nothing where none did.

    Args:
        reply: The reply, without reasoning.
        announced: Whether only an announced answer counts, as a number does that is read in a text: the last one so
            far need not have been the last.
        line_ended: Whether a line break followed, which the trimmed reply lacks: its last line was complete.

    Example:
        >>> complete("The answer is 4. So we ha", announced=True), complete("The answer is 4", announced=True)
        ('The answer is 4.', '')
        >>> complete("She has 4. So we ha", announced=True)
        ''
    """
    end = 0
    for ending in _END.finditer(reply):
        end = ending.end()
    before = reply if line_ended and left_open(reply) is None else reply[:end]
    return "" if announced and next(announcements(before), None) is None else before.strip()
