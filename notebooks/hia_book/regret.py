"""What the recorded searches of `hia_book.tuning` say: regrets and losses, and their pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hia_book import tuning
from hia_book.agreement import Estimate
from hia_book.claims import need
from hia_book.figures import log_scale, panels, shades
from hia_book.surfaces import Floats
from hia_book.tuning import LONGEST

_RESAMPLES = 2000

# An arm: the default of what is not tuned, the kind of search, the ranking, how many of it are
# tuned, and one of `tuning.EPOCHS`, `LONGEST` where it is left out.
_ARM = ("default", "search", "ranking", "k", "epochs")
# A ranking and how many of it are tuned, with the options of `Axes.plot`.
Line = tuple[tuple[str, int], dict[str, Any]]
# The default of what is not tuned, and the kind of search.
Setting = tuple[str, str]
EVERYTHING: Line = (
    tuning.everything(),
    {"color": "#8E3A80", "linewidth": 2.6, "label": "everything"},
)


def read(
    folder: str | Path, shown: Sequence[int]
) -> tuple[pd.DataFrame, list[str], list[int], int]:
    """The recorded searches in a folder's tuning.parquet, the data sets on which all are, by name,
    the numbers of trials of `shown` at which random searches were looked at, and the middle one.

    Raises PageError where there is none of them.
    """
    results = tuning.complete(tuning.load(Path(folder) / "tuning.parquet"))
    datasets = sorted(results.loc[results["search"] == "random", "dataset"].unique())
    need(datasets, f"{folder}: on no data set are all searches recorded")
    checkpoints = tuning.CHECKPOINTS["random"]
    numbers = [n for n in shown if n in checkpoints]
    need(numbers, f"shown={list(shown)}: none of {', '.join(map(str, checkpoints))}")
    return results, datasets, numbers, sorted(numbers)[len(numbers) // 2]


class Curve(NamedTuple):
    """A mean over data sets at numbers of trials (N,) with its 95% interval."""

    trials: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats

    def at(self, trials: int) -> Estimate:
        """Mean and limits at a number of trials. Raises ValueError where it was not looked at."""
        place = np.flatnonzero(self.trials == trials)
        if not len(place):
            raise ValueError(f"trials={trials} is none of {', '.join(map(str, self.trials))}")
        return Estimate(*(float(one[place[0]]) for one in self[1:]))


def _rows(results: pd.DataFrame, *arm: Any) -> pd.DataFrame:
    """One row for each data set, sorted by it. Raises ValueError where there is none."""
    wanted = dict(zip(_ARM, (*arm, LONGEST), strict=False))
    chosen = results[(results[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    if chosen.empty:
        raise ValueError(f"the table has no searches with {wanted}")
    return chosen.sort_values("dataset")


def by_dataset(results: pd.DataFrame, *arm: Any) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Checkpoints (N,), and of each data set, by name, regrets and their standard errors (D, N)."""
    chosen = _rows(results, *arm)
    best = chosen["best"].to_numpy()[:, None]
    mean, error = (np.array(chosen[name].tolist(), dtype=float) for name in ("mean", "error"))
    return np.array(chosen["trials"].iloc[0], dtype=np.int64), best - mean, error


def regrets(results: pd.DataFrame, *arm: Any) -> Curve:
    """Regret: how much accuracy is missing to the best known, mean over the data sets.

    results: as of `tuning.load`. The interval is a bootstrap's, over data sets and repetitions.
    Raises ValueError where the table does not have it.
    """
    return _sum(results, (1, arm))


def losses(results: pd.DataFrame, *arm: Any, against: tuple[str, int] | None = None) -> Curve:
    """Regret minus that of tuning everything, or `against`, by data set, then the mean; as
    `regrets`. Above 0, the other wins.
    """
    return _sum(results, *_less(arm, against))


def by_training(results: pd.DataFrame, *arm: Any) -> Curve:
    """What of a loss comes with the length of training: the loss with `epoch` tuned like the others
    minus that with the longest training for all. As `losses`.
    """
    free, longest = (_less((*arm[:4], epochs)) for epochs in (tuning.TUNED, LONGEST))
    return _sum(results, *free, *((-sign, one) for sign, one in longest))


def _less(arm: tuple[Any, ...], other: Any = None) -> list[tuple[int, tuple[Any, ...]]]:
    """An arm minus that of another ranking, by default of everything."""
    epochs = (*arm, LONGEST)[4]
    return [(1, arm), (-1, (*arm[:2], *(other or tuning.everything(epochs)), epochs))]


def _sum(results: pd.DataFrame, *arms: tuple[int, tuple[Any, ...]]) -> Curve:
    """A sum of the regrets of arms, each with its sign."""
    parts = [(sign, *by_dataset(results, *arm)) for sign, arm in arms]
    mean = np.sum([sign * regret for sign, _, regret, _ in parts], axis=0)
    error = np.sqrt(np.sum([error**2 for *_, error in parts], axis=0))
    return _curve(parts[-1][1], mean, error)


def _curve(trials: NDArray[np.int64], mean: Floats, error: Floats) -> Curve:
    """Bootstrap over data sets; in each, the mean of resampled repetitions is normal with the
    standard error."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(mean), size=(_RESAMPLES, len(mean)))
    noise = rng.normal(size=(*drawn.shape, 1))
    means = (mean[drawn] + noise * error[drawn]).mean(axis=1)
    return Curve(trials, mean.mean(axis=0), *np.quantile(means, [0.025, 0.975], axis=0))


def unreachable(results: pd.DataFrame, default: str, ranking: str, k: int) -> Estimate:
    """What is missing to the best known however long one tunes (`ceiling`); as `regrets`."""
    chosen = _rows(results, default, "random", ranking, k)
    gap = (chosen["best"] - chosen["ceiling"]).to_numpy()[:, None]
    return _curve(np.ones(1, dtype=np.int64), gap, np.zeros_like(gap)).at(1)


def wins_from(curve: Curve, *, surely: bool = False) -> int | None:
    """From how many trials on a loss stays above 0, None where it does not. surely: its lower
    limit."""
    above = (curve.low if surely else curve.mean) > 0
    stays = np.logical_and.accumulate(above[::-1])[::-1]
    return int(curve.trials[stays.argmax()]) if stays.any() else None


def span(low: float, high: float) -> str:
    """An interval of accuracies in signed percentage points, as tables have it."""
    return f"{100 * low:+z.1f} to {100 * high:+z.1f}"


def first_lines() -> list[Line]:
    """Lines for the first of N-RReliefF's ranking, all that is ranked, and everything."""
    looks = zip(tuning.TOP, shades("nrrelieff", len(tuning.TOP)), "osd^", strict=True)
    firsts: list[Line] = [
        (("nrrelieff", k), {"color": color, "marker": marker, "label": f"first {k}"})
        for k, color, marker in looks
    ]
    ranked = tuning.everything(filters=False)
    label = f"all {ranked[1]}, not the filters"
    alike = {"color": EVERYTHING[1]["color"], "linestyle": "--", "label": label}
    return [*firsts, (ranked, alike), EVERYTHING]


def draw(
    results: pd.DataFrame, lines: Sequence[Line], settings: Sequence[Setting], titles: Sequence[str]
) -> tuple[Figure, pd.DataFrame]:
    """A panel of regrets for each setting, with a line for each arm, and what is drawn.

    lines: arms with the options of `Axes.plot`, `label` among them; a line of no colour is not
    drawn. That over everything has its interval. The table: `trials`, `regret`, `low`, `high`,
    `default`, `search`, `tuned` (the label).
    """
    figure, axes = panels(3.6, 1, len(settings), sharex=True, squeeze=False)
    drawn = []
    for ax, (default, search), title in zip(axes.flat, settings, titles, strict=True):
        for arm, style in lines:
            trials, mean, low, high = regrets(results, default, search, *arm)
            if style.get("color") != "none":
                ax.plot(trials, 100 * mean, markersize=4, markevery=4, **style)
            if arm == tuning.everything():
                ax.fill_between(trials, 100 * low, 100 * high, color=style["color"], alpha=0.15)
            own = pd.DataFrame({"trials": trials, "regret": mean, "low": low, "high": high})
            drawn.append(own.assign(default=default, search=search, tuned=style["label"]))
        log_scale(ax, [1, 5, 20, 50, *([200] if trials[-1] > 64 else [])])
        ax.set_ylim(bottom=0)
        ax.set_title(title, loc="left")
    figure.supxlabel("trials", fontsize=10.5)
    figure.supylabel("regret, points of accuracy", fontsize=10.5)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure, pd.concat(drawn)


def answers(
    results: pd.DataFrame, settings: Sequence[Setting], numbers: Sequence[int], sure: int
) -> pd.DataFrame:
    """Losses of tuning the first of N-RReliefF against tuning everything, in percentage points.

    One row for each setting and number tuned: at each of some numbers of trials, with the interval
    at `sure`, and from how many trials on everything stays ahead.
    """
    firsts = [(f"first {k}", "nrrelieff", k) for k in tuning.TOP]
    ranking, ranked = tuning.everything(filters=False)
    rows = []
    for default, search in settings:
        for label, *arm in (*firsts, (f"all {ranked}", ranking, ranked)):
            curve = losses(results, default, search, *arm)
            row: dict[str, Any] = {"Default": tuning.SHORT[default], "Tuned": label}
            for n in numbers:
                mean, low, high = curve.at(n)
                row[f"{n} trials"] = 100 * mean
                if n == sure:
                    row["95%"] = span(low, high)
            for name, surely in (("Ahead from", False), ("Clearly", True)):
                row[name] = str(wins_from(curve, surely=surely) or "never")
            rows.append(row)
    return pd.DataFrame(rows)
