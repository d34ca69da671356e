r"""Where a reply runs on into a question of its own making, as models without chat training do.

They were trained on texts in which one question follows another, and a stop sequence is not always set.
"""

import re
from itertools import islice

from slmmux.answers._pattern import pattern
from slmmux.answers._replies.fences import left_open
from slmmux.answers._words.announced import announced
from slmmux.answers._words.sentences import asking_sentence

__all__ = ["without_run_on"]

_MARKER = pattern(
    r"""
    ^ [ \t]{0,3} [*_\#>\ ]{0,8}
    (?: (?P<next>
          \[ (?: Question | User | Human | Problem ) \] \ ?:
        | (?: Question | QUESTION ) (?: \ [0-9]{1,3} )?+ [*_]{0,3} [\ \t]*+ $
        | (?: Question | QUESTION | Q | Frage | Pregunta | Pergunta | Domanda | Вопрос | 问题 | 問題 | 题目 | 質問
            | 질문 | 문제 ) (?: \ ?[0-9]{1,3} )?+ [*_]{0,3} \ ?[:：]
        | (?: [Uu]ser | USER | [Hh]uman | HUMAN ) [*_]{0,3} \ ?[:：]
        | \#{2,4}\ (?: Instruction | Input | Question | User | Human ) \b
        | (?: user | human ) [\ \t]*+ $ )
      | (?P<weak> (?: Problem | Exercise | Input | Task | Aufgabe | Problème | Exercice | Problema | Ejercicio | Задача )
        (?: \ [0-9]{1,3} [*_]{0,3} \ ?[.:：] | [*_]{0,3} \ ?[:：] ) )
      | (?P<again> [Aa]ssistant | ASSISTANT ) [*_]{0,3} (?: \ ?[:：] | [\ \t]*+ $ ) )
    """,
    re.VERBOSE | re.MULTILINE,
)
# Words in front of a question that is only said again: Sure! Let me restate the problem.
_LEAD = pattern(
    r"\W*+(?:sure|ok(?:ay)?|certainly|of course|alright|great|let(?:'s| us| me)|here|first|to (?:answer|solve)|given"
    r"|the (?:question|problem|task))\b",
    re.IGNORECASE,
)
_RULE = pattern(r"[ \t]*(?:-{3,}|={3,}|\*{3,})")  # between a turn and the next
# What a made-up question is about stands before it: Context: Ann runs.
_ABOUT = pattern(
    r"\n[ \t]*\n[ \t*_\[#]*(?:Context|Passage|Text|Article|Premise|Story|Paragraph|Document|Kontext|Contexte|Contexto)"
    r"(?: [0-9]{1,3})?[*_\]]*:(?:[^\n]|\n(?![ \t]*\n))*+\Z",
    whole=True,
)
_MOST_ALIKE = 4  # words that two questions begin with
_SHORT = 200  # characters of such words
_MOST_MARKERS = 20  # that are looked at: each costs as much as the text is long


def without_run_on(text: str, question: str = "") -> str:
    r"""Return a reply up to the next question that the model put to itself.

    A question that the reply begins with is its own, said again, and so is one that says what was asked.

    Args:
        text: The reply, without reasoning.
        question: What was asked, where that is known.

    Example:
        >>> without_run_on("4\n\nQuestion: What is 3 + 3?\nAnswer: 6")
        '4'
        >>> without_run_on("Question: What is 2 + 2?\nAnswer: 4\n\nQ: And 3 + 3?\nA: 6")
        'Question: What is 2 + 2?\nAnswer: 4'
    """
    for marker in islice(_MARKER.finditer(text), _MOST_MARKERS):
        before = text[: marker.start()].strip()
        if not before or _said_again(text, marker, question):
            continue
        if marker["weak"] and "\n" in before and next(announced(before), None) is None:
            continue  # a heading of the working: Problem: ... Solution: ...
        if _leads(before) or left_open(before):
            continue
        about = _ABOUT.search(before)
        return _without_rule(before[: about.start()].rstrip() if about else before)
    return _before_one_alike(text, question)


def _without_rule(text: str) -> str:
    """Return a text without the line of dashes that it ends in."""
    line = text.rsplit("\n", 1)[-1]
    return text[: len(text) - len(line)].rstrip() if line != text and _RULE.fullmatch(line) else text


def _before_one_alike(text: str, question: str) -> str:
    """Return the first line of a text where a question follows that begins as the one that was asked does.

    What is the capital of Chile? after What is the capital of Peru?, which the model has answered in a line.
    """
    first, _, rest = text.strip().partition("\n\n")
    words = asking_sentence(question).split()
    if "\n" in first or len(first) > _SHORT or first.endswith((":", "?")) or len(words) <= _MOST_ALIKE:
        return text
    line = rest.strip().split("\n", 1)[0].strip(" *_")
    alike = line.endswith("?") and line.split()[:_MOST_ALIKE] == words[:_MOST_ALIKE]
    return first if alike and " ".join(line.split()) not in " ".join(question.split()) else text


def _said_again(text: str, marker: re.Match[str], question: str) -> bool:
    line = text[marker.end() :].lstrip(" *_\n").split("\n", 1)[0].strip(" *_")
    return len(line) > 3 and " ".join(line.split()) in " ".join(question.split())  # noqa: PLR2004 - no single letter


def _leads(before: str) -> bool:
    return before.endswith(":") or (
        len(before) <= _SHORT and _LEAD.match(before) is not None and next(announced(before), None) is None
    )
