# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which hyperparameters matter?
#
# {cite:t}`wang2024efficient` trained over ten thousand convolutional networks on ten image data
# sets, each with other hyperparameters, and asked which hyperparameter the accuracy depends on
# most. They answered with N-RReliefF, a method that compares each network with the networks most
# like it, and checked the answer with functional ANOVA {cite:p}`hutter2014efficient`.
#
# This book does that again. Every number, table and figure in it is computed, while the book is
# built, from networks that were really trained and whose results are recorded with the code. Beside
# ours stands the number that the paper printed, so that both can be compared.

# %% tags=["parameters"]
trials = "data/trials.parquet"  # the trained CNNs, one row each
n_trees = 16  # trees of functional ANOVA's forest
n_resamples = 200  # bootstrap samples for the intervals
random_state = 0  # seed of the forest and of the samples

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import yaml

from hia import published
from hia.agreement import rank_agreement
from hia.fanova import FAnova, measure_options
from hia.figures import WIDTH, look, show_figure, show_text, use_style
from hia.relief import NRReliefF
from hia.space import HYPERPARAMETERS, SPACE
from hia.trials import design, load

use_style()
rows = load(trials)
columns = [name for name in HYPERPARAMETERS if (rows[name] != rows[name].iloc[0]).any()]
X, accuracy = design(rows, columns), rows["accuracy"]
# As many neighbours as keep them at one distance, however many trials there are.
many = min(max(30, len(rows) // 20), len(rows) - 1)
relief = NRReliefF(n_neighbors=many, sigma=many * 20 / 30).fit(X, accuracy)


def shares(weights: np.ndarray) -> np.ndarray:
    """max(W, 0) over the sum, missing where no weight is above 0: (..., hyperparameters)."""
    positive = np.maximum(weights, 0)
    total = positive.sum(axis=-1, keepdims=True)
    return np.divide(positive, total, out=np.full_like(positive, np.nan), where=total > 0)


resampled = shares(relief.bootstrap(X, accuracy, n_resamples, random_state))
low, high = pd.DataFrame(resampled).quantile([0.025, 0.975]).to_numpy()
raw = design(rows, columns, log=False)
measure = measure_options(SPACE, columns)
forest = FAnova(n_trees, min_samples_leaf=3, random_state=random_state, **measure)
forest.fit(raw, accuracy)
found = pd.DataFrame(
    {
        "paper, N-RReliefF": published.table(3).set_index("hyperparameter")["weight"][columns],
        "ours, N-RReliefF": shares(relief.weights_),
        "from": low,
        "to": high,
        "paper, ANOVA": published.table(4).set_index("hyperparameter")["weight"][columns],
        "ours, ANOVA": forest.importances_,
        "W": relief.weights_,
    },
    index=columns,
)

# %%
figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 4.4), sharey=True)
heights = np.arange(len(columns))[::-1]
colors = [look(name)["color"] for name in columns]
marks = look("paper")
for ax, method in zip(axes, ("N-RReliefF", "ANOVA"), strict=True):
    ax.barh(heights, found[f"ours, {method}"], color=colors, height=0.66)
    ax.scatter(
        found[f"paper, {method}"],
        heights,
        s=38,
        marker=marks["marker"],
        facecolor="none",
        edgecolor=marks["color"],
        linewidth=1.3,
        label="the paper",
        zorder=3,
    )
    ax.grid(axis="x")
    ax.set_xlim(left=0)
axes[0].hlines(heights, found["from"], found["to"], color="black", linewidth=1)
axes[0].set_title("N-RReliefF", loc="left")
axes[1].set_title("functional ANOVA", loc="left")
axes[0].set_yticks(heights, columns)
figure.supxlabel("share of the importance", fontsize=11)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right")


def first(method: str, n: int = 3) -> list[str]:
    weights = found[method]
    return list(weights[weights > 0].nlargest(n).index)


show_figure(
    figure,
    "fig-headline",
    f"Importance of {len(columns)} hyperparameters: bars, ours from {len(rows):,} CNNs; diamonds, "
    f"the paper's. Lines: 95 % bootstrap intervals. Ours by N-RReliefF are with {many:,} "
    "neighbours. A share of N-RReliefF is a part of the sum of all weights, one of functional "
    "ANOVA a part of the variance of accuracy.",
    f"Two panels of bars. Largest by N-RReliefF: {', '.join(first('ours, N-RReliefF'))}; by "
    f"functional ANOVA: {', '.join(first('ours, ANOVA'))}; in the paper: "
    f"{', '.join(first('paper, N-RReliefF'))}.",
    data=found.reset_index(names="hyperparameter"),
)


# %%
def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def told(one: str, other: str) -> str:
    lists = found[one], found[other]
    if any((weights == weights.iloc[0]).all() for weights in lists):
        return "cannot be compared"
    return f"$\\tau$ = {rank_agreement(*lists)}"


leader = first("paper, N-RReliefF", 1)[0]
rank = found[["W", "ours, ANOVA"]].rank(ascending=False, method="min").astype(int)
positive = found["W"] > 0
show_text(
    f"**In short.** The paper's first three are {listed(first('paper, N-RReliefF'))}. From our "
    f"{len(rows):,} CNNs on {rows['dataset'].nunique()} data sets they are "
    f"{listed(first('W'))} by N-RReliefF and {listed(first('ours, ANOVA'))} by functional ANOVA. "
    f"`{leader}`, the paper's first, has rank {rank.loc[leader, 'W']} and "
    f"{rank.loc[leader, 'ours, ANOVA']} of {len(columns)} in ours. With the paper's ranking ours "
    f"agrees by Kendall's {told('paper, N-RReliefF', 'W')} for N-RReliefF and "
    f"{told('paper, ANOVA', 'ours, ANOVA')} for functional ANOVA, where 1 is the same order and 0 "
    "an unrelated one."
    + (
        ""
        if positive.all()
        else f" N-RReliefF finds no influence of {listed(list(found.index[~positive]))}."
    )
    + " {doc}`importance` has the weights, and what the differences may come from."
)

# %% [markdown]
# ## How to read it

# %%
PAGES = {
    "method": "derives the ranking method and works through a small example;",
    "setup": "says what was varied, and over what range;",
    "data": "shows the images, the networks and their accuracies;",
    "card": "describes the recorded tables and offers them;",
    "explorer": "lets you look through all trials;",
    "curves": "follows the accuracies over the epochs;",
    "noise": "asks how much of a result is the seed, and the size of the data;",
    "reliability": "repeats the weights on parts of the trials, as the paper's Fig. 4;",
    "importance": "has the paper's main result, and ours;",
    "multiverse": "makes every choice that the paper leaves open, both ways;",
    "perdataset": "ranks for each data set alone;",
    "joint": "weighs pairs of hyperparameters;",
    "filters": "weighs the numbers of filters of the layers;",
    "audit": "checks the numbers that the paper prints;",
    "methods": "compares the methods where the truth is known;",
    "screening": "asks what a few designed trainings tell;",
    "pays": "asks whether a search over fewer hyperparameters pays;",
    "live": "trains a few networks while the page is made;",
    "items": "lists every figure, table and equation of the paper, and the state of this book;",
    "rerun": "says how to make all of this again, and how to use the method on trials of your own.",
}


def files(contents) -> set[str]:
    """The pages of a table of contents."""
    if isinstance(contents, list):
        return set().union(*map(files, contents))
    below = (contents.get(key, []) for key in ("parts", "chapters", "sections"))
    return {contents.get("file", "")}.union(*map(files, below))


contents = files(yaml.safe_load(Path("book/_toc.yml").read_text(encoding="utf-8")))
show_text(
    "\n".join(f"- {{doc}}`{page}` {text}" for page, text in PAGES.items() if page in contents)
)

# %% [markdown]
# - Above each result, *Show the code* opens the code that made it. The download button at the top
#   of a page gives the whole notebook, and the box at its end says how to run it with other
#   parameters.
# - Figures and tables of the paper have its numbers, all others have numbers that begin with S.
#   Under each stands its data, to download.
# - The book needs no network: it can be read from a folder, on any device.
