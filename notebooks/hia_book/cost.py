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
from hia_book.truth import Row, agreement, try_to_rank

SAMPLED = ("nrrelieff", "nrrelieff_growing", "fanova", "ped_anova")
REFERENCE = ("nrrelieff_growing", "fanova", "ped_anova")
SCREEN = "screening"
POOLED = "all"
COMPARED = tuple(name for name in space.HYPERPARAMETERS if name in space.SAMPLED)
_PLACES = [space.HYPERPARAMETERS.index(name) for name in COMPARED]
# Numbers of trainings: of one data set, and of all.
SIZES = (25, 50, 100, 200, 400)
POOLED_SIZES = (50, 100, 200, 500, 1000, 2000, 5000)
REPEATS = 10
# Of a trial, what is ranked.
USED = (*space.HYPERPARAMETERS, "accuracy")


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
    trials: pd.DataFrame, sizes: Sequence[int], pooled_sizes: Sequence[int], repeats: int
) -> list[Job]:
    """All rankings by the sampled methods: of all of a scope, and of parts up to half of it. Larger
    parts agree with the whole by being most of it."""
    wanted = []
    for scope, rows in scopes(trials).items():
        parts = pooled_sizes if scope == POOLED else sizes
        # The whole first: without it, no part can be compared with anything.
        counts = {len(rows): 1} | {n: repeats for n in parts if 2 * n <= len(rows)}
        draws = [(n, repeat) for n, times in counts.items() for repeat in range(times)]
        wanted += [Job(scope, method, *draw) for draw in draws for method in SAMPLED]
    return wanted


def measure(rows: pd.DataFrame, job: Job) -> Row:
    """A finished ranking, `truth.try_to_rank`, with scores in the order of `COMPARED`. rows: the
    trials of the job's scope."""
    seed = [zlib.crc32(job.scope.encode()), job.trainings, job.repeat]
    chosen = np.random.default_rng(seed).permutation(len(rows))[: job.trainings]
    row = try_to_rank(job, rows.iloc[chosen], "accuracy", space.TABLE1)
    scores = row["scores"] and [row["scores"][place] for place in _PLACES]
    return row | {"scores": scores}


def screens(table: pd.DataFrame) -> list[Row]:
    """The rankings by the Plackett-Burman screen (of data/screening.parquet), as of `measure`: by
    half of the folded design or all of it, with one replicate or with all; the whole is the last.
    Scores are sizes of effects, over all data sets of the mean effect."""
    half = np.where(table["run"] < table["run"].nunique() // 2, "first", "second")
    groups = {"half": half, "replicate": table["replicate"], "all": np.zeros(len(table))}
    rankings = []
    for alike in (["half", "replicate"], ["replicate"], ["half"], ["all"]):
        parts = table.groupby([groups[name] for name in alike])
        for repeat, (_, part) in enumerate(parts):
            effects = {str(name): effects_of(rows) for name, rows in part.groupby("dataset")}
            counts = part["dataset"].value_counts().to_dict()
            if len(effects) > 1:
                effects[POOLED] = pd.DataFrame(effects).mean(axis=1)
                counts[POOLED] = len(part)
            for scope, effect in effects.items():
                row = vars(Job(scope, SCREEN, counts[scope], repeat))
                scores = effect.abs().loc[list(COMPARED)].tolist()
                rankings.append({**row, "scores": scores, "problem": ""})
    return rankings


def effects_of(rows: pd.DataFrame) -> pd.Series:
    """Effects of an orthogonal design, (runs and replicates), as `screening.effects` without
    errors."""
    return 2 * screening.code(rows).mul(rows["accuracy"], axis=0).mean()


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """All rankings, of the sampled methods and of the screen: `scope`, `method`, `trainings`,
    `repeat`, `whole` (it is of all there is), the agreements `tau_own` and `tau_reference` (missing
    where the other ranking is, 0 for a refusal), `scores`, `problem`."""
    names = ["scope", "method", "trainings", "repeat"]
    rankings = pd.DataFrame(rows).sort_values(names, ignore_index=True)
    most = rankings.groupby(names[:2])["trainings"].transform("max")
    rankings["whole"] = rankings["trainings"] == most
    wholes = rankings[rankings["whole"]].set_index(names[:2])["scores"].dropna().to_dict()
    references = {scope: reference(wholes, scope) for scope in set(rankings["scope"])}
    taus = []
    for row in rankings.itertuples():
        own = _agreement(row.scores, wholes.get((row.scope, row.method)))
        taus.append((own, _agreement(row.scores, references[row.scope])))
    rankings[["tau_own", "tau_reference"]] = taus
    return rankings[[*names, "whole", "tau_own", "tau_reference", "scores", "problem"]]


def reference(wholes: Mapping[Any, Sequence[float]], scope: str) -> list[float] | None:
    """Minus the mean rank by `REFERENCE` on all trials of a scope; None without their rankings.

    wholes: scores of `COMPARED` by scope and method.
    """
    scores = [wholes[scope, method] for method in REFERENCE if (scope, method) in wholes]
    if len(scores) < len(REFERENCE):
        return None
    ranks = pd.DataFrame(scores, columns=list(COMPARED)).rank(axis=1, ascending=False)
    return (-ranks.mean()).tolist()


def _agreement(scores: Any, others: Sequence[float] | None) -> float:
    if others is None or len(set(others)) == 1:
        return float("nan")
    return 0.0 if scores is None else agreement(scores, others)


def are_twins(table: pd.DataFrame, column: str) -> bool:
    """Whether a twentieth of the trainings is nowhere above 30 neighbours, so that both ways of
    N-RReliefF have the same agreements (column)."""
    both = table[table["method"].isin(["nrrelieff", "nrrelieff_growing"])]
    pair = both.pivot_table(column, ["scope", "trainings", "repeat"], "method")
    return bool((pair["nrrelieff"] == pair["nrrelieff_growing"]).all())


def needed(
    table: pd.DataFrame, column: str, least: float, by: Sequence[str] = ("scope", "method")
) -> pd.Series:
    """The fewest trainings from which on the median agreement stays at least so much; NaN for
    never. column: "tau_own", for which the whole does not count, or "tau_reference"."""
    if column == "tau_own":
        table = table[~table["whole"]]
    medians = table.groupby([*by, "trainings"])[column].median()

    def first(of: pd.Series) -> float:
        enough = np.logical_and.accumulate(of.to_numpy()[::-1] >= least)[::-1]
        trainings = of.index.get_level_values("trainings")[enough]
        return float(trainings[0]) if len(trainings) else float("nan")

    return medians.groupby(list(by)).apply(first)


def write_needed(table: pd.DataFrame, column: str, least: float, method: str) -> str:
    """What `needed` finds for a method, over all scopes, in words; nothing for the twin of one."""
    if method == "nrrelieff_growing" and are_twins(table, column):
        return ""
    found = needed(table, column, least, by=["method"])[method]
    most = table.loc[table["method"] == method, "trainings"].max()
    return f"{found:,.0f}" if np.isfinite(found) else f"more than {most:,}"
