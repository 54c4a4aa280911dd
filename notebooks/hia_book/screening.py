"""Importance from a Plackett-Burman design, as QIM takes it (Jia et al. 2016, NPC, LNCS 9966).

A two-level design (Plackett and Burman 1946, Biometrika 33, 305-325) estimates the main effects of
k hyperparameters from few more than k trainings: mean accuracy at the high level minus that at the
low one. Its size is the importance; over several data sets ranks are summed. Only QIM's abstract
can be read, so the rest is decided here:

- Levels are the quartiles of what random search draws from Table 1. At the ends of the ranges most
  networks stay at chance.
- Numbers of filters are no factors, but Table 1's defaults. `in_channel_num` is one:
  `hia.datasets.load` converts the images.
- The design is folded over: in 12 runs a third of every two-factor interaction is mixed into the
  main effects of the other factors, in 24 none.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, stats

from hia import space
from hia.inputs import check_count, in_unit

ERRORS = ("replicates", "contrasts")
CONFIDENCE = 0.95  # of the intervals
_ROUNDING = 1e-14  # sums and means are this near, relative to the largest number
_DECIMALS = 12  # effects that are the same to so many, relative to the largest, share a rank


def design(n_factors: int, fold_over: bool = True) -> NDArray[np.int8]:
    """A Plackett-Burman design: (runs, n_factors), +1 for the high and -1 for the low level.

    Of the smallest Hadamard matrix that is made here and larger than `n_factors`: 12 runs for 8 to
    11 factors. fold_over: the same runs follow with all levels exchanged, which frees
    main effects of two-factor interactions. Columns are balanced and orthogonal. Raises ValueError
    unless n_factors is a whole number of at least 1.
    """
    check_count("n_factors", n_factors)
    order = 4 * (n_factors // 4 + 1)
    while (matrix := _hadamard(order)) is None:  # ends: all powers of 2 exist
        order += 4
    runs = matrix[:, 1 : n_factors + 1]
    return np.vstack([runs, -runs]) if fold_over else runs.copy()


def _hadamard(order: int) -> NDArray[np.int8] | None:
    """A Hadamard matrix whose first column is all +1, None where neither construction has one.

    By Paley's first (1933), whose other columns are the cyclic design that Plackett and Burman
    printed: shifts of the quadratic characters of a prime that is 3 mod 4, and a row of -1. Else
    Sylvester's.
    """
    q = order - 1
    if all(q % factor for factor in range(2, math.isqrt(q) + 1)):
        characters = np.full(q, -1, dtype=np.int8)
        characters[np.arange(q) ** 2 % q] = 1  # and 1 for 0, on the diagonal
        body = np.vstack([linalg.circulant(characters).T, np.full(q, -1, dtype=np.int8)])
        return np.hstack([np.ones((order, 1), dtype=np.int8), body])
    return linalg.hadamard(order, np.int8) if order.bit_count() == 1 else None


def levels() -> pd.DataFrame:
    """The two levels of the eleven hyperparameters, in Table 3's order.

    Index `hyperparameter`; columns `label` (the paper's words), `drawn` (how random search draws
    it), `low` (the level -1) and `high` (+1), plain Python values.
    """
    rows = []
    for name in space.HYPERPARAMETERS:
        row = space.SPACE[name]
        low, high = _quartiles(row)
        rows.append({"label": row.label, "drawn": _drawn(row), "low": low, "high": high})
    index = pd.Index(space.HYPERPARAMETERS, name="hyperparameter")
    return pd.DataFrame(rows, index=index)


def _quartiles(row: space.Hyperparameter) -> tuple[space.Value, space.Value]:
    if row.kind == "float":
        low, high = row.bounds
        if row.log:
            ratio = high / low
            return low * ratio**0.25, low * ratio**0.75
        return low + (high - low) / 4, low + (high - low) * 3 / 4
    values = row.choices or range(int(row.bounds[0]), int(row.bounds[1]) + 1)
    quarter = math.ceil(len(values) / 4)
    return values[quarter - 1], values[-quarter]


def _drawn(row: space.Hyperparameter) -> str:
    if row.choices is not None:
        return f"one of {row.possible}"
    how = "log-uniform" if row.log else {"integer": "a whole number"}.get(row.kind, "uniform")
    return f"{how} from {row.possible}"


def configs(coded: ArrayLike) -> list[space.Config]:
    """The configuration of each run of a design (runs, 11), in the order of
    `hia.space.HYPERPARAMETERS`.

    Returns what `hia.trainer.train` takes, `in_channel_num` included. Raises ValueError for another
    shape or other values.
    """
    signs = _signs(coded)
    names = space.HYPERPARAMETERS
    if signs.shape[1] != len(names):
        raise ValueError(f"the design has {signs.shape[1]} columns, not {len(names)}")
    filters: dict[Any, Any] = {name: space.SPACE[name].default for name in space.FILTERS}
    at = levels()
    runs = pd.DataFrame(np.where(signs > 0, at["high"], at["low"]), columns=names)
    return [space.validate(filters | run) for run in runs.to_dict("records")]


def code(table: pd.DataFrame) -> pd.DataFrame:
    """The design (n, 11) behind a table of trained runs, of +1 and -1.

    table: the columns of `hia.space.HYPERPARAMETERS`, as in data/screening.parquet. Raises
    ValueError naming the column, row and value that is neither level.
    """
    at = levels()
    values = table[list(at.index)]
    coded = values.eq(at["high"]).astype(int) - values.eq(at["low"]).astype(int)
    for row, k in np.argwhere(coded == 0):
        raise ValueError(
            f"column {at.index[k]!r}, row {row}: {values.iloc[row, k]!r} is neither level, "
            f"{at['low'].iloc[k]!r} or {at['high'].iloc[k]!r}"
        )
    return coded


def effects(design: ArrayLike, responses: ArrayLike, error: str | None = None) -> pd.DataFrame:
    """Main effects of a two-level design with their standard errors.

    design: (runs, k) of +1 and -1 with orthogonal, balanced columns. responses: accuracies, (runs,)
    or (runs, replicates) of different seeds. error: the source of the standard error:

    - "replicates" (the default where there are any): their spread, which says how far the effect
      would move with other seeds. Runs may differ in it: Welch and Satterthwaite's degrees of
      freedom.
    - "contrasts": the contrasts that no factor uses, in a folded design strings of two-factor
      interactions and the difference between its halves. It tells an effect from the interactions.

    Returns by factor (`hyperparameter`: a DataFrame's columns, else 0 to k - 1) `effect`, its `se`,
    `df`, `t`, two-sided `p` and 95% limits `low` and `high`; `share`, |effect| over their sum;
    `variance`, the share of the variance between runs (they sum to at most 1); `rank`, 1 for the
    largest |effect|, ties sharing the mean.

    Raises ValueError for shapes that do not match, columns that are not orthogonal, missing values,
    and an `error` that the data cannot give.
    """
    signs = _signs(design)
    runs = len(signs)
    _check_orthogonal(signs)
    y = np.asarray(responses, dtype=float)
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or len(y) != runs or not y.shape[1]:
        raise ValueError(f"responses have shape {y.shape}; there are {runs} runs in the design")
    if not np.isfinite(y).all():
        row = int(np.flatnonzero(~np.isfinite(y).all(axis=1))[0])
        raise ValueError(f"responses, run {row}: {y[row]} has a value that is missing or infinite")
    y, exponent = in_unit(y)
    # Rounding must not look like an effect, nor like doubt about one.
    scale = float(np.abs(y).max())
    means = _without_rounding(y.mean(axis=1) - y.mean(), scale)
    effect = _without_rounding(2 / runs * (signs.T @ means), scale)
    variances = _without_rounding(y.std(axis=1, ddof=1), scale) ** 2 if y.shape[1] > 1 else None
    se, df = _standard_error(means, effect, variances, y.shape[1], error)
    between = float((means**2).sum())
    explained = runs / 4 * effect**2
    result = _tested(pd.DataFrame({"effect": effect}, index=_names(design)), se, df)
    result["share"] = _shares(np.abs(effect))
    result["variance"] = explained / between if between > 0 else 0.0
    result["rank"] = _ranks(effect)
    with_unit = ["effect", "se", "low", "high"]
    with np.errstate(over="ignore"):  # the interval of effects of 1e308 has infinite ends
        result[with_unit] = np.ldexp(result[with_unit], exponent)
    return result


def aliases(design: ArrayLike) -> pd.DataFrame:
    """What each two-factor interaction adds to each main effect, (k, k (k - 1) / 2), in parts of
    it.

    An interaction is the mean response where the pair's signs are equal less that where they
    differ. 0 everywhere in a folded design. Index `hyperparameter`, columns `first` and `second`.
    design and errors as for `effects`.
    """
    signs = _signs(design)
    _check_orthogonal(signs)
    names = _names(design)
    first, second = np.triu_indices(signs.shape[1], 1)
    parts = signs.T @ (signs[:, first] * signs[:, second]) / len(signs)
    pairs = pd.MultiIndex.from_arrays([names[first], names[second]], names=["first", "second"])
    return pd.DataFrame(parts, index=names, columns=pairs)


def _names(design: Any) -> pd.Index:
    return pd.DataFrame(design).columns.rename("hyperparameter")


def screen(table: pd.DataFrame, error: str | None = None) -> pd.DataFrame:
    """The rows of `effects` for each data set of data/screening.parquet, index `dataset`,
    `hyperparameter`.

    table: columns `dataset`, `run`, `replicate`, the eleven hyperparameters and `accuracy`. Raises
    ValueError naming the data set whose runs or replicates are incomplete or no orthogonal design.
    """
    screened = {}
    for name, rows in table.groupby("dataset", sort=False):
        if rows.duplicated(["run", "replicate"]).any():
            raise ValueError(f"{name}: a replicate of a run occurs twice")
        accuracy = rows.pivot_table(index="run", columns="replicate", values="accuracy")
        if accuracy.isna().any(axis=None):
            run = accuracy.index[accuracy.isna().any(axis=1)][0]
            raise ValueError(f"{name}: run {run} lacks replicates that other runs have")
        first = rows.drop_duplicates("run").sort_values("run")
        try:
            screened[name] = effects(code(first), accuracy, error=error)
        except ValueError as problem:
            raise ValueError(f"{name}: {problem}") from None
    return pd.concat(screened, names=["dataset"])


def pooled(screened: pd.DataFrame) -> pd.DataFrame:
    """The mean effects over two data sets or more, in the columns of `effects`.

    screened: of `screen`. The standard error is from the spread of the data sets' effects: it says
    how far the effect would move with other data sets, not with other seeds.
    """
    groups = screened.groupby(level="hyperparameter", sort=False)
    n = int(groups.size().min())
    if n < 2:
        raise ValueError(f"effects on {n} data set cannot be pooled; at least 2 are needed")
    result = _tested(groups[["effect"]].mean(), groups["effect"].sem().to_numpy(), n - 1)
    result["share"] = _shares(result["effect"].abs().to_numpy())
    result["variance"] = groups["variance"].mean()
    result["rank"] = _ranks(result["effect"].to_numpy())
    return result


def rank_sum(scores: pd.DataFrame) -> pd.DataFrame:
    """Ranks by size on each data set, summed over them, the most important first.

    scores: (factors, data sets) of any measure of importance, such as
    ``screen(table)["effect"].unstack("dataset")``. Returns the ranks on the data sets, `rank_sum`
    and `rank`; ties share the mean. Raises ValueError for a missing score.
    """
    for name, column in scores.items():
        if column.isna().any():
            raise ValueError(f"{column.index[column.isna()][0]} has no score on {name}")
    ranks = scores.apply(lambda column: _ranks(column.to_numpy()))
    result = ranks.assign(rank_sum=ranks.sum(axis=1))
    result["rank"] = result["rank_sum"].rank()
    return result.sort_values("rank_sum", kind="stable")


def _signs(design: ArrayLike) -> NDArray[np.float64]:
    signs = np.asarray(design, dtype=float)
    if signs.ndim != 2 or not signs.size:
        raise ValueError(f"the design must be of shape (runs, factors), not {signs.shape}")
    wrong = np.argwhere(~np.isin(signs, (-1, 1)))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(f"run {row}, factor {column}: {signs[row, column]:g} is not +1 or -1")
    return signs


def _check_orthogonal(signs: NDArray[np.float64]) -> None:
    with_mean = np.column_stack([np.ones(len(signs)), signs])
    products = np.argwhere(np.triu(with_mean.T @ with_mean, 1))
    if len(products):
        first, second = products[0]
        wrong = f"factors {first - 1} and {second - 1} are not orthogonal"
        if first == 0:
            wrong = f"factor {second - 1} does not have each level in half of the runs"
        raise ValueError(f"{wrong}: main effects cannot be told apart")


def _standard_error(
    means: NDArray, effect: NDArray, variances: NDArray | None, replicates: int, error: str | None
) -> tuple[float, float]:
    """The standard error, the same for all effects, and its degrees of freedom.

    means: of the runs, around 0. variances: of the replicates of each run, None where there is one.
    """
    runs = len(means)
    if error is None:
        error = "contrasts" if variances is None else "replicates"
    if error not in ERRORS:
        raise ValueError(f"error: {error!r} is not one of {', '.join(ERRORS)}")
    if error == "replicates":
        if variances is None:
            raise ValueError("error: 'replicates' needs at least two responses per run")
        total = float(variances.sum())
        squares = float((variances**2).sum())
        df = (replicates - 1) * (total**2 / squares if squares > 0 else runs)
        return 2 / runs * math.sqrt(total / replicates), df
    df = runs - 1 - len(effect)
    if df < 1:
        raise ValueError(
            f"error: 'contrasts' needs a contrast that no factor uses; {len(effect)} factors use "
            f"all of {runs} runs: fold the design over or replicate it"
        )
    rest = float((means**2).sum() - runs / 4 * (effect**2).sum())
    return 2 * math.sqrt(max(rest, 0.0) / df / runs), df


def _without_rounding(values: NDArray, scale: float) -> NDArray:
    """Values with 0 for those that are nothing beside the numbers that they were computed from."""
    return np.where(np.abs(values) < _ROUNDING * scale, 0.0, values)


def _tested(result: pd.DataFrame, se: float | NDArray, df: float) -> pd.DataFrame:
    """Adds `se`, `df`, `t`, `p`, `low` and `high` to `effect`."""
    effect = result["effect"].to_numpy()
    error = np.broadcast_to(se, effect.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = effect / error
    t[(effect == 0) & (error == 0)] = 0.0  # no effect, and no doubt about it
    margin = stats.t.ppf((1 + CONFIDENCE) / 2, df) * error
    return result.assign(
        se=error, df=df, t=t, p=2 * stats.t.sf(np.abs(t), df), low=effect - margin,
        high=effect + margin,
    )  # fmt: skip


def _shares(sizes: NDArray) -> NDArray:
    """Sizes over their sum; all equal where every one is 0."""
    total = sizes.sum()
    return sizes / total if total > 0 else np.full(len(sizes), 1 / len(sizes))


def _ranks(effect: NDArray) -> NDArray:
    """1 for the largest size. Sizes that differ by rounding only are equal."""
    sizes = np.abs(effect)
    ranks: NDArray = stats.rankdata(-np.round(sizes / (sizes.max() or 1.0), _DECIMALS))
    return ranks
