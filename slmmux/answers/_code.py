r"""The program of a reply, compared by what it says and not by how it is set."""

import re
from textwrap import dedent

from slmmux._decision.types import Answer
from slmmux.answers._replies.program import PYTHON, program_in
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._replies.syntax import tree_of

__all__ = ["code", "code_in", "program_keys"]


def code(text: str) -> str | None:
    r"""Return the last fenced block of a reply that is a program, as written but for its common indentation.

    | reply | answer |
    |---|---|
    | a fenced `x=1 # one` | `x=1 # one`, equal to a fenced `x = 1` |
    | two programs | the second |
    | a program, then how it is run, used or tested, or what it prints | the program |
    | nothing but a shell command, or an output | that |
    | a fence that is never closed | the program if it is whole, else the one before it |
    | a program without a fence | None |

    Returns:
        The block's text; None without one, or if it is blank. Python is compared by its syntax tree (layout, comments
        and quotes do not count), other languages as text without blank lines and trailing blanks.

    Example:
        >>> code("Try this:\n```python\nprint( 'hi' )  # a greeting\n```\n")
        "print( 'hi' )  # a greeting"
    """
    answer = code_in(reply_of(text))
    return None if answer is None else str(answer.value)


def code_in(reply: str) -> Answer | None:
    r"""Return the program of a reply that is already one turn without reasoning, with what it is compared by.

    Example:
        >>> code_in("```python\nprint( 'hi' ) # one\n```") == code_in('```\nprint("hi")\n```')
        True
    """
    program = program_in(reply)
    if program is None:
        return None
    tree = tree_of(program.source) if program.language in PYTHON else None
    return Answer(program.source, "code", _as_text(program.source) if tree is None else f"python:{tree}")


def program_keys(program: str) -> set[str]:
    r"""Return what a program without a fence could be compared by, as nobody said its language.

    Example:
        >>> code_in("```\nx = 1\n```").key in program_keys("x=1  # one")
        True
    """
    source = _set(program)
    tree = tree_of(source)
    return {_as_text(source)} | ({f"python:{tree}"} if tree else set())


def _set(source: str) -> str:
    return dedent(source).strip("\n").rstrip()


def _as_text(source: str) -> str:
    return "text:" + "\n".join(line.rstrip() for line in re.split(r"\r\n?|\n", source) if line.strip())
