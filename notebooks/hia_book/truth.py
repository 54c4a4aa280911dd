"""How near each importance method comes to the truth, against the number of trials.

Each method of `hia.ranking.methods` ranks the hyperparameters of trials drawn from surfaces whose
importances are known (`hia_book.surfaces`), with its own options (`CONTENDERS`). One fit is one
method on one draw; all methods get the same draws. Its agreement is measured with both truths, main
and total shares (see there which method estimates which).

N-RReliefF takes part twice: with the paper's 30 neighbours, and with a twentieth of the trials.
The 30 come ever nearer with more trials, until they differ from their trial in no hyperparameter of
two values; such a one then has a weight near 0, whatever its influence.

- `agreement`: of the pairs of hyperparameters that the truth orders, the share that the method
  orders alike minus the share that it orders the other way. That is Kendall's tau-b of the two
  rankings divided by the largest that the truth's ties allow, and Kendall's tau where the truth has
  none: 1 for the true order, 0 for no relation to it.
- `recall`: how many of the three truly most important are among the first three of the method.

Nothing is averaged over fits here, and a fit that a method refuses stays in, with agreement 0. Time
is processor time of the whole call (`hia.ranking.methods.rank`, no intervals), which other work on
the machine does not lengthen; of all rows, without the limits on rows that `hia.ranking.methods`
has for slow methods. Instead there is a limit on time: a fit above it is the last of its method on
that surface, and what is left out of the larger ones is marked in the table (`over`).
"""

import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hia.files import read_parquet
from hia.ranking import methods
from hia.space import Hyperparameter
from hia_book import surfaces
from hia_book.surfaces import TARGET, Floats, Surface

# Number of trials -> draws. Few trials differ most between draws.
SIZES = {50: 10, 100: 10, 200: 10, 500: 10, 1000: 5, 2000: 5, 5000: 3, 10000: 3}
# Seconds of processor time of a fit.
LIMIT = 10.0
TOP = 3
# The states of a cell of the table.
MEASURED, OVER, ABSENT, MISSING = "measured", "over the limit", "not installed", "not measured"

Row = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """A method with options: a key of `methods.METHODS`, its name for people, and the options for
    so many trials."""

    method: str
    label: str
    options: Callable[[int], dict[str, Any]] = lambda trials: {}

    def available(self) -> bool:
        """Whether what it needs is installed."""
        return methods.METHODS[self.method].available()

    def rank(
        self, table: pd.DataFrame, target: str, columns: Sequence[Hyperparameter], random_state: int
    ) -> methods.Ranking:
        """`methods.rank` of all rows, without intervals."""
        return methods.rank(
            table,
            target,
            columns,
            self.method,
            n_bootstrap=0,
            random_state=random_state,
            max_rows=len(table),
            **self.options(len(table)),
        )


def _growing(trials: int) -> dict[str, Any]:
    """A twentieth of the trials and at least the paper's 30, with its ratio of 20 to 30."""
    neighbors = max(30, trials // 20)
    return {"n_neighbors": min(neighbors, trials - 1), "sigma": neighbors * 20 / 30}


CONTENDERS = {name: Contender(name, method.label) for name, method in methods.METHODS.items()}
CONTENDERS["nrrelieff_growing"] = Contender("nrrelieff", "N-RReliefF, J = n/20", _growing)


@dataclass(frozen=True)
class Job:
    """A contender to be fitted to the `repeat`-th draw of so many trials from a surface."""

    surface: str
    method: str
    trials: int
    repeat: int


# --- how near ------------------------------------------------------------------------------------


def agreement(scores: ArrayLike, truth: ArrayLike) -> float:
    """Order of scores (K,) against that of the truth (K,), in [-1, 1]; see the head of the module.

    Raises ValueError where the lengths differ and where the truth orders nothing.
    """
    found, true = _pair(scores, truth)
    first, second = np.triu_indices(len(true), 1)
    order = np.sign(true[first] - true[second])
    if not order.any():
        raise ValueError("all true importances are equal: there is no order to agree with")
    return float(order @ np.sign(found[first] - found[second]) / np.abs(order).sum())


def recall(scores: ArrayLike, truth: ArrayLike, top: int = TOP) -> float:
    """Share of the `top` truly largest of K that are among the `top` largest scores.

    Equal scores are put in a random order: it is the mean over all of them. Raises ValueError where
    the lengths differ, and where a tie in the truth leaves open which are the largest.
    """
    found, true = _pair(scores, truth)
    largest = np.flatnonzero((true[:, None] < true).sum(axis=1) < top)
    if len(largest) != top:
        raise ValueError(f"the truth does not say which {top} are the largest: some are equal")
    above = (found[largest, None] < found).sum(axis=1)
    equal = (found[largest, None] == found).sum(axis=1)
    return float(np.clip((top - above) / equal, 0.0, 1.0).mean())


def _pair(scores: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    found, true = np.asarray(scores, dtype=float), np.asarray(truth, dtype=float)
    if found.shape != true.shape or found.ndim != 1:
        raise ValueError(f"scores of shape {found.shape} for a truth of shape {true.shape}")
    return found, true


# --- the fits ------------------------------------------------------------------------------------


def jobs(
    names: Iterable[str],
    fitted: Iterable[str] = tuple(CONTENDERS),
    sizes: Mapping[int, int] = SIZES,
) -> list[Job]:
    """All fits of surfaces by contenders, few trials first, and all methods on a draw together."""
    names, fitted = list(names), list(fitted)
    return [
        Job(name, method, trials, repeat)
        for trials in sorted(sizes)
        for name in names
        for repeat in range(sizes[trials])
        for method in fitted
    ]


def draw(surface: Surface, trials: int, repeat: int) -> pd.DataFrame:
    """The `repeat`-th draw of so many trials, the same at any time."""
    seed = [zlib.crc32(surface.name.encode()), trials, repeat]
    return surface.draw(trials, np.random.default_rng(seed))


def measure(surface: Surface, drawn: pd.DataFrame, job: Job) -> Row:
    """A finished fit: the job, `scores` in the order of the surface's columns, `seconds` and
    `problem`, what the method said where it refused; then the scores are None."""
    began = time.process_time()
    scores, problem = None, ""
    try:
        ranking = CONTENDERS[job.method].rank(drawn, TARGET, surface.columns, job.repeat)
        scores = ranking.table["score"].tolist()
    except ValueError as error:
        problem = str(error)
    seconds = time.process_time() - began
    return {**vars(job), "scores": scores, "seconds": seconds, "problem": problem}


def over(rows: Iterable[Row], job: Job, limit: float) -> bool:
    """Whether a fit is left out: one of its method and surface was above the limit, with as many
    trials or fewer."""
    return any(
        row["seconds"] > limit and row["trials"] <= job.trials
        for row in rows
        if (row["surface"], row["method"]) == (job.surface, job.method)
    )


# --- the tables ----------------------------------------------------------------------------------


def table(
    rows: Sequence[Row],
    found: Mapping[str, pd.DataFrame],
    wanted: Sequence[Job],
    limit: float = LIMIT,
) -> pd.DataFrame:
    """All fits with their agreements, and what is not there with the reason.

    rows: finished fits. found: the truths by surface. wanted: all jobs. Columns: those of `measure`
    without `scores`, the agreements `tau_main` and `tau_total`, the recalls `top_main` and
    `top_total`, `scores`, and `state`: "measured", "over the limit", "not installed" or "not
    measured". Of a surface, a method and a number of trials without a fit there is one row, with
    the repeat 0 and nothing measured.
    """
    made = [assess(row, found[row["surface"]]) for row in rows]
    there = {(row["surface"], row["method"], row["trials"]) for row in rows}
    for job in wanted:
        if job.repeat == 0 and (job.surface, job.method, job.trials) not in there:
            if not CONTENDERS[job.method].available():
                state = ABSENT
            else:
                state = OVER if over(rows, job, limit) else MISSING
            made.append({**vars(job), "problem": "", "scores": None, "state": state})
    columns = ["surface", "method", "trials", "repeat", "seconds", "tau_main", "tau_total"]
    columns += ["top_main", "top_total", "scores", "problem", "state"]
    order = ["surface", "method", "trials", "repeat"]
    return pd.DataFrame(made, columns=columns).sort_values(order, ignore_index=True)


def assess(row: Row, truth: pd.DataFrame) -> Row:
    """A finished fit with its agreements and recalls, 0 agreement where the method refused.

    row: of `measure`. truth: of its surface, columns `main` and `total`.
    """
    scores = row["scores"]
    if scores is None:  # no order is like any other
        scores = np.zeros(len(truth))
    return {
        **row,
        "tau_main": agreement(scores, truth["main"]),
        "tau_total": agreement(scores, truth["total"]),
        "top_main": recall(scores, truth["main"]),
        "top_total": recall(scores, truth["total"]),
        "state": MEASURED,
    }


def load(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The recorded fits and the truths they are compared with, truth.parquet and surfaces.parquet.

    Raises FileNotFoundError with the command that makes them, ValueError naming the file and the
    column that is missing, and where a surface of the fits has no truth.
    """
    fits = read(folder / "truth.parquet", ["surface", "method", "trials", "seconds", "state"])
    true = read(folder / "surfaces.parquet", ["surface", "hyperparameter", "main", "total"])
    if unknown := sorted(set(fits["surface"]) - set(true["surface"])):
        raise ValueError(f"{folder / 'surfaces.parquet'}: has no surface {unknown[0]!r}")
    return fits, true


def by_surface(fits: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over the draws of a column of the measured fits (surface and trials, methods)."""
    measured = fits[fits["state"] == MEASURED]
    return measured.pivot_table(values=column, index=["surface", "trials"], columns="method")


def over_surfaces(fits: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over the surfaces of `by_surface` (trials, methods).

    NaN where a method has not been measured on every surface of the fits.
    """
    of_each = by_surface(fits, column).groupby("trials")
    return of_each.mean().where(of_each.count() == fits["surface"].nunique())


def read(path: Path, columns: Sequence[str], command: str = "truth") -> pd.DataFrame:
    """A recorded table that has at least these columns; the errors of `load`."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: there is no such table; python studies/record_truth.py {command} makes it"
        )
    found = read_parquet(path)
    if missing := [name for name in columns if name not in found]:
        raise ValueError(f"{path}: column {missing[0]!r} is missing")
    return found


def all_surfaces(trials: pd.DataFrame) -> dict[str, Surface]:
    """The synthetic surfaces and that of the study, by name. trials: of the study."""
    return {**surfaces.synthetic(), surfaces.STUDY: surfaces.of_study(trials)}
