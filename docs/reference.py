# ruff: noqa: INP001 - a script, not a package
"""Write the pages below docs/reference that are tables: options, commands, and the fields of a recording's row.

python docs/reference.py
"""

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import griffe
import typer
from pydantic_core import PydanticUndefined

from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM
from slmmux import Row
from slmmux._mux.base import Mux
from slmmux.cli import app
from slmmux.cli._console import STATUS

FOLDER = Path(__file__).with_suffix("")
ROOT = FOLDER.parent.parent
# Public classes say the name of their package as their module's.
_SOURCES = {
    Mux: ROOT / "slmmux" / "_mux" / "base.py",
    SLMMuxChatModel: ROOT / "langchain_slmmux" / "_chat_model.py",
    SLMMuxLLM: ROOT / "llamaindex_slmmux" / "_llm.py",
}
GENERATED = "<!-- Made by `python docs/reference.py`; change the docstrings or the help texts, and make it again. -->"

OPTIONS = """\
# Options

{made}

`SLMMuxChatModel` and `SLMMuxLLM` take the same options and decide alike. An unknown keyword causes a warning that names
the nearest option.

{table}

The other options of the framework's base class (`cache`, `tags`, `metadata`, `callbacks`, `callback_manager` and so on)
work as they do there.
"""
RECORDING = """\
# A recording

{made}

A recording is a file of JSON lines with one sample on each line. A `.jsonl` file can be continued, a `.jsonl.gz` file
is written at once. A `.parquet` file (extra `parquet`) holds the same as columns, with a row for each sample, and a
folder of parts is one recording; see [Beyond one machine](../guides/scale.md). `slmmux profile` writes a recording,
[`Recording.load`](slmmux.md#slmmux.Recording) reads it, and all offline evaluation works on it.

```json
{{"question_id": "q1", "model": "qwen", "sample_index": 0, "answer": "4"}}
```

A line has at least these fields, which have no default. Fields without a value are left out, and unknown fields are
ignored.

{table}

A first line may hold the settings of the samples; files with different settings cannot be loaded together:

```json
{{"slmmux_recording": 1, "settings": {{"extract": "number", "models": {{"qwen": {{"temperature": 0.7}}}}}}}}
```

If the last line was cut off while it was written, it is dropped with a warning. A sample with an `error`, even an empty
one, failed; a line without `error` is a reply, even if its answer is `null`. A row with `attempt` replaces the failed
row of the same sample before it, which stays in the file as history.
"""

CLI = """\
# Commands

{made}

Results go to standard output, progress and notices to standard error; no command asks for input. {status}
"""


def pages() -> dict[Path, str]:
    """Return the text of each page."""
    return {
        FOLDER / "options.md": OPTIONS.format(made=GENERATED, table=options()),
        FOLDER / "recording.md": RECORDING.format(made=GENERATED, table=rows()),
        FOLDER / "cli.md": "\n".join([CLI.format(made=GENERATED, status=STATUS), *sections()]),
    }


def options() -> str:
    """Return the table of both classes' own options, in the order of the first class."""
    classes: tuple[type[Any], ...] = (SLMMuxChatModel, SLMMuxLLM)
    meanings: dict[str, str] = {}
    for each in classes:
        texts = attribute_docstrings(Mux) | attribute_docstrings(each)
        for name in own_fields(each):
            text = " ".join(texts.get(name, "").split())
            if meanings.setdefault(name, text) != text:
                meanings[name] += f" `{each.__name__}`: {text}"
    lines = row(["option", "default", "meaning"]) + row(["---"] * 3)
    for name, meaning in meanings.items():
        fields = {each.__name__: each.model_fields[name] for each in classes if name in each.model_fields}
        default = next(iter(fields.values())).default
        default_cell = "required" if default is PydanticUndefined else f"`{default!r}`"
        only = "" if len(fields) == len(classes) else f" `{next(iter(fields))}` alone."
        lines += row([f"`{name}`", default_cell, meaning + only])
    return "\n".join(lines)


def own_fields(model: type[Any]) -> list[str]:
    """Return a mux's options: those of every mux, then those that its class adds to the framework's."""
    inherited = {name for base in model.__bases__ for name in getattr(base, "model_fields", {})}
    return [*Mux.model_fields, *(name for name in model.model_fields if name not in inherited)]


def attribute_docstrings(documented: type[Any]) -> dict[str, str]:
    """Return the texts below a class's attributes, by name.

    They are read from the source here: pydantic's `use_attribute_docstrings` reads it at every import, which took half
    of the time of importing an adapter.
    """
    file = _SOURCES[documented]
    members = griffe.visit(file.stem, filepath=file, code=file.read_text(encoding="utf-8"))
    attributes = members[documented.__name__].attributes
    return {name: each.docstring.value for name, each in attributes.items() if each.docstring is not None}


def rows() -> str:
    """Return the table of the fields of a recorded sample."""
    meanings = entries(Row, "Attributes")
    lines = row(["field", "default", "meaning"]) + row(["---"] * 3)
    for field in dataclasses.fields(Row):
        default = "required" if field.default is dataclasses.MISSING else "`null`"
        lines += row([f"`{field.name}`", default, meanings[field.name]])
    return "\n".join(lines)


def sections() -> list[str]:
    """Return a section for each command: a description, and a table of its options."""
    return [section(path, command) for path, command in commands(typer.main.get_command(app))]


def commands(command: Any, path: str = "slmmux") -> list[tuple[str, Any]]:
    """Return every command below one, with the words that call it."""
    below = [
        pair for name, each in getattr(command, "commands", {}).items() for pair in commands(each, f"{path} {name}")
    ]
    return [(path, command), *below]


def section(path: str, command: Any) -> str:
    """Return a command's section."""
    takes = [p for p in command.params if p.name not in {"install_completion", "show_completion"}]
    text, *examples = re.split(r"\n\nExample: ", inspect.cleandoc(command.help or ""))
    lines = [f"## `{path}`", "", text, ""]
    if examples:
        lines += ["```sh", *examples, "```", ""]
    if takes:
        lines += row(["option", "default", "meaning"]) + row(["---"] * 3)
    for each in takes:
        argument = each.param_type_name == "argument"
        name = each.name.upper() + ("..." if each.nargs == -1 else "") if argument else ", ".join(each.opts)
        lines += row([f"`{name}`", shown_default(each), cell(each.help or "")])
    return "\n".join([*lines, ""] if takes else lines)


def shown_default(parameter: Any) -> str:
    """Return the default of a command's parameter as the table shows it."""
    if parameter.required:
        return "required"
    return (
        ""
        if parameter.default is None or parameter.default is False or callable(parameter.default)
        else f"`{parameter.default}`"
    )


def entries(documented: Any, title: str) -> dict[str, str]:
    """Return the entries of a docstring's section by name."""
    doc = inspect.getdoc(documented) or ""
    body = doc.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
    matches = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", body, re.MULTILINE)
    return {name: cell(re.sub(r"\s+", " ", text)) for name, text in matches}


def row(cells: list[str]) -> list[str]:
    """Return one line of a Markdown table."""
    return [f"| {' | '.join(cells)} |"]


def cell(text: str) -> str:
    """Return a text that fits into one cell of a table."""
    return text.replace("|", r"\|").replace("\n", " ")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
