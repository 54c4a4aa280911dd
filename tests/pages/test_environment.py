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
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def locked(name: str) -> list[Requirement]:
    """The requirements of a lock file that hold on this machine, each of them pinned."""
    text = (ROOT / name).read_text()
    found = [
        Requirement(line.rstrip(" \\")) for line in text.splitlines() if re.match(r"[a-zA-Z]", line)
    ]
    assert all(str(one.specifier).startswith("==") for one in found)
    return [one for one in found if one.marker is None or one.marker.evaluate()]


def versions(name: str) -> dict[str, str]:
    return {canonicalize_name(one.name): str(one.specifier)[2:] for one in locked(name)}


LOCKS = ["requirements", "requirements-fanova", "requirements-tools", "requirements-mutants"]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_has_all_that_is_asked_for(name: str) -> None:
    pinned = versions(f"{name}.lock")
    for wanted in requirements(f"{name}.in"):
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)]), wanted


def test_package_asks_for_nothing_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {canonicalize_name(one.name) for one in requirements("requirements.in")}
    needed = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    assert needed <= asked


def test_both_locks_agree() -> None:
    both = versions("requirements.lock").items() & versions("requirements-fanova.lock").items()
    names = versions("requirements.lock").keys() & versions("requirements-fanova.lock").keys()
    assert {name for name, _ in both} == names


def test_conda_gets_the_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.lock"]}
    assert set(conda) == {"python=3.11", "pip", "make", "cxx-compiler"}
    assert f"$(CONDA_DEFAULT_ENV),{environment['name']})" in (ROOT / "Makefile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"


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
    unused = []
    for name in {canonicalize_name(one.name) for one in requirements("requirements.in")} - silent:
        imported = rf"^\s*(import|from) {modules.get(name, name)}\b"
        if not (re.search(imported, code, re.MULTILINE) or re.search(rf"\b{name}\b", tools)):
            unused.append(name)
    assert not sorted(unused)


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / name for name in done.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(rb"--(extra-)?index-url|[/.]pypi\.org|pythonhosted", id="package index"),
        pytest.param(rb"(?<![\w.])/(root|home|work|Users|opt)/\w", id="path of a machine"),
        pytest.param(rb"[\w.+-]+@[\w-]+\.(com|org|net|edu|de|uk|io|ai)\b", id="e-mail address"),
    ],
)
def test_no_traces_of_a_machine_or_person(pattern: bytes) -> None:
    found = {}
    for path in tracked():
        if path != Path(__file__):
            for hit in re.finditer(pattern, path.read_bytes()):
                found[str(path.relative_to(ROOT))] = hit.group()
    assert not found
