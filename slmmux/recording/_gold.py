"""The gold answers of other tools in one form: an answer, a list of accepted answers, or none.

An option's place becomes its letter, and what cannot be compared with an answer (tests of a program) becomes `None`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from slmmux._errors import RecordingError
from slmmux._files.values import json_list, python_value
from slmmux.recording._row import holds_nan

__all__ = ["TESTS", "accepted", "are_tests", "gold_of", "options_of", "with_options"]

TESTS = (
    "gold answers are tests to run (HumanEval and the like), which no answer can be compared with: left out; the other "
    "tool's verdict, if it logged one, is the field score"
)
_TESTS = re.compile(r"^[ \t]*(?:assert\b|def check\(|import unittest\b|from unittest\b|METADATA = )", re.MULTILINE)
_LABEL = re.compile(r"(?:^[ \t]*[(\[]?([A-Z])[.):\]]|(?<=\s)\(([A-Z])\)|(?<=\s)([A-Z])\))[ \t]+(?=\S)", re.MULTILINE)
_MARKED = re.compile(r"(?:\A|\n)#### *(\S.*?)\s*\Z")  # how GSM8K ends a worked solution
_PLACE = re.compile(r"\s*\d{1,2}\s*")


def options_of(question: str | None) -> dict[str, str]:
    r"""Return the options that a question shows, by letter: the last list of them, as the earlier ones are examples.

    Example:
        >>> options_of("Which is a fish?\nA. otter\nB. trout\nAnswer:")
        {'A': 'otter', 'B': 'trout'}
    """
    if not question:
        return {}
    labels = list(_LABEL.finditer(question))
    run: list[re.Match[str]] = []
    for label in labels:
        letter = label[label.lastindex or 0]
        if letter == "A":
            run = [label]
        elif run and ord(letter) == ord(run[-1][run[-1].lastindex or 0]) + 1:
            run.append(label)
    if len(run) < 2:  # noqa: PLR2004 - one label is a heading
        return {}
    ends = [label.start() for label in run[1:]] + [len(question)]
    texts = [question[label.end() : end].split("\n", 1)[0].strip() for label, end in zip(run, ends, strict=True)]
    return {label[label.lastindex or 0]: text for label, text in zip(run, texts, strict=True)}


def with_options(question: str | None, options: Sequence[Any] | Mapping[str, Any] | None) -> str | None:
    r"""Return a question that shows its options, each with a letter, as the model saw them.

    Example:
        >>> with_options("Which is a fish?", ["otter", "B. trout"])
        'Which is a fish?\nA. otter\nB. trout'
    """
    if not options or question is None or options_of(question):
        return question
    pairs = (
        options.items() if isinstance(options, Mapping) else zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", options, strict=False)
    )
    lines = [text if re.match(rf"\W?{re.escape(letter)}\W", text) else f"{letter}. {text}" for letter, text in
             ((str(letter), str(option).strip()) for letter, option in pairs)]  # fmt: skip
    return "\n".join([question, *lines])


def are_tests(gold: Any) -> bool:
    """Return whether a gold answer is a program's tests, or instructions that a program checks."""
    if isinstance(gold, list):
        return any(map(are_tests, gold))
    gold = json_list(gold) if isinstance(gold, str) and gold[:1] == "{" else gold  # The paper's files keep JSON.
    if isinstance(gold, Mapping):
        return {"test", "entry_point"} <= gold.keys() or "instruction_id_list" in gold
    return isinstance(gold, str) and _TESTS.search(gold) is not None


def accepted(value: Any, *, texts: bool = False) -> Any:
    """Return a gold answer, or a list of accepted ones, each once; `None` if there is none.

    Args:
        value: What the file holds.
        texts: Whether the other tool turned lists into texts, as Python prints them.

    Example:
        >>> accepted(["Nile", "River Nile", "Nile"]), accepted(["5"]), accepted("['5', 'five']", texts=True)
        (['Nile', 'River Nile'], '5', ['5', 'five'])
    """
    if texts and isinstance(value, str) and value[:1] == "[":
        value = _printed_list(value)
    if isinstance(value, Mapping):
        value = _spellings(value)
    if not isinstance(value, list):
        return None if value == "" else value  # 0 and False are gold answers
    items = [item for i, item in enumerate(value) if item not in (None, "") and item not in value[:i]]
    return None if not items else items[0] if len(items) == 1 else items


def _spellings(gold: Mapping[str, Any]) -> Any:
    """Return the accepted answers that data sets keep by name, as TriviaQA and SQuAD do; another object as it is."""
    if isinstance(gold.get("aliases"), list):
        value = gold.get("value")
        return [*([] if value is None else [value]), *gold["aliases"]]
    if isinstance(gold.get("text"), list) and gold.keys() <= {"text", "answer_start", "answer_end"}:
        return gold["text"]
    return gold


def _printed_list(text: str) -> Any:
    """Return the list of texts that a text prints; another text stays, such as the interval [0, 1]."""
    value = python_value(text) if len(text) < 10**6 else text  # No list of names is a megabyte.
    return value if isinstance(value, list) and value and all(isinstance(item, str) for item in value) else text


def gold_of(
    value: Any,
    question: str | None,
    place: str,
    *,
    choices: Sequence[Any] = (),
    is_place: bool = False,
    texts: bool = False,
) -> Any:
    r"""Return a gold answer in our form.

    Args:
        value: What the file holds.
        question: The question, which may show options.
        place: The place in the file, for the error sentence.
        choices: The options that the file lists beside the question.
        is_place: Whether a number is surely an option's place.
        texts: Whether the other tool turned every value into a text.

    Raises:
        RecordingError: The value is NaN, which equals no answer.

    Example:
        >>> gold_of(1, "Which is a fish?\nA. otter\nB. trout", "line 1"), gold_of(1, "How many?", "line 2")
        ('B', 1)
    """
    if holds_nan(value):
        raise RecordingError(
            f"{place}: the gold answer is NaN, which equals no answer; write null if there is no gold answer"
        )
    gold = accepted(value, texts=texts)
    if gold is None or are_tests(gold):
        return None
    golds = gold if isinstance(gold, list) else [gold]
    return accepted([_letter_or_gold(item, question, choices, is_place=is_place) for item in golds])


def _letter_or_gold(gold: Any, question: str | None, choices: Sequence[Any], *, is_place: bool) -> Any:
    if isinstance(gold, str) and (marked := _MARKED.search(gold)):
        return marked[1]
    if isinstance(gold, bool) or not (isinstance(gold, int) or (isinstance(gold, str) and _PLACE.fullmatch(gold))):
        return gold
    place = int(gold)
    options = options_of(question)
    texts = list(options.values()) or [str(choice).strip() for choice in choices]
    # The text of an option is its content, not a place: of the options 2, 3 and 4 the gold 3 is the second.
    # Below 0 is no place: data sets without answers often have -1.
    if not 0 <= place < len(texts) or (str(place) in texts and not is_place):
        return gold
    return list(options)[place] if options else choices[place]
