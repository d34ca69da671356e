"""Who may import whom: the arrows of the design, read from the files as they are, and what `import slmmux` brings."""

import ast
import importlib
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import slmmux

ROOT = Path(slmmux.__file__).parent.parent
ADAPTERS = ("langchain_slmmux", "llamaindex_slmmux")
FRAMEWORKS = {
    "langchain", "langchain_core", "langchain_community", "langchain_openai", "langgraph", "langsmith", "llama_index",
    "llama_index_instrumentation", "workflows", "openai", "httpx", "xllamacpp", "huggingface_hub",
}  # fmt: skip

# Ring 1, arrow by arrow: a module that is not here belongs to an outer ring.
DECISION = {
    "slmmux._types": {"slmmux._explain"},  # lazily: a decision shows itself in a notebook
    "slmmux._errors": set(),
    "slmmux._pool": set(),
    "slmmux._vote": {"slmmux._types"},
    "slmmux._settled": {"slmmux._vote", "slmmux._types"},
    "slmmux._related": {"slmmux._vote", "slmmux._types"},
    "slmmux._rules": {"slmmux._errors"},
    "slmmux._settled_rule": {"slmmux._rules", "slmmux._vote", "slmmux._types"},
    "slmmux._plans": {"slmmux._settled", "slmmux._vote", "slmmux._types"},
    "slmmux._race": {
        "slmmux._plans", "slmmux._settled", "slmmux._settled_rule", "slmmux._rules", "slmmux._related", "slmmux._vote",
        "slmmux._types", "slmmux._errors",
    },
    "slmmux._budget": {"slmmux._types", "slmmux._errors"},
    "slmmux._drive": {"slmmux._race", "slmmux._budget", "slmmux._pool", "slmmux._types", "slmmux._errors"},
    "slmmux._record": {"slmmux._types", "slmmux._errors"},
}  # fmt: skip
# A leaf beside it: how a decision is shown. It knows decisions by what they carry, and of others' work rich alone.
SHOWN = {
    "slmmux._line": set(),
    "slmmux._terminal": {"slmmux._line"},
    "slmmux._explained_text": {"slmmux._line"},
    "slmmux._explained": {"slmmux._explained_text", "slmmux._line", "slmmux._errors"},
    "slmmux._explained_html": {"slmmux._explained"},
    "slmmux._explained_table": {"slmmux._explained", "slmmux._explained_html", "slmmux._terminal"},
    "slmmux._explain": {
        "slmmux._explained", "slmmux._explained_html", "slmmux._explained_table", "slmmux._errors",
    },
}  # fmt: skip
OFFLINE = {
    # files
    "slmmux._row", "slmmux.recording", "slmmux._replay", "slmmux.rereading", "slmmux.readers",
    # a pool put to questions
    "slmmux.profiling", "slmmux._generation", "slmmux._options", "slmmux._warn",
    # figures
    "slmmux._arrays", "slmmux._search", "slmmux._held_out", "slmmux._contest", "slmmux._threshold", "slmmux.selection",
    "slmmux.scaling", "slmmux.baselines",
    "slmmux.learned", "slmmux.by_question", "slmmux._neighbours", "slmmux._embedding",
    "slmmux._reliability", "slmmux.plots", "slmmux.report", "slmmux._report_confidence", "slmmux._report_page",
}  # fmt: skip


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for package in ("slmmux", *ADAPTERS) for path in sorted((ROOT / package).rglob("*.py"))}


def ring(module):
    """1 the decision, 1.5 the answers, 2 the offline half, 3 the edges, 4 the adapters; the front door is 3."""
    if module in DECISION or module in SHOWN:
        return 1
    if module == "slmmux.answers" or module.startswith("slmmux.answers."):
        return 1.5
    if module in OFFLINE or module.startswith(("slmmux.profiling.", "slmmux.readers.")):
        return 2
    return 4 if module.startswith(ADAPTERS) else 3


def imports(module):
    """Return (what is imported, whether at the top of the file) for each import of a module, wherever it stands."""
    found = []
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    lazy = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; write the package's name"
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [s if s in MODULES else node.module for s in submodules]
        found += [(name, node not in lazy) for name in names]
    return found


def ours(module):
    return {name for name, _ in imports(module) if name in MODULES}


@pytest.mark.parametrize("module", [module for module in MODULES if module in DECISION])
def test_the_decision_follows_its_arrows(module):
    """Ring 1 imports only what its arrows name, and otherwise only the standard library."""
    assert ours(module) <= DECISION[module]
    for name, _ in imports(module):
        assert name in MODULES or name.split(".")[0] in sys.stdlib_module_names, f"{module} imports {name}"


@pytest.mark.parametrize("module", SHOWN)
def test_what_shows_a_decision_is_a_leaf(module):
    """It follows its arrows and imports otherwise the standard library and rich; `explain()` does without rich."""
    assert ours(module) <= SHOWN[module]
    for name, at_the_top in imports(module):
        package = name.split(".")[0]
        assert name in MODULES or package == "rich" or package in sys.stdlib_module_names, f"{module} imports {name}"
        if module not in {"slmmux._terminal", "slmmux._explained_table"}:
            assert package != "rich" or not at_the_top, f"{module} imports {name} at its top"


def test_types_import_nothing_of_ours():
    """`_types` is the innermost: whatever talks about a draw or a vote can import it."""
    assert [name for name, at_the_top in imports("slmmux._types") if at_the_top and name in MODULES] == []


@pytest.mark.parametrize("module", MODULES)
def test_an_inner_ring_never_imports_an_outer_one(module):
    """Imports point inwards, lazy ones too; only cli.py, the composition root, reaches out to the adapters."""
    for name in ours(module):
        if module == "slmmux" or (module == "slmmux.cli" and ring(name) == 4):
            continue  # the front door opens on every ring but the adapters: see below
        assert ring(name) <= ring(module), f"{module} imports {name}"


@pytest.mark.parametrize("module", [module for module in MODULES if ring(module) == 1.5])
def test_answers_is_a_leaf(module):
    """The extractors know each other, the error tree and the types, and no driver or race."""
    assert {name for name in ours(module) if ring(name) != 1.5} <= {"slmmux._errors", "slmmux._types"}


@pytest.mark.parametrize("module", [module for module in MODULES if ring(module) <= 2 or module == "slmmux"])
def test_rings_one_and_two_import_no_framework(module):
    """Neither the decision nor the answers nor the offline half knows a framework, not even lazily."""
    assert not {name.split(".")[0] for name, _ in imports(module)} & FRAMEWORKS


@pytest.mark.parametrize("module", MODULES)
def test_adapters_are_imported_by_cli_alone_and_lazily(module):
    """An adapter never imports another, and inside slmmux only functions of cli.py import one."""
    for name, at_the_top in imports(module):
        package = name.split(".")[0]
        if package in ADAPTERS and package != module.split(".")[0]:
            assert module == "slmmux.cli", f"{module} imports {name}"
            assert not at_the_top, f"{module} imports {name} at its top"


def test_there_are_no_cycles():
    """The imports of all packages, lazy ones included, have an order."""
    assert set(TopologicalSorter({module: ours(module) for module in MODULES}).static_order()) == set(MODULES)


@pytest.mark.parametrize("module", ["slmmux", "slmmux.recording", "slmmux.answers"])
def test_importing_the_core_brings_no_framework(module):
    """In a fresh interpreter the core loads neither a framework nor numpy, rich or typer."""
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & (FRAMEWORKS | {"numpy", "rich", "typer", "matplotlib"})
    if module == "slmmux":
        assert "pydantic" not in loaded


@pytest.mark.parametrize("package", ["slmmux", "slmmux.answers", *ADAPTERS])
def test_all_is_sorted_and_complete(package):
    """`__all__` is sorted, has each name once, every one resolves, and no public name imported there is missing."""
    if package not in MODULES:
        pytest.skip(f"{package} is not there yet")
    module = importlib.import_module(package)
    assert module.__all__ == sorted(set(module.__all__))
    assert all(getattr(module, name) is not None for name in module.__all__)
    named = {
        alias.asname or alias.name
        for node in ast.walk(ast.parse(MODULES[package].read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module.startswith(package)
        for alias in node.names
    }
    named |= {name for name, value in vars(module).items() if getattr(value, "__module__", None) == package}
    assert {name for name in named if not name.startswith("_")} <= set(module.__all__)


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    """The lazy front door opens on the names of `__all__` and no others."""
    with pytest.raises(AttributeError, match="module 'slmmux' has no attribute 'Recorder'"):
        _ = slmmux.Recorder
