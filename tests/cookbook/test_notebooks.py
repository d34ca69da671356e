"""The cookbook runs as it stands, and shows what a run puts out.

A notebook may say what it needs in its metadata, under "slmmux": {"models": names of the local models it runs, "slow":
whether it takes longer than a landing should wait, "repeats": whether its outputs are the same each time}. Slow ones carry the
mark `full` and run in `.ci/full`.
"""

import ast
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from slmmux.local import listing

from .executed import COOKBOOK, KERNEL, executed, tidy

NOTEBOOKS = sorted(COOKBOOK.glob("*.ipynb"))
MACHINE = re.compile(r"/(?:home|root|Users|tmp|var|private|usr|opt|work)/|[A-Za-z]:\\\\|\bsite-packages\b")

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def needs(path: Path) -> dict:
    return nbformat.read(path, as_version=4).metadata.get("slmmux", {})


def to_run(path: Path):
    needed, marks = needs(path), [pytest.mark.timeout(1800)]
    if needed.get("slow"):
        marks.append(pytest.mark.full)
    if needed.get("models"):
        marks.append(pytest.mark.real_model)
    return pytest.param(path, id=path.stem, marks=marks)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shows(cell) -> bool:
    """Whether a cell ends with an expression, and not with a definition or an assignment."""
    source = "\n".join(line for line in cell.source.splitlines() if not line.startswith(("%", "!")))
    statements = compile(source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT).body
    return bool(statements) and not isinstance(
        statements[-1], (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)
    )


def text_of(cell) -> list:
    """What a cell shows as text."""
    return [output.get("text") or output.get("data", {}).get("text/plain") for output in cell.outputs]


def without_pictures(notebook) -> dict:
    """The notebook without what is no text: in enough letters at random every path is found."""
    bare = json.loads(nbformat.writes(notebook))
    for cell in bare["cells"]:
        for output in cell.get("outputs", []):
            output["data"] = {kind: text for kind, text in output.get("data", {}).items() if "image" not in kind}
    return bare


def snapshot(folder: Path) -> set[str]:
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if not {"__pycache__", ".ipynb_checkpoints"} & {*file.parts}
    }


def assert_complete(notebook) -> None:
    """Every code cell ran, in order; what ends with an expression shows something, and no error or warning shows."""
    for number, cell in enumerate(code(notebook), 1):
        assert cell.execution_count == number
        assert cell.outputs or not shows(cell), f"no output:\n{cell.source}"
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text


@pytest.mark.parametrize("path", [to_run(path) for path in NOTEBOOKS])
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path):
    """In a fresh kernel, warnings errors and nothing beyond loopback, every cell runs, and no file is left behind."""
    here = {entry.name for entry in listing() if entry.path}
    if missing := [name for name in needs(path).get("models", []) if name not in here]:
        pytest.skip(f"no weights of {', '.join(missing)}: slmmux models pull NAME fetches them")
    before = snapshot(COOKBOOK)
    committed = nbformat.read(path, as_version=4)
    notebook = executed(nbformat.read(path, as_version=4), tmp_path)
    assert_complete(notebook)
    assert snapshot(tmp_path / "cookbook") == before
    if needs(path).get("repeats"):
        assert [text_of(cell) for cell in code(notebook)] == [text_of(cell) for cell in code(committed)]


@each
def test_it_is_committed_with_its_outputs(path):
    """Each code cell shows what it put out, in the order of one run, and none an error or a warning."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert_complete(notebook)


@each
def test_nothing_of_a_machine_is_in_it(path):
    """No path, no time of a run and no kernel but "python3": the file is as if anyone had made it."""
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec == KERNEL
    text = json.dumps(without_pictures(notebook), ensure_ascii=False)
    assert MACHINE.findall(text) == []
    assert str(Path.home()) not in text
    assert sys.prefix not in text
    assert notebook == tidy(nbformat.read(path, as_version=4))


@each
def test_it_says_what_it_is_and_what_it_needs(path):
    """A notebook begins with its title, its metadata name what it needs, and the cookbook's README has it once."""
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert set(needs(path)) <= {"models", "slow", "repeats"}
    readme = (COOKBOOK / "README.md").read_text(encoding="utf-8")
    assert readme.count(f"({path.name})") == 1
    assert set(re.findall(r"[\w.-]+\.ipynb", readme)) <= {p.name for p in NOTEBOOKS}


# --- the mechanism itself -------------------------------------------------------------------------------------------


def made(*sources: str) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def test_a_run_shows_what_the_code_puts_out(tmp_path):
    """Prints and values are kept in order, a stream's pieces are one, the notebook sees only its own names, and what
    it writes lies in the copy of the cookbook and nowhere else.
    """
    before = snapshot(COOKBOOK)
    counts = "for i in range(3):\n    print(i, flush=True)"
    notebook = executed(made(counts, "[n for n in dir() if n == 'socket']", "open('left', 'w').close()"), tmp_path)
    assert [text_of(cell) for cell in code(notebook)] == [["0\n1\n2\n"], ["[]"], []]
    assert snapshot(tmp_path / "cookbook") == before | {"left"}
    assert snapshot(COOKBOOK) == before
    assert notebook.metadata == {"kernelspec": KERNEL, "language_info": {"name": "python"}}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import warnings\nwarnings.warn('old')", "UserWarning"),
        ("import urllib.request\nurllib.request.urlopen('http://example.org')", "stay on loopback"),
        ("import socket\nsocket.create_connection(('192.0.2.1', 80))", "stay on loopback"),
    ],
)
def test_a_warning_or_a_way_out_ends_the_run(source, says, tmp_path):
    """A cell that warns, or that reaches beyond loopback by name or by address, fails."""
    with pytest.raises(CellExecutionError, match=says):
        executed(made(source), tmp_path)


def test_what_is_written_on_stderr_is_seen():
    """An output on standard error, or none where there has to be one, is not complete."""
    silent = made("1 + 1")
    silent.cells[0].execution_count = 1
    with pytest.raises(AssertionError, match="no output"):
        assert_complete(silent)
    silent.cells[0].outputs = [nbformat.v4.new_output("stream", name="stderr", text="careful")]
    with pytest.raises(AssertionError, match="careful"):
        assert_complete(silent)
