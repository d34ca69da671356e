r"""Tool calls that a model wrote into its text, in the forms that small models were trained on.

Bare JSON, fenced or after a tag, XML, and Python's own form. Only names of tools that are bound make a call.
"""

import ast
import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, TypeAlias

from slmmux.answers._pattern import pattern
from slmmux.answers._replies.fences import fenced
from slmmux.answers._replies.json_extent import extents
from slmmux.answers._replies.reply import reply_of

__all__ = ["written_calls"]

Call: TypeAlias = dict[str, Any]

_LONGEST = 50_000  # characters of a reply that is looked at
_MOST_CALLS = 50
_NAMES = ("name", "tool_name", "function_name", "tool", "function", "action", "recipient_name")
_ARGUMENTS = (
    "arguments", "args", "parameters", "params", "input", "tool_input", "tool_arguments", "tool_args", "action_input",
    "kwargs",
)  # fmt: skip
_NO_ARGUMENTS = ("type", "id", "tool_call_id", "index")  # beside a name
_WRAPPERS = (
    "tool_calls", "function_call", "functionCall", "function_calls", "tool_call", "tool_uses", "calls", "actions",
    "function",
)  # fmt: skip
# <function=add>{"a": 1}</function> of Llama; Qwen's coders put <parameter=a>1</parameter> inside.
_FUNCTION = pattern(
    r"<function=(?P<name>[\w.-]{1,64})>(?P<body>(?:[^<]++|<(?!/?function>))*+)(?:</?function>|\Z)", whole=True
)
_INVOKED = pattern(
    r"<invoke name=[\"'](?P<name>[\w.-]{1,64})[\"']>(?P<body>(?:[^<]++|<(?!/invoke>))*+)(?:</invoke>|\Z)", whole=True
)
_TAGGED = pattern(
    r"<(?:tool_)?name>(?P<name>[\w.-]{1,64})</(?:tool_)?name>\s*+<(?P<tag>arguments|args|parameters|input)>(?P<body>(?:[^<]++|<(?!/(?P=tag)>))*+)",
    whole=True,
)
_PARAMETER = pattern(
    r"<parameter(?:=|\ name=[\"'])(?P<name>[\w.-]{1,64})[\"']?>\n?(?P<value>(?:[^<]++|<(?!/parameter>))*+)</parameter>",
    whole=True,
)
# A name, then its arguments: [TOOL_CALLS]add[ARGS]{...} of Mistral, name<tool_sep>{...} of DeepSeek, add\n{...}.
_NAME_BEFORE = pattern(
    r"(?:\[TOOL_CALLS\]|[|｜]tool▁(?:sep|call▁begin)[|｜]>|to=functions\.|<\|tool_call_begin\|>functions\.|<tool_call>"  # noqa: RUF001 - DeepSeek writes them so
    r"|<\|recipient\|>|✿FUNCTION✿:|^Action:|^>>>|\A(?=[\w.-]{1,64}\s?[:(]?\s?(?:\n|\{)))\s*+(?P<name>[\w.-]{1,64}?)(?::[0-9]{1,3})?"
    r"(?:\[CALL_ID\]\w{0,40})?(?=\[ARGS\]|\s?[:(]?\s*+(?:```json\s*+)?\{|\s*+<[|｜]|\s*+✿ARGS✿:|\s*\nAction Input:)",  # noqa: RUF001
    re.MULTILINE,
)
# GLM's <tool_call>add\n<arg_key>a</arg_key>..., and FunctionGemma's call:add{a:1,b:<escape>x<escape>}.
_KEYED = pattern(
    r"<tool_call>\s*+(?P<name>[\w.-]{1,64})\s*+(?P<body><arg_key>(?:[^<]++|<(?!/tool_call>))*+)(?:</tool_call>|\Z)",
    whole=True,
)
_KEY = pattern(
    r"<arg_key>(?P<name>[^<]{1,64})</arg_key>\s*+<arg_value>(?P<value>(?:[^<]++|<(?!/arg_value>))*+)</arg_value>",
    whole=True,
)
_GEMMA = pattern(
    r"\bcall:(?P<name>[\w.-]{1,64})\{(?P<body>(?:[^{}<]++|<escape>(?:[^<]++|<(?!escape>))*+<escape>)*+)\}", whole=True
)
_GEMMA_PARAMETER = pattern(
    r"(?P<name>\w{1,64}):(?:<escape>(?P<text>(?:[^<]++|<(?!escape>))*+)<escape>|(?P<value>[^,<{}]*+))",
    whole=True,
)
_QUOTED_OBJECT = pattern(r"(?<=[:,]) ?'(?=\{)([^'\n]*+)'")  # "arguments": '{"a": 1}'
_AFTER_INPUT = pattern(r"\n\s*\n|\nObservation")
_CLOSING_TAG = pattern(r"(?:\s*+(?:</?\|?/?tool_calls?\|?>|<\|/tool_call\|>|```))++\s*\Z")
_BARE_NAME = pattern(r"([{,]\s{0,20})([A-Za-z_]\w{0,63})\s?:")
_ACTION = pattern(r"^Action:[ \t]*+(?P<call>[A-Za-z_][\w.]{0,63}\([^\n]{0,2000}\))[ \t]*$", re.MULTILINE)
_CONSTANT = pattern(r"\b(?:true|false|null)\b")
_CONSTANTS = {"true": "True", "false": "False", "null": "None"}
_LONGEST_END = 200  # characters in which closing tags are looked for
_MOST_FORGOTTEN = 2
_PYTHON_TAGS = pattern(
    r"<\|?/?python_tag\|?>|<\|python_(?:start|end)\|>|<\|?/?tool_calls?(?:_start|_end)?\|?>|```tool_(?:code|call)s?|```python|```|default_api\."
)


def written_calls(text: str, names: Collection[str]) -> list[Call]:
    """Return the calls that a text makes, in order; empty if it makes none.

    Args:
        text: The reply.
        names: The tools that are bound.

    Example:
        >>> written_calls('<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', {"add"})
        [{'name': 'add', 'args': {'a': 1}}]
        >>> written_calls('[add(a=1), add(a=2)]', {"add"})
        [{'name': 'add', 'args': {'a': 1}}, {'name': 'add', 'args': {'a': 2}}]
        >>> written_calls('{"name": "Ada", "arguments": {}}', {"add"})
        []
    """
    if not names or len(text) > _LONGEST or not any(name in text for name in names):
        return []
    # Marks of a channel that is no reply, or that a reply would end at.
    marked = any(mark in text for mark in ("to=functions.", "<|recipient|>"))
    addressed = [*_named_before(text, names)] if marked else []
    text = _QUOTED_OBJECT.sub(r"\1", reply_of(text.replace('<|"|>', "<escape>")))
    return (
        addressed
        or [*_in_xml(text, names)]
        or [*_in_pairs(text, names)]
        or [*_named_before(text, names)]
        or [*_in_json(text, names)]
        or [*_in_json(_closed(text), names)]
        or _in_python(text, names)
        or [*_in_json(_quoted_names(text), names)]
    )


def _closed(text: str) -> str:
    """Return a text with the outer brackets that a small model forgets to close; empty where it forgot none."""
    end = max(len(text) - _LONGEST_END, 0)
    text = text[:end] + _CLOSING_TAG.sub("", text[end:]).rstrip()
    forgotten = min(text.count("{") - text.count("}"), _MOST_FORGOTTEN)
    if forgotten < 1 or not text.endswith("}"):
        return ""
    return text + "}" * forgotten + "]" * min(max(text.count("[") - text.count("]"), 0), 1)


def _quoted_names(text: str) -> str:
    """Return the text of an object with quotes around its names, which lack them; empty for any other text."""
    return _BARE_NAME.sub(r'\1"\2":', text) if text.lstrip("` \njson")[:1] == "{" else ""


def _in_xml(text: str, names: Collection[str]) -> Iterator[Call]:
    for form in (_FUNCTION, _INVOKED, _TAGGED):
        for function in form.finditer(text):
            if function["name"] in names:
                body = function["body"].strip()
                parameters = {each["name"]: _value(each["value"].strip()) for each in _PARAMETER.finditer(body)}
                arguments = parameters or _object(body)
                if arguments is not None:
                    yield {"name": function["name"], "args": arguments}


def _in_pairs(text: str, names: Collection[str]) -> Iterator[Call]:
    for call in islice(_KEYED.finditer(text), _MOST_CALLS):
        if call["name"] in names:
            pairs = _KEY.finditer(call["body"])
            yield {
                "name": call["name"],
                "args": {pair["name"].strip(): _value(pair["value"].strip()) for pair in pairs},
            }
    for call in islice(_GEMMA.finditer(text), _MOST_CALLS):
        if call["name"] in names:
            pairs = _GEMMA_PARAMETER.finditer(call["body"])
            yield {"name": call["name"], "args": {pair["name"]: _parameter(pair) for pair in pairs}}


def _parameter(pair: re.Match[str]) -> Any:
    value = _from_json(pair["value"]) if pair["text"] is None else None
    return pair["text"] if pair["text"] is not None else pair["value"].strip() if value is None else value


def _named_before(text: str, names: Collection[str]) -> Iterator[Call]:
    for match in islice(_NAME_BEFORE.finditer(text), _MOST_CALLS):
        if match["name"] in names:
            start = text.find("{", match.end())
            first = next(iter(extents(text[start:])), None) if start >= 0 else None
            arguments = (
                _object(text[start + first[0] : start + first[1]])
                if first
                else _python_object(_AFTER_INPUT.split(text[start : start + _LONGEST // 10], maxsplit=1)[0])
            )
            if arguments is not None:
                yield {"name": match["name"], "args": arguments}


def _in_json(text: str, names: Collection[str]) -> Iterator[Call]:
    calls = (
        call
        for start, end in extents(text)
        for call in _calls_of(_from_json(text[start:end]), names, alone=_stands_alone(text, start))
    )
    yield from islice(calls, _MOST_CALLS)


def _stands_alone(text: str, start: int) -> bool:
    """Return whether a tag, a fence or nothing at all stands before a place."""
    before = text[max(start - 40, 0) : start].rstrip()
    return not before or before[-1] in ">]`"


def _calls_of(value: Any, names: Collection[str], *, alone: bool) -> Iterator[Call]:
    """Yield the calls that a JSON value is: one object, a list of them, or what wraps them.

    A name without arguments is a call only where it stands `alone`; what stands beside it are its arguments then.
    """
    if isinstance(value, list):
        for item in value[:_MOST_CALLS]:
            if isinstance(item, Mapping):
                yield from _calls_of(item, names, alone=alone)
        return
    if not isinstance(value, Mapping):
        return
    for wrapper in _WRAPPERS:
        if isinstance(value.get(wrapper), list | dict):
            yield from _calls_of(value[wrapper], names, alone=alone)
            return
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), "").removeprefix("functions.")
    if name in names:
        beside = {key: item for key, item in value.items() if key not in {*_NAMES, *_ARGUMENTS, *_NO_ARGUMENTS}}
        arguments: Any = next(
            (value[key] for key in _ARGUMENTS if value.get(key) is not None), beside if alone else None
        )
        arguments = _object(arguments) if isinstance(arguments, str) else arguments
        if isinstance(arguments, Mapping):
            yield {"name": name, "args": dict(arguments)}
    elif len(value) == 1:  # {"add": {"a": 1}}
        (only,) = value
        if only in names and isinstance(value[only], Mapping):
            yield {"name": only, "args": dict(value[only])}


def _in_python(text: str, names: Collection[str]) -> list[Call]:
    """Return the calls of a text that is nothing but calls as Python writes them: [add(a=1, b=2)]."""
    blocks = [
        content for info, content in fenced(text) if info.lower() in {"tool_code", "tool_call", "python", "py", ""}
    ]
    action = _ACTION.search(text)
    block = action["call"] if action else blocks[-1] if len(blocks) == 1 else text
    source = _PYTHON_TAGS.sub("", block).strip().strip("`;").strip()
    if len(source) > _LONGEST // 10 or not re.match(r"[\[\w{]", source) or source.count("(") > _MOST_CALLS:
        return []
    if source.startswith("{"):
        value = _python_object(source)
        return [*_calls_of(value, names, alone=True)] if value is not None else []
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    calls = [_python_call(node, names) for statement in body for node in _nodes(statement)]
    return [call for call in calls if call] if calls and all(calls) else []


def _python_object(source: str) -> dict[str, Any] | None:
    """Return a dict as Python prints it, or as a model mixes it with JSON."""
    source = source[source.find("{") : source.rfind("}") + 1]
    for spelling in (source, _CONSTANT.sub(lambda word: _CONSTANTS[word[0]], source)):
        try:
            value = ast.literal_eval(spelling)
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, dict) else None
    return None


def _nodes(statement: ast.stmt) -> list[ast.expr | None]:
    """Return what a statement calls: its value, the parts of a list, what it prints; nothing where it prints a name."""
    if not isinstance(statement, ast.Expr | ast.Assign):
        return [None]
    value = statement.value
    value = value.value if isinstance(value, ast.Await) else value
    prints = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print"
    if prints and isinstance(value, ast.Call):
        return [argument for argument in value.args if not isinstance(argument, ast.Name)]
    return [*value.elts] if isinstance(value, ast.List | ast.Tuple) else [value]


def _python_call(node: ast.expr | None, names: Collection[str]) -> Call | None:
    if not isinstance(node, ast.Call) or node.args:
        return None
    function = node.func
    if isinstance(function, ast.Attribute) and function.attr == "call":  # Llama's own tools: search.call(query="...")
        function = function.value
    if not isinstance(function, ast.Name) or function.id not in names:
        return None
    try:
        return {
            "name": function.id,
            "args": {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg},
        }
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def _object(text: str) -> dict[str, Any] | None:
    value = _from_json(text)
    return value if isinstance(value, dict) else None


def _value(text: str) -> Any:
    """Return what a parameter in XML says: JSON where it is some, else its text."""
    if text[:1] in '[{"' or text in {"true", "false", "null"}:
        value = _from_json(text)
        return text if value is None and text != "null" else value
    return text


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
