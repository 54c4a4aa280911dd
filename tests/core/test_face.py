"""What `import hia` gives, and that it waits for nothing."""

import subprocess
import sys

import pytest

import hia
from hia import datasets, trainer, trials
from hia.ranking import fanova, methods
from hia.relief import NRReliefF


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


def test_imports_bring_nothing_that_is_not_needed() -> None:
    """Each of these brings nothing of what stands beside it, nor did those before."""
    code = "import sys"
    for statement, absent in (
        ("import hia, hia.ranking.command", {"torch", "optuna", "pandas", "sklearn"}),
        ("from hia import NRReliefF, load_trials", {"torch", "optuna"}),
        ("from hia import FAnova, rank", {"torch", "matplotlib"}),
    ):
        code += f"\n{statement}\nassert not {absent} & set(sys.modules), {statement!r}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
