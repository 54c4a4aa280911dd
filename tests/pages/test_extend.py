"""The pages on extending and citing, followed to the letter in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "extend.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```\{code-block\} (\w+)\n(?::caption: (\S+)\n)?(.*?)^```$", re.M | re.S)
# What the steps need of the repository. Images and trainings of this machine stay here.
NEEDED = ("hia", "tests", "notebooks", "book", "studies", "data")


def sections() -> dict[str, list[tuple[str, str, str]]]:
    """By heading: kind, path and content of the blocks below it."""
    headed = re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.M)
    return {heading: BLOCK.findall(text) for heading, text in headed}


def change(path: Path, diff: str) -> None:
    """Apply the lines of a diff, which must be in the file exactly once."""
    lines = diff.splitlines()
    assert all(line[:1] in ("+", "-", " ", "") for line in lines), f"{path}: no diff:\n{diff}"
    before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{path.name} has {text.count(before)} times:\n{before}"
    path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    skipped = shutil.ignore_patterns("__pycache__", "*.ipynb")
    for name in NEEDED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    for name in ("_config.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_every_section_has_steps() -> None:
    assert list(sections()) == list(RESULTS)
    assert PAGE.count("```{") == sum(map(len, sections().values()))
    for blocks in sections().values():
        assert "console" in [kind for kind, _, _ in blocks]
        assert all(path or kind == "console" for kind, path, _ in blocks)


@pytest.mark.slow
@pytest.mark.parametrize("heading", sections())
def test_the_steps_of_a_section_can_be_followed(
    heading: str, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = ["set -eu"]
    for kind, path, content in sections()[heading]:
        if kind == "diff":
            change(copy / path, content)
        elif kind == "console":
            assert all(line.startswith("$ ") for line in content.splitlines())
            commands += [line[2:] for line in content.splitlines()]
        else:
            assert not (copy / path).exists(), f"{path} is there already"
            (copy / path).write_text(content, encoding="utf-8")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    # This copy of the packages, not what is installed.
    monkeypatch.setenv("PYTHONPATH", f"{copy}{os.pathsep}{copy / 'notebooks'}")
    monkeypatch.delenv("HIA_DATA", raising=False)
    script = ["bash", "-c", "\n".join(commands)]
    done = subprocess.run(script, cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for line in RESULTS[heading]:
        assert re.search(line, done.stdout, re.M), f"no {line!r} in:\n{done.stdout}"


# What has to be in the output of a section's commands.
RESULTS = {
    "Your own trials": [
        r"300 trials of my_trials.csv, to explain score",
        r"lr +1 +0\.\d{3}",
        r"share +share_low +share_high",
        r"\{'l\w+': \d[\d.e-]+, 'l\w+': \d[\d.e-]+\}",  # of an unseeded search
    ],
    "A data set": [
        *(r"12 rows written to mine", r"nrrelieff|N-RReliefF", r"page: +\S+explorer\.html")
    ],
    "A hyperparameter": [r"12 rows written to decay", r"weight_decay +\d+ +\d\.\d+"],
    "A method": [r"\d+ passed", r"rank correlation: squared rank correlation"],
}


CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_title_authors_version_and_licence_are_the_same_everywhere() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{CITATION["version"]}"' in project
    assert f'license = "{CITATION["license"]}"' in project
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert CITATION["title"] == config["title"]
    assert CITATION["authors"] == [{"name": config["author"]}]
    page = (ROOT / "book" / "cite.md").read_text(encoding="utf-8")
    for text in (CITATION["title"], CITATION["version"], CITATION["license"]):
        assert text in page


def test_what_is_reproduced_is_cited_and_in_the_bibliography() -> None:
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    plain = re.sub(r"[{}]", "", bibliography).lower()
    page = (ROOT / "book" / "cite.md").read_text(encoding="utf-8")
    assert len(CITATION["references"]) == 2
    for reference in CITATION["references"]:
        assert reference["title"].lower() in plain
        assert reference["doi"] in page
