"""hia uses other packages by their public names, none of which begins with an underscore."""

import ast
from pathlib import Path

import pytest

HIA = Path(__file__).parents[2] / "hia"
PACKAGES = {"optuna", "sklearn", "pandas", "matplotlib"}
OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def own_names(tree: ast.AST) -> set[str]:
    """What a module defines and assigns, attributes of its objects among it."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
    return names


def private_names(source: str, own: set[str]) -> list[str]:
    """Private names that a module takes from one of the packages, or from an object that may be
    one of theirs: `own` are the project's names. Modules of others are not looked at."""
    tree = ast.parse(source)
    modules: dict[str, str] = {}  # what is imported, and from which package
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                modules[one.asname or one.name.split(".")[0]] = one.name.split(".")[0]
                names += [one.name] if any(map(is_private, one.name.split("."))) else []
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            for one in node.names:
                modules[one.asname or one.name] = module.split(".")[0]
                if any(map(is_private, [*module.split("."), one.name])):
                    names.append(f"{module}.{one.name}")
    names = [name for name in names if name.split(".")[0] in PACKAGES]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            root: ast.expr = node
            while isinstance(root, ast.Attribute | ast.Call | ast.Subscript):
                root = root.func if isinstance(root, ast.Call) else root.value
            package = modules.get(root.id) if isinstance(root, ast.Name) else None
            theirs = package is None and node.attr not in own | OF_NAMED_TUPLES
            if package in PACKAGES or theirs:
                names.append(ast.unparse(node))
    return names


def test_only_public_names_are_used() -> None:
    sources = {
        str(path.relative_to(HIA)): path.read_text(encoding="utf-8")
        for path in sorted(HIA.rglob("*.py"))
    }
    own = set().union(*(own_names(ast.parse(source)) for source in sources.values()))
    found = {name: private_names(source, own) for name, source in sources.items()}
    assert not {name: names for name, names in found.items() if names}


@pytest.mark.parametrize(
    "source",
    [
        "import optuna._x",
        "import pandas as pd\npd._libs.x",
        "from sklearn.utils import _y",
        "from matplotlib._z import a",
        "import optuna\noptuna.create_study()._study_id",
        "def f(trial):\n    trial._suggest('x')",
    ],
)
def test_private_names_are_found(source: str) -> None:
    assert len(private_names(source, own_names(ast.parse(source)))) == 1


def test_our_own_and_those_of_other_packages_are_not_looked_at() -> None:
    source = (
        "import os, torch\nclass A:\n    def _f(self): self._x = 1\ndef g(a):\n    a._f(); a._x"
    )
    source += "\nos._exit(0); torch._fused(); a._replace(); a.__dict__"
    assert not private_names(source, own_names(ast.parse(source)))
