r"""Polite words around an answer, which say nothing of it."""

import re

from slmmux.answers._pattern import pattern

__all__ = ["without_closing", "without_opening"]

_CLOSING = pattern(
    r"""
    (?: \A | (?<=[.!?:)\]}*"。！？\n$]) ) [\s*_]*+ (?: (?: please | and | so | but ) ,?\ )?+ (?:
        (?:let\ me|let\ us)\ know | feel\ free | i\ hope | hope\ (?:this|that|it) | don['’]t\ hesitate
      | do\ not\ hesitate | would\ you\ like | do\ you\ (?:need|want|have) | is\ there\ anything | i['’]m\ happy
      | happy\ to\ help | if\ you\ (?:have|need|want|would|['’]d) | thank\ you | thanks | you['’]re\ welcome | have\ a\ (?:great|nice|good)
      | ich\ hoffe | n['’]h[ée]sitez | j['’]esp[èe]re | espero\ que | spero\ che | надеюсь | 希望 | 如果您?还?有
    ) [^\n]*+ \s*+ \Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OPENING = pattern(
    r"""
    [\s*_]*+ (?: (?: as\ far\ as\ (?:i|we)\ know | to\ (?:my|the\ best\ of\ my)\ knowledge | in\ my\ opinion
      | sure | certainly | of\ course | absolutely | great\ question | good\ question | ok(?:ay)? | alright
      | yes,\ (?:sure|of\ course) | hello | hi | thank\ you | thanks )
        (?: \ (?: thing | there ) )?+ [!.,:–—-]++ \s*+ )++
    """,
    re.VERBOSE | re.IGNORECASE,
)


def without_closing(text: str) -> str:
    """Return a text without the polite sentence it ends in; all of a text that is nothing else.

    Example:
        >>> without_closing("She earns $18. Let me know if you need 1 more example!")
        'She earns $18.'
    """
    tail = max(text.rstrip().rfind("\n") - _LONGEST, len(text) - 3 * _LONGEST, 0)
    closing = _CLOSING.search(text, tail)
    return (text[: closing.start()].rstrip() or text) if closing else text


def without_opening(text: str) -> str:
    """Return a text without the polite words it begins with; all of a text that is nothing else.

    Example:
        >>> without_opening("Sure! Lima"), without_opening("Sure!")
        ('Lima', 'Sure!')
    """
    opening = _OPENING.match(text)
    return (text[opening.end() :] or text) if opening else text


_LONGEST = 300  # characters of a polite sentence: a longer one is read
