# ruff: noqa: INP001 - a script, no package
"""Show docstrings as they are meant: an `Example:` as code at a prompt, `a[i][j]` in prose as indices and no link."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Reads every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Give the section the name that the parser knows, and indices a stroke that Markdown takes away."""
        if obj.docstring is not None:
            text = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^( *[^> `\n][^`\n]*\w\])\[", r"\1\\[", text, flags=re.MULTILINE)
