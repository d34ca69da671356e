r"""Where the JSON objects and arrays of a text begin and end, read in one pass.

The standard decoder is not asked: it counts the lines before each error, which makes a text of many brackets
quadratic, and how deep it goes depends on who calls it.
"""

import re
from collections.abc import Iterator

from slmmux.answers._canonical import MAX_DEPTH
from slmmux.answers._pattern import pattern

__all__ = ["extents"]

_BRACKET = pattern(r"[\[\]{}]")
_TOKEN = pattern(
    r"""[ \t\r\n]*+ (?:
        (?P<bracket> [\[\]{},:] )
      | (?P<string> "(?: [^"\\\x00-\x1f] | \\["\\/bfnrt] | \\u[0-9a-fA-F]{4} )*+" )
      | (?P<atom> (?: -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)? | true | false | null )(?![\w.]) )
    )""",
    re.VERBOSE,
)
# What may come after what; a string is `"`, any other scalar `0`.
_NEXT = {
    "[": '[{"0]',
    "{": '"}',
    ",[": '[{"0',
    ",{": '"',
    "key": ":",
    ":": '[{"0',
    "value[": ",]",
    "value{": ",}",
}


def extents(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of every outermost complete object or array, at most 100 deep, in order.

    What stops being JSON is skipped up to its closing bracket: the parts of a broken answer are no answer.
    A bracket around words is prose, and what stands inside it counts.

    Example:
        >>> list(extents('[see {"a": [1]}] but not {"a": [1],}'))
        [(5, 15)]
    """
    partner = _partners(text)
    at = 0
    for opener in _BRACKET.finditer(text):
        start = opener.start()
        if start < at or opener[0] in "]}":
            continue
        complete, at = _walk(text, start)
        if complete:
            if complete <= MAX_DEPTH:
                yield start, at
        elif not (opener[0] == "[" and text[start + 1 : start + 2].isalpha()):
            at = max(at, partner.get(start, at))


def _walk(text: str, start: int) -> tuple[int, int]:
    """Return (depth, end) of the container that opens at `start`, or (0, where it stops being JSON)."""
    state, at, deepest = ":", start, 0
    inside: list[str] = []
    while token := _TOKEN.match(text, at):
        sign = token["bracket"] or ('"' if token["string"] else "0")
        if sign not in _NEXT[state]:
            break
        at = token.end()
        if sign in "[{":
            inside.append(sign)
            deepest = max(deepest, len(inside))
            state = sign
        elif sign == ",":
            state = "," + inside[-1]
        elif sign == ":":
            state = sign
        elif sign == '"' and state in ("{", ",{"):
            state = "key"
        else:
            if sign in "]}":
                inside.pop()
                if not inside:
                    return deepest, at
            state = "value" + inside[-1]
    return 0, at


def _partners(text: str) -> dict[int, int]:
    """Return the end of each bracket that is closed, by its start; strings are not looked for."""
    partner: dict[int, int] = {}
    opened: list[int] = []  # numbers: as many matches would be looked at by the garbage collector in one piece
    for bracket in _BRACKET.finditer(text):
        if bracket[0] in "[{":
            opened.append(bracket.start())
        elif opened and text[opened[-1]] + bracket[0] in ("[]", "{}"):
            partner[opened.pop()] = bracket.end()
    return partner
