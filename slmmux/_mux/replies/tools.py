"""The tools that are bound: whether a call fits one, and what of it is voted on.

Arguments are brought into the form that the tool's schema asks for ("5" is 5 where an integer is wanted, a default or a
null says no more than leaving it out), and calls made at once are one answer in any order. Knows JSON Schema as
frameworks write it; what it does not know, it lets pass.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from slmmux import answers
from slmmux._decision.types import Answer
from slmmux._mux.replies.decisive import fields_of, is_explanation
from slmmux._mux.replies.written_calls import written_calls

__all__ = ["Tools"]

_DEEPEST = 40  # levels of a schema
_INTEGER = re.compile(r"\s*[-+]?[0-9]{1,300}(?:\.0{1,300})?\s*")
_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]{1,300}(?:\.[0-9]{0,300})?|\.[0-9]{1,300})(?:[eE][-+]?[0-9]{1,3})?\s*")
# Arguments that models word differently each time: a search query, a message. Short ones are compared unchanged.
_FREE = {
    "analysis", "body", "comment", "comments", "content", "description", "feedback", "input", "instruction",
    "instructions", "keywords", "message", "note", "notes", "prompt", "q", "query", "question", "request", "search",
    "search_query", "search_term", "search_terms", "subject", "summary", "task", "text",
}  # fmt: skip
_FREE_TEXT = "…"  # in the place of one
_FEWEST_WORDS = 3  # of a free text under one of these names
_FEWEST_ELSEWHERE = 8
_FEWEST_SIGNS = 8  # of a text in a script without blanks
_CODE = re.compile(r"[=<>{}();\\]|\bSELECT\b|://")
_WITHOUT_BLANKS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


class _MisfitError(Exception):
    """A value does not fit its schema."""


class Tools:
    """The tools of one request.

    Args:
        schemas: The tools in OpenAI's form, Anthropic's, or as JSON schemas with a title; what has no name is a
            provider's own tool, of which nobody knows what fits.

    Example:
        >>> add = {"name": "add", "parameters": {"properties": {"a": {"type": "integer"}}, "required": ["a"]}}
        >>> tools = Tools([add])
        >>> tools.answer([{"name": "add", "args": {"a": "5"}}]) == tools.answer([{"name": "add", "args": {"a": 5}}])
        True
        >>> tools.answer([{"name": "add", "args": {"b": 5}}])
    """

    def __init__(self, schemas: Iterable[Any]) -> None:
        pairs = [_name_and_schema(schema) for schema in schemas]
        self._schemas = dict(filter(None, pairs))
        self._open = None in pairs

    @property
    def names(self) -> Collection[str]:
        """The tools' names."""
        return self._schemas.keys()

    def calls_in(self, text: str) -> list[dict[str, Any]]:
        """Return the calls that a model wrote into its text."""
        return written_calls(text, self.names)

    def answer(self, calls: Iterable[Mapping[str, Any]]) -> Answer | None:
        """Return calls as an answer; None if one of them fits no tool."""
        calls = list(calls)
        canonical_calls = answers.tool_calls(calls)
        if canonical_calls is None:
            return None
        try:
            compared = [self._decisive(call) for call in json.loads(canonical_calls)]
        except _MisfitError:
            return None
        fields = fields_of([_exact(call) for call in compared])
        return Answer(canonical_calls, "tool_calls", str(answers.tool_calls(compared, ordered=False)), fields)

    def _decisive(self, call: Mapping[str, Any]) -> dict[str, Any]:
        name, args = call["name"], call["args"]
        if name not in self._schemas:
            if self._schemas and not self._open:
                raise _MisfitError
            return {"name": name, "args": args}
        schema = self._schemas[name]
        in_form = args if schema is None else _in_form(args, schema, schema, 0)
        properties = (schema or {}).get("properties")
        schemas = properties if isinstance(properties, Mapping) else {}
        return {
            "name": name,
            "args": {n: _FREE_TEXT if _is_free(n, v, schemas.get(n)) else v for n, v in in_form.items()},
        }


def _exact(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call without the arguments of which only their place is compared."""
    return {"name": call["name"], "args": {n: value for n, value in call["args"].items() if value != _FREE_TEXT}}


def _name_and_schema(tool: Any) -> tuple[str, Mapping[str, Any] | None] | None:
    """Return a tool's name and the schema of its arguments; None for a provider's own tool."""
    if not isinstance(tool, Mapping):
        return None
    inner = tool.get("function")
    if isinstance(inner, Mapping):
        tool = inner
    name = tool.get("name") or tool.get("title")
    if not isinstance(name, str):
        return None
    schema = next((tool[key] for key in ("parameters", "input_schema", "inputSchema") if key in tool), None)
    if schema is None and "properties" in tool:
        schema = tool
    return name, schema if isinstance(schema, Mapping) else None


def _is_free(name: str, value: Any, schema: Any) -> bool:
    """Return whether an argument is a text that is worded anew each time, so that no two would ever agree."""
    if not isinstance(value, str) or (
        isinstance(schema, Mapping) and {"enum", "const", "format", "pattern"} & schema.keys()
    ):
        return False
    if is_explanation(name, value) and name.lower() not in _FREE:
        return True
    if _CODE.search(value):
        return False
    words = len(value.split())
    if not {name.lower(), name.lower().rsplit("_", 1)[-1]} & _FREE:
        return words >= _FEWEST_ELSEWHERE
    return words >= _FEWEST_WORDS or (len(value) >= _FEWEST_SIGNS and bool(_WITHOUT_BLANKS.search(value)))


def _in_form(value: Any, schema: Any, root: Mapping[str, Any], level: int) -> Any:
    """Return a value in the form that a schema asks for.

    Raises:
        _MisfitError: It has none.
    """
    if not isinstance(schema, Mapping) or level > _DEEPEST:
        return value
    if isinstance(schema.get("$ref"), str):
        return _in_form(value, _target(schema["$ref"], root), root, level + 1)
    for part in _list(schema.get("allOf")):
        value = _in_form(value, part, root, level + 1)
    types = schema.get("type")
    options = _list(schema.get("anyOf")) or _list(schema.get("oneOf"))
    if isinstance(types, list):
        options = [{**schema, "type": each} for each in types]
    if options:
        return _one_of(value, options, root, level)
    value = _typed(value, types)
    if isinstance(schema.get("enum"), list):
        value = _option(value, schema["enum"])
    if "const" in schema:
        value = _option(value, [schema["const"]])
    if isinstance(value, dict):
        return _object(value, schema, root, level)
    if isinstance(value, list):
        return [_in_form(item, schema.get("items"), root, level + 1) for item in value]
    _check_size(value, schema)
    return value


def _one_of(value: Any, options: list[Any], root: Mapping[str, Any], level: int) -> Any:
    """Return a value as one of several schemas has it, as it is where that can be."""
    forms = []
    for option in options:
        try:
            forms.append(_in_form(value, option, root, level + 1))
        except _MisfitError:
            continue
    if not forms:
        raise _MisfitError
    return next((form for form in forms if type(form) is type(value) and form == value), forms[0])


def _typed(value: Any, kind: Any) -> Any:  # noqa: C901, PLR0912 - a case a type
    if kind == "integer":
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value.split(".")[0])
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind == "number":
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return int(value) if _INTEGER.fullmatch(value) and "." not in value else float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    elif kind == "boolean":
        if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        if isinstance(value, bool):
            return value
    elif kind == "string":
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    elif kind == "null":
        if value is None:
            return None
    elif kind in ("array", "object"):
        value = _from_json(value) if isinstance(value, str) else value
        if isinstance(value, list if kind == "array" else dict):
            return value
    else:
        return value
    raise _MisfitError


def _from_json(text: str) -> Any:
    try:
        return json.loads(answers.canonical(json.loads(text)))
    except (ValueError, RecursionError):
        raise _MisfitError from None


def _option(value: Any, choices: list[Any]) -> Any:
    for each in choices:
        if each == value and isinstance(each, bool) == isinstance(value, bool):
            return each
    raise _MisfitError


def _check_size(value: Any, schema: Mapping[str, Any]) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    least, most = schema.get("minimum"), schema.get("maximum")
    if (isinstance(least, int | float) and value < least) or (isinstance(most, int | float) and value > most):
        raise _MisfitError


def _object(value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], level: int) -> dict[str, Any]:
    """Return an object without what says no more than leaving it out: defaults, and nulls nobody asks for."""
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = set(filter(lambda name: isinstance(name, str), _list(schema.get("required"))))
    if required - value.keys():
        raise _MisfitError
    if schema.get("additionalProperties") is False and value.keys() - properties.keys():
        raise _MisfitError
    in_form: dict[str, Any] = {}
    for name, item in value.items():
        own = properties.get(name)
        if item is None and name not in required:
            continue
        form = _in_form(item, own, root, level + 1)
        if isinstance(own, Mapping) and "default" in own and _equal(form, own["default"]):
            continue
        in_form[name] = form
    return in_form


def _equal(one: Any, other: Any) -> bool:
    try:
        return answers.canonical(one) == answers.canonical(other)
    except (TypeError, ValueError):
        return False


def _target(reference: str, root: Mapping[str, Any]) -> Any:
    """Return the part of a schema that a reference names: #/$defs/City."""
    part: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
