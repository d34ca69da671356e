"""The private names of other packages that a file uses: `_name` of an object that is not its own, or of a module."""

import ast
from collections.abc import Collection, Iterable
from pathlib import Path

__all__ = ["foreign_private_names", "own_names"]

_OURS = ("langchain_slmmux", "llamaindex_slmmux", "slmmux")


def own_names(folders: Iterable[Path]) -> set[str]:
    """Return every name that these folders define, as a function, a class or an attribute of their own."""
    names: set[str] = set()
    for file in (file for folder in folders for file in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
    return names


def foreign_private_names(file: Path, ours: set[str], theirs: Collection[str]) -> set[str]:
    """Return the private names that a file uses of what is not its own.

    A method that overrides another's may call it by `super()`, and a class its own by `self`; everything else that
    starts with one underscore, and is no name of ours or is one of theirs too, belongs to somebody else. Names asked
    for by text (`getattr(model, "_name")`) count as well.

    Args:
        file: The file.
        ours: The names that we define.
        theirs: The names of the framework's base class, some of which ours override.
    """
    only_ours = ours - set(theirs)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names: set[str] = set()
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and _is_private(node.attr) and _is_super(node.value):
                names |= {node.attr} - {function.name} - only_ours
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and not _is_super(node.value):
            asked_of = node.value.id if isinstance(node.value, ast.Name) else ""
            if asked_of != "sys":  # Python's own, which no framework's release renames
                names |= {node.attr} - (ours if asked_of in {"self", "cls", "_self"} else only_ours)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_private(node.value):
            names |= {node.value} - only_ours
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith(_OURS):
            names |= {part for part in (node.module or "").split(".") if _is_private(part)}
            names |= {alias.name for alias in node.names if _is_private(alias.name)}
    return names


def _is_private(name: str) -> bool:
    return name.isidentifier() and name.startswith("_") and not name.startswith("__") and name != "_"


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
