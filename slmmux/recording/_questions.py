"""A question as a row of a table has it: its id, its text with the options, and its gold answer.

The readers of samples and the lists of questions to profile share this, so that both give a question one id.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slmmux._files.fields import Fields, ends_with_reply, field_value, key_of, message_text
from slmmux._files.values import accepted_texts, json_list
from slmmux.recording._gold import are_tests, gold_of, with_options

__all__ = ["QuestionRow", "options_in", "question_row", "question_text"]

_NUMBERED_OPTION = re.compile(r"option[_ ]?\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question in a table.

    Attributes:
        question_id: The id, made of the text if the row has none; `None` if the row has neither.
        has_id: Whether the row has an id.
        question: The text, with the options.
        gold: The gold answer, or the accepted ones.
        dataset: The dataset.
        tests: Whether the row has tests in place of a gold answer.
    """

    question_id: str | None
    has_id: bool
    question: str | None
    gold: Any
    dataset: str | None
    tests: bool


def question_row(row: Mapping[str, Any], fields: Fields, place: str, *, lists_as_texts: bool = False) -> QuestionRow:
    """Return the question of a row.

    Args:
        row: The row.
        fields: Where its parts are.
        place: The place in the file, for error sentences.
        lists_as_texts: Whether the table has only texts, so that a list is JSON in a text.

    Raises:
        RecordingError: The gold answer is NaN.
    """
    text = question_text(row, fields)
    value = fields.value(row, "gold")
    value = json_list(value) if lists_as_texts else accepted_texts(value)
    labels = _labels_in(row, fields)
    if not isinstance(value, list | dict) and str(value) in labels:
        value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[labels.index(str(value))]
    tests = are_tests(value)
    number = fields.value(row, "question_id")
    if number in (None, "") and fields.guessed_id is not None:
        number = row.get(fields.guessed_id)
    has_id = number not in (None, "")
    dataset = fields.value(row, "dataset")
    return QuestionRow(
        question_id=str(number) if has_id else None if text is None else key_of(text),
        has_id=has_id,
        question=text,
        gold=None if tests else gold_of(value, text, place, choices=options_in(row, fields)),
        dataset=None if dataset in (None, "") else str(dataset),
        tests=tests,
    )


def question_text(row: Mapping[str, Any], fields: Fields) -> str | None:
    """Return a question's text with its options, as a model should see it."""
    value = fields.value(row, "question")
    if isinstance(value, str) and value[:2] == "[{":  # a chat in a cell
        value = json_list(value)
    if ends_with_reply(value):
        value = value[:-1]
    text = message_text(value)
    if text is None and value is not None:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    context = fields.value(row, "context")
    if isinstance(context, str) and context.strip() and text is not None:
        text = f"{context.strip()}\n\n{text}".rstrip()
    return with_options(text, options_in(row, fields) or None)


def options_in(row: Mapping[str, Any], fields: Fields) -> list[Any]:
    """Return the texts of a row's options; some data sets have an object of lists, or of letters, or a field each."""
    names = fields.names.get("options", ())
    if len(names) > 1:
        return [each for each in (field_value(row, name) for name in names) if each not in (None, "")]
    value = json_list(fields.value(row, "options"))
    if isinstance(value, list):
        value = [each["text"] if isinstance(each, dict) and "text" in each else each for each in value]
    if isinstance(value, dict):
        value = value["text"] if isinstance(value.get("text"), list) else list(value.values())
    return value if isinstance(value, list) else []


def _labels_in(row: Mapping[str, Any], fields: Fields) -> list[str]:
    """Return the labels that a data set gives its options beside their texts: 1 to 4, or letters."""
    names = fields.names.get("options", ())
    if len(names) > 1:  # option1 and option2, of which the answer names the number
        return [name[-1] for name in names] if all(map(_NUMBERED_OPTION.fullmatch, names)) else []
    value = json_list(fields.value(row, "options"))
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        labels = value.get("label")
    else:
        labels = [each.get("label") for each in value if isinstance(each, dict)] if isinstance(value, list) else None
    return [str(label) for label in labels] if isinstance(labels, list) else []
