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
