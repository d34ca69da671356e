"""When the patterns of `slmmux.answers` are compiled."""

import copy
import subprocess
import sys

from slmmux.answers._pattern import pattern

COUNTED = """
import re, sys
compiled, compile = [], re.compile
def counted(source, flags=0):
    compiled.append(sys._getframe(1).f_globals["__name__"])
    return compile(source, flags)
re.compile = counted
import slmmux.answers
print(sum(name.startswith("slmmux.answers") for name in compiled), end=" ")
slmmux.answers.number("The answer is 4.")
print(sum(name.startswith("slmmux.answers") for name in compiled) > 0)
"""


def test_importing_compiles_no_pattern():
    """The import compiles not one pattern of the readers; the first reading does."""
    told = subprocess.run([sys.executable, "-c", COUNTED], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["0", "True"]


def test_it_reads_as_the_compiled_one():
    """What stands for a pattern has all its methods, and compiles a copy of it as well."""
    words = pattern(r"(?P<word>[a-z]+)")
    assert words.sub("x", "ab cd") == "x x"
    assert copy.deepcopy(words).groupindex == {"word": 1}
    assert [found["word"] for found in words.finditer("ab cd")] == ["ab", "cd"]
