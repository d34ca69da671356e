"""Which block of a reply is its program: not the way to run it, its use, its tests, its output or its data.

The language is known by its name or not at all: what a block defines and uses is found by patterns, not by parsing.
"""

import re
from collections.abc import Iterator
from enum import IntEnum
from textwrap import dedent
from typing import NamedTuple

from slmmux.answers._pattern import pattern
from slmmux.answers._replies.fences import blocks, left_open
from slmmux.answers._replies.syntax import tree_of

__all__ = ["PYTHON", "Program", "program_in"]

PYTHON = {"", "py", "python", "python3", "py3", "ipython", "pycon"}
_SHELL = {
    "bash",
    "sh",
    "shell",
    "zsh",
    "fish",
    "console",
    "shell-session",
    "terminal",
    "cmd",
    "bat",
    "batch",
    "powershell",
    "ps1",
}
_OUTPUT = {"text", "txt", "output", "stdout", "plaintext", "plain", "log", "none"}
_DATA = {
    "json",
    "jsonl",
    "yaml",
    "yml",
    "toml",
    "ini",
    "csv",
    "tsv",
    "xml",
    "env",
    "properties",
    "diff",
    "mermaid",
    "dot",
    "plantuml",
    "http",
    "markdown",
    "md",
}
# A block without a language is an output where the line before it says so.
_ANNOUNCES_OUTPUT = pattern(
    r"\b(?:outputs?|prints?|printed|results?|returns|displays?|console|ausgabe|sortie|affiche|salida|sa[íi]da|вывод)\b[^\n]{0,40}\Z"
    r"|(?:输出|輸出|出力|출력|结果|結果|결과)[^\n]{0,20}\Z"
    r"|\A(?:(?:sample|example|test|standard)\ )?(?:inputs?|stdin|eingabe|entrada|entrée|ввод)(?:\ [0-9]{1,3})?\Z|\A(?:输入|輸入|入力|입력)\Z",
    re.IGNORECASE,
)
_COMMAND = pattern(
    r"\s*+(?:[$%>]\s|(?:sudo\ )?(?:pip3?|npm|npx|yarn|conda|apt(?:-get)?|brew|git|cd|mkdir|python3?|node|java|javac|gcc"
    r"|g\+\+|clang|cargo|go|ruby|php|dotnet|docker|pytest|make|curl|export|source|chmod|\./)(?:\ [^=(]|$|(?<=\./)))",
    re.VERBOSE,
)
_SESSION = pattern(r"^[ \t]*(?:>>>|In \[[0-9]+\]:) ", re.MULTILINE)
_DEFINITION = pattern(
    r"""
    (?<![\w.]) (?: def | function\*? | func | fn | fun | sub | class | struct | interface | trait | enum | proc | object
        | defn | CREATE\ FUNCTION ) \s{1,4} (?: \([^()\n]{0,60}\)\ )?+ (?P<word> [A-Za-z_]\w*+ )
  | (?<![\w.]) (?: const | let | var | val | auto )? \s{0,4} (?<!\w) (?P<arrow> [A-Za-z_]\w*+ ) \s?=\s?
        (?: async\ )? (?: function\b | lambda\b | \([^()\n]{0,120}\)\s?(?::\s?\w{1,20}\s?)?=> | \w{1,30}\s?=> )
  | ^ [ \t]{0,8} (?: [A-Za-z_][\w<>\[\]:*&]{0,40} [ \t*&]{1,4} ){1,6} (?P<typed> [A-Za-z_]\w*+ )
        [ \t]? \( [^;{}()]{0,300} \) [^;{}()]{0,40} \{
  """,
    re.VERBOSE | re.MULTILINE,
)
_TEST = pattern(r"test", re.IGNORECASE)
_ENTRY = {"main", "Main", "Program"}  # who is called by nobody: a program's own, and a use's as well
_WORD = pattern(r"[A-Za-z_]\w*+")
_ASSERTS = pattern(r"\bassert\w*|\bexpect\(|\bunittest\b|\bpytest\b|\bdescribe\(|@Test\b|#\[test\]|\btesting\.")
_MOST_BLOCKS = 50  # the last ones
_WHOLE_END = pattern(r"[};)\]>]\s*\Z|\bend\b\s*\Z|\A\s*(?:SELECT|WITH)\b[^;]*[^,(\s]\s*\Z", re.IGNORECASE)

_HANGS = pattern(
    r"\b(?:select|from|where|and|or|not|on|by|join|set|values|in|like|as|having|limit|between)\s*\Z", re.IGNORECASE
)


class Program(NamedTuple):
    """A block's language, as its info string names it, and its source without common indentation."""

    language: str
    source: str


class _Role(IntEnum):
    """What a block is for, the program first."""

    PROGRAM = 0
    USE = 1
    DATA = 2
    SHELL = 3
    OUTPUT = 4


class _Block(NamedTuple):
    language: str
    source: str
    lead: str  # the line before it


def program_in(reply: str) -> Program | None:
    r"""Return the last block that is a program; where none is, the last use, data, command or output.

    A block that a reply ends in without a closing fence counts where it is whole: a stop sequence takes the fence away.

    Example:
        >>> program_in("```python\ndef f(): return 1\n```\nUse it:\n```python\nprint(f())\n```").source
        'def f(): return 1'
        >>> program_in("```python\nprint(1)\n```\nOutput:\n```\n1\n```").source
        'print(1)'
        >>> program_in("```python\nprint((1 +")
    """
    last_blocks = list(_blocks(reply))[-_MOST_BLOCKS:]
    best: tuple[_Role, Program] | None = None
    defined: set[str] = set()
    for block in last_blocks:
        role = _role(block, defined)
        if role in {_Role.PROGRAM, _Role.USE}:
            defined |= _definitions(block.source) - _ENTRY
        if best is None or role <= best[0]:
            best = role, Program(block.language, block.source)
    return best and best[1]


def _blocks(reply: str) -> Iterator[_Block]:
    for start, info, content in blocks(reply):
        if content.strip():
            yield _block(info, content, reply[:start])
    open_block = left_open(reply)
    if open_block and open_block[1].strip():
        block = _block(*open_block, reply[: len(reply) - len(open_block[1])])
        if _is_whole(block):
            yield block


def _block(info: str, content: str, before: str) -> _Block:
    language = (info.split() or [""])[0].strip("{.}").lower()
    lead = before[-200:].rstrip().rsplit("\n", 1)[-1].strip(" *_#:：`")
    return _Block(language, dedent(content).strip("\n").rstrip(), lead)


def _role(block: _Block, defined: set[str]) -> _Role:
    if block.language in _SHELL or (not block.language and _is_shell(block.source)):
        return _Role.SHELL
    if block.language in _OUTPUT or (not block.language and _ANNOUNCES_OUTPUT.search(block.lead)):
        return _Role.OUTPUT
    if block.language in _DATA:
        return _Role.DATA
    if block.language in PYTHON and _SESSION.search(block.source):
        return _Role.USE
    names = _definitions(block.source)
    uses_others = bool(defined & set(_WORD.findall(block.source)))
    test_names = [_TEST.search(name) is not None for name in names - _ENTRY]
    # A class of tests has a name of its own: one test in it is enough where it tests what was defined before.
    tests = (
        bool(names) and (all(test_names) or (uses_others and any(test_names))) and bool(_ASSERTS.search(block.source))
    )
    if tests and (defined or not names - _ENTRY):
        return _Role.USE
    if names - _ENTRY or not defined:
        return _Role.PROGRAM
    return _Role.USE if uses_others else _Role.PROGRAM


def _is_shell(source: str) -> bool:
    lines = [line for line in source.split("\n") if line.strip()]
    return all(map(_COMMAND.match, lines))


def _definitions(source: str) -> set[str]:
    """Return the names of the functions and classes that a source defines."""
    return {definition[definition.lastgroup or 0] for definition in _DEFINITION.finditer(source)}


def _is_whole(block: _Block) -> bool:
    """Return whether a source that no fence closes has come to an end."""
    if block.language in PYTHON:
        return tree_of(block.source) is not None
    opened = [block.source.count(sign) for sign in "([{"]
    closed = [block.source.count(sign) for sign in ")]}"]
    end = block.source[-2000:]
    return opened == closed and bool(_WHOLE_END.search(end)) and not _HANGS.search(end)
