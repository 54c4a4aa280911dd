"""How the ranking of N-RReliefF moves with every choice in its computation.

A universe is one way to make all of the choices in `CHOICES` (a multiverse: Steegen et al. 2016,
Perspectives on Psychological Science 11, 702-712). They are a full factorial, so that the spread of
a rank splits exactly into the parts of single choices (`variance_shares`). Decided here, because
the paper says nothing of it:

- Shares. max(W, 0), W less the smallest and a softmax keep the ranks. |W| does not: it counts a
  weight below 0 as importance.
- Per data set. W is the mean over the data sets. `in_channel_num` has one value on each and no
  weight; the ranks of the other ten are stretched over 1 to 11.
- Balanced. By accuracy: at most so many CNNs of each interval (Section 5.2), in proportion to the
  number of CNNs. By data set: equally many of each. One draw for all universes.
- J. At most all the other CNNs.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hia import space
from hia.equations import rank_influence, share_ties, weights
from hia.relief import NRReliefF
from hia_book import published, recording
from hia_book.agreement import balanced_subsamples
from hia_book.rankings import design, varying

Floats = NDArray[np.float64]

MIN_ROWS = 10  # CNNs of a data set, below which it is left out of the mean over data sets
MIN_NEIGHBORS = 5  # of J = n / 20
DECIMALS = 5  # of W in the recorded table
SEED = 0  # of the balanced subsamples
NAMES = list(space.HYPERPARAMETERS)
USED = ["dataset", "source", *NAMES, "accuracy"]  # of the trials
# What a verdict on a finding takes for always and never, and for most.
ALWAYS, NEVER, MOST = 0.95, 0.05, 0.5


class Profile:
    """How the j-th nearest neighbours differ, the mean over all rows: one search for the weights of
    many options.

    X (n, K), y (n,); options and errors as of `NRReliefF`. Attributes: p (J,) of |Δp|, theta (J, K)
    of diff in each column, both (J, K) of their product, and target_range, that of y. Neighbours at
    the same distance share the mean of theirs.
    """

    def __init__(
        self,
        X: Any,
        y: ArrayLike,
        n_neighbors: int,
        metric: str = "euclidean",
        scale: str = "range",
    ) -> None:
        search = NRReliefF(n_neighbors, metric=metric, scale=scale).read(X, y).search()
        # Not in cells: few rows have so many neighbours in their own.
        search = replace(search, cells=search.cells[:0])
        p = np.zeros(n_neighbors)
        theta, both = np.zeros((2, n_neighbors, len(search.columns)))
        for rows, others, first in search.find_neighbours():
            p_diff = search.p_diff(rows, others)
            p += _by_rank(p_diff, first, n_neighbors)
            for k, column in enumerate(search.columns):
                differences = column.diff(rows, others)
                theta[:, k] += _by_rank(differences, first, n_neighbors)
                both[:, k] += _by_rank(differences * p_diff, first, n_neighbors)
        n = len(search.target)
        self.p, self.theta, self.both = p / n, theta / n, both / n
        self.target_range = float(np.ptp(search.target))

    def weights(
        self, n_neighbors: int, sigma: float = 20.0, rank_base: int = 1, target_scale: str = "none"
    ) -> Floats:
        """W of Eq. 10, (K,), what `NRReliefF` of these options finds.

        Raises ValueError for more neighbours than the profile has, and where Eq. 10 is not defined.
        """
        if not 1 <= n_neighbors <= len(self.p):
            raise ValueError(f"n_neighbors={n_neighbors}: the profile has {len(self.p)} neighbours")
        influence = rank_influence(n_neighbors, sigma, rank_base, "exp_rank")
        unit = {"none": 1.0, "range": self.target_range}[target_scale]
        n_p = float(influence @ self.p[:n_neighbors]) / unit
        n_theta = influence @ self.theta[:n_neighbors]
        n_both = influence @ self.both[:n_neighbors] / unit
        return weights(n_p, n_theta, n_both)


def _by_rank(values: Floats, first: NDArray[np.bool_], n_neighbors: int) -> Floats:
    """(n_neighbors,): sums over the rows of values (m, k), the mean of each group of ties."""
    alone = first[:, : n_neighbors + 1].all(axis=1)
    total = values[alone, :n_neighbors].sum(axis=0)
    if not alone.all():
        total += share_ties(values[~alone], first[~alone])[:, :n_neighbors].sum(axis=0)
    return np.asarray(total)


@dataclass(frozen=True)
class Choice:
    """Something that the paper leaves open, or that others do differently.

    options: as they are shown, those first that the paper does not rule out, so many where it says
    something (possible). paper: what it says.
    """

    label: str
    options: tuple[str, ...]
    paper: str
    possible: int | None = None

    @property
    def against(self) -> tuple[str, ...]:
        """The options that the paper rules out."""
        return self.options[self.possible :] if self.possible else ()


# Its equations are of values; whether those were scaled beforehand it does not say. So scaled ones
# are not ruled out.
_DISTANCES = {
    "raw Euclidean": ("euclidean", "none"),
    "Euclidean": ("euclidean", "range"),
    "Manhattan": ("manhattan", "range"),
}
_TARGETS = {"as it is": "none", "range": "range"}
_BALANCED = 'nothing, "the full dataset" (Section 5.3); accuracy for the ICC only'
_RAW = "Euclidean, written on raw values (Section 3.1)"
CHOICES = {
    "distance": Choice("distance", tuple(_DISTANCES), _RAW, 2),
    "lr_scale": Choice("scale of lr", ("raw", "log"), "not said"),
    "neighbours": Choice("J", ("30", "5", "10", "100", "200", "n/20"), "30 (Section 5.3)", 1),
    "sigma": Choice("sigma", ("5", "20", "100"), "user-defined, value not given"),
    "rank_base": Choice("first rank", ("1", "0"), "1, it seems (Section 3.1)"),
    "target": Choice("scale of accuracy", tuple(_TARGETS), "written as it is (Section 3.1)"),
    "scope": Choice(
        "data sets", ("pooled", "each"), "pooled: `in_channel_num` has a weight (Table 3)", 1
    ),
    "source": Choice("search", ("both", "random", "BOHB"), "both (Section 4.1)", 1),
    "balance": Choice("balanced by", ("nothing", "accuracy", "data set"), _BALANCED, 1),
    "score": Choice("ranked by", ("W", "|W|"), "shares that sum to 1, how is not said"),
}
# Those of the recorded table; that of `score` follows from the weights.
RECORDED = [name for name in CHOICES if name != "score"]
_KINDS = {name: pd.CategoricalDtype(list(CHOICES[name].options)) for name in CHOICES}


def searches() -> list[dict[str, str]]:
    """The combinations of those choices that decide which neighbours are searched."""
    return _combinations("source", "balance", "scope", "distance", "lr_scale")


def _combinations(*names: str) -> list[dict[str, str]]:
    every = product(*(CHOICES[name].options for name in names))
    return [dict(zip(names, options, strict=True)) for options in every]


def weigh(table: pd.DataFrame, search: Mapping[str, str]) -> list[dict[str, Any]]:
    """W in every universe that shares one of the `searches`; one search for neighbours serves all.

    table: trials, the columns `USED`. Returns for each its choices (`RECORDED`), `rows`, the CNNs
    used, and W of the eleven, NaN where a hyperparameter has one value on every data set. Raises
    ValueError where fewer than `MIN_ROWS` CNNs are left or their accuracies are the same.
    """
    rows = _subset(table, search["source"], search["balance"])
    parts = [rows] if search["scope"] == "pooled" else [part for _, part in rows.groupby("dataset")]
    parts = [part for part in parts if len(part) >= MIN_ROWS]
    if not parts:
        where = ", ".join(f"{name}={search[name]}" for name in ("source", "balance", "scope"))
        raise ValueError(f"{where}: fewer than {MIN_ROWS} CNNs are left")
    weighings = _combinations("neighbours", "sigma", "rank_base", "target")
    by_part = [_weigh_part(part, search, weighings) for part in parts]
    used = {**search, "rows": sum(map(len, parts))}
    return [
        used | weighing | pd.DataFrame(weights).mean().reindex(NAMES).to_dict()
        for weighing, *weights in zip(weighings, *by_part, strict=True)
    ]


def _weigh_part(
    part: pd.DataFrame, search: Mapping[str, str], weighings: Sequence[Mapping[str, str]]
) -> list[dict[str, float]]:
    """W by hyperparameter in every weighing, of those that differ in this part."""
    names, n = varying(part), len(part)
    counts = {"n/20": max(MIN_NEIGHBORS, n // 20)}
    wanted = [counts.get(one["neighbours"]) or int(one["neighbours"]) for one in weighings]
    n_neighbors = [min(count, n - 1) for count in wanted]
    X = design(part, names, log=search["lr_scale"] == "log")
    profile = Profile(X, part["accuracy"], max(n_neighbors), *_DISTANCES[search["distance"]])
    weights = [
        profile.weights(J, float(one["sigma"]), int(one["rank_base"]), _TARGETS[one["target"]])
        for J, one in zip(n_neighbors, weighings, strict=True)
    ]
    return [dict(zip(names, one, strict=True)) for one in weights]


def _subset(table: pd.DataFrame, source: str, balance: str) -> pd.DataFrame:
    rows = table if source == "both" else table[table["source"] == source.lower()]
    if rows.empty or balance == "nothing":
        return rows
    if balance == "accuracy":
        cap = published.cap(len(rows))
        return rows.iloc[balanced_subsamples(rows["accuracy"], 1, cap, random_state=SEED)[0]]
    by_dataset = rows.groupby("dataset")
    return by_dataset.sample(int(by_dataset.size().min()), random_state=SEED)


def collect(parts: Iterable[Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """One row per universe from what `weigh` returned for each search, choices as categories."""
    table = pd.DataFrame([row for part in parts for row in part])
    return table[[*RECORDED, "rows", *NAMES]].astype({name: _KINDS[name] for name in RECORDED})


def fingerprint(table: pd.DataFrame) -> str:
    """Changes with the trials that the universes are made from."""
    hashed = pd.util.hash_pandas_object(table[USED], index=False).to_numpy()
    return sha256(hashed.tobytes()).hexdigest()[:16]


def pack(table: pd.DataFrame) -> pd.DataFrame:
    """What `collect` returns as it is written, W in whole hundred-thousandths."""
    return table.assign(**(table[NAMES] * 10**DECIMALS).round().astype("Int32"))


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The recorded universes, as `collect` returns them, W to five decimals.

    Raises as `hia_book.recording.read`, and ValueError naming the file where a universe is there
    twice or not at all.
    """
    table = recording.read(Path(path), (*RECORDED, *NAMES), "record_multiverse.py")
    table[NAMES] = table[NAMES].astype("float64") / 10**DECIMALS
    try:
        for name in RECORDED:
            if unknown := sorted(set(table[name]) - set(CHOICES[name].options)):
                raise ValueError(f"column {name!r}: unknown option {unknown[0]!r}")
        table = table.astype({name: _KINDS[name] for name in RECORDED})
        _check_factorial(table[RECORDED])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return table


def _check_factorial(choices: pd.DataFrame) -> None:
    if choices.duplicated().any():
        raise ValueError("a universe is there twice")
    if len(choices) != (wanted := int(np.prod(choices.nunique()))):
        raise ValueError(f"{len(choices):,} universes; all combinations would be {wanted:,}")


def ranks(weights: pd.DataFrame) -> pd.DataFrame:
    """Ranks of weights (universes, K) in each row, from 1 for the largest.

    Equal weights share the mean of their ranks. Where a weight is missing it has no rank, and the
    others' are stretched over the same range.
    """
    places = weights.rank(axis=1, ascending=False)
    last = np.maximum(weights.notna().sum(axis=1) - 1, 1)
    return 1 + (places - 1).mul(weights.shape[1] - 1).div(last, axis=0)


def ranked(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The choices (universes, 10) and the ranks (universes, 11), for each option of `score`."""
    options = CHOICES["score"].options
    choices = pd.concat([table[RECORDED].assign(score=one) for one in options], ignore_index=True)
    by_score = [ranks(table[NAMES]), ranks(table[NAMES].abs())]
    return choices.astype({"score": _KINDS["score"]}), pd.concat(by_score, ignore_index=True)


def allowed(choices: pd.DataFrame) -> pd.Series:
    """Which universes nothing in the paper's text rules out, (universes,)."""
    ruled_out = [choices[name].isin(CHOICES[str(name)].against) for name in choices]
    return ~pd.concat(ruled_out, axis=1).any(axis=1)


def moves(choices: pd.DataFrame, ranks: pd.DataFrame) -> pd.DataFrame:
    """By how many places the rank moves when one choice is made otherwise and all others stay.

    choices: (universes, C), every combination once. ranks: (universes, K). Returns (K, C), of the
    choices with several options: the mean over all pairs of options and over all that the other
    choices can be; NaN where all ranks are missing.
    """
    _check_factorial(choices)
    by_choice = {}
    options = choices.nunique()
    for choice in map(str, choices.columns[options > 1]):
        # In this order, the universes that differ in nothing else are equal pieces apart.
        others = [str(other) for other in choices if other != choice]
        order = choices.sort_values([choice, *others]).index
        by_option = ranks.loc[order].to_numpy().reshape(options[choice], -1, len(ranks.T))
        apart = [np.abs(one - other) for one, other in combinations(by_option, 2)]
        by_choice[choice] = pd.DataFrame(np.concatenate(apart)).mean()
    return pd.DataFrame(by_choice).set_axis(ranks.columns).rename_axis("hyperparameter")


def variance_shares(choices: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """Shares of the variance over the universes: functional ANOVA of a full factorial.

    choices: (universes, C), every combination once. values: (universes, K); those missing must be
    of whole options. Returns (K, C + 1): each choice alone, and `together`, what only combinations
    explain. A row sums to 1; it is missing where all values are the same.
    """
    _check_factorial(choices)
    by_name = {}
    for name, column in values.items():
        value = column.dropna()
        variance = value.var(ddof=0) or np.nan
        shares = {
            str(choice): value.groupby(options, observed=True).mean().var(ddof=0) / variance
            for choice, options in choices.loc[value.index].items()
        }
        by_name[name] = shares | {"together": np.maximum(0.0, 1 - sum(shares.values()))}
    return pd.DataFrame(by_name).T.rename_axis("hyperparameter")


def places_apart(ranks: pd.DataFrame) -> float:
    """Places between a column's ranks in two rows, the mean over all pairs of rows and over the
    columns (K); missing ranks are left out."""
    of_each = []
    for _, column in ranks.items():
        ordered = np.sort(column.dropna())
        n = len(ordered)
        of_each.append(2 * (2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * (n - 1)))
    return float(np.mean(of_each))


def taus(ranks: pd.DataFrame, paper: pd.Series) -> pd.Series:
    """Kendall's tau-b of each universe's ranks (universes, K) with the paper's, by hyperparameter.

    Those without a rank in a universe are left out there. NaN where all ranks are equal.
    """
    values, other = ranks.to_numpy(dtype=float), paper[ranks.columns].to_numpy(dtype=float)
    first, second = np.triu_indices(values.shape[1], 1)
    ours = np.sign(values[:, first] - values[:, second])
    theirs = np.where(np.isnan(ours), np.nan, np.sign(other[first] - other[second]))
    pairs = np.nansum(ours**2, axis=1) * np.nansum(theirs**2, axis=1)
    with np.errstate(invalid="ignore"):
        tau = np.nansum(ours * theirs, axis=1) / np.sqrt(pairs)
    return pd.Series(tau, index=ranks.index, name="tau")


@dataclass(frozen=True)
class Finding:
    """Something that the paper's ranking says: these are among so many first, or last.

    key: "three", "five" or "last" of those that name all of the first three, five or last two.
    """

    text: str
    names: tuple[str, ...]
    among: int
    last: bool = False
    key: str = ""

    def holds(self, ranks: pd.DataFrame) -> pd.Series:
        """In which universes, (universes,). ranks: (universes, 11); missing ones are not asked."""
        places = ranks.rank(axis=1, ascending=not self.last)
        return (places[list(self.names)] < self.among + 1).all(axis=1)


def findings(paper: pd.Series) -> list[Finding]:
    """What the paper says of its Table 3. paper: ranks by hyperparameter."""
    order = tuple(paper.sort_values().index)
    of_paper = [Finding(f"`{order[0]}` is first", order[:1], 1)]
    for count, word in ((3, "three"), (5, "five")):
        first = order[:count]
        of_paper += [Finding(f"`{one}` is among the first {word}", (one,), count) for one in first]
        text = f"the first {word} are `{'`, `'.join(first)}`, in any order"
        of_paper.append(Finding(text, first, count, key=word))
    last = order[-2:]
    of_paper += [Finding(f"`{one}` is among the last two", (one,), 2, last=True) for one in last]
    text = f"the last two are `{'` and `'.join(last)}`"
    return [*of_paper, Finding(text, last, 2, last=True, key="last")]


@dataclass(frozen=True)
class Verdict:
    """In which universes a finding holds.

    share: of all. choice: the one whose options differ most in it; by_option: its shares. kind:
    "survives every choice"; "survives nearly all", at least `ALWAYS` of them; "never holds";
    "hardly ever holds", in at most `NEVER`; "made by one choice", where one option leaves it at
    most `NEVER` and another makes it hold in more than `MOST`; else "depends on the choices".
    """

    share: float
    choice: str
    by_option: pd.Series
    kind: str


def judge(choices: pd.DataFrame, holds: pd.Series) -> Verdict:
    """choices: (universes, C). holds: (universes,), whether a finding does."""
    by_choice = {
        str(name): holds.groupby(options, observed=True).mean() for name, options in choices.items()
    }
    choice = max(by_choice, key=lambda name: float(np.ptp(by_choice[name])))
    by_option, share = by_choice[choice], float(holds.mean())
    if share in (0, 1):
        kind = "survives every choice" if share else "never holds"
    elif by_option.min() <= NEVER and by_option.max() > MOST:
        kind = "made by one choice"
    elif NEVER < share < ALWAYS:
        kind = "depends on the choices"
    else:
        kind = "survives nearly all" if share >= ALWAYS else "hardly ever holds"
    return Verdict(share, choice, by_option, kind)
