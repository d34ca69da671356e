"""The wheel and the sdist, built offline from the sources, hold what they should and nothing else."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PathDistribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import slmmux

ROOT = Path(__file__).parents[2]
PACKAGES = ("slmmux", "langchain_slmmux", "llamaindex_slmmux")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

pytestmark = pytest.mark.skipif(
    not (ROOT / "slmmux").is_dir(), reason="the sources are not here: the installed wheel is what is tested"
)


def built(root, out, target):
    """Build one target with the installed build backend, without a download."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)],
        cwd=root,
        check=True,
        capture_output=True,
    )
    (file,) = out.iterdir()
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return built(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


def names(wheel):
    return set(zipfile.ZipFile(wheel).namelist())


def metadata(wheel):
    (folder,) = {name.split("/")[0] for name in names(wheel) if ".dist-info/" in name}
    return PathDistribution(zipfile.Path(wheel, f"{folder}/"))


def test_the_wheel_holds_our_three_packages_and_nothing_else(wheel):
    """The wheel has every module and each py.typed, and no tests, bench, cookbook or caches."""
    modules = {str(p.relative_to(ROOT)) for package in PACKAGES for p in (ROOT / package).rglob("*.py")}
    typed = {f"{package}/py.typed" for package in PACKAGES}
    pages = {str(p.relative_to(ROOT)) for p in (ROOT / "slmmux" / "serve" / "page").iterdir()}
    assert {name for name in names(wheel) if ".dist-info/" not in name} == modules | typed | pages
    assert wheel.name == f"slmmux-{PROJECT['version']}-py3-none-any.whl"


def test_the_version_is_that_of_the_installed_distribution():
    """`slmmux.__version__` equals the installed distribution's and the project's."""
    assert slmmux.__version__ == version("slmmux") == PROJECT["version"]


def test_the_metadata_is_that_of_the_project(wheel):
    """Name, version, Python, licence, README, command and requirements are those of pyproject.toml."""
    told = metadata(wheel)
    assert (told.metadata["Name"], told.version) == (PROJECT["name"], PROJECT["version"])
    assert told.metadata["Requires-Python"] == PROJECT["requires-python"]
    assert told.metadata["License-Expression"] == PROJECT["license"]
    assert told.metadata["Summary"] == PROJECT["description"]
    assert told.metadata["Description-Content-Type"] == "text/markdown"
    assert told.metadata.get_payload().strip() == (ROOT / "README.md").read_text("utf-8").strip()
    assert any(name.endswith("/licenses/LICENSE") for name in names(wheel))
    assert [(script.name, script.value) for script in told.entry_points] == list(PROJECT["scripts"].items())
    extras = PROJECT["optional-dependencies"]
    assert set(told.metadata.get_all("Provides-Extra")) == set(extras)
    required = {extra: set() for extra in (None, *extras)}
    for requirement in map(Requirement, told.requires):
        (extra,) = [e for e in extras if requirement.marker and requirement.marker.evaluate({"extra": e})] or [None]
        required[extra].add(normal_form(requirement))
    assert required == {
        extra: requirements_of(lines) for extra, lines in {None: PROJECT["dependencies"], **extras}.items()
    }


def requirements_of(lines):
    """Return the requirements of lines of pyproject.toml, resolving our own extras."""
    found = set()
    for requirement in map(Requirement, lines):
        if requirement.name == PROJECT["name"]:
            found.update(*(requirements_of(PROJECT["optional-dependencies"][extra]) for extra in requirement.extras))
        else:
            found.add(normal_form(requirement))
    return found


def normal_form(requirement):
    """Return requirements with their names in normal form."""
    extras = frozenset(map(canonicalize_name, requirement.extras))
    return canonicalize_name(requirement.name), extras, str(requirement.specifier)


def test_the_test_extra_brings_every_other_one():
    """Installing the extra for tests installs every feature, but LiteLLM's prices and Ray, which .ci/full tests."""
    extras = PROJECT["optional-dependencies"]
    (own,) = [r for r in map(Requirement, extras["test"]) if r.name == PROJECT["name"]]
    assert own.extras >= set(extras) - {"docs", "integrations", "litellm", "ray", "test"}


def test_the_wheel_works_by_itself(wheel, tmp_path):
    """With only the wheel on the path, the package is imported from it and decides."""
    code = (
        f"import sys; sys.path[:] = [{str(wheel)!r}] + [p for p in sys.path if p and p != {str(ROOT)!r}]\n"
        "import slmmux\n"
        "rows = [slmmux.Row(question_id='q', model=m, sample_index=0, answer=a) for m, a in (('a', '4'), ('b', '5'))]\n"
        "print(slmmux.__file__, slmmux.replay(slmmux.Recording.of(rows), ['a', 'b'])['q'].winner.answer)"
    )
    command = [sys.executable, "-I", "-c", code]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert said.split() == [f"{wheel}/slmmux/__init__.py", "4"]


def test_the_sdist_makes_the_same_wheel(wheel, sdist, tmp_path):
    """The unpacked sdist alone builds a wheel with the same files, and contains the tests."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    assert root.name == f"slmmux-{PROJECT['version']}"
    for name in ("tests/edges/test_package.py", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"):
        assert (root / name).is_file()
    again = built(root, tmp_path / "out", "wheel")
    assert again.name == wheel.name
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert {i.filename: i.CRC for i in one.infolist()} == {i.filename: i.CRC for i in other.infolist()}
