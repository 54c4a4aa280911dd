"""Rankings for people: as text, as a table and as a picture."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from hia.ranking.methods import METHODS, Ranking
from hia.ranking.sources import Source
from hia.space import Hyperparameter

# Of the figure: Okabe and Ito's blue, and panels beside each other.
_COLOUR = "#0072B2"
_ACROSS = 4


def introduce(
    source: Source, columns: Sequence[Hyperparameter], left_out: Mapping[str, str]
) -> str:
    """What the columns of a table are taken for, before anything is computed with them."""
    missing = {column.name: source.table[column.name].isna() for column in columns}
    table = pd.DataFrame(
        {
            "kind": [column.scale for column in columns],
            "values": [column.possible for column in columns],
            "missing": [f"{rows.mean():.0%}" if rows.any() else "" for rows in missing.values()],
            "from": [column.origin for column in columns],
        },
        index=pd.Index(missing, name="hyperparameter"),
    )
    lines = [
        f"{len(source.table):,} trials of {source.name}, to explain {source.target}",
        "",
        table.to_string(),
    ]
    for reason in dict.fromkeys(left_out.values()):
        names = [name for name, why in left_out.items() if why == reason]
        lines.append(f"Left out ({reason}): {', '.join(names)}")
    lines.append(
        "To change this: --columns NAME..., --drop NAME..., --kind NAME=KIND, --log NAME..., "
        "--linear NAME..."
    )
    return "\n".join(lines)


def report(ranking: Ranking) -> str:
    """A ranking as text, the most important first."""
    method, table = METHODS[ranking.method], ranking.table
    lines = [
        f"{method.label}: {method.score}",
        f"({ranking.n_rows:,} trials, {_seconds(ranking.seconds)}; {method.source})",
    ]
    printed = pd.DataFrame({"rank": table["rank"], "share": table["share"].map("{:.3f}".format)})
    if ranking.n_bootstrap:
        printed[f"{ranking.level:.0%} interval"] = _intervals(table, "share", 3)
        lines.append(
            f"Intervals: percentiles of {ranking.n_bootstrap} resamples, "
            f"{_seconds(ranking.bootstrap_seconds)}"
        )
    printed["score"] = table["score"].map("{:.4f}".format)
    if ranking.n_bootstrap:
        printed["its interval"] = _intervals(table, "score", 4)
    if table["p_value"].notna().any():
        printed["p"] = ["" if pd.isna(p) else f"{p:.3f}" for p in table["p_value"]]
        lines.append(
            "p: of a hyperparameter without influence, by neighbours in the others; wrong where "
            "its values followed from results or from other hyperparameters"
        )
    lines += [f"Note: {note}" for note in ranking.notes]
    printed[""] = table["note"]
    return "\n".join([*lines, printed.sort_values("rank", kind="stable").to_string()])


def to_frame(rankings: Iterable[Ranking]) -> pd.DataFrame:
    """All rankings in one table: a row for each method and hyperparameter, with every digit."""
    tables = {
        ranking.method: ranking.table.assign(
            target=ranking.target,
            trials=ranking.n_rows,
            level=ranking.level,
            resamples=ranking.n_bootstrap,
            seconds=ranking.seconds,
        )
        for ranking in rankings
    }
    return pd.concat(tables, names=["method"]).reset_index()


def draw(rankings: Sequence[Ranking], path: Path) -> None:
    """A PNG of the shares with their intervals, a panel for each method.

    The hyperparameters are in the order of their mean rank. Raises RuntimeError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RuntimeError(f"{path}: drawing needs matplotlib: pip install matplotlib") from None
    ranks = pd.concat([ranking.table["rank"] for ranking in rankings], axis=1).mean(axis=1)
    names = list(ranks.sort_values(kind="stable").index)
    heights = range(len(names))[::-1]
    across = min(len(rankings), _ACROSS)
    down = -(-len(rankings) // across)
    size = (1.8 + 2.4 * across, 0.6 + down * (0.6 + 0.28 * len(names)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, sharey=True, sharex=True, squeeze=False).ravel()
    for axes in panels[len(rankings) :]:
        axes.set_visible(False)
    for axes, ranking in zip(panels, rankings, strict=False):
        table = ranking.table.loc[names]
        axes.hlines(heights, table["share_low"], table["share_high"], color=_COLOUR, alpha=0.6)
        axes.scatter(table["share"], heights, color=_COLOUR, s=22, zorder=2)
        axes.set_title(METHODS[ranking.method].label, fontsize=10)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
        axes.tick_params(labelbottom=True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(list(heights), names)
    panels[0].set_xlim(left=0)
    label = f"share of the importance for {rankings[0].target}"
    if any(ranking.n_bootstrap for ranking in rankings):
        label += f", with {rankings[0].level:.0%} intervals"
    figure.supxlabel(label, fontsize=10)
    figure.savefig(path, dpi=150, facecolor="white")


def _intervals(table: pd.DataFrame, what: str, digits: int) -> list[str]:
    limits = table[[f"{what}_low", f"{what}_high"]].itertuples(index=False)
    return ["" if pd.isna(a) else f"{a:.{digits}f} to {b:.{digits}f}" for a, b in limits]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
