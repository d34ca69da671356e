"""One command for each thing a contributor does: `nox -s NAME`; `nox -l` lists them.

Every session runs in the environment that the README's second command makes (`.venv`), so nothing is installed twice.
"""

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

ROOT = Path(__file__).parent
LOCK = ROOT / "constraints.txt"
HEADER = """\
# What `.ci/run` and the README's second command install, so that no release of a dependency reaches them unread.
# Made by `nox -s lock`; the ranges that hold for users stand in pyproject.toml.
"""

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "test"]

BIN = ROOT / ".venv" / "bin"


def in_venv(session: nox.Session, program: str, *arguments: str) -> None:
    """Run a program of `.venv`, or of this environment if there is none."""
    path = BIN / program
    session.run(str(path) if path.exists() else program, *arguments, external=True)


@nox.session
def test(session: nox.Session) -> None:
    """Run the tests that `.ci/run` runs; arguments go to pytest."""
    in_venv(session, "python", "-m", "pytest", *session.posargs)


@nox.session
def full(session: nox.Session) -> None:
    """Run what takes longer than a landing should: see `.ci/full`."""
    session.run("bash", ".ci/full", external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and form; `nox -s lint -- --fix` also mends what can be mended."""
    in_venv(session, "ruff", "check", *session.posargs, ".")
    in_venv(session, "ruff", "format", *([] if "--fix" in session.posargs else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, and that every public name has one."""

    def public(package: str) -> None:
        session.run(
            str(BIN / "pyright"), "--verifytypes", package, "--ignoreexternal",
            env={"PATH": f"{BIN}:{os.environ['PATH']}"}, external=True,
        )  # fmt: skip

    with ThreadPoolExecutor(2) as pool:  # each takes a minute on one core
        checks = [
            pool.submit(in_venv, session, "mypy"),
            pool.submit(in_venv, session, "pyright", "--pythonpath", str(BIN / "python")),
            *(pool.submit(public, package) for package in ("slmmux", "langchain_slmmux", "llamaindex_slmmux")),
        ]
    for check in checks:
        check.result()


@nox.session
def docs(session: nox.Session) -> None:
    """Make the tables of the documentation anew, then the site in build/docs."""
    for script in ("docs/reference.py", "docs/answers.py"):
        in_venv(session, "python", script)
    in_venv(session, "python", "-m", "mkdocs", "build", "--strict")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure every figure of bench/RESULTS.md; `nox -s bench -- --short` checks what they rest on."""
    in_venv(session, "python", "-m", "bench", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Write constraints.txt: the newest release of each dependency that the ranges in pyproject.toml allow."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        in_venv(
            session, "python", "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
            "--report", str(report), "--editable", ".[test,integrations]", "nox",
        )  # fmt: skip
        installed = json.loads(report.read_text("utf-8"))["install"]
    pins = {each["metadata"]["name"].lower(): each["metadata"]["version"] for each in installed}
    pins.pop("slmmux")
    LOCK.write_text(HEADER + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items())), "utf-8")
