r"""Texts that would take a pattern a quadratic time if it could backtrack, made from the pattern itself; and every reading.

Whatever pattern joins the package is tried from then on: its words and signs are read in its own source, in their order,
so that a row of some of them is what it nearly matches.
"""

import importlib
import pkgutil
import re
from random import Random

import slmmux._mux.replies
import slmmux.answers
from slmmux import answers
from slmmux._mux.replies.forms import form_of
from slmmux._mux.replies.reading import reading, structured_answer
from slmmux._mux.replies.tools import Tools
from slmmux.answers._pattern import pattern

__all__ = ["FRAMES", "READINGS", "hostile_texts", "patterns", "tokens"]

GHANA = "What is the capital of Ghana? A) Accra B) Kumasi C) Tema"
ADD = [{"name": "add", "parameters": {"properties": {"a": {"type": "integer"}, "query": {"type": "string"}}}}]
PROMPTS = [
    "[[A]]", "[RESULT]", "Doc: Relevance: ", "JSON choice: reason: ", "[] > []", "'ANSWER: <number", "'KEYWORDS: <",
    "'JSONPath: <", "GRADE: CORRECT or INCORRECT", '"Y" or "N"', "SQLQuery:", "<execute> </execute>",
    "in a line with only the score", "YES or NO",
]  # fmt: skip
FRAMES = {
    "alone": "{} Step",
    "announced": "The answer is {} Step",
    "in a block": "```python\n{}\n```",
    "before a question": "{}\n\nQuestion: What is 3 + 3?\nAnswer: 6",
    "in a text of JSON": '["{}"]',
    "in a box": r"\boxed{{{}}}",
    "indented": "```\n   {}\n  x\n```",
}
_tools = Tools(ADD)
_KIND = type(pattern(""))
_of = {
    kind: answers.reader(kind)(text)
    for kind, text in [
        ("text", "5"),
        ("number", "5"),
        ("code", "```\nx\n```"),
        ("boxed", r"\boxed{5}"),
        ("choice", "B"),
    ]
}


def _reads(extract="auto", **named):
    read, _ = reading(extract, formatted=False, **{"tools": None} | named)
    return lambda text: read(text, [])


EXTRACTORS = ["auto", "boxed", "choice", "code", "json", "number", "text"]
# Every public extractor and comparison, and every way a mux reads a reply: text -> what it says.
READINGS = (
    {name: answers.reader(name) for name in EXTRACTORS}
    | {f"{name} cut off": lambda text, name=name: answers.reader(name)(text, cut_off=True) for name in ("auto", "number")}
    | {f"{name} with a question": answers.reader(name, question=GHANA) for name in ("auto", "choice")}
    | {f"{name} with a short question": answers.reader(name, question=GHANA[:29]) for name in ("auto", "text")}
    | {"number of things": answers.reader("auto", question="How many days are in a week?")}
    | {f"form {prompt}": form_of(prompt) for prompt in PROMPTS}
    | {
        "question": lambda text: answers.reader("auto", question=text)("Ghana's capital is Accra."),
        "prompt": lambda text: form_of(text) is None,
        "includes": lambda text: answers.includes(text, "Accra", GHANA),
        "includes a number": lambda text: answers.includes(text, "43"),
        "gold that is included": lambda text: answers.includes("Accra", text, GHANA),
        "score choice": lambda text: answers.scored(text, "B", "choice"),
        "score math": lambda text: answers.scored(text, "5", "math"),
        "same": lambda text: answers.same(text, text + " "),
        "same, another": lambda text: answers.same(text, "x" + text),
        "strip_reasoning": answers.strip_reasoning,
        "first_of": answers.first_of("boxed", "number"),
        "tool_calls": lambda text: answers.tool_calls([{"name": "add", "args": text if text[:1] == "{" else {"a": text}}]),
        "calls before a name": lambda text: _tools.calls_in(text[:49_000] + "add"),
        "calls behind a name": lambda text: _tools.calls_in("add" + text[:49_000]),
        "arguments": lambda text: _tools.answer([{"name": "add", "args": {"a": text, "query": text, text: [text]}}]),
        "object": lambda text: structured_answer({"choice": text, text: [text, {"reason": text}]}),
        "with tools": _reads(tools=ADD),
        "with tools, text": _reads("text", tools=ADD, question=GHANA),
    }
    | {f"gold of {kind}": lambda text, answer=answer: answers.right(answer, text) for kind, answer in _of.items()}
)  # fmt: skip


def patterns():
    """Return (source, flags) of every pattern in the packages that read replies, by a name of it."""
    named = {}
    for package in (slmmux.answers, slmmux._mux.replies):
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if info.name.endswith(".engine"):  # a script
                continue
            for name, value in vars(importlib.import_module(info.name)).items():
                parts = value if isinstance(value, list | tuple) else [value]
                for place, part in enumerate(parts):
                    each = part[0] if isinstance(part, tuple) and part else part
                    if isinstance(each, re.Pattern | _KIND):
                        named.setdefault((each.pattern, each.flags), f"{info.name} {name} {place}")
    return {name: made_of for made_of, name in named.items()}


_SYNTAX = re.compile(
    r"\(\?(?:P<\w+>|P=\w+|[aimsux]*-?[imsx]*:|[:=!>]|<[=!]|\(\w+\))|\{[0-9]*,?[0-9]*\}\+?|[*+?]\+|[*+?]"
)
_PART = re.compile(
    r"\[(?P<of>(?:\\.|[^\]\\])+)\]|\\(?P<kind>[A-Za-z])|(?P<word>(?:[^\W\d_]|\\ | )+)|\\(?P<sign>.)|(?P<one>[0-9]+|[^\s()|^$])"
)
_OF_KIND = {"s": " ", "S": "x", "w": "x", "d": "1", "W": "-", "n": "\n", "t": "\t", "D": "x"}
_MOST_OF_A_CLASS = 4


def tokens(source, flags):
    r"""Return the words and signs that a pattern's source has, in order; of a class some members.

    >>> tokens(r"(?:not|\bnever)\ [(\[]{0,3}(?P<letter>[A-Z])", re.VERBOSE)
    ['not', 'never ', '(', '[', 'A', '-', 'Z']
    """
    if flags & re.VERBOSE:
        source = re.sub(r"(?<!\\)\s+", "", re.sub(r"(?<!\\)#.*", "", source))
    parts = []
    for part in _PART.finditer(_SYNTAX.sub("", source)):
        if part["of"]:
            members = re.findall(r"\\?(.)", part["of"].removeprefix("^"))
            parts += members[:_MOST_OF_A_CLASS]
        elif part["kind"]:
            parts.append(_OF_KIND.get(part["kind"], ""))
        else:
            parts.append((part["word"] or part["sign"] or part["one"]).replace("\\ ", " "))
    return [part for part in parts if part]


def hostile_texts(source, flags, seed):
    """Yield, without end, functions that make a text of a length from a pattern's own words and signs.

    Runs of a near miss, a beginning with a run of its last part, openers before as many of another part, and near misses
    with a filler as long as the pattern may allow.
    """
    random = Random(seed)
    parts = tokens(source, flags) or ["x"]
    while True:
        place = random.randrange(len(parts))
        row = []
        for _ in range(random.randint(1, 6)):
            row.append(parts[place])
            place = min(place + random.choice([1, 1, 1, 2, 3, 5]), len(parts) - 1)
        unit = random.choice(["", "", "", " "]).join(row) + random.choice(["", "", " ", "\n"])
        last, other = row[-1], random.choice(parts)
        yield random.choice(
            [
                lambda length, unit=unit: run(unit, length),
                lambda length, unit=unit, last=last: unit + run(last, length),
                lambda length, unit=unit, last=last: run(last, length) + unit,
                lambda length, unit=unit, other=other: run(unit, length // 2) + run(other, length // 2),
                lambda length, unit=unit, other=other: run(unit + run(other, 60), length),
            ]
        )


def run(unit, length):
    """Return a text of so many characters, or a few more, that is a unit again and again."""
    return unit * (length // len(unit) + 1)
