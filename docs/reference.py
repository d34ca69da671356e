# ruff: noqa: INP001 - a script, no package
"""Write the pages below docs/reference that are tables of what the code has: options, commands, rows of a recording.

python docs/reference.py
"""

import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import typer
from pydantic_core import PydanticUndefined

from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM
from slmmux import Row
from slmmux._mux.base import Mux
from slmmux.cli import app
from slmmux.cli._console import STATUS

FOLDER = Path(__file__).with_suffix("")
MADE = "<!-- Made by `python docs/reference.py`; change the docstrings or the help texts, and make it again. -->"

OPTIONS = """\
# Options

{made}

`SLMMuxChatModel` and `SLMMuxLLM` take the same options and decide alike. An unknown keyword is warned of, with the
nearest one that exists.

{table}

What the framework's base class has beside these (`cache`, `tags`, `metadata`, `callbacks`, `callback_manager` and so
on) works as it does there.
"""
RECORDING = """\
# A recording

{made}

A recording is a file of JSON lines, one sample a line; `.jsonl` is appended to and read, `.jsonl.gz` read and written
whole. `slmmux profile` writes one, [`Recording.load`](slmmux.md#slmmux.Recording) reads it, and everything that counts
works on it.

```json
{{"question_id": "q1", "model": "qwen", "sample_index": 0, "answer": "4"}}
```

That is the least a line has: the fields without a default. A field that is not known is left out, and fields of others'
making are passed over.

{table}

A first line may say what the samples were made with; two files that were not made alike are not read as one:

```json
{{"slmmux_recording": 1, "settings": {{"extract": "number", "models": {{"qwen": {{"temperature": 0.7}}}}}}}}
```

A last line that was cut off while it was written is dropped with a warning. `error` makes a sample one that failed,
even where it is empty; without it a line is a reply, even where its answer is `null`.
"""

CLI = """\
# Commands

{made}

Results go to standard output, progress and notices to standard error; nothing ever asks for input. {status}
"""


def pages() -> dict[Path, str]:
    """Return each page as the code makes it today."""
    return {
        FOLDER / "options.md": OPTIONS.format(made=MADE, table=options()),
        FOLDER / "recording.md": RECORDING.format(made=MADE, table=rows()),
        FOLDER / "cli.md": "\n".join([CLI.format(made=MADE, status=STATUS), *sections()]),
    }


def options() -> str:
    """Return the table of both classes' own fields, in the order of the first."""
    classes: tuple[type[Any], ...] = (SLMMuxChatModel, SLMMuxLLM)
    meanings: dict[str, str] = {}
    for each in classes:
        for name in own_fields(each):
            text = " ".join((each.model_fields[name].description or "").split())
            if meanings.setdefault(name, text) != text:
                meanings[name] += f" `{each.__name__}`: {text}"
    lines = row(["option", "default", "meaning"]) + row(["---"] * 3)
    for name, meaning in meanings.items():
        fields = {each.__name__: each.model_fields[name] for each in classes if name in each.model_fields}
        default = next(iter(fields.values())).default
        shown = "required" if default is PydanticUndefined else f"`{default!r}`"
        only = "" if len(fields) == len(classes) else f" `{next(iter(fields))}` alone."
        lines += row([f"`{name}`", shown, meaning + only])
    return "\n".join(lines)


def own_fields(model: type[Any]) -> list[str]:
    """Return a mux's own options: those that all muxes have, then those that its class adds to its framework's."""
    inherited = {name for base in model.__bases__ for name in getattr(base, "model_fields", {})}
    return [*Mux.model_fields, *(name for name in model.model_fields if name not in inherited)]


def rows() -> str:
    """Return the table of a recorded sample's fields."""
    said = entries(Row, "Attributes")
    lines = row(["field", "default", "meaning"]) + row(["---"] * 3)
    for field in dataclasses.fields(Row):
        default = "required" if field.default is dataclasses.MISSING else "`null`"
        lines += row([f"`{field.name}`", default, said[field.name]])
    return "\n".join(lines)


def sections() -> list[str]:
    """Return a section for each command: what it does, and a table of what it takes."""
    return [section(path, command) for path, command in commands(typer.main.get_command(app))]


def commands(command: Any, path: str = "slmmux") -> list[tuple[str, Any]]:
    """Return every command below one with the words that call it."""
    below = [
        found for name, each in getattr(command, "commands", {}).items() for found in commands(each, f"{path} {name}")
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
        lines += row(["takes", "default", "meaning"]) + row(["---"] * 3)
    for each in takes:
        argument = each.param_type_name == "argument"
        name = each.name.upper() + ("..." if each.nargs == -1 else "") if argument else ", ".join(each.opts)
        lines += row([f"`{name}`", shown_default(each), cell(each.help or "")])
    return "\n".join([*lines, ""] if takes else lines)


def shown_default(taken: Any) -> str:
    """Return what holds where a command is given nothing for it."""
    if taken.required:
        return "required"
    return "" if taken.default is None or taken.default is False or callable(taken.default) else f"`{taken.default}`"


def entries(documented: Any, title: str) -> dict[str, str]:
    """Return what a docstring's section says, by name."""
    doc = inspect.getdoc(documented) or ""
    body = doc.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", body, re.MULTILINE)
    return {name: cell(re.sub(r"\s+", " ", text)) for name, text in found}


def row(cells: list[str]) -> list[str]:
    """Return one line of a Markdown table."""
    return [f"| {' | '.join(cells)} |"]


def cell(text: str) -> str:
    """Return a text that ends no cell and no line of a table."""
    return text.replace("|", r"\|").replace("\n", " ")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
