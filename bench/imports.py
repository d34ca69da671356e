"""The cost of importing the packages beyond the cost of the framework, each in a fresh interpreter.

python -m bench.imports
"""

import os
import statistics
import subprocess
import sys
import tempfile

from bench.cli import main
from bench.measure import interleaved
from bench.row import Row

__all__ = ["rows"]

ROUNDS = 5
HEAVY = ("numpy", "matplotlib", "sympy", "math_verify", "xllamacpp", "transformers", "torch")
UNUSED = ("slmmux.config", "slmmux._mux.from_config")  # by a mux without a `mux.toml`
LANGCHAIN = "from langchain_core.language_models import BaseChatModel"
LLAMAINDEX = "from llama_index.core.llms.function_calling import FunctionCallingLLM"
# The package, the import before it and its name, the goal in milliseconds, and modules that must not be imported.
IMPORTS: tuple[tuple[str, str, str, float | None, tuple[str, ...]], ...] = (
    ("slmmux", LANGCHAIN, "LangChain's `BaseChatModel`", 30.0, (*HEAVY, "slmmux._decision.rules")),
    ("slmmux", "", "nothing", None, (*HEAVY, "pydantic", "rich", "langchain_core", "llama_index")),
    (
        "langchain_slmmux",
        LANGCHAIN,
        "LangChain's `BaseChatModel`",
        100.0,
        (*HEAVY, *UNUSED, "llama_index", "langchain_openai"),
    ),
    (
        "llamaindex_slmmux",
        LLAMAINDEX,
        "LlamaIndex's `FunctionCallingLLM`",
        100.0,
        (*HEAVY, *UNUSED, "langchain_core", "llama_index.llms.openai_like"),
    ),
)
WHY = "A third of it is making dataclasses, a fifth is reading the 70 modules."
WHY_MORE = "Most of it is building pydantic models: the mux, its options and the configuration."


def rows(*, short: bool = False) -> list[Row]:
    """Return the milliseconds that importing a package takes after its framework is imported."""
    if short:
        for package, before, _, _, names in IMPORTS:
            _check_imports_none(package, before, names)
        return []
    with tempfile.TemporaryDirectory() as bytecode:  # The round that is not counted fills this cache.
        costs = interleaved(
            {
                f"{package} over {name}": lambda p=package, f=before: _seconds(f, p, bytecode)
                for package, before, name, *_ in IMPORTS
            },
            ROUNDS,
        )
    return [
        Row(
            f"CPU of `import {package}` over importing {name}",
            min(costs[f"{package} over {name}"]) * 1e3,
            goal,
            unit="ms",
            note=f"Median {statistics.median(costs[f'{package} over {name}']) * 1e3:.1f} ms."
            + ("" if before else " Half of it is asyncio."),
            why=WHY if package == "slmmux" else WHY_MORE,
        )
        for package, before, name, goal, _ in IMPORTS
    ]


def _seconds(before: str, package: str, bytecode: str) -> float:
    """Return the CPU seconds that an import takes in a fresh interpreter, after another import."""
    code = f"{before}\nimport time\nbegun = time.process_time()\nimport {package}\nprint(time.process_time() - begun)"
    return float(_run(code, bytecode))


def _check_imports_none(package: str, framework: str, names: tuple[str, ...]) -> None:
    """Check that importing a package does not import these modules, unless its framework does."""
    code = f"import sys\n{framework}\nbefore = set(sys.modules)\nimport {package}\nprint(*set(sys.modules) - before)"
    imported = set(_run(code).split())
    assert package in imported
    assert not imported & set(names), f"{package} brings {', '.join(sorted(imported & set(names)))}"


def _run(code: str, bytecode: str | None = None) -> str:
    """Run code in a fresh interpreter; `bytecode` is the folder of compiled modules, which an installation has too."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if bytecode is not None:
        env["PYTHONPYCACHEPREFIX"] = bytecode
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env if bytecode else None
    ).stdout


if __name__ == "__main__":
    main("imports", rows)
