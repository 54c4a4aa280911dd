"""Rankings for people: as text, as a table and as a picture."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from hia.files import printable
from hia.ranking.methods import METHODS, Ranking
from hia.space import Hyperparameter

# Of the figure: Okabe and Ito's blue, and panels beside each other.
_COLOUR = "#0072B2"
_ACROSS = 4
# Hyperparameters and panels, at most: all are in the table that is written.
_SHOWN = 30
# A ranking, and what the trials have in common that it is of; "" for all trials.
Entry = tuple[Ranking, str]


def introduce(
    name: str,
    trials: pd.DataFrame,
    target: str,
    columns: Sequence[Hyperparameter],
    left_out: Mapping[str, str],
    notes: Iterable[str],
) -> str:
    """What the columns of a table are taken for, before anything is computed with them."""
    rows = []
    for column in columns:
        missing = trials[column.name].isna().mean()
        blank = f"{missing:.0%}" if missing else ""
        rows.append((column.name, column.scale, column.possible, blank, column.origin))
    table = pd.DataFrame(rows, columns=["hyperparameter", "kind", "values", "missing", "from"])
    lines = [f"{len(trials):,} trials of {name}, to explain {target}", ""]
    lines += _first(table.set_index("hyperparameter"))
    for reason in dict.fromkeys(left_out.values()):
        names = [name for name, why in left_out.items() if why == reason]
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        lines.append(f"Left out ({reason}): {', '.join(names[:_SHOWN])}{more}")
    options = "--columns NAME..., --drop NAME..., --kind NAME=KIND, --log NAME..., --linear NAME..."
    return "\n".join([*lines, f"To change this: {options}", *notes])


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
            f"Intervals, for other tables of so many trials: percentiles of {ranking.n_bootstrap} "
            f"resamples, {_seconds(ranking.bootstrap_seconds)}"
        )
    printed["score"] = table["score"].map("{:.4f}".format)
    if ranking.n_bootstrap:
        printed["its interval"] = _intervals(table, "score", 4)
    if table["p_value"].notna().any():
        printed["p"] = ["" if pd.isna(p) else f"{p:.3f}" for p in table["p_value"]]
        lines.append(f"p: {method.null}")
    lines += [f"Note: {note}" for note in ranking.notes]
    printed[""] = table["note"]
    return "\n".join([*lines, *_first(printed.sort_values("rank", kind="stable"))])


def compare(entries: Sequence[Entry], by: str) -> str:
    """The ranks in each group and their mean, a table for each method."""
    lines = []
    for method in dict.fromkeys(ranking.method for ranking, _ in entries):
        of = [(ranking, group) for ranking, group in entries if ranking.method == method]
        table = pd.DataFrame({group: ranking.table["rank"] for ranking, group in of})
        table = table.assign(mean=table.mean(axis=1)).sort_values("mean", kind="stable")
        lines += ["", f"{METHODS[method].label}: mean rank over {len(of)} values of {by}"]
        lines += _first(table.round(2))
    return "\n".join(lines)


def list_pairs(pairs: pd.DataFrame) -> str:
    """The largest interactions: columns `first`, `second` and `weight`, largest first."""
    title = "Interactions (fANOVA): share of the variance that a pair explains beyond its two parts"
    table = pairs.assign(weight=pairs["weight"].map("{:.4f}".format)).set_index("first")
    return "\n".join(["", title, *_first(table)])


def _first(table: pd.DataFrame) -> list[str]:
    """The first rows as text, and how many more there are."""
    more = [f"... and {len(table) - _SHOWN:,} more"] if len(table) > _SHOWN else []
    return [table.head(_SHOWN).to_string(), *more]


def to_frame(entries: Iterable[Entry]) -> pd.DataFrame:
    """All rankings in one table: a row for each method and hyperparameter, with every digit."""
    tables = []
    for ranking, group in entries:
        table = ranking.table.reset_index().assign(target=ranking.target, trials=ranking.n_rows)
        table = table.assign(level=ranking.level, resamples=ranking.n_bootstrap)
        table = table.assign(seconds=ranking.seconds, **({"group": group} if group else {}))
        table.insert(0, "method", ranking.method)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def draw(entries: Sequence[Entry], path: Path) -> None:
    """A PNG of the shares with their intervals, a panel for each ranking.

    The hyperparameters are in the order of their mean rank, the first 30 of them; so are the
    panels. Raises RuntimeError without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RuntimeError(f"{path}: drawing needs matplotlib: pip install matplotlib") from None
    rankings = [ranking for ranking, _ in entries]
    ranks = pd.concat([one.table["rank"] for one in rankings], axis=1).mean(axis=1)
    names = list(ranks.sort_values(kind="stable").index[:_SHOWN])
    shown = entries[:_SHOWN]
    heights = range(len(names))[::-1]
    across = min(len(shown), _ACROSS)
    down = -(-len(shown) // across)
    size = (1.8 + 2.4 * across, 0.6 + down * (0.6 + 0.28 * len(names)))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, sharey=True, sharex=True, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    targets = {ranking.target for ranking in rankings}
    for axes, (ranking, group) in zip(panels, shown, strict=False):
        table = ranking.table.reindex(names)
        axes.hlines(heights, table["share_low"], table["share_high"], color=_COLOUR, alpha=0.6)
        axes.scatter(table["share"], heights, color=_COLOUR, s=22, zorder=2)
        title = [METHODS[ranking.method].label, group, ranking.target if len(targets) > 1 else ""]
        axes.set_title(printable("\n".join(filter(None, title))), fontsize=10, parse_math=False)
        axes.set_yticks(list(heights), list(map(printable, names)), parse_math=False)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
        axes.tick_params(labelbottom=True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_xlim(left=0)
    label = f"share of the importance for {' and '.join(sorted(targets))}"
    if any(ranking.n_bootstrap for ranking in rankings):
        label += f", with {rankings[0].level:.0%} intervals"
    for what, count in (("hyperparameters", len(ranks)), ("rankings", len(entries))):
        if count > _SHOWN:
            label += f"\nthe first {_SHOWN} of {count:,} {what}"
    figure.supxlabel(printable(label), fontsize=10, parse_math=False)
    figure.savefig(path, dpi=150, facecolor="white", format="png")


def _intervals(table: pd.DataFrame, what: str, digits: int) -> list[str]:
    limits = table[[f"{what}_low", f"{what}_high"]].itertuples(index=False)
    return ["" if pd.isna(a) else f"{a:.{digits}f} to {b:.{digits}f}" for a, b in limits]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
