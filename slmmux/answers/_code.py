r"""The program of a reply, compared by what it says and not by how it is set."""

import re
from textwrap import dedent

from slmmux._decision.types import Answer
from slmmux.answers._pattern import pattern
from slmmux.answers._replies.program import PYTHON, program_in
from slmmux.answers._replies.reply import reply_of
from slmmux.answers._replies.syntax import tree_of

__all__ = ["code", "code_in", "program_keys"]


_C_LIKE = {
    "c", "cpp", "c++", "cs", "csharp", "c#", "java", "js", "javascript", "jsx", "ts", "typescript", "tsx", "go", "golang", "rust", "rs",
    "kotlin", "kt", "swift", "scala", "dart", "php",
}  # fmt: skip
_ENDS_LIKE_C = pattern(r"[;{}]\s*$", re.MULTILINE)
# A string that is not closed ends with its line or the source: to look for its end again and again would take quadratic time.
_TOKEN = pattern(
    r"""(?P<comment> //[^\n]*+ | /\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z) )
      | "(?:\\.|[^"\\\n])*+"? | '(?:\\.|[^'\\\n]){0,100}+' | `(?:\\.|[^`\\])*+`? | \w++ | [^\s\w]""",
    re.VERBOSE | re.DOTALL,
)


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
        docstrings and quotes do not count), languages of C's family by their tokens, others as text without blank lines and trailing blanks.

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
    return Answer(program.source, "code", f"python:{tree}" if tree else _key(program.source, program.language))


def _key(source: str, language: str) -> str:
    """Return what a program that is no Python is compared by."""
    is_c_like = language in _C_LIKE or (not language and _ENDS_LIKE_C.search(source))
    return _tokens(source) if is_c_like else _as_text(source)


def _tokens(source: str) -> str:
    """Return a program's tokens: in languages of C's family layout and comments say nothing."""
    return "c:" + " ".join(token[0] for token in _TOKEN.finditer(source) if not token["comment"])


def program_keys(program: str) -> set[str]:
    r"""Return what a program without a fence could be compared by, as nobody said its language.

    Example:
        >>> code_in("```\nx = 1\n```").key in program_keys("x=1  # one")
        True
    """
    source = _set(program)
    tree = tree_of(source)
    return {_as_text(source), _tokens(source)} | ({f"python:{tree}"} if tree else set())


def _set(source: str) -> str:
    return dedent(source).strip("\n").rstrip()


def _as_text(source: str) -> str:
    return "text:" + "\n".join(line.rstrip() for line in re.split(r"\r\n?|\n", source) if line.strip())
