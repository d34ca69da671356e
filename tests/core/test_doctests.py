"""The examples in the docstrings are run, so that none of them lies."""

import doctest
import importlib
from pathlib import Path

import pytest

import slmmux

ROOT = Path(slmmux.__file__).parent
MODULES = [
    ".".join(("slmmux", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for folder in (ROOT, ROOT / "answers")
    for path in sorted(folder.glob("*.py"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    """Every example of the module prints what it says."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", ["_types", "_vote", "_race", "_pool", "_drive", "recording"])
def test_there_is_an_example(name):
    """What a user meets first has at least one example."""
    assert doctest.testmod(importlib.import_module(f"slmmux.{name}")).attempted > 0
