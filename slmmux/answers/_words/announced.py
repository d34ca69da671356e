r"""Where a reply says that its answer comes now."""

import re
from collections.abc import Iterator

from slmmux.answers._mathematics.boxes import boxes
from slmmux.answers._pattern import pattern
from slmmux.answers._words.languages import ANNOUNCEMENT

__all__ = ["announced", "announcements"]

_MARK = pattern(
    r"""
    (?<!\#)\#{4}\#*+ (?! \s*+ (?: [A-Za-z]{2} | [0-9]{1,2}[.)][\ \t]+\S ) ) # GSM8K; no heading: #### Step, #### 1. The
  | <(?:final[_ -]?)?(?:answer|choice|option)> | \[answer\] | <\|begin_of_box\|>
  | ^ [#*_\ \t]{0,8} (?:final\ )? answer [*_]{0,3} [\ \t]*+ \n                  # a heading
  | \b (?: answers? | ans | (?:final|end)\ result | correct\ [a-z]{2,12} | (?:right|best|final)\ (?:option|choice) ) \b
    (?: \ ?\([^()\n]{0,40}\) )?                                                 # Answer (in dollars):
    (?: ,?\ (?: therefore | then | thus | hence | here | must | should | would | simply | clearly ) ,? ){0,3}
    (?: \ (?: to | for | of | choice | option | letter ) \b [^.:=\n]{0,80}? )?  # the answer to this question is
    [*_`)\ \t]{0,6}
    (?: [:=：→⇒] | -> | \b(?:is|are|was)(?=n['’]t\b) | \b(?:is|are|was|be)\b | [-–—]\ )
  | \b (?: the | our | my )\ result\ (?:is|was|equals)\b (?= [^\n]{1,60}+ \s*+ \Z )       # in the last line
  | ^ [*_]{0,3} (?: results? | solution | output | r[ée]sultat | lösung | решение ) [*_]{0,3} \ ?[:：] [*_]{0,3} (?= [^\n]{1,60}+ \s*+ \Z )  # in the last line
  | ^ [*_]{0,3} Q [*_]{0,3} [:.] [^\n]{1,1000} \n\s{0,3} [*_]{0,3} A [*_]{0,3} :  # a question that is said again, and its answer
  | """
    + ANNOUNCEMENT,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_DECORATION = " \t\r\n*_`\"'“:=>≈$→⇒\u00a0"
_ENDS = pattern(r"\n|</(?:final[_ -]?)?(?:answer|choice|option)>|\[/answer\]|<\|end_of_box\|>", re.IGNORECASE)
# A form that is spoken of, not filled in: You asked for "Answer: B". What is a whole line, or follows a colon, is meant.
_QUOTED = pattern(
    r"""(?<=[^\s:])[ ]++(?:"[^"\n]++"|“[^“”\n]++”|`[^`\n]++`|「[^「」\n]++」|«[^«»\n]++»|„[^„“”\n]++[“”]|'[^'\n]*+'(?!\w))"""
)


def announced(text: str) -> Iterator[str]:
    r"""Yield what stands after each announcement, the last first.

    Announcements are `####`, "answer is", "Answer:" and their kin in ten languages, a heading "Answer", and boxes. What
    stands there is what is in the box, or else the first line that is not blank of what follows up to the next
    announcement; no two share a character, so reading them all takes linear time. A form that the reply only quotes
    announces nothing.

    Example:
        >>> list(announced("The answer is 4. Wait.\n**Answer:** \\boxed{5} apples"))
        ['5', '4. Wait.']
    """
    return (stretch for stretch, _ in announcements(text))


def announcements(text: str) -> Iterator[tuple[str, bool]]:
    """Yield (what stands there, whether in a box) of each announcement, the last first; see `announced`.

    What a box holds is all of it, in however many lines.
    """
    quoted = [span.span() for span in _QUOTED.finditer(text)]
    marks = [(mark.start(), mark.end(), "") for mark in _MARK.finditer(text)]
    marks += [(start, start, content) for start, content in boxes(text)]
    following = len(text)
    for start, end, content in sorted(marks, reverse=True):
        while quoted and quoted[-1][0] > start:
            quoted.pop()
        within = bool(quoted) and not content and start < quoted[-1][1]
        stretch = content or _ENDS.split(text[end:following].lstrip(_DECORATION), maxsplit=1)[0]
        if stretch and not within:
            yield stretch, bool(content)
        following = start
