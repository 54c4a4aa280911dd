"""Loads a script that is in no package, for the tests of it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]


def load_script(script: str) -> ModuleType:
    """The script SCRIPT.py of benchmarks/ or studies/ as a module that is called as the file."""
    paths = [ROOT / folder / f"{script}.py" for folder in ("benchmarks", "studies")]
    path = next(path for path in paths if path.is_file())
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module
