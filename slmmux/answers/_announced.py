r"""Where a reply says that its answer comes now."""

import re
from collections.abc import Iterator

from slmmux.answers._boxes import boxes
from slmmux.answers._pattern import pattern

__all__ = ["announced"]

_MARK = pattern(
    r"""
    (?<!\#)\#{4}\#*+ (?! \s*+ (?: [A-Za-z]{2} | [0-9]{1,2}[.)][\ \t]+\S ) ) # GSM8K; no heading: #### Step, #### 1. The
  | <answer>
  | ^ [#*_\ \t]{0,8} (?:final\ )? answer [*_]{0,3} [\ \t]*+ \n                  # a heading
  | \b (?: answers? | ans | (?:final|end)\ result | correct\ [a-z]{2,12} | (?:right|best|final)\ (?:option|choice) ) \b
    (?: \ ?\([^()\n]{0,40}\) )?                                                 # Answer (in dollars):
    (?: ,?\ (?: therefore | then | thus | hence | here | must | should | would | simply | clearly ) ,? ){0,3}
    (?: \ (?: to | for | of | choice | option | letter ) \b [^.:=\n]{0,80}? )?  # the answer to this question is
    [*_`)\ \t]{0,6}
    (?: [:=：] | \b(?:is|are|was|be)\b | [-–—]\ )
    """,  # noqa: RUF001
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_DECORATION = " \t\r\n*_`\"'“:=>≈$"


def announced(text: str) -> Iterator[str]:
    r"""Yield what stands after each announcement, the last first.

    Announcements are `####`, "answer is", "Answer:" and their kin, a heading "Answer", and boxes. What stands there is
    the first line that is not blank of what is in the box, or else of what follows up to the next announcement; no two
    share a character, so reading them all takes linear time.

    Example:
        >>> list(announced("The answer is 4. Wait.\n**Answer:** \\boxed{5} apples"))
        ['5', '4. Wait.']
    """
    found = [(mark.start(), mark.end(), "") for mark in _MARK.finditer(text)]
    found += [(start, start, content) for start, content in boxes(text)]
    following = len(text)
    for start, end, content in sorted(found, reverse=True):
        stretch = (content or text[end:following]).lstrip(_DECORATION).split("\n", 1)[0]
        if stretch:
            yield stretch
        following = start
