"""Imports go one way: core <- study, ranking <- cli; hia <- hia_book."""

import ast
from pathlib import Path

import hia

HIA = Path(hia.__file__).parent
CORE = [
    "space",
    "datasets",
    "cpu",
    "cnn",
    "trainer",
    "trials",
    "relief",
    "equations",
    "certainty",
    "neighbours",
    "inputs",
    "files",
]
TRAINING = {"hia.datasets", "hia.cpu", "hia.cnn", "hia.trainer", "torch"}
ANALYSIS = {"hia.relief", "hia.equations", "hia.certainty", "hia.neighbours", "hia.ranking"}


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


def rooms() -> dict[str, set[str]]:
    """What each module of `hia`, or each room of several, imports."""
    found: dict[str, set[str]] = {}
    for path in HIA.rglob("*.py"):
        room = path.relative_to(HIA).parts[0].removesuffix(".py")
        found.setdefault(room, set()).update(imports(path))
    return found


def test_imports_go_one_way() -> None:
    found = rooms()
    assert {"study", "ranking", "cli", *CORE} <= set(found)
    core = {f"hia.{name}" for name in CORE}
    for room, names in found.items():
        assert "hia_book" not in names, room
        own = {name for name in names if name.startswith("hia.")} - {f"hia.{room}"}
        if room in ("study", "ranking", *CORE):
            assert own <= core, room


def test_analysis_never_trains_and_training_never_analyses() -> None:
    found = rooms()
    for room in ("ranking", "relief", "equations", "certainty", "neighbours", "trials"):
        assert not found[room] & TRAINING, room
    for room in ("study", "trainer", "cnn", "cpu", "datasets"):
        assert not found[room] & ANALYSIS, room
