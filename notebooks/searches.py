# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Searches in detail
#
# **A better search gains more than a smaller one: TPE over everything ends ahead of random search
# over any choice of hyperparameters. If `epoch` is tuned as well, tuning everything wins by more
# with Table 1's default, because it trains longer.**
#
# {numref}`fig-pays-tpe` shows the searches by TPE. This page is an appendix to {doc}`pays`, which
# says how the searches are made.

# %% tags=["parameters"]
folder = "data"  # of the recorded searches: tuning.parquet and tuning.json
shown = [10, 50, 200]  # numbers of trials in the tables; at least 1
compared = 3  # hyperparameters tuned, where rankings are compared; choices: 1, 2, 3, 5

# %%
import json
from pathlib import Path

import numpy as np
import pandas as pd

from hia import space
from hia.datasets import FACTS
from hia_book import regret, tuning
from hia_book.claims import claim, glue, need
from hia_book.figures import shades, show_figure, show_table, use_style

use_style()
table = Path(folder) / "tuning.parquet"
need(table.is_file(), f"{table} is missing; `python studies/record_tuning.py` makes it")
results = tuning.complete(tuning.load(table))
notes = json.loads((Path(folder) / "tuning.json").read_text(encoding="utf-8"))
datasets = sorted(results.loc[results["search"] == "random", "dataset"].unique())
by_tpe = results[results["search"] == "tpe"]
need(datasets, f"{table}: on no data set are all searches recorded")
need(len(by_tpe), f"{table}: on no data set are all searches by TPE recorded")
numbers = [n for n in shown if n in tuning.CHECKPOINTS["random"]]
need(numbers, f"shown={shown}: none of {', '.join(map(str, tuning.CHECKPOINTS['random']))}")
at = sorted(numbers)[len(numbers) // 2]
ALL, RANKED = tuning.everything(), tuning.everything(filters=False)
most = max(tuning.TOP)

# %%
lines = [
    (("nrrelieff", k), {"color": color, "marker": marker, "label": f"first {k}"})
    for k, color, marker in zip(
        tuning.TOP, shades("nrrelieff", len(tuning.TOP)), "osd^", strict=True
    )
]
ranked = {"color": "0.4", "linestyle": "--", "label": f"all {RANKED[1]}, not the filters"}
lines += [(RANKED, ranked), (ALL, {"color": "#009E73", "linewidth": 2.6, "label": "everything"})]
TPE = [("table1", "tpe")]
figure, drawn = regret.draw(results, lines, TPE, ["TPE, the rest at Table 1's default"])
show_figure(
    figure,
    "fig-pays-tpe",
    "As the first panel of {numref}`fig-pays-first`, by TPE, on "
    f"{by_tpe['dataset'].nunique()} data sets.",
    "Falling lines; that of everything falls furthest",
    data=drawn,
)
last = tuning.CHECKPOINTS["tpe"][-1]
of_tpe = [n for n in dict.fromkeys((*shown, last)) if n in tuning.CHECKPOINTS["tpe"]]
show_table(
    regret.answers(results, TPE, of_tpe, last),
    "table-pays-tpe",
    f"As {{numref}}`table-pays-answer`, by TPE, with the 95 % interval at {last} trials.",
    dict.fromkeys([f"{n} trials" for n in of_tpe], "+.1f"),
)
same = results[results["dataset"].isin(set(by_tpe["dataset"]) & set(datasets))]
whole = {
    search: regret.regrets(same, "table1", search, *ALL).at(last)[0] for search in tuning.SEARCHES
}
least = min(
    regret.losses(same, "table1", "random", ranking, k).at(last)[0]
    for ranking in tuning.RANKINGS
    for k in tuning.TOP
)
claim(
    "TPE gains more than any choice of hyperparameters did by random search",
    whole["random"] - whole["tpe"] > max(0, -least),
)
claim(
    "by TPE, too, everything is clearly ahead of every smaller search",
    all(
        regret.wins_from(regret.losses(results, "table1", "tpe", "nrrelieff", k), surely=True)
        for k in tuning.TOP
    ),
)
glue(last=last, tpe=100 * whole["tpe"], random=100 * whole["random"])

# %% [markdown]
# TPE {cite:p}`bergstra2011algorithms,akiba2019optuna` proposes trials by the results so far. It may
# make more of a small space, but may also learn by itself what matters. It is slow, so it has fewer
# trials and repetitions, with Table 1's default only. With {glue:text}`last` trials, tuning
# everything has a regret of {glue:text}`tpe:.1f` points by TPE and {glue:text}`random:.1f` by
# random search.
#
# ## What is tuned, and what stays
#
# Rankings use only random search's CNNs, because BOHB's are not independent draws. They pool the
# nine data sets, as the paper pools ten. N-RReliefF appears twice, with the paper's 30 neighbours
# and with a twentieth of the CNNs. Two controls are not in the table: *random* orders, a new one in
# each repetition, and N-RReliefF's order *reversed*. Only tuning everything tunes the numbers of
# filters, because the paper ranks them separately; filters of absent layers are not tuned.

# %%
positions = {
    ranking: pd.DataFrame(
        {
            name: [one for one in notes["rankings"][name][ranking] if one in tuning.ranked()]
            for name in datasets
        }
    ).apply(lambda order: pd.Series(range(1, len(order) + 1), index=order))
    for ranking in (*tuning.COMPUTED, "paper")
}
table1 = notes["defaults"][tuning.LONGEST]["table1"][datasets[0]]
learned = pd.DataFrame(notes["defaults"][tuning.LONGEST]["learned"])[datasets].T


def common(values):
    """What the learned defaults are: the value of all, or the range of numbers."""
    if isinstance(values.iloc[0], str) or values.min() == values.max():
        return " and ".join(map(str, values.unique()))
    return f"{values.min():.3g} to {values.max():.3g}"


LABELS = {name: tuning.RANKINGS[name] for name in tuning.COMPUTED} | {"paper": "Paper"}
order = positions["nrrelieff"].mean(axis=1).sort_values(kind="stable").index
names = [*order, *space.FILTERS]
ranks = {
    label: positions[key].mean(axis=1).reindex(names).to_numpy() for key, label in LABELS.items()
}
fixed = [table1[name] if isinstance(table1[name], str) else f"{table1[name]:g}" for name in names]
show_table(
    pd.DataFrame(
        {"Hyperparameter": [f"`{name}`" for name in names], **ranks}
        | {"Table 1's default": fixed, "Learned default": [common(learned[x]) for x in names]}
    ),
    "table-pays-space",
    f"Rank among the {RANKED[1]} on the other data sets, mean over which one is left out; and the "
    "defaults.",
    dict.fromkeys([LABELS[name] for name in tuning.COMPUTED], ".1f") | {"Paper": ".0f"},
)

# %% [markdown]
# ## How good the forests are
#
# All searches run on forests, not on CNNs. The forests learn from all CNNs, including BOHB's,
# because they must also predict where searches end. {numref}`table-pays-surrogates` says how well
# each predicts trainings that it has not seen. Its last column but one matters most: how well is
# the order known in the best quarter, where every search ends?

# %%
quality = pd.DataFrame(notes["surrogates"]).T.loc[datasets]
show_table(
    pd.DataFrame(
        {
            "Data set": [FACTS[name].label for name in datasets],
            "CNNs": quality["rows"].astype(int).to_numpy(),
            "R²": quality["r2"].to_numpy(),
            "of random search": quality["random"].to_numpy(),
            "Rank correlation": quality["spearman"].to_numpy(),
            "of the best quarter": quality["top"].to_numpy(),
            "Mean error": quality["error"].to_numpy(),
        }
    ),
    "table-pays-surrogates",
    "Cross-validated quality of the forest of each data set: share of the variance explained, of "
    "all CNNs and of those of random search only, Spearman's rank correlation over all CNNs and "
    "over the quarter predicted best, and mean absolute error of the accuracy.",
    dict.fromkeys(["R²", "of random search", "Rank correlation", "of the best quarter"], ".2f")
    | {"Mean error": ".3f"},
)
middle = quality.median()
claim(
    "the forests are a fair picture, at the top as well",
    middle["random"] >= 0.7 and middle["top"] >= 0.5,
)
glue(
    r2=middle["r2"],
    r2_random=middle["random"],
    spearman=middle["spearman"],
    top=middle["top"],
    n_rows=int(quality["rows"].sum()),
    n_sets=len(datasets),
    repetitions=notes["repetitions"]["random"],
    repetitions_tpe=notes["repetitions"]["tpe"],
)

# %% [markdown]
# The median R² is {glue:text}`r2:.2f`, but {glue:text}`r2_random:.2f` on random search's CNNs
# alone: BOHB's are like each other, so the forest has nearly seen those left out. The median rank
# correlation is {glue:text}`spearman:.2f` over all and {glue:text}`top:.2f` over the best quarter,
# a fair picture of the data sets. But a forest is smoother than real CNNs, and single lucky
# configurations can be peaks.
#
# The searches were recorded on {glue:text}`n_sets` data sets with {glue:text}`n_rows:,d` CNNs, with
# {glue:text}`repetitions` repetitions of random search and {glue:text}`repetitions_tpe` of TPE.
# `python studies/record_tuning.py` records them again.
#
# ## What fixing the wrong ones costs
#
# However long a search, what is fixed stays fixed. {numref}`table-pays-wrong` has the loss that
# this makes inevitable: the best known accuracy minus the best found by tuning only these, first at
# random and then one hyperparameter at a time. With either default, tuning the last
# {glue:text}`compared` of N-RReliefF's ranking instead of the first loses nothing.

# %%
rows = []
for default in tuning.DEFAULTS:
    for ranking, label in tuning.RANKINGS.items():
        row = {"Default": tuning.SHORT[default], "Ranking": label}
        for k in tuning.TOP:
            mean, low, high = regret.unreachable(results, default, ranking, k)
            row[f"{k} tuned"] = 100 * mean
            if k == compared:
                row["95 %"] = f"{100 * low:z.1f} to {100 * high:z.1f}"
        rows.append(row)
floors = pd.DataFrame(rows)
left = {default: regret.unreachable(results, default, *RANKED)[0] for default in tuning.DEFAULTS}
show_table(
    floors,
    "table-pays-wrong",
    "What cannot be reached with the rest fixed, percentage points of accuracy, means over the "
    f"data sets, with 95 % intervals. With all {RANKED[1]} tuned it is "
    f"{100 * left['table1']:.1f} with Table 1's default and {100 * left['learned']:.1f} with the "
    "learned default.",
    dict.fromkeys([f"{k} tuned" for k in tuning.TOP], ".1f"),
)
floor = floors.set_index(["Default", "Ranking"])[f"{compared} tuned"]
claim(
    "fixing the first few instead of the last is no loss",
    all(
        floor[short, tuning.RANKINGS["reversed"]] < floor[short, tuning.RANKINGS["nrrelieff"]]
        for short in tuning.SHORT.values()
    ),
)
glue(compared=compared)

# %% [markdown]
# ## And if `epoch` is tuned like the others?
#
# Now `epoch` is a hyperparameter too: it is ranked, and it is tuned if it is among the first $k$ or
# if everything is. Otherwise it stays at the default, which is 2 epochs in Table 1. This comparison
# seems natural, but mixes two questions: what is tuned, and how long the CNNs train.
#
# With Table 1's default the loss grows from {glue:text}`fixed_table1:.1f` to
# {glue:text}`free_table1:.1f` points. The difference, {glue:text}`more_table1:.1f`
# ({glue:text}`low_table1:.1f` to {glue:text}`high_table1:.1f`), comes from the length of training,
# not from the choice. With the learned default, which has 10 epochs anyway, the loss falls by
# {glue:text}`less_learned:.1f`. No ranking mostly has `epoch` among its first
# {glue:text}`compared`, so only the searches over everything train longer.

# %%


def with_epoch(ranking):
    """Share of the searches by a ranking that tune `epoch` among the first."""
    repetitions = range(notes["repetitions"]["random"]) if ranking == "random" else [0]
    orders = [
        tuning.random_order(name, repetition)
        if ranking == "random"
        else notes["rankings"][name][ranking]
        for name in datasets
        for repetition in repetitions
    ]
    return float(np.mean(["epoch" in order[:compared] for order in orders]))


shares = {ranking: with_epoch(ranking) for ranking in tuning.RANKINGS}
longest = int(space.SPACE["epoch"].bounds[1])
rows = []
for default in tuning.DEFAULTS:
    for ranking, label in tuning.RANKINGS.items():
        row = {"Default": tuning.SHORT[default], "Ranking": label, "With epoch": shares[ranking]}
        for epochs, heading, again in (
            (tuning.LONGEST, f"{longest} for all", ""),
            (tuning.TUNED, "tuned", " "),
        ):
            curve = regret.losses(results, default, "random", ranking, compared, epochs)
            mean, low, high = curve.at(at)
            row |= {heading: 100 * mean, f"95 %{again}": regret.span(low, high)}
        rows.append(row)
table = pd.DataFrame(rows)
show_table(
    table,
    "table-pays-epoch",
    f"Loss of tuning the first {compared} against tuning everything, after {at} trials of random "
    f"search, in percentage points: with {longest} epochs for all, and with `epoch` tuned like the "
    "others. *With epoch*: share of the latter searches that tune it.",
    {"With epoch": ".0%", f"{longest} for all": "+.1f", "tuned": "+.1f"},
)
more = {
    default: regret.by_training(results, default, "random", "nrrelieff", compared).at(at)
    for default in tuning.DEFAULTS
}
of_thirty = table[table["Ranking"] == tuning.RANKINGS["nrrelieff"]].set_index("Default")
claim("with Table 1's default the difference is the length of training", more["table1"][1] > 0)
claim("with the learned default the loss falls", more["learned"][2] < 0)
claim("`epoch` is mostly among the first in no ranking", max(shares.values()) <= 0.5)
glue(
    fixed_table1=of_thirty.loc["paper's", f"{longest} for all"],
    free_table1=of_thirty.loc["paper's", "tuned"],
    more_table1=100 * more["table1"][0],
    low_table1=100 * more["table1"][1],
    high_table1=100 * more["table1"][2],
    less_learned=-100 * more["learned"][0],
)

# %% [markdown]
# ## Data set by data set
#
# Tuning the first {glue:text}`most` of N-RReliefF is ahead of tuning everything on
# {glue:text}`ahead_table1` of {glue:text}`n_sets` data sets with Table 1's default, and on
# {glue:text}`ahead_learned` with the learned one.

# %%
columns = {"Data set": [FACTS[name].label for name in datasets]}
ahead = {}
for default, short in (("table1", "Table 1"), ("learned", "learned")):
    trials, everything, _ = regret.by_dataset(results, default, "random", *ALL)
    _, part, _ = regret.by_dataset(results, default, "random", "nrrelieff", most)
    place = int(np.flatnonzero(trials == at)[0])
    columns[f"{short}: everything"] = 100 * everything[:, place]
    columns[f"{short}: first {most}"] = 100 * part[:, place]
    ahead[f"ahead_{default}"] = int((part[:, place] < everything[:, place]).sum())
table = pd.DataFrame(columns)
show_table(
    table,
    "table-pays-datasets",
    f"Regret after {at} trials of random search, percentage points of accuracy, by the default of "
    f"what is not tuned. *First {most}* are those of N-RReliefF on the other nine.",
    dict.fromkeys(table.columns[1:], ".1f"),
)
glue(most=most, **ahead)
