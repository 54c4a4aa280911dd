"""How many trainings a ranking of the hyperparameters costs, from the recorded ones.

Methods that take any trials (`SAMPLED`) rank random parts of the study's, of one data set or of all
together; the Plackett-Burman screen has its own trainings. Each ranking of the ten hyperparameters
that random search draws is compared (`hia_book.truth.agreement`) with

- own: the method's ranking of all trials, which says how soon it settles, not whether it is right;
- reference: the mean rank by `REFERENCE` on all trials of the data set. N-RReliefF with 30
  neighbours has no part in it (see `hia_book.truth`).
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hia import space
from hia_book import screening
from hia_book.truth import CONTENDERS, agreement

SAMPLED = ("nrrelieff", "nrrelieff_growing", "fanova", "ped_anova")
REFERENCE = ("nrrelieff_growing", "fanova", "ped_anova")
SCREEN = "screening"
POOLED = "all"
COMPARED = tuple(name for name in space.HYPERPARAMETERS if name in space.SAMPLED)
# Numbers of trainings: of one data set, and of all.
SIZES = (25, 50, 100, 200, 400)
POOLED_SIZES = (50, 100, 200, 500, 1000, 2000, 5000)
REPEATS = 10
# Of a trial, what is ranked.
USED = (*space.HYPERPARAMETERS, "accuracy")

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A ranking of the `repeat`-th part of so many trainings of a data set or of `POOLED`."""

    scope: str
    method: str
    trainings: int
    repeat: int


def scopes(trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The trials of each data set, and all."""
    parts = {str(name): rows for name, rows in trials.groupby("dataset")}
    return {**parts, POOLED: trials} if len(parts) > 1 else parts


def jobs(
    trials: pd.DataFrame,
    sizes: Sequence[int] = SIZES,
    pooled_sizes: Sequence[int] = POOLED_SIZES,
    repeats: int = REPEATS,
) -> list[Job]:
    """All rankings by the sampled methods: of all of a scope, and of parts up to half of it. Larger
    parts agree with the whole by being most of it."""
    wanted = []
    for scope, rows in scopes(trials).items():
        parts = pooled_sizes if scope == POOLED else sizes
        # The whole first: without it, no part can be compared with anything.
        counts = {len(rows): 1} | {n: repeats for n in parts if 2 * n <= len(rows)}
        wanted += [
            Job(scope, method, n, repeat)
            for n, times in counts.items()
            for repeat in range(times)
            for method in SAMPLED
        ]
    return wanted


def measure(rows: pd.DataFrame, job: Job) -> Row:
    """A finished ranking: the job, `scores` in the order of `COMPARED`, and `problem`, what the
    method said where it refused; then the scores are None. rows: the trials of the job's scope."""
    seed = [zlib.crc32(job.scope.encode()), job.trainings, job.repeat]
    chosen = np.random.default_rng(seed).permutation(len(rows))[: job.trainings]
    contender = CONTENDERS[job.method]
    scores, problem = contender.score(rows.iloc[chosen], "accuracy", space.TABLE1, job.repeat)
    listed = None if scores is None else scores.loc[list(COMPARED)].tolist()
    return {**vars(job), "scores": listed, "problem": problem}


def screens(table: pd.DataFrame) -> list[Row]:
    """The rankings by the Plackett-Burman screen, as `measure` returns them.

    table: of data/screening.parquet. Its parts: half of the folded design or all of it, with one
    replicate or with all; the whole is the last. Scores are sizes of effects, over all data sets of
    the mean effect.
    """
    half = table["run"].nunique() // 2
    halves = {"first": table["run"] < half, "second": table["run"] >= half}
    one = {replicate: table["replicate"] == replicate for replicate in sorted(set(table.replicate))}
    every = pd.Series(True, index=table.index)
    parts = [
        [inside & chosen for inside in halves.values() for chosen in one.values()],
        list(one.values()),
        list(halves.values()),
        [every],
    ]
    rankings = []
    for repeat, part in ((repeat, part) for alike in parts for repeat, part in enumerate(alike)):
        by_dataset = {str(name): rows for name, rows in table[part].groupby("dataset")}
        effects = {name: effects_of(rows) for name, rows in by_dataset.items()}
        counts = {name: len(rows) for name, rows in by_dataset.items()}
        if len(effects) > 1:
            effects[POOLED] = pd.DataFrame(effects).mean(axis=1)
            counts[POOLED] = sum(counts.values())
        rankings += [
            {
                "scope": scope,
                "method": SCREEN,
                "trainings": counts[scope],
                "repeat": repeat,
                "scores": effect.abs().loc[list(COMPARED)].tolist(),
                "problem": "",
            }
            for scope, effect in effects.items()
        ]
    return rankings


def effects_of(rows: pd.DataFrame) -> pd.Series:
    """Effects of an orthogonal design, (runs and replicates), as `screening.effects` without
    errors."""
    signs = screening.code(rows)
    return 2 * signs.mul(rows["accuracy"], axis=0).mean()


def table(rows: Sequence[Row], trials: pd.DataFrame) -> pd.DataFrame:
    """All rankings, of the sampled methods and of the screen, with their agreements.

    Columns `scope`, `method`, `trainings`, `repeat`, `whole` (it is the ranking of all there is),
    `tau_own` and `tau_reference` (missing where the other ranking is, 0 for a refusal), `scores`,
    `problem`.
    """
    sizes = {
        (scope, method): len(part) for scope, part in scopes(trials).items() for method in SAMPLED
    }
    for row in rows:
        if row["method"] == SCREEN:
            key = row["scope"], SCREEN
            sizes[key] = max(sizes.get(key, 0), row["trainings"])
    rankings = [
        {**row, "whole": row["trainings"] == sizes[row["scope"], row["method"]]} for row in rows
    ]
    wholes = {(row["scope"], row["method"]): row for row in rankings if row["whole"]}
    references = {scope: reference(wholes, scope) for scope in {row["scope"] for row in rows}}
    for row in rankings:
        own = wholes.get((row["scope"], row["method"]), {})
        row["tau_own"] = _agreement(row, own.get("scores"))
        row["tau_reference"] = _agreement(row, references[row["scope"]])
    names = ["scope", "method", "trainings", "repeat", "whole", "tau_own", "tau_reference"]
    names += ["scores", "problem"]
    return pd.DataFrame(rankings, columns=names).sort_values(
        ["scope", "method", "trainings", "repeat"], ignore_index=True
    )


def reference(wholes: Mapping[tuple[str, str], Row], scope: str) -> list[float] | None:
    """Minus the mean rank by `REFERENCE` on all trials of a scope; None without their rankings."""
    scores = [wholes.get((scope, method), {}).get("scores") for method in REFERENCE]
    if any(one is None for one in scores):
        return None
    ranks = pd.DataFrame(scores, columns=list(COMPARED)).rank(axis=1, ascending=False)
    return [float(-rank) for rank in ranks.mean()]


def _agreement(row: Row, with_scores: Sequence[float] | None) -> float:
    if with_scores is None or len(set(with_scores)) == 1:
        return float("nan")
    return 0.0 if row["scores"] is None else agreement(row["scores"], with_scores)


def needed(
    table: pd.DataFrame, column: str, least: float, by: Sequence[str] = ("scope", "method")
) -> pd.Series:
    """The fewest trainings from which on the median agreement stays at least so much; NaN for
    never.

    table: of `table`. column: "tau_own", for which the whole does not count, or "tau_reference".
    """
    if column == "tau_own":
        table = table[~table["whole"]]
    medians = table.groupby([*by, "trainings"])[column].median()

    def first(of: pd.Series) -> float:
        trainings = of.index.get_level_values("trainings").to_numpy()
        below = np.flatnonzero(~(of.to_numpy() >= least))
        place = below[-1] + 1 if len(below) else 0
        return float(trainings[place]) if place < len(trainings) else float("nan")

    return medians.groupby(list(by)).apply(first)
