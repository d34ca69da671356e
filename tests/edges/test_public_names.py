"""Every import path, option and method that the first version had is there still."""

import importlib
import inspect
import json
from pathlib import Path

import pytest
from pydantic import BaseModel

# By import path: the parameters of a function or class (a pydantic model's are its fields), then its members with a dot.
FIRST_VERSION = json.loads(Path(__file__).with_name("public_names.json").read_text("utf-8"))


def parameters(thing):
    if isinstance(thing, type) and issubclass(thing, BaseModel):
        return list(thing.model_fields)
    try:
        return list(inspect.signature(thing).parameters)
    except (TypeError, ValueError):  # a constant, a type alias
        return []


@pytest.mark.parametrize("path", FIRST_VERSION)
def test_a_name_of_the_first_version_is_there_still(path):
    """The import path works, and what could be passed or called can be passed or called."""
    module, name = path.rsplit(".", 1)
    thing = getattr(importlib.import_module(module), name)
    assert name in importlib.import_module(module).__all__
    names = FIRST_VERSION[path].split()
    assert {each for each in names if not each.startswith(".")} <= {*parameters(thing)}
    assert all(
        hasattr(thing, each[1:]) or each[1:] in getattr(thing, "__slots__", ()) for each in names if each[0] == "."
    )
