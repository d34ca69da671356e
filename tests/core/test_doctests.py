"""The examples in the docstrings are run, so that none of them lies."""

import doctest
import importlib
from pathlib import Path

import pytest

import slmmux

ROOT = Path(slmmux.__file__).parent.parent
PACKAGES = ("slmmux", "langchain_slmmux", "llamaindex_slmmux")
SCRIPTS = {"__main__", "_engine", "engine"}  # run as programs, never imported
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.stem not in SCRIPTS
]


def examples(name):
    """Return the examples of a module, those of its public objects that call themselves `slmmux.Name` included."""
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder()
    tests = finder.find(module)
    if Path(module.__file__).stem != "__init__":
        for public in getattr(module, "__all__", ()):
            thing = getattr(module, public)
            if getattr(thing, "__module__", None) in PACKAGES:
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
        "slmmux._decision.types",
        "slmmux._decision.vote",
        "slmmux._decision.race",
        "slmmux._decision.pool",
        "slmmux._decision.drive",
        "slmmux.recording._recording",
        "langchain_slmmux._chat_model",
        "langchain_slmmux.testing",
        "llamaindex_slmmux._llm",
        "llamaindex_slmmux.testing",
    ],
)
def test_there_is_an_example(name):
    """What a user meets first has at least one example."""
    assert examples(name)
