"""Loads a script that is in no package, for the tests of it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def load_script(script: str, folder: Path = BENCHMARKS) -> ModuleType:
    """The script FOLDER/SCRIPT.py as a module that is called as the file."""
    path = folder / f"{script}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module
