"""Runs a notebook from top to bottom in a kernel of its own, as a reader would, and tidies what it put out.

`python -m tests.cookbook.executed cookbook/1-first-answer.ipynb ...` runs notebooks and keeps their outputs in place.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

COOKBOOK = Path(__file__).parents[2] / "cookbook"
STARTUP = Path(__file__).with_name("startup.py")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def executed(notebook: nbformat.NotebookNode, folder: Path, *, cell_timeout: int = 600) -> nbformat.NotebookNode:
    """Return the notebook with the outputs of a fresh run.

    Args:
        notebook: What to run; it is changed.
        folder: An empty folder. The kernel works in a copy of the cookbook in it, and what it left there stays.
        cell_timeout: Seconds a cell may take.

    Raises:
        CellExecutionError: A cell raised, or warned.
    """
    work = folder / "cookbook"
    shutil.copytree(COOKBOOK, work, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    # By way of a module of its own: none of its names shows in the notebook.
    (startup / "00.py").write_text(f"__import__('runpy').run_path({str(STARTUP)!r})\n", encoding="utf-8")
    (folder / "jupyter").mkdir()
    client = NotebookClient(
        notebook,
        timeout=cell_timeout,
        kernel_name=KERNEL["name"],
        record_timing=False,
        resources={"metadata": {"path": str(work)}},
    )
    environment = os.environ | {
        "IPYTHONDIR": str(folder / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "COLUMNS": "100",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),  # the same code as the tests', however they got at it
    }
    client.execute(env=environment)
    return tidy(notebook)


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook with nothing of the machine that ran it: no versions, no times, texts in one piece."""
    notebook.metadata.kernelspec = dict(KERNEL)
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {name: value for name, value in cell.metadata.items() if name != "execution"}
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return notebook


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return the outputs with each stream's pieces as one: how many there are is chance."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        before = joined[-1] if joined else None
        if before is not None and output.output_type == before.output_type == "stream" and output.name == before.name:
            before.text += output.text
        else:
            joined.append(output)
    return joined


def main(paths: list[str]) -> None:
    """Run notebooks and keep their outputs in place."""
    for path in map(Path, paths):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            executed(notebook, Path(folder))
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
