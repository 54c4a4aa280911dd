"""Imports go one way: core <- study, ranking <- cli; hia <- hia_book."""

import ast
from pathlib import Path

import hia

HIA = Path(hia.__file__).parent
ABOVE = {"study", "ranking", "cli", "commands", "__init__", "__main__"}  # all others are the core
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
