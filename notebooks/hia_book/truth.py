"""How near each importance method comes to the truth, against the number of trials.

The methods of `hia.ranking.methods` (`CONTENDERS`) rank the hyperparameters of trials drawn from
`hia_book.surfaces`, all of the same draws. N-RReliefF takes part twice: with the paper's 30
neighbours, and with a twentieth of the trials, since 30 neighbours among many do not differ in
hyperparameters of two values. A fit that a method refuses stays in, with agreement 0. Time is
processor time, without intervals and on all rows; a fit above the limit is the last of its method
on that surface (`over`).
"""

import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from hia import space
from hia.ranking import methods
from hia.space import Hyperparameter
from hia_book import recording, surfaces
from hia_book.surfaces import TARGET, Surface

# Number of trials -> draws. Few trials differ most between draws.
SIZES = {50: 10, 100: 10, 200: 10, 500: 10, 1000: 5, 2000: 5, 5000: 3, 10000: 3}
# Seconds of processor time of a fit.
LIMIT = 10.0
TOP = 3
# In the order in which they are shown.
SURFACES = ("additive", "interactions", "product", "conditional", "noise", "copy", surfaces.STUDY)
# Of the study, what surfaces are made from.
USED = (*space.HYPERPARAMETERS, "accuracy")
# The states of a cell of the table.
MEASURED, OVER, ABSENT, MISSING = "measured", "over the limit", "not installed", "not measured"

Row = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """A method, a key of `methods.METHODS`, its name for people, and its options for so many
    trials."""

    method: str
    label: str
    options: Callable[[int], dict[str, Any]] = lambda trials: {}

    def available(self) -> bool:
        """Whether what it needs is installed."""
        return methods.METHODS[self.method].available()

    def rank(
        self, table: pd.DataFrame, target: str, columns: Sequence[Hyperparameter], random_state: int
    ) -> pd.Series:
        """The scores of `methods.rank` of all rows, by column."""
        options = self.options(len(table)) | {"random_state": random_state}
        options |= {"n_bootstrap": 0, "max_rows": len(table)}
        return methods.rank(table, target, columns, self.method, **options).table["score"]


def _thirty(trials: int) -> dict[str, Any]:
    return {"n_neighbors": min(30, trials - 1), "sigma": 20}


def _growing(trials: int) -> dict[str, Any]:
    """A twentieth of the trials and at least the paper's 30, with its ratio of 20 to 30."""
    neighbors = max(30, trials // 20)
    return {"n_neighbors": min(neighbors, trials - 1), "sigma": neighbors * 20 / 30}


CONTENDERS = {name: Contender(name, method.label) for name, method in methods.METHODS.items()}
CONTENDERS["nrrelieff"] = replace(CONTENDERS["nrrelieff"], options=_thirty)
CONTENDERS["nrrelieff_growing"] = Contender("nrrelieff", "N-RReliefF, J = n/20", _growing)


@dataclass(frozen=True)
class Job:
    """A contender to be fitted to the `repeat`-th draw of so many trials from a surface."""

    surface: str
    method: str
    trials: int
    repeat: int


def agreement(scores: ArrayLike, truth: ArrayLike) -> float:
    """Order of scores (K,) against that of the truth (K,): 1 for the true order, 0 for no relation.

    Of the pairs that the truth orders, the share that the scores order alike minus the share that
    they order the other way (Somers' D). Raises ValueError where the lengths differ and where the
    truth orders nothing.
    """
    ours, true = np.asarray(scores, dtype=float), np.asarray(truth, dtype=float)
    if (true == true[0]).all():
        raise ValueError("all true importances are equal: there is no order to agree with")
    return float(np.nan_to_num(stats.somersd(true, ours).statistic))  # NaN of equal scores


def recall(scores: ArrayLike, truth: ArrayLike) -> float:
    """Share of the `TOP` truly largest of K that are among the `TOP` largest scores.

    With equal scores the mean over all their orders. Raises ValueError where a tie in the truth
    leaves open which are the largest.
    """
    ours, true = np.asarray(scores, dtype=float), np.asarray(truth, dtype=float)
    largest = np.flatnonzero((true[:, None] < true).sum(axis=1) < TOP)
    if len(largest) != TOP:
        raise ValueError(f"the truth does not say which {TOP} are the largest: some are equal")
    above = (ours[largest, None] < ours).sum(axis=1)
    equal = (ours[largest, None] == ours).sum(axis=1)
    return float(np.clip((TOP - above) / equal, 0.0, 1.0).mean())


def jobs(
    names: Collection[str],
    fitted: Collection[str] = tuple(CONTENDERS),
    sizes: Mapping[int, int] = SIZES,
) -> list[Job]:
    """All fits of surfaces by contenders, few trials first, and all methods on a draw together."""
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


def measure(columns: Sequence[Hyperparameter], drawn: pd.DataFrame, job: Job) -> Row:
    """A finished fit: `try_to_rank` and its `seconds`. drawn: the job's draw."""
    began = time.process_time()
    row = try_to_rank(job, drawn, TARGET, columns)
    return row | {"seconds": time.process_time() - began}


def try_to_rank(
    job: Any, rows: pd.DataFrame, target: str, columns: Sequence[Hyperparameter]
) -> Row:
    """The job, whose `method` ranks the columns with its `repeat` as seed: the `scores` in their
    order and a `problem`, what the method said where it refused; then the scores are None."""
    row = {**vars(job), "scores": None, "problem": ""}
    try:
        scores = CONTENDERS[job.method].rank(rows, target, columns, job.repeat)
    except ValueError as error:
        return row | {"problem": str(error)}
    return row | {"scores": scores.tolist()}


def over(rows: Iterable[Row], job: Job, limit: float) -> bool:
    """Whether a fit is left out: one of its method and surface was above the limit, with as many
    trials or fewer."""
    return any(
        row["seconds"] > limit and row["trials"] <= job.trials
        for row in rows
        if (row["surface"], row["method"]) == (job.surface, job.method)
    )


def table(
    rows: Sequence[Row],
    truths: Mapping[str, pd.DataFrame],
    wanted: Sequence[Job],
    limit: float = LIMIT,
) -> pd.DataFrame:
    """All finished fits (rows) with their agreements, and what is missing of the jobs wanted.

    truths: by surface. Columns: those of `measure` and `assess`, with the `state`s above. Of a
    surface, a method and a number of trials without a fit there is one row, with the repeat 0.
    """
    cells = [assess(row, truths[row["surface"]]) for row in rows]
    measured = {(row["surface"], row["method"], row["trials"]) for row in rows}
    for job in wanted:
        if job.repeat == 0 and (job.surface, job.method, job.trials) not in measured:
            state = OVER if over(rows, job, limit) else MISSING
            if not CONTENDERS[job.method].available():
                state = ABSENT
            cells.append({**vars(job), "problem": "", "scores": None, "state": state})
    order = ["surface", "method", "trials", "repeat"]
    columns = [*order, "seconds", "tau_main", "tau_total", "top_main", "top_total"]
    table = pd.DataFrame(cells, columns=[*columns, "scores", "problem", "state"])
    return table.sort_values(order, ignore_index=True)


def assess(row: Row, truth: pd.DataFrame) -> Row:
    """A finished fit with its agreements, `tau_main` and `tau_total`, 0 where the method refused,
    and recalls, `top_main` and `top_total`. truth: of its surface, columns `main` and `total`."""
    found = row | {"state": MEASURED}
    # No order is like any other.
    scores = np.zeros(len(truth)) if row["scores"] is None else row["scores"]
    for kind in ("main", "total"):
        found[f"tau_{kind}"] = agreement(scores, truth[kind])
        found[f"top_{kind}"] = recall(scores, truth[kind])
    return found


def load(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The recorded fits and the truths they are compared with, truth.parquet and surfaces.parquet.

    Raises as `hia_book.recording.read`, and ValueError where a surface of the fits has no truth.
    """
    of_fits = ["surface", "method", "trials", "seconds", "state"]
    fits = recording.read(Path(folder, "truth.parquet"), of_fits, "record_truth.py")
    of_truths = ["surface", "hyperparameter", "main", "total"]
    true = recording.read(Path(folder, "surfaces.parquet"), of_truths, "record_truth.py")
    if unknown := sorted(set(fits["surface"]) - set(true["surface"])):
        raise ValueError(f"{Path(folder, 'surfaces.parquet')}: has no surface {unknown[0]!r}")
    return fits, true


def by_surface(fits: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over the draws of a column of the measured fits (surface and trials, methods)."""
    measured = fits[fits["state"] == MEASURED]
    return measured.pivot_table(values=column, index=["surface", "trials"], columns="method")


def over_surfaces(fits: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over the surfaces of `by_surface` (trials, methods), NaN where a method has not been
    measured on every surface of the fits."""
    of_each = by_surface(fits, column).groupby("trials")
    return of_each.mean().where(of_each.count() == fits["surface"].nunique())


def write_seconds(fits: pd.DataFrame, method: str, trials: int) -> str:
    """Seconds of a method with so many trials, the median over the surfaces, or why there are none;
    in words."""
    own = fits[(fits["method"] == method) & (fits["trials"] == trials)]
    measured, over = own[own["state"] == MEASURED], (own["state"] == OVER).sum()
    if measured.empty:
        return str(own["state"].iloc[0]) if len(own) else ""
    seconds = f"{measured.groupby('surface')['seconds'].mean().median():.2g}"
    return f"{seconds} ({over} surface{'s'[: over - 1]} over the limit)" if over else seconds


def behind(fits: pd.DataFrame, column: str, trials: int) -> tuple[str, dict[str, pd.Series]]:
    """The method nearest to the truth with so many trials, in an agreement (column), and how far
    each other is behind it on the draws that both had, the nearest first: means by surface."""
    tau = over_surfaces(fits, column).T[trials].dropna().sort_values(ascending=False)
    best, *others = map(str, tau.index)
    some = fits[(fits["state"] == MEASURED) & (fits["trials"] == trials)]
    of_draws = some.pivot_table(column, ["surface", "repeat"], "method")
    gaps = {name: (of_draws[best] - of_draws[name]).dropna() for name in others}
    return best, {name: gap.groupby("surface").mean() for name, gap in gaps.items()}


def mean_ranks(
    fits: pd.DataFrame, true: pd.DataFrame, surface: str, trials: int, names: Sequence[str]
) -> pd.Series:
    """By method the mean rank of these hyperparameters over the draws from a surface. true: of the
    surface, by hyperparameter."""
    own = fits[(fits["surface"] == surface) & (fits["trials"] == trials)].dropna(subset="scores")
    scores = pd.DataFrame(own["scores"].tolist(), own["method"], true.index)
    ranks: pd.Series = scores.rank(axis=1, ascending=False)[list(names)].mean(axis=1)
    return ranks.groupby(level=0).mean()


def all_surfaces(trials: pd.DataFrame) -> dict[str, Surface]:
    """The synthetic surfaces and that of the study, by name. trials: of the study."""
    return {**surfaces.synthetic(), surfaces.STUDY: surfaces.of_study(trials)}


def truths(trials: pd.DataFrame) -> pd.DataFrame:
    """What is true of every surface (`Surface.truth`), by `surface` and `hyperparameter`."""
    tables = {name: surface.truth() for name, surface in all_surfaces(trials).items()}
    return pd.concat(tables, names=["surface"]).reset_index()
