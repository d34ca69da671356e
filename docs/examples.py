# ruff: noqa: INP001 - a script, not a package
"""Prepare docstrings for the site: an `Example:` becomes code, and `a[i][j]` in prose does not become a link."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Changes every docstring before it is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section to the name that the parser knows, and escape the brackets of indices."""
        if obj.docstring is not None:
            text = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^( *[^> `\n][^`\n]*\w\])\[", r"\1\\[", text, flags=re.MULTILINE)
