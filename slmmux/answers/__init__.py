"""What a reply says, and when two answers are the same: pure functions of a text, one extractor a file."""

from slmmux.answers._auto import auto
from slmmux.answers._boxed import boxed
from slmmux.answers._canonical import canonical
from slmmux.answers._choice import choice
from slmmux.answers._code import code
from slmmux.answers._first_of import FirstOf, first_of
from slmmux.answers._gold import right
from slmmux.answers._includes import includes
from slmmux.answers._json import json
from slmmux.answers._number import number
from slmmux.answers._reader import reader
from slmmux.answers._regex import Regex, regex
from slmmux.answers._replies.reasoning import strip_reasoning
from slmmux.answers._same import same
from slmmux.answers._scores import Score, ScoreName, scored
from slmmux.answers._text import text
from slmmux.answers._tool_calls import tool_calls

__all__ = [
    "FirstOf",
    "Regex",
    "Score",
    "ScoreName",
    "auto",
    "boxed",
    "canonical",
    "choice",
    "code",
    "first_of",
    "includes",
    "json",
    "number",
    "reader",
    "regex",
    "right",
    "same",
    "scored",
    "strip_reasoning",
    "text",
    "tool_calls",
]
