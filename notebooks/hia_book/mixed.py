"""What trials that a search chose do to a ranking.

The paper's trials are of random search and of BOHB. Here both kinds are drawn from surfaces whose
importances are known (`hia_book.surfaces`), and methods rank three tables: the mixture, its random
trials alone, and as many random ones as the mixture has. The search is Optuna's TPE with the
options of the study's BOHB (`hia.study.run`), without early stopping.
"""

import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.exceptions import ExperimentalWarning

from hia.space import to_distribution
from hia_book import recording, truth
from hia_book.surfaces import TARGET, Surface
from hia_book.truth import Job, Row

# Part of the trials that the search chooses (Wang et al. 2024, Section 4.1), and trials of a run.
SHARE = 0.3
RUN = 300
# Number of trials -> draws.
SIZES = {1000: 5, 3000: 3, 10000: 1}
METHODS = ("nrrelieff", "nrrelieff_growing", "fanova", "ped_anova")
# What a method gets: as many of random search, those of the mixture, the mixture.
TABLES = ("random", "part", "mixed")


def measure(surface: Surface, drawn: pd.DataFrame, true: pd.DataFrame, job: Job) -> list[Row]:
    """One row for each table and method: `table`, the job and what `truth.assess` says of it.

    job: with any method. drawn: its `truth.draw`. true: of the surface by hyperparameter, columns
    `main`, `total`.
    """
    part = drawn.iloc[: job.trials - round(SHARE * job.trials)]
    chosen = search(surface, job.trials - len(part), job.repeat)
    tables = (drawn, part, pd.concat([part, chosen], ignore_index=True))
    names = ("surface", "trials", "repeat", "method", "tau_main", "tau_total", "problem")
    rows = []
    for (key, table), method in product(zip(TABLES, tables, strict=True), METHODS):
        fit = truth.try_to_rank(replace(job, method=method), table, TARGET, surface.columns)
        row = truth.assess(fit, true)
        rows.append({"table": key} | {name: row[name] for name in names})
    return rows


def search(surface: Surface, trials: int, repeat: int) -> pd.DataFrame:
    """Trials as of `Surface.draw` that TPE chooses for large values, in runs of `RUN`."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = []
    for done in range(trials):
        if done % RUN == 0:
            rng = np.random.default_rng((repeat, done // RUN))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # `group`, as in the study
                sampler = optuna.samplers.TPESampler(
                    multivariate=True, group=True, seed=int(rng.integers(2**31))
                )
            study = optuna.create_study(direction="maximize", sampler=sampler)
        trial = study.ask({c.name: to_distribution(c) for c in surface.columns})
        rows.append(surface.evaluate(pd.DataFrame([trial.params]), rng))
        study.tell(trial, float(rows[-1][TARGET].iloc[0]))
    return pd.concat(rows, ignore_index=True)


def load(folder: str | Path) -> pd.DataFrame:
    """The recorded rows, mixed.parquet. Raises as `hia_book.recording.read` does."""
    columns = ["surface", "trials", "repeat", "table", "method", "tau_main", "tau_total"]
    return recording.read(Path(folder, "mixed.parquet"), columns, "record_truth.py mixed")
