"""What README and Makefile say can be typed, and that what is typed is data."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hia import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TEXTS = ["$(touch x)", "$(shell touch x)", "`touch x`", "a b; touch x", "'\" $$ $HOME #", "1\\2"]


def test_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))
    assert "book" in named
    assert named <= targets
    commands = re.findall(r"`\.venv/bin/hia ([^`]+)`", README)
    assert len(commands) >= 3
    for command in commands:
        cli._parser().parse_args(command.split())
    for plan in re.findall(r"studies/\w+\.toml", README + MAKEFILE):
        assert (ROOT / plan).is_file()


@pytest.mark.parametrize("text", TEXTS)
def test_what_stands_after_a_name_is_data(text: str, tmp_path: Path) -> None:
    """Neither make nor the shell looks inside, and blanks do not break it."""
    root = tmp_path / "a folder, größer"
    (root / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", root)
    for name in ("requirements.lock", "requirements-fanova.lock", "pyproject.toml"):
        (root / name).touch()
    for name in (".ready", ".fanova"):
        (root / ".venv" / name).touch()
    for name in ("python", "hia"):
        stub = root / ".venv" / "bin" / name
        stub.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
        stub.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if "MAKE" not in key}
    environment.pop("CONDA_DEFAULT_ENV", None)
    before = sorted(root.rglob("*"))
    for target, names, expected in (
        ("study", ("PLAN", "WORKERS"), ["study", text, "--workers", text]),
        ("notebook", ("NB", "P"), ["rerun", text, text]),
    ):
        command = ["make", "-s", target, *(f"{name}={text}" for name in names)]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[-len(expected) :] == expected
    command = ["make", "-s", "-o", "book", "serve", f"PORT={text}"]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert f"PORT={text} is no port" in done.stderr
    assert sorted(root.rglob("*")) == before
