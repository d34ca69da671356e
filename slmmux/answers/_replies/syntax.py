"""Python by its syntax tree, written as one text: layout, comments, docstrings and quotes do not count."""

import ast
import re

from slmmux.answers._pattern import pattern

__all__ = ["tree_of"]

_MOST_CHARACTERS = 50_000  # beyond it programs are compared as text: a tree costs a hundred times its source
_MOST_LEVELS = 100  # of a tree: far below Python's stack, so that the outcome never depends on who calls
_MOST_DIGITS = 1000  # of a literal: Python refuses to print an int of 4,300
_MOST_BRACKETS = 50  # open at once: the parser goes into each by recursion, and tries some of them twice
_LONG = pattern(rf"[0-9a-fA-F_]{{{_MOST_DIGITS}}}")
_OPENS, _CLOSES = "([{", ")]}"
_END = ")"  # of a node, where a tree is written
# A backslash and what it escapes; `\d` in a plain string is two characters, and a warning each time it is parsed.
_ESCAPE = pattern(r"\\(?:[\\'\"\nabfnrtvxNuU]|[0-3]?[0-7]{1,2}(?![0-7])|(?P<unknown>.)|\Z)", re.DOTALL)
# A comment, or a string with its prefix; one that is not closed ends with its line, or with the source.
_STRING = pattern(
    r"""\#[^\n]*+ | (?P<prefix> (?<!\w)[A-Za-z]{1,2} )?+ (?:
        (?P<quote> \"{3} | '{3} ) (?: \\(?:.|\Z) | (?!(?P=quote)). )*+ (?: (?P=quote) | \Z )
      | (?P<sign> ["'] ) (?: \\(?:.|\Z) | (?!(?P=sign))[^\\\n] )*+ (?: (?P=sign) | (?=\n) | \Z ) )""",
    re.VERBOSE | re.DOTALL,
    whole=True,  # a string may be the whole of a program
)
# 1if x: Python warns of it each time it parses it.
_NUMBER_AND_WORD = pattern(r"(?<![\w.])\.*+[0-9][\w.]*?(?:and|else|for|if|in|is|not|or)\b")


def tree_of(source: str) -> str | None:
    """Return a program's syntax tree as text; None where it is no Python, or more than can be told apart safely."""
    if (
        len(source) > _MOST_CHARACTERS
        or _deepest(source) > _MOST_BRACKETS
        or _LONG.search(source)
        or _NUMBER_AND_WORD.search(source)
    ):
        return None
    try:
        tree = ast.parse(_STRING.sub(_tamed, source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    _without_docstrings(tree)
    return _as_text(tree)


def _without_docstrings(tree: ast.Module) -> None:
    """Take out the texts that describe a module, a class or a function which does something else as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) > 1:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                del node.body[0]


def _tamed(string: re.Match[str]) -> str:
    r"""Double the backslashes of escapes that are none: `\d` in a plain string is two characters, and a warning."""
    prefix = (string["prefix"] or "").lower()
    if "r" in prefix or not (string["quote"] or string["sign"]):
        return string[0]
    only_in_text = {r"\N", r"\u", r"\U"} if "b" in prefix else set()
    return _ESCAPE.sub(lambda e: "\\" + e[0] if e["unknown"] or e[0] in only_in_text else e[0], string[0])


def _deepest(source: str) -> int:
    """Return how many brackets are open at once, at most; those in a string by themselves, in a comment none."""
    deepest = depth = end = 0
    for string in _STRING.finditer(source):
        depth, peak = _opened(source[end : string.start()], depth)
        deepest = max(deepest, peak)
        if string["quote"] or string["sign"]:  # an f-string is parsed as well
            deepest = max(deepest, depth + _opened(string[0], 0)[1])
        end = string.end()
    return max(deepest, _opened(source[end:], depth)[1])


def _opened(source: str, depth: int) -> tuple[int, int]:
    """Return how many brackets are open after a stretch, and at most in it; one that closes nothing hides none."""
    peak = depth
    for sign in source:
        if sign in _OPENS:
            depth += 1
            peak = max(peak, depth)
        elif sign in _CLOSES:
            depth = max(depth - 1, 0)
    return depth, peak


def _as_text(tree: ast.AST) -> str | None:
    """Write a tree without recursion: `ast.dump` goes as deep as the tree."""
    parts: list[str] = []
    todo: list[tuple[object, int]] = [(tree, 0)]
    while todo:
        item, level = todo.pop()
        if level > _MOST_LEVELS:
            return None
        if isinstance(item, ast.AST):
            parts.append(f"{type(item).__name__}(")
            todo.append((_END, level))
            fields = [(name, getattr(item, name, None)) for name in item._fields if name != "kind"]  # u"a" is "a"
            todo.extend((value, level + 1) for _, value in reversed(fields))
        elif isinstance(item, list):
            parts.append(f"[{len(item)}:")
            todo.extend((value, level) for value in reversed(item))
        else:
            parts.append(item if item is _END else f"{item!r},")
    return "".join(parts)
