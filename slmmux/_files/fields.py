"""Which field of a table's row is the question, the reply, the gold answer: named by a map, or found by usual names."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slmmux._errors import ArgumentError, did_you_mean

__all__ = [
    "FIELDS",
    "Fields",
    "checked_map",
    "ends_with_reply",
    "field_value",
    "fields_of",
    "key_of",
    "map_of",
    "message_text",
]

FIELDS = ("question_id", "question", "context", "options", "answer", "gold", "model", "dataset", "score", "error",
          "temperature", "input_tokens", "output_tokens", "latency_s", "finish_reason")  # fmt: skip

# The names that files use, the surest first. "answer" is the gold answer beside a reply, and the reply beside a gold.
_NAMES = {
    "question_id": ("question_id", "qid", "doc_id", "task_id", "problem_id", "example_id", "custom_id", "unique_id"),
    "question": ("question", "prompt", "problem", "query", "input", "inputs", "instruction", "messages",
                 "user", "user_input", "user_prompt", "full_prompt", "goal", "stem", "sentence"),
    "context": ("context", "passage", "paragraph", "article"),
    "options": ("choices", "options", "endings", "answer_choices"),
    "answer": (
        "output", "outputs", "response", "responses", "completion", "completions", "generation", "generations", "reply",
        "replies", "prediction", "predictions", "generated_text", "model_output", "model_response", "samples", "text",
        "model_answer", "model_prediction", "predicted_answer", "pred", "preds", "hypothesis", "llm_output",
        "assistant",
    ),
    "gold": (
        "gold", "target", "targets", "reference", "references", "expected", "expected_output", "ideal", "label",
        "ground_truth", "correct_answer", "gold_answer", "reference_answer", "solution", "answers", "answerkey",
        "answer_key", "gold_label", "gt", "correct_answers", "best_answer", "correct_option", "cop", "answer_idx",
        "answer_index", "correct_index",
    ),
    "model": ("model", "model_name", "model_id"),
    "dataset": ("dataset", "task"),
    "score": ("score", "is_correct"),
    "error": ("error",),
    "temperature": ("temperature",),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "latency_s": ("latency_s", "latency"),
    "finish_reason": ("finish_reason", "finish_reasons", "stop_reason", "done_reason", "cut_off", "truncated"),
}  # fmt: skip
# Options that have a field each: A and B, option_a and option_b, opa and opb, option1 and option2, sol1 and sol2.
_OPTION = re.compile(r"(?P<family>(?:option|choice|answer|ending|op|sol)[_ ]?|)(?P<place>[a-j]|\d)")
_NUMBERED = re.compile(r"(.+?)[_ .-]?\d+")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a table.

    Attributes:
        names: For each of `FIELDS` that the table has, its fields; only the reply may have several, one a sample, and
            the options, one each.
        guessed_id: A field named "id", which may number the questions or only the rows.
    """

    names: Mapping[str, Sequence[str]]
    guessed_id: str | None = None

    def value(self, row: Mapping[str, Any], name: str) -> Any:
        """Return what a row holds, `None` if the table has no such field."""
        return field_value(row, self.names[name][0]) if name in self.names else None

    def __str__(self) -> str:
        return ", ".join(f"{name}={field}" for name, fields in self.names.items() for field in fields)


def map_of(text: str) -> dict[str, list[str]]:
    """Return a map as the command line has it; a name may stand several times.

    Raises:
        ArgumentError: A part has another form, or names no field of ours.

    Example:
        >>> map_of("question=prompt,answer=outputs.0,answer=outputs.1")
        {'question': ['prompt'], 'answer': ['outputs.0', 'outputs.1']}
    """
    field_map: dict[str, list[str]] = {}
    for part in text.split(","):
        name, equals, field = (piece.strip() for piece in part.partition("="))
        if not (name and equals and field):
            raise ArgumentError(
                f"a map is made of NAME=FIELD, received {part!r}; write question=prompt,answer=output,gold=target"
            )
        field_map.setdefault(name, []).append(field)
    return checked_map(field_map)


def checked_map(field_map: Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    """Return a map with a list of fields for each name.

    Raises:
        ArgumentError: A name is not one of `FIELDS`, or a name other than the reply's has several fields.
    """
    lists = {name: [fields] if isinstance(fields, str) else list(fields) for name, fields in field_map.items()}
    for name, fields in lists.items():
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS) or f"the names are {', '.join(FIELDS)}"
            raise ArgumentError(f"a map has no {name!r}; {hint}")
        if len(fields) != 1 and name != "answer":
            raise ArgumentError(f"{name} is one field, received {', '.join(fields)}; only answer may have several")
    return lists


def fields_of(row: Mapping[str, Any], field_map: Mapping[str, Sequence[str]] | None, *, replies: bool) -> Fields:
    """Return the fields of a table.

    Args:
        row: The first value of each of its fields.
        field_map: The fields that the user named; the others are found by their usual names.
        replies: Whether the table holds replies, and not only questions.
    """
    names: dict[str, Sequence[str]] = dict(field_map or {})
    lower = {name.lower(): name for name in reversed(list(row))}
    # A field that a map leads into is taken as well: the choices of choices.0.text are no options.
    taken = {part for fields in names.values() for field in fields for part in (field, field.partition(".")[0])}
    free = {plain: name for plain, name in lower.items() if name not in taken}
    for name in FIELDS:
        if name not in names and (name != "answer" or replies):
            usual = next((free[plain] for plain in _NAMES[name] if plain in free), None)
            if usual is not None:
                names[name] = [usual]
                del free[usual.lower()]
    if "instruction" in free and "question" in names and "context" not in names:  # what to do with the input
        names["context"] = [free["instruction"]]
    _look_inside(row, names, free)
    if not replies and "gold" not in names and "answer" not in free and "output" in free:
        names["gold"] = [free["output"]]
    if "correct" in free:  # a verdict, or the correct answer
        part = "score" if isinstance(row[free["correct"]], bool) else "gold"
        names.setdefault(part, [free["correct"]])
    if replies and "answer" not in names:
        names |= _numbered(free)
    no_reply = replies and "answer" not in names
    if "answer" in free:
        if no_reply:
            names["answer"] = [free["answer"]]
        elif "gold" not in (field_map or {}):  # "answer" is the surer name beside a reply; a "solution" explains it
            names["gold"] = [free["answer"]]
    elif no_reply and "question" in names and ends_with_reply(field_value(row, names["question"][0])):
        names["answer"] = names["question"]
    return Fields(names, None if "question_id" in names else free.get("id") or free.get("idx"))


def _look_inside(row: Mapping[str, Any], names: dict[str, Sequence[str]], free: Mapping[str, str]) -> None:
    """Add what is not a field by itself: the stem and the options in an object, and options with a field each."""
    question = field_value(row, names["question"][0]) if "question" in names else None
    if isinstance(question, Mapping) and "stem" in question:
        if "choices" in question:
            names.setdefault("options", [f"{names['question'][0]}.choices"])
        names["question"] = [f"{names['question'][0]}.stem"]
    if "options" not in names:
        families: dict[str, list[str]] = {}
        for plain, name in sorted(free.items()):
            if option := _OPTION.fullmatch(plain):
                families.setdefault(option["family"], []).append(name)
        several = next((fields for fields in families.values() if len(fields) > 1), None)
        if several is not None:
            names["options"] = several


def ends_with_reply(chat: Any) -> bool:
    """Return whether a value is a chat whose last message is the assistant's."""
    return isinstance(chat, list) and bool(chat) and isinstance(chat[-1], dict) and chat[-1].get("role") == "assistant"


def _numbered(free: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the reply's fields where each sample has one: output_1, output_2 and so on."""
    series: dict[str, list[str]] = {}
    for plain, name in sorted(free.items(), key=lambda pair: [int(n) for n in re.findall(r"\d+", pair[0])]):
        if (numbered := _NUMBERED.fullmatch(plain)) and numbered[1] in _NAMES["answer"]:
            series.setdefault(numbered[1], []).append(name)
    return {"answer": next(iter(series.values()))} if series else {}


def field_value(row: Any, path: str) -> Any:
    """Return the value at a path of keys and list places, joined by dots; of a list, the values of all its items.

    Example:
        >>> row = {"a": {"b": [{"c": 1}, {"c": 2}]}, "x.y": 3}
        >>> field_value(row, "a.b.c"), field_value(row, "a.b.1.c"), field_value(row, "x.y"), field_value(row, "a.z")
        ([1, 2], 2, 3, None)
    """
    if isinstance(row, Mapping):
        if path in row:
            return row[path]
        # The longest key first, so that a key with a dot in it is found.
        for end in reversed([place for place, sign in enumerate(path) if sign == "."]):
            if path[:end] in row:
                return field_value(row[path[:end]], path[end + 1 :])
        return None
    if isinstance(row, list):
        first, _, rest = path.partition(".")
        if first.lstrip("-").isdigit():
            place = int(first)
            item = row[place] if -len(row) <= place < len(row) else None
            return field_value(item, rest) if rest else item
        return [field_value(item, path) for item in row]
    return None


def message_text(value: Any) -> str | None:
    """Return the text of a message: a text, a list of parts, or an object that holds it; `None` without a text.

    Example:
        >>> message_text([{"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]}])
        '2 + 2?'
    """
    match value:
        case str():
            return value
        case {"content": content}:
            return message_text(content)
        case {"text": str(text)} | {"generated_text": str(text)} | {"output_text": str(text)}:
            return text
        case {"message": message}:
            return message_text(message)
        case [_, *_]:
            return _text_of_parts(value)
        case _:
            return None


def _text_of_parts(parts: Iterable[Any]) -> str | None:
    parts = list(parts)
    of_user = [part for part in parts if isinstance(part, dict) and part.get("role") not in {"system", "developer"}]
    texts = [text for part in (of_user if len(of_user) == 1 else parts) if (text := message_text(part)) is not None]
    is_chat = any(isinstance(part, dict) and "role" in part for part in parts)
    return ("\n\n" if is_chat else "\n").join(texts) if texts else None


def key_of(*parts: str | None) -> str:
    r"""Return a question's id made of its text, the same in every file that has it.

    Example:
        >>> key_of("How many corners has a pentagon?") == key_of(" How many  corners has a pentagon?\n")
        True
    """
    text = "\n".join(" ".join((part or "").split()) for part in parts)
    return f"q-{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:12]}"
