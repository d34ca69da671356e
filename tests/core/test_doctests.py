"""The examples in the docstrings are run, so that none of them lies."""

import doctest
import importlib
from pathlib import Path

import pytest

import slmmux

ROOT = Path(slmmux.__file__).parent
SCRIPTS = {"__main__", "_engine", "_math_engine"}  # run as programs, never imported
MODULES = [
    ".".join(("slmmux", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(ROOT.rglob("*.py"))
    if path.stem not in SCRIPTS
]


def examples(name):
    """Return the examples of a module, those of what calls itself `slmmux.Name` included."""
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder()
    tests = finder.find(module)
    if Path(module.__file__).stem != "__init__":
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            if getattr(thing, "__module__", None) == "slmmux":
                tests += finder.find(thing, public, module=False, globs=vars(module).copy())
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    """Every example of the module prints what it says."""
    for test in examples(name):
        assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize(
    "name",
    [
        "_decision.types",
        "_decision.vote",
        "_decision.race",
        "_decision.pool",
        "_decision.drive",
        "recording._recording",
    ],
)
def test_there_is_an_example(name):
    """What a user meets first has at least one example."""
    assert examples(f"slmmux.{name}")
