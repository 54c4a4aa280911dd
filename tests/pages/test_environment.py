"""One set of versions, however it is installed; nothing of a particular machine in the files."""

import re
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def requirements(name: str) -> list[Requirement]:
    """Of a file that says what is wanted, or of a lock file, as far as they hold here."""
    lines = re.findall(r"^[a-zA-Z][^#\n\\]*", (ROOT / name).read_text(), re.MULTILINE)
    found = [Requirement(line) for line in lines]
    return [one for one in found if one.marker is None or one.marker.evaluate()]


def versions(name: str) -> dict[str, str]:
    pinned = requirements(name)
    assert all(str(one.specifier).startswith("==") for one in pinned)
    return {canonicalize_name(one.name): str(one.specifier)[2:] for one in pinned}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = {canonicalize_name(one.name) for one in requirements("requirements.in")}


@pytest.mark.parametrize("name", ["", "-fanova", "-tools", "-mutants"])
def test_lock_has_all_that_is_asked_for(name: str) -> None:
    pinned = versions(f"requirements{name}.lock")
    for wanted in requirements(f"requirements{name}.in"):
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), wanted


def test_package_asks_for_nothing_else() -> None:
    assert {canonicalize_name(Requirement(one).name) for one in PROJECT["dependencies"]} <= ASKED


def test_both_locks_agree() -> None:
    one, other = versions("requirements.lock"), versions("requirements-fanova.lock")
    assert not [name for name in one.keys() & other.keys() if one[name] != other[name]]


def test_conda_gets_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.lock"]}
    assert set(conda) == {"python=3.11", "pip", "make", "cxx-compiler"}
    assert f"$(CONDA_DEFAULT_ENV),{environment['name']})" in (ROOT / "Makefile").read_text()
    assert PROJECT["requires-python"] == ">=3.11"


def test_what_runs_here_is_what_is_locked() -> None:
    here = {canonicalize_name(one.name): one.version.split("+")[0] for one in distributions()}
    pinned = versions("requirements.lock")
    assert {name: here.get(name, "missing") for name in pinned} == pinned


def test_every_package_asked_for_is_used() -> None:
    """Imported somewhere, or called by the Makefile or the book's configuration."""
    code = "\n".join(path.read_text() for path in tracked() if path.suffix == ".py")
    tools = (ROOT / "Makefile").read_text() + (ROOT / "_config.yml").read_text()
    modules = {"scikit-learn": "sklearn", "axe-playwright-python": "axe_playwright_python"}
    # Papermill starts the first, mypy reads the second, pandas opens Parquet files with the third,
    # SQLAlchemy finds the next two by a storage's URL, the last is pytest's -n.
    silent = {"ipykernel", "pandas-stubs", "pyarrow", "psycopg", "pymysql", "pytest-xdist"}
    for name in sorted(ASKED - silent):
        imported = rf"^\s*(import|from) {modules.get(name, name)}\b"
        assert re.search(imported, code, re.M) or re.search(rf"\b{name}\b", tools), name


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(command, cwd=ROOT, text=True).split("\0")
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(rb"--(extra-)?index-url|[/.]pypi\.org|pythonhosted", id="package index"),
        pytest.param(rb"(?<![\w.])/(root|home|work|Users|opt)/\w", id="path of a machine"),
        pytest.param(rb"[\w.+-]+@[\w-]+\.(com|org|net|edu|de|uk|io|ai)\b", id="e-mail address"),
    ],
)
def test_no_traces_of_a_machine_or_person(pattern: bytes) -> None:
    texts = {path: path.read_bytes() for path in tracked() if path != Path(__file__)}
    assert not {path: hit[0] for path, text in texts.items() if (hit := re.search(pattern, text))}
