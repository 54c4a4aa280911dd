"""What `import hia` gives, that it waits for nothing, and that imports go one way: core <- study,
ranking <- cli; hia <- hia_book."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hia
from hia import datasets, trainer, trials
from hia.ranking import fanova, methods
from hia.relief import NRReliefF

HIA = Path(hia.__file__).parent
ABOVE = {"study", "ranking", "cli", "commands", "__init__", "__main__"}  # all others are the core
TRAINING = {"hia.datasets", "hia.cpu", "hia.cnn", "hia.trainer", "torch"}
ANALYSIS = {"hia.relief", "hia.equations", "hia.certainty", "hia.neighbours", "hia.ranking"}


def test_the_public_names_are_those_of_the_modules() -> None:
    assert hia.NRReliefF is NRReliefF
    assert hia.FAnova is fanova.FAnova
    assert hia.rank is methods.rank
    assert hia.train is trainer.train
    assert hia.load_dataset is datasets.load
    assert hia.load_trials is trials.load
    assert {getattr(hia, name).__name__ for name in hia.__all__} >= {"rank", "train", "load"}
    with pytest.raises(AttributeError, match="module 'hia' has no attribute 'rnak'"):
        _ = hia.rnak


def test_nothing_is_imported_that_is_not_needed() -> None:
    """Each of these brings nothing of what stands beside it, nor did those before."""
    code = "import sys"
    for statement, absent in (
        ("import hia, hia.ranking.command", {"torch", "optuna", "pandas", "sklearn"}),
        ("from hia import cli; cli.main(['study', 'none.toml'])", {"torch", "optuna"}),
        ("from hia import datasets; datasets.read('digits')", {"torch", "optuna"}),
        ("from hia import NRReliefF, load_trials", {"torch", "optuna"}),
        ("from hia import FAnova, rank", {"torch", "matplotlib"}),
        (
            "import pandas; table = pandas.DataFrame({'y': [i * 0.37 % 1 for i in range(40)]})",
            {"torch"},
        ),
        ("rank(table.assign(a=table.y**2, b=table.y % 0.1), 'y', n_bootstrap=0)", {"torch"}),
    ):
        code += f"\n{statement}\nassert not {absent} & set(sys.modules), {statement!r}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["hia study: none.toml: there is no such plan"]


def imports(path: Path) -> set[str]:
    """What a file imports, "hia.relief" for `from hia import relief` and for what is in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {".".join(part[:2]) if part[0] == "hia" else part[0] for part in parts}


def test_imports_go_one_way() -> None:
    rooms: dict[str, set[str]] = {}
    for path in HIA.rglob("*.py"):
        room = path.relative_to(HIA).parts[0].removesuffix(".py")
        rooms.setdefault(room, set()).update(imports(path))
    core = rooms.keys() - ABOVE
    assert {"datasets", "trainer", "trials", "relief"} <= core
    for room, names in rooms.items():
        assert "hia_book" not in names, room
        if room in {"study", "ranking", *core}:
            others = {name for name in names if name.startswith("hia.")} - {f"hia.{room}"}
            assert others <= {f"hia.{name}" for name in core}, room
    for room in ("ranking", "relief", "equations", "certainty", "neighbours", "trials"):
        assert not rooms[room] & TRAINING, f"{room} analyses and never trains"
    for room in ("study", "trainer", "cnn", "cpu", "datasets"):
        assert not rooms[room] & ANALYSIS, f"{room} trains and never analyses"
