"""Who may import whom: the arrows of the design, read from the files as they are, and what `import slmmux` brings."""

import ast
import functools
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

# Who may import whom, folder by folder (a file at the root of slmmux/ is a folder of its own). A folder may always import
# itself; `slmmux` stands for the public names of the front door.
ARROWS = {
    "_errors": set(),
    "_files": {"_errors"},
    "_decision": {"_errors"},
    "_display": {"_errors"},
    "local": {"_decision", "_display", "_errors"},  # of the decision, what is renewed in a fork
    "answers": {"_decision", "_errors"},
    "config": {"_decision", "_errors"},
    "recording": {"_files", "answers", "_decision", "_errors"},
    "readers": {"_files", "recording", "answers", "_decision", "_errors"},
    "rereading": {"recording", "answers", "_decision", "_errors"},
    "baselines": {"recording", "answers", "_decision", "_errors"},
    "scaling": {"recording", "answers", "_decision", "_errors"},
    "learned": {"recording", "answers", "_decision", "_errors"},
    "by_question": {"learned"},  # a face of it, whose path is documented
    "profiling": {"_files", "recording", "answers", "_decision", "_display", "_errors"},
    "compare": {"profiling", "recording", "answers", "_decision", "_errors"},
    "selection": {"_files", "learned", "recording", "_decision", "_errors"},
    "plots": {"compare", "selection", "scaling", "learned", "recording", "_display", "_errors"},
    "report": {
        "plots", "selection", "baselines", "scaling", "learned", "recording", "_decision", "_display", "_files",
        "_errors",
    },
    "cluster": {"profiling", "recording", "config", "answers", "_decision", "_errors"},
    "store": {"_files", "profiling", "recording", "_decision", "_errors"},
    "_mux": {"selection", "compare", "profiling", "learned", "recording", "config", "local", "answers", "_decision", "_errors"},
    "serve": {"_mux", "selection", "config", "_display", "_decision", "_errors"},
    "testing": {"answers", "_decision", "_errors"},
    "langchain_slmmux": {"slmmux", "answers", "config", "testing", "_mux"},
    "llamaindex_slmmux": {"slmmux", "answers", "config", "testing", "_mux"},
}  # fmt: skip
# The front door opens on every folder but the adapters; the commands put everything together.
EVERYTHING = {*ARROWS, "slmmux", "cli"}
ARROWS["slmmux"] = EVERYTHING - {*ADAPTERS, "cli"}
ARROWS["cli"] = EVERYTHING


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for package in ("slmmux", *ADAPTERS) for path in sorted((ROOT / package).rglob("*.py"))}


def folder(module):
    """Return the folder, or the file at the root, that a module belongs to."""
    package, *inside = module.split(".")
    return inside[0] if package == "slmmux" and inside else package


@functools.cache
def imports(module):
    """Return (what is imported, whether at the top of the file) for each import of a module, wherever it stands."""
    names = []

    def visit(node, at_the_top):
        if isinstance(node, ast.Import):
            names.extend((alias.name, at_the_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; write the package's name"
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names.extend((name if name in MODULES else node.module, at_the_top) for name in submodules)
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        )
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.stmt | ast.ExceptHandler | ast.match_case):  # an import is a statement
                visit(inner, at_the_top and not lazy)

    visit(ast.parse(MODULES[module].read_text("utf-8")), True)
    return names


def ours(module):
    return {name for name, _ in imports(module) if name in MODULES}


def test_the_table_has_a_row_for_every_folder():
    """A new folder joins the table with its row, and a row whose folder is gone leaves it."""
    assert {folder(module) for module in MODULES} == set(ARROWS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_follow_the_table(module):
    """A file imports its own folder and those that its folder's row names, lazily or not."""
    for name in ours(module):
        assert folder(name) in {folder(module), *ARROWS[folder(module)]}, f"{module} imports {name}"


@pytest.mark.parametrize("module", [module for module in MODULES if folder(module) == "_decision"])
def test_the_decision_needs_the_standard_library_alone(module):
    """Whatever decides imports nothing of anybody else's."""
    for name, _ in imports(module):
        assert name in MODULES or name.split(".")[0] in sys.stdlib_module_names, f"{module} imports {name}"


@pytest.mark.parametrize("module", [module for module in MODULES if folder(module) == "_display"])
def test_the_display_needs_rich_and_the_standard_library_alone(module):
    """It imports rich and nothing else of anybody else's, and `explain()` as text does without rich."""
    for name, at_the_top in imports(module):
        package = name.split(".")[0]
        assert name in MODULES or package == "rich" or package in sys.stdlib_module_names, f"{module} imports {name}"
        if module not in {f"slmmux._display.{file}" for file in ("live", "terminal", "table")}:
            assert package != "rich" or not at_the_top, f"{module} imports {name} at its top"


def test_types_import_nothing_of_ours():
    """`_decision.types` is the innermost: whatever talks about a draw or a vote can import it."""
    assert ours("slmmux._decision.types") == set()


@pytest.mark.parametrize("module", [module for module in MODULES if folder(module) == "answers"])
def test_the_answers_know_the_nouns_of_a_decision_alone(module):
    """The extractors know each other, the error tree, the types, and whose work they do; and no driver or race."""
    nouns = {f"slmmux._decision.{name}" for name in ("clock", "forks", "types")}
    assert {name for name in ours(module) if folder(name) == "_decision"} <= nouns


@pytest.mark.parametrize("module", [module for module in MODULES if folder(module) not in {"cli", *ADAPTERS}])
def test_only_commands_and_adapters_import_a_framework(module):
    """Nothing below the commands knows a framework, not even lazily; `local` alone runs llama.cpp, and a server speaks."""
    own = {"local": {"xllamacpp", "huggingface_hub"}, "serve": {"langchain_core", "openai"}, "cluster": {"openai"}}.get(
        folder(module), set()
    )
    assert not {name.split(".")[0] for name, _ in imports(module)} & (FRAMEWORKS - own)


@pytest.mark.parametrize("module", MODULES)
def test_adapters_are_imported_by_the_commands_alone_and_lazily(module):
    """An adapter never imports another, and inside slmmux only functions of the commands import one."""
    for name, at_the_top in imports(module):
        package = name.split(".")[0]
        if package in ADAPTERS and package != module.split(".")[0]:
            assert folder(module) == "cli", f"{module} imports {name}"
            assert not at_the_top, f"{module} imports {name} at its top"


@pytest.mark.parametrize("package", ["slmmux", *ADAPTERS])
def test_no_folder_is_crowded(package):
    """A reader takes a folder in at one look: the root holds about seven files, no folder over about twenty-five."""
    for path in [ROOT / package, *(ROOT / package).rglob("*")]:
        if path.is_dir():
            files = [file for file in path.glob("*.py") if file.name != "__init__.py"]
            core = ROOT / "slmmux"
            most = {core: 8, core / "_mux": 28}.get(path, 26)  # one option a file
            assert len(files) <= most, f"{path.name} holds {len(files)} files"


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
